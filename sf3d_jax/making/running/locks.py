"""Locks between processes, held by the operating system: they end with the process.

A lock is a file in the folder `.locks` of a data set. It is removed when it is released. One that a
killed process left is not held, so the next process removes it. Locks reach as far as the file
system's do: over NFS and most file systems of clusters, they hold between machines.
"""

import contextlib
import errno
import math
import os
import re
import socket
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

FOLDER = ".locks"
# Seconds between two attempts, and those for which others may hold a lock just to look at it.
_PAUSE = 0.05
_GLANCE = 1.0
_BUSY = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
_UNSUPPORTED = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}


class BusyError(OSError):
    """Another process holds the lock."""


@contextlib.contextmanager
def hold_share(out: Path, index: int, count: int) -> Iterator[None]:
    """Holds the share `index` of `count`, and removes the locks that killed processes left.

    Args:
      out: folder of the data set, which exists.
      index: number of the process, from 0.
      count: number of processes.

    Yields:
      Nothing.

    Raises:
      BusyError: a living process makes this share, or one that has a subject in common with it.
    """
    own = out / FOLDER / f"process-{index}-of-{count}"
    try:
        with hold(own, patience=_GLANCE):
            # Two that begin at the same time look after they hold their own: one of them sees both.
            for other in _list_locks(out):
                if other != own and _is_held(other):
                    _refuse_overlap(out, other, index, count)
            try:
                yield
            finally:
                for other in _list_locks(out):
                    if other != own:
                        _is_held(other)  # removes it if its process is dead
    except BusyError as error:
        if error.filename != str(own):
            raise
        raise _describe_conflict(out, own, index, count) from None
    finally:
        with contextlib.suppress(OSError):  # others have locks there
            (out / FOLDER).rmdir()


@contextlib.contextmanager
def hold(path: Path, *, patience: float) -> Iterator[None]:
    """Holds a lock.

    Args:
      path: file of the lock, whose folder is made if it is missing.
      patience: seconds to wait for another process that holds it.

    Yields:
      Nothing.

    Raises:
      BusyError: another process holds the lock for longer.
    """
    deadline = time.monotonic() + patience
    while (file := _try(path)) is None:
        if time.monotonic() >= deadline:
            raise BusyError(errno.EAGAIN, "is held by another process", str(path))
        time.sleep(_PAUSE)
    try:
        with contextlib.suppress(OSError):  # who holds it is for messages only
            file.write(f"{socket.gethostname()} {os.getpid()}\n".encode())
            file.flush()
        yield
    finally:
        _release(file, path)


def _try(path: Path) -> BinaryIO | None:
    """Opens and locks a file; None if another process holds it."""
    while True:
        try:
            path.parent.mkdir(exist_ok=True)
            file = path.open("ab")
        except (FileExistsError, FileNotFoundError):  # somebody has just removed the folder
            if path.parent.is_file() or not path.parent.parent.is_dir():
                raise
            continue
        except PermissionError:
            if sys.platform != "win32":
                raise
            return None  # Windows says this of a file that is being removed
        if not _lock(file):
            file.close()
            return None
        if _is_at(file, path):
            file.truncate(0)
            return file
        # The holder removed the file after it was opened here.
        file.close()


def _lock(file: BinaryIO) -> bool:
    """Locks an open file without waiting; False if another process has locked it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(0)  # it locks the byte at the current position
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _BUSY:
            return False
        if error.errno not in _UNSUPPORTED:
            raise
        folder = Path(file.name).parent.parent
        warnings.warn(
            f"{folder}: this file system has no locks; make sure that no other process has the "
            "same share",
            stacklevel=2,
        )
    return True


def _is_at(file: BinaryIO, path: Path) -> bool:
    """Whether an open file is still the one at a path."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _release(file: BinaryIO, path: Path) -> None:
    """Removes a lock; the file goes first, so that nobody can lock it when it is about to go."""
    if sys.platform == "win32":  # where no file can be removed while it is open
        file.close()
    with contextlib.suppress(OSError):
        path.unlink()
    file.close()


def _list_locks(out: Path) -> list[Path]:
    with contextlib.suppress(FileNotFoundError):
        return sorted((out / FOLDER).iterdir())
    return []


def _is_held(path: Path) -> bool:
    """Whether a living process holds a lock; removes the lock if not."""
    file = _try(path)
    if file is None:
        return True
    _release(file, path)
    return False


def _refuse_overlap(out: Path, other: Path, index: int, count: int) -> None:
    """Raises if the holder of another share has a subject in common with this one."""
    found = re.fullmatch(r"process-(\d+)-of-(\d+)", other.name)
    if found and (index - int(found[1])) % math.gcd(count, int(found[2])) == 0:
        raise _describe_conflict(out, other, int(found[1]), int(found[2]))


def _describe_conflict(out: Path, lock: Path, index: int, count: int) -> BusyError:
    holder = ""
    with contextlib.suppress(OSError, ValueError):
        host, number = lock.read_text().split()
        holder = f", number {number} on {host},"
    what = "" if count == 1 else f" share {index}/{count} of"
    return BusyError(
        f"process: another process{holder} is making{what} {out}; wait until it has ended, or give "
        "shares without common subjects"
    )
