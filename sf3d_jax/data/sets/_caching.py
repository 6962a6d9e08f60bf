"""Files that several samples need, parsed once: those of many frames, and those of a shared one."""

import contextlib
import contextvars
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from sf3d_jax.data._files import PathLike

P = ParamSpec("P")
T = TypeVar("T")

_LARGEST = 128


def cached_by_file(read: Callable[P, T]) -> Callable[P, T]:
    """Keeps what a reader returned, of the last 128 files, for as long as they stay the same.

    A file has changed if its size or its time has. What is returned is shared by all callers, in
    all threads: nobody may write into it.

    Args:
      read: its first argument is the path of a file; other files are given as `Path`. All of its
        arguments can be keys of a dictionary.

    Returns:
      A function of the same arguments. It raises what the reader raises, and does not keep it; a
      file that is missing is a FileNotFoundError.
    """
    anything: Callable[..., T] = read

    @functools.lru_cache(maxsize=_LARGEST)
    def read_once(
        _: tuple[tuple[int, int], ...],
        args: tuple[object, ...],
        options: tuple[tuple[str, object], ...],
    ) -> T:
        return anything(*args, **dict(options))

    @functools.wraps(read)
    def cached(*args: P.args, **options: P.kwargs) -> T:
        given: tuple[Any, ...] = args
        values = [*given, *options.values()]
        files = [values[0], *(x for x in values[1:] if isinstance(x, Path))]
        return read_once(tuple(map(_stamp, files)), given, tuple(options.items()))

    return cached


def _stamp(path: PathLike) -> tuple[int, int]:
    """What changes with the content of a file."""
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


# What was read of a sequence so far, by kind and path; None outside of `share_reads`.
_shared: contextvars.ContextVar[dict[tuple[str, Path], Any] | None] = contextvars.ContextVar(
    "shared", default=None
)


@contextlib.contextmanager
def share_reads() -> Iterator[None]:
    """Within the block, `read_shared` reads a file once, in this thread.

    Yields:
      Nothing.
    """
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def read_shared(kind: str, path: Path, read: Callable[[Path], T]) -> T:
    """Reads a file, or gives what was read of it as the same kind in a block of `share_reads`.

    Args:
      kind: what the file holds, of whichever frame.
      path: of the file.
      read: its reader, always the same for a kind; nobody may write into what it returns.

    Returns:
      What the reader returns.
    """
    shared = _shared.get()
    if shared is None:
        return read(path)
    if (kind, path) not in shared:
        shared[kind, path] = read(path)
    found: T = shared[kind, path]
    return found
