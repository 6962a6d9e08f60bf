"""What is checked before a process writes anything, so that a failed start leaves nothing."""

import numbers
import os
import warnings
from collections.abc import Callable
from pathlib import Path

from sf3d_jax._checks import name_type
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import plan
from sf3d_jax.making.running import record, subject

# Above this number of Gaussians, it is a minute on a CPU until the first frame is there.
_MANY = 1_000_000


def check_start(out: Path, options: Options) -> None:
    """Compares the options with the record, or tries them if there is none.

    Without a record, the first subject is opened if the options name files, as a record of files
    that cannot be used would refuse the right ones.

    Args:
      out: folder of the data set, which need not exist.
      options: options of this process.

    Raises:
      ValueError: the data set was made with other options, versions or another back end.
      FormatError: a file of the options cannot be read, or does not fit.
      OSError: a file of the options is missing.
    """
    if options.gaussians > _MANY:
        warnings.warn(
            f"{options.gaussians:,} Gaussians take minutes to prepare on a CPU, then seconds for "
            f"each frame, and much memory; the default is {Options.gaussians:,}",
            stacklevel=2,
        )
    if (out / record.NAME).exists():
        record.check(out, options)
        return
    if record.hash_files(options):
        subject.open_drawing(plan(options).subjects[0], options)


def check_arguments(
    out: str | os.PathLike[str],
    workers: int,
    dask: str | None,
    progress: Callable[..., None] | None,
) -> None:
    """Refuses arguments of a run that no run can have.

    Args:
      out: folder of the data set.
      workers: number of processes to start.
      dask: address of a scheduler, or None.
      progress: function, or None.

    Raises:
      TypeError: an argument has another type.
      ValueError: there are fewer than one worker, or workers and a cluster.
    """
    if not isinstance(out, str | os.PathLike):
        raise TypeError(f"out: expected a path, got {name_type(out)}")
    if isinstance(workers, bool) or not isinstance(workers, numbers.Integral):
        raise TypeError(f"workers: expected an integer, got {workers!r}")
    if dask is not None and not isinstance(dask, str):
        raise TypeError(f"dask: expected an address or None, got {name_type(dask)}")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress: expected a function or None, got {name_type(progress)}")
    if workers < 1:
        raise ValueError(f"workers: expected at least 1, got {workers}")
    if workers > 1 and dask is not None:
        raise ValueError("workers, dask: give one of them; Dask starts its own workers")
