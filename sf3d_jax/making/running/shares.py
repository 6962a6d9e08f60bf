"""Which part of a data set a process makes: subjects index, index + count, index + 2 count, ...

Schedulers number their processes in the environment. Slurm numbers the tasks of an array as
MIN, MIN + STEP, ..., MAX, and Kubernetes the pods of an indexed job from 0.
"""

import numbers
import re
from collections.abc import Mapping
from typing import NamedTuple

SLURM = "SLURM_ARRAY_TASK_ID"
KUBERNETES = "JOB_COMPLETION_INDEX"
_SLURM_PARTS = ("ID", "MIN", "MAX", "STEP", "COUNT")


class Share(NamedTuple):
    """The part of the subjects that one of several processes makes.

    Attributes:
      process: (i, n), process i of n, from 0.
      source: what gave these numbers, such as "--process" or "SLURM_ARRAY_TASK_ID"; "" for all
        subjects, as nothing was given.
    """

    process: tuple[int, int]
    source: str


def find_share(process: str | None, processes: int | None, environment: Mapping[str, str]) -> Share:
    """Finds the share of this process.

    Args:
      process: "I/N", process I of N, from 0; None to read the environment.
      processes: number of pods of an indexed Kubernetes job, which its environment lacks.
      environment: environment variables of the process.

    Returns:
      The share: `process` if it is given; else the place of the task in a Slurm array; else the
      index of the pod in an indexed Kubernetes job; else all subjects.

    Raises:
      ValueError: the numbers are not a share, or `processes` is missing or has no use.
    """
    if process is not None:
        if processes is not None:
            raise ValueError("process, processes: give one of them, not both")
        return _parse_share(process)
    if environment.get(SLURM):
        if processes is not None:
            raise ValueError(f"processes: {SLURM} is set, and Slurm gives the number; leave it out")
        return _read_slurm(environment)
    if environment.get(KUBERNETES):
        return _read_kubernetes(environment[KUBERNETES], processes)
    if processes is not None:
        raise ValueError(f"processes: expected {KUBERNETES} in the environment; give --process I/N")
    return Share((0, 1), "")


def check_share(index: int, count: int, name: str = "process") -> None:
    """Refuses numbers that are not a share.

    Args:
      index: number of the process.
      count: number of processes.
      name: what gave the numbers, for the message.

    Raises:
      ValueError: the index is not one of 0, ..., count - 1.
    """
    if not 0 <= index < count:
        raise ValueError(f"{name}: expected I/N with I from 0 to N - 1, got {index}/{count}")


def check_process(process: tuple[int, int]) -> None:
    """Refuses an argument that is not a share.

    Args:
      process: (i, n), process i of n, from 0.

    Raises:
      TypeError: it is not two integers.
      ValueError: i is not one of 0, ..., n - 1.
    """
    is_pair = isinstance(process, tuple | list) and len(process) == 2
    if not is_pair or not all(isinstance(x, numbers.Integral) for x in process):
        raise TypeError(f"process: expected (i, n), two integers, got {process!r}")
    check_share(*process)


def _parse_share(process: str) -> Share:
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", process, re.ASCII)
    if not found:
        raise ValueError(f"process: expected I/N, such as 0/4, got {process}")
    index, count = map(int, found.groups())
    check_share(index, count)
    return Share((index, count), "--process")


def _read_slurm(environment: Mapping[str, str]) -> Share:
    """Reads the place of a task in its array, whose numbers may begin anywhere and have gaps."""
    names = {part: f"SLURM_ARRAY_TASK_{part}" for part in _SLURM_PARTS}
    # Slurm leaves out the step of arrays that are lists of numbers.
    values = {"STEP": 1} | {
        part: _read_number(environment, name)
        for part, name in names.items()
        if part != "STEP" or environment.get(name)
    }
    task, first, last, step, count = (values[part] for part in _SLURM_PARTS)
    places = range(first, last + 1, max(step, 1))
    if len(places) != count or task not in places:
        raise ValueError(
            f"{SLURM}: task {task} has no place among {count} tasks from {first} to {last} in "
            f"steps of {step}; submit the array as a range, such as --array=0-{count - 1}, or give "
            "--process I/N"
        )
    return Share((places.index(task), count), SLURM)


def _read_kubernetes(index: str, processes: int | None) -> Share:
    if processes is None:
        raise ValueError(
            f"processes: {KUBERNETES} is {index}, but Kubernetes does not tell how many pods the "
            "job has; give --processes N"
        )
    number = _read_number({KUBERNETES: index}, KUBERNETES)
    check_share(number, processes, f"{KUBERNETES}, processes")
    return Share((number, processes), KUBERNETES)


def _read_number(environment: Mapping[str, str], name: str) -> int:
    value = environment.get(name, "")
    if not re.fullmatch(r"\d{1,9}", value, re.ASCII):
        raise ValueError(f"{name}: expected a number in the environment, got {value!r}")
    return int(value)
