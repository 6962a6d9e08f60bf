"""Subjects as tasks on a Dask cluster that somebody else has started.

Dask gives the task of a worker that died to another one. The lock of a subject keeps the new task
waiting while a worker that Dask has lost, but that is still alive, makes the same subject.
"""

import dataclasses
import secrets
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan
from sf3d_jax.making.running import record
from sf3d_jax.making.running.instructions import find_level
from sf3d_jax.making.running.reporting import name_frame
from sf3d_jax.making.running.subject import make_subject

if TYPE_CHECKING:
    from distributed import Client

_MISSING = "dask: needs dask[distributed], which is missing: pip install 'sf3d_jax[cluster]'"
# Seconds to wait for the scheduler's answer.
_PATIENCE = 10.0


class AbandonedError(RuntimeError):
    """Nobody waits for the task any more."""


def check_cluster(address: str) -> None:
    """Connects to a Dask scheduler and leaves it again.

    Args:
      address: address of the scheduler.

    Raises:
      ImportError: dask[distributed] is not installed.
      OSError: there is no scheduler.
    """
    with _connect(address):
        pass


def run_on_cluster(
    address: str,
    out: Path,
    options: Options,
    subjects: Sequence[SubjectPlan],
    report: Callable[[str], None],
) -> None:
    """Makes subjects on a Dask cluster.

    Args:
      address: address of the scheduler.
      out: folder of the data set, the same one for all workers.
      options: options of the data set.
      subjects: subjects to make.
      report: called with the name of each finished frame.

    Raises:
      ImportError: dask[distributed] is not installed.
      OSError: there is no scheduler, workers died again and again, or a file cannot be read or
        written.
      ValueError: a worker has other versions or another back end than this process.
    """
    options = make_absolute(options)
    with _connect(address) as client:
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        _look_at_workers(client, out)
        topic = f"sf3d-make-{secrets.token_hex(8)}"
        client.subscribe_topic(topic, lambda event: report(event[1]))
        tasks = {
            client.submit(_make_remotely, out, options, subject, topic, key=f"{topic}-{i}"): subject
            for i, subject in enumerate(subjects)
        }
        try:
            for done in as_completed(tasks):
                done.result()
                # Some events may still be on their way.
                for frame in range(options.frames):
                    report(name_frame(tasks[done], frame))
        except KilledWorker as error:
            raise ChildProcessError(
                f"dask: {error.last_worker.address} and other workers died in the same subject, "
                "perhaps for lack of memory; run it again to go on"
            ) from None
        except CancelledError:
            raise ConnectionError(f"dask: lost the scheduler at {address}") from None
        finally:
            client.cancel(list(tasks))


def make_absolute(options: Options) -> Options:
    """Replaces the paths of options by absolute ones, as workers have other current folders."""
    paths: dict[str, Any] = {
        name: str(Path(path).absolute()) for name, path in record.list_files(options).items()
    }
    return dataclasses.replace(options, **paths)


def _connect(address: str) -> "Client":
    try:
        from distributed import Client
    except ImportError as error:
        if error.name not in ("dask", "distributed"):
            raise
        raise ImportError(_MISSING, name=error.name) from None
    try:
        return Client(address, timeout=_PATIENCE)
    except (OSError, ValueError) as error:
        raise OSError(f"dask: no Dask scheduler at {address}: {error}") from None


def _look_at_workers(client: "Client", out: Path) -> None:
    """Warns if there are no workers, or some with another instruction set than the data set's."""
    levels = client.run(find_level)
    if not levels:
        warnings.warn("the Dask cluster has no workers yet; waiting for the first", stacklevel=2)
    wanted = record.read_level(out)
    for worker, level in levels.items():
        if level != wanted:
            warnings.warn(
                f"the Dask worker {worker} has the instruction set {level}, and {out} is made with "
                f"{wanted}; they may round differently",
                stacklevel=2,
            )


def _make_remotely(out: Path, options: Options, subject: SubjectPlan, topic: str) -> None:
    """Makes a subject in a Dask worker."""
    from distributed import get_worker

    worker = get_worker()
    if not (out / record.NAME).exists():
        raise FileNotFoundError(
            f"{out}: is another folder on the Dask worker {worker.address}; name one on a file "
            "system that all workers share"
        )
    record.check(out, options)
    key = worker.get_current_task()

    def report(name: str) -> None:
        task = worker.state.tasks.get(key)
        # A thread cannot be stopped from outside.
        if task is None or task.state != "executing":
            raise AbandonedError(f"subject {subject.name}: nobody waits for it any more")
        worker.log_event(topic, name)

    make_subject(out, options, subject, report)
