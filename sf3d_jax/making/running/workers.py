"""Worker processes on this machine.

Each worker is a fresh Python, so that it starts its own JAX with its part of the cores, and nothing
of the program that calls `make` is run again. It gets subjects one by one through its standard
input, and sends back the names of finished frames, warnings and errors through its standard output,
all of them pickled. Its standard input closes when its parent ends, however that ends, and then the
worker ends at once.
"""

import contextlib
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan
from sf3d_jax.making.running.subject import make_subject

_COMMAND = [
    sys.executable,
    "-P",
    "-c",
    "from sf3d_jax.making.running.workers import serve; serve()",
]
# Libraries that compute with threads, and how many of them a worker may have.
_THREADS = ("NPROC", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class _Finished(NamedTuple):
    """The worker has finished its subject, and waits for another."""


class _Ended(NamedTuple):
    """The worker has ended."""


_Message = str | Warning | BaseException | _Finished | _Ended


def run_workers(
    count: int,
    out: Path,
    options: Options,
    subjects: Sequence[SubjectPlan],
    report: Callable[[str], None],
) -> None:
    """Makes subjects in worker processes.

    Args:
      count: largest number of workers.
      out: folder of the data set.
      options: options of the data set.
      subjects: subjects to make.
      report: called with the name of each finished frame.

    Raises:
      Exception: the first error of a worker; the other workers are ended.
      ChildProcessError: a worker died.
    """
    count = min(count, len(subjects))
    waiting = deque(subjects)
    inbox: queue.SimpleQueue[tuple[_Worker, _Message]] = queue.SimpleQueue()
    with contextlib.ExitStack() as stack:
        busy = {stack.enter_context(_start(inbox, count)) for _ in range(count)}
        for worker in busy:
            worker.send((out, options))
            worker.give(waiting.popleft())
        while busy:
            worker, message = inbox.get()
            if isinstance(message, str):
                report(message)
            elif isinstance(message, _Finished) and waiting:
                worker.give(waiting.popleft())
            elif isinstance(message, _Finished):
                busy.remove(worker)
            elif isinstance(message, _Ended):
                raise worker.describe_end()
            elif isinstance(message, Warning):
                warnings.warn(message, stacklevel=2)
            else:
                raise message


def share_gpu() -> None:
    """Lets this process and its workers take memory of a GPU as they need it.

    By default JAX takes most of it when it starts, so that a second process would get none.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")


class _Worker:
    """A worker process, as its parent sees it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        """Keeps the process."""
        self.process = process
        self._subject = ""

    def give(self, subject: SubjectPlan) -> None:
        """Sends the next subject."""
        self._subject = subject.name
        self.send(subject)

    def send(self, thing: object) -> None:
        """Sends anything that can be pickled; nothing if the worker has ended."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            pickle.dump(thing, self.process.stdin)
            self.process.stdin.flush()

    def listen(self, inbox: "queue.SimpleQueue[tuple[_Worker, _Message]]") -> None:
        """Passes on all messages, and a last one when the worker has ended."""
        assert self.process.stdout is not None
        with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
            while True:
                inbox.put((self, pickle.load(self.process.stdout)))
        inbox.put((self, _Ended()))

    def describe_end(self) -> ChildProcessError:
        """Describes how a worker died before it was finished."""
        code = self.process.wait()
        how = f"exit code {code}"
        with contextlib.suppress(ValueError):
            how = signal.Signals(-code).name
        return ChildProcessError(
            f"a worker died of {how} in subject {self._subject}, perhaps for lack of memory; run "
            "it again, with fewer workers, to go on"
        )


@contextlib.contextmanager
def _start(inbox: "queue.SimpleQueue[tuple[_Worker, _Message]]", count: int) -> Iterator[_Worker]:
    """Starts a worker, and ends it with the block."""
    with _block_interruptions():
        process = subprocess.Popen(
            _COMMAND,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | _choose_environment(count),
        )
    worker = _Worker(process)
    listener = threading.Thread(target=worker.listen, args=(inbox,), daemon=True)
    listener.start()
    try:
        yield worker
    finally:
        process.kill()
        process.wait()
        listener.join()
        for stream in (process.stdin, process.stdout):
            assert stream is not None
            with contextlib.suppress(BrokenPipeError):
                stream.close()


@contextlib.contextmanager
def _block_interruptions() -> Iterator[None]:
    """Lets processes that start in the block ignore Ctrl-C, which a terminal sends to all.

    The parent gets it and ends them.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _choose_environment(count: int) -> dict[str, str]:
    """Chooses variables that give a worker its part of the cores, and the modules of its parent."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    threads = str(max(1, cores // count))
    return dict.fromkeys(_THREADS, threads) | {"PYTHONPATH": os.pathsep.join(sys.path)}


def serve() -> None:
    """Makes subjects for the parent process until it ends."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not get between the messages
    orders: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_take_orders, args=(orders,), daemon=True).start()
    send = lambda message: _send(channel, message)
    warnings.showwarning = lambda message, *_, **__: send(message)
    try:
        out, options = orders.get()
        while True:
            make_subject(out, options, orders.get(), send)
            send(_Finished())
    except BaseException as error:
        send(error)


def _take_orders(orders: "queue.SimpleQueue[Any]") -> None:
    """Passes on what the parent sends, and ends the process when the parent has ended."""
    with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
        while True:
            orders.put(pickle.load(sys.stdin.buffer))
    # The main thread may be inside a long computation, which only this ends.
    os._exit(1)


def _send(channel: BinaryIO, message: object) -> None:
    try:
        data = pickle.dumps(message)
        pickle.loads(data)  # some errors can be pickled, but not be made again
    except Exception:
        data = pickle.dumps(RuntimeError(f"{type(message).__name__}: {message}"))
    with contextlib.suppress(BrokenPipeError):
        channel.write(data)
        channel.flush()
