"""Compiled programs of `sf3d`, kept in the user's cache folder from one call to the next.

JAX reads its settings from the environment when it is imported, so it is not imported here. The
folder is `sf3d_jax/programs` in `$XDG_CACHE_HOME`, or in `~/.cache`.
"""

import contextlib
import os
import re
import stat
import sys
import warnings
from pathlib import Path

LARGEST_CACHE = 512 * 2**20  # bytes; programs for one size of images take about one MB
_FOLDER = "JAX_COMPILATION_CACHE_DIR"
# JAX keeps only what takes a second to compile, but a command has many small programs, too.
_KEEP_ALL = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
_WARNING = r"Error (reading|writing) persistent compilation cache entry for '(.+?)'"


def keep_programs() -> None:
    """Lets JAX keep compiled programs in the user's cache folder, if only the user writes there.

    The folder is made, and bounded, when JAX is imported, so that a command which ends before, for
    a wrong flag, leaves no trace. Programs that were not used for longest are removed. JAX's own
    environment variables have precedence.
    """
    if "jax" not in sys.modules:
        sys.meta_path.insert(0, _BeforeJax())


def remove_oldest(folder: Path, most_bytes: int) -> None:
    """Removes the files of a folder that were not used for longest, until the rest is small enough.

    Args:
      folder: the folder; other processes may write and remove files at the same time.
      most_bytes: size of all files together that may stay.
    """
    files = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            status = path.stat()
            if path.is_file():
                files.append((max(status.st_atime, status.st_mtime), status.st_size, path))
    for _, size, path in sorted(files, reverse=True):
        most_bytes -= size
        if most_bytes < 0:
            with contextlib.suppress(OSError):
                path.unlink()


class _BeforeJax:
    """Python asks it for each module first: it finds none, but prepares the cache for JAX."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        """Prepares the cache when JAX is looked for."""
        # It stays in the list: Python would pass over the next one if it left it now.
        if name == "jax":
            _prepare_cache()


def _prepare_cache() -> None:
    """Makes and bounds the folder, and tells JAX of it, unless it was told another one."""
    if _FOLDER in os.environ:
        return
    folder = _cache_folder()
    if folder is None:
        return
    remove_oldest(folder, LARGEST_CACHE)
    for name, value in {_FOLDER: str(folder), **_KEEP_ALL}.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("always", _WARNING)
    _mend_on_warnings(folder)


def _cache_folder() -> Path | None:
    """The folder, made if need be; None where it cannot be written to, or others may do so."""
    parent = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(parent):  # as the specification asks for
        parent = os.path.expanduser("~/.cache")
    folder = Path(parent) / "sf3d_jax" / "programs"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        is_ours = _is_private(folder)
    except OSError:
        return None
    is_open = folder.is_absolute() and os.access(folder, os.R_OK | os.W_OK | os.X_OK)
    return folder if is_ours and is_open else None


def _is_private(folder: Path) -> bool:
    """Whether a folder is the user's own, and nobody else may write into it: its programs are run.

    A system without users' numbers, such as Windows, has no such modes either, and is trusted.
    """
    if sys.platform == "win32":
        return True
    status = folder.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _mend_on_warnings(folder: Path) -> None:
    """Removes a program that cannot be read, and says nothing where none can be written.

    JAX compiles in either case. It never replaces a file, so that one of which a full disk or an
    interruption left a part would be in the way for ever.
    """
    show = warnings.showwarning

    def show_or_mend(message: Warning | str, *arguments: object, **options: object) -> None:
        found = re.match(_WARNING, str(message))
        if found is None:
            show(message, *arguments, **options)
        elif found[1] == "reading":
            for path in folder.glob(f"{found[2]}-*"):
                path.unlink(missing_ok=True)

    warnings.showwarning = show_or_mend
