"""Caches for files that several samples need, so that each is parsed once."""

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


def cache_by_file(read: Callable[P, T]) -> Callable[P, T]:
    """Caches a reader's results for the last 128 files, as long as the files do not change.

    A file has changed if its size or modification time has. The result is shared by all callers in
    all threads, so nobody may write into it.

    Args:
      read: reader whose first argument is the path of a file. Other arguments that are files must
        be of type `Path`, and all arguments must be hashable.

    Returns:
      A function with the same arguments. It raises what the reader raises, without caching it, and
      FileNotFoundError if a file is missing.
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
        return read_once(tuple(map(find_stamp, files)), given, tuple(options.items()))

    return cached


def find_stamp(path: PathLike) -> tuple[int, int]:
    """Returns the modification time and size, which change with the content of a file.

    Args:
      path: the file.

    Raises:
      FileNotFoundError: the file is missing.
    """
    status = os.stat(path)
    return status.st_mtime_ns, status.st_size


# The files of a sequence that were read so far, by kind and path; None outside `share_reads`.
_shared: contextvars.ContextVar[dict[tuple[str, Path], Any] | None] = contextvars.ContextVar(
    "shared", default=None
)


@contextlib.contextmanager
def share_reads() -> Iterator[None]:
    """Lets `read_shared` read each file only once within the block, in this thread.

    Yields:
      Nothing.
    """
    token = _shared.set({})
    try:
        yield
    finally:
        _shared.reset(token)


def read_shared(kind: str, path: Path, read: Callable[[Path], T]) -> T:
    """Reads a file, or returns its cached content inside a block of `share_reads`.

    Args:
      kind: kind of the file, regardless of the frame.
      path: file to read.
      read: reader, always the same one for a kind. Nobody may write into its result.

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
