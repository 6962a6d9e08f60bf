"""Cache of compiled programs in the user's cache folder, shared by all calls of `sf3d`.

The folder is `sf3d_jax/programs` in `$XDG_CACHE_HOME` or `~/.cache`. JAX reads its settings from
the environment when it is imported, so it is not imported here.
"""

import contextlib
import os
import re
import stat
import sys
import warnings
from pathlib import Path

LARGEST_CACHE = 512 * 2**20  # bytes; the programs for one image size take about one MB
_FOLDER = "JAX_COMPILATION_CACHE_DIR"
# By default JAX caches only programs that take a second to compile; a command has many small ones.
_KEEP_ALL = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
_WARNING = r"Error (reading|writing) persistent compilation cache entry for '(.+?)'"


def keep_programs() -> None:
    """Lets JAX cache compiled programs in the user's cache folder, if only the user writes there.

    The folder is created and trimmed when JAX is imported, so a command that stops earlier, at a
    wrong flag, leaves no trace. The least recently used programs are removed. JAX's own environment
    variables take precedence.
    """
    if "jax" not in sys.modules:
        sys.meta_path.insert(0, _BeforeJax())


def remove_oldest(folder: Path, most_bytes: int) -> None:
    """Removes the least recently used files of a folder until the rest is small enough.

    Args:
      folder: folder to trim; other processes may write and remove files at the same time.
      most_bytes: total size of the files that may stay.
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
    """An import hook that finds no module, but prepares the cache just before JAX is imported."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        """Prepares the cache when JAX is looked for."""
        # The hook stays installed: Python would skip the next finder if this one removed itself.
        if name == "jax":
            _prepare_cache()


def _prepare_cache() -> None:
    """Makes and trims the folder and points JAX to it, unless the user chose another folder."""
    if _FOLDER in os.environ:
        return
    folder = _make_cache_folder()
    if folder is None:
        return
    remove_oldest(folder, LARGEST_CACHE)
    for name, value in {_FOLDER: str(folder), **_KEEP_ALL}.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("always", _WARNING)
    _mend_on_warnings(folder)


def _make_cache_folder() -> Path | None:
    """Makes the folder; None if it cannot be written to, or if others can write to it."""
    parent = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(parent):  # required by the XDG specification
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
    """Whether the user owns a folder and nobody else may write to it, as its programs are run.

    Windows has neither user IDs nor such modes and is trusted.
    """
    if sys.platform == "win32":
        return True
    status = folder.stat()
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _mend_on_warnings(folder: Path) -> None:
    """Removes cached programs that cannot be read, and silences failures to write one.

    JAX compiles in either case. It never replaces a file, so a truncated one, left by a full disk
    or an interruption, would be in the way for ever.
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
