"""A folder of estimates as a submission to a benchmark, checked."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.evaluation.problems import (
    Problem,
    Progress,
    check_can_be_folder,
    check_folder_exists,
)
from sf3d_jax.data.maps import read_flow
from sf3d_jax.data.maps.kinds import FlowMap, ScalarMap
from sf3d_jax.data.sets._benchmark import Submitted, find_estimate, read_any_disparity
from sf3d_jax.data.sets._names import did_you_mean
from sf3d_jax.data.sets.kitti import benchmark as kitti
from sf3d_jax.data.sets.spring import benchmark as spring

_BENCHMARKS: Mapping[str, Submitted] = {"kitti": kitti, "spring": spring}


class SubmittedKind(NamedTuple):
    """The files of one kind, such as the flow.

    Attributes:
      expected: how many files a whole submission has.
      missing: estimates that are not there.
      wrong: estimates that could not be written as the benchmark wants them, or not read again.
      unknown: files in the folders of this kind whose names the benchmark does not know.
    """

    expected: int
    missing: tuple[Problem, ...]
    wrong: tuple[Problem, ...]
    unknown: tuple[Problem, ...]

    @property
    def written(self) -> int:
        """How many files were written and read again."""
        return self.expected - len(self.missing) - len(self.wrong)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, wrong or unknown."""
        return not (self.missing or self.wrong or self.unknown)


@dataclasses.dataclass(frozen=True)
class Submission:
    """What was written of a submission.

    Attributes:
      benchmark: to which it is submitted.
      kinds: the kinds of files of which there is an estimate, by the name of their folder.
      tasks: whether each task is complete; tasks that need other kinds are left out.
    """

    benchmark: str
    kinds: dict[str, SubmittedKind]
    tasks: dict[str, bool]

    @property
    def is_complete(self) -> bool:
        """Whether all kinds are complete."""
        return all(kind.is_complete for kind in self.kinds.values())


def submit(
    benchmark: Literal["kitti", "spring"],
    *,
    prediction: PathLike,
    output: PathLike,
    progress: Progress | None = None,
) -> Submission:
    """Writes the estimates in a folder as a submission to KITTI 2015 or Spring, and checks it.

    The estimates, in any format that `read_flow` and `read_map` know by its ending, have the
    folders and names of the submission: for KITTI disp_0, disp_1 and flow with 000000_10.* to
    000199_10.*, for Spring SCENE/flow_FW_left/flow_FW_left_0001.* and so on. A kind without any
    file is left out. Each file that is written is read again, as the benchmark will do.

    Args:
      benchmark: "kitti" for PNGs of 16 bits, "spring" for HDF5.
      prediction: the folder of the estimates.
      output: the folder of the submission; it is made, and files of the same names are replaced.
      progress: called before each file with the number of files that are done, their number in
        all, and the file's path; and at the end with an empty name.

    Returns:
      What is complete, and what is missing or wrong: a file that is unreadable, has another size
      than the benchmark's images, or holds values that its format cannot hold. For Spring, an
      estimate that is not finite everywhere is wrong; KITTI takes it as a hole.

    Raises:
      FileNotFoundError: the folder of the estimates is missing, or has no file that is looked for.
      NotADirectoryError: output, or a folder above it or in it that is needed, is a file.
      PermissionError: output cannot be made, or nothing can be written in it.
      ValueError: the benchmark is unknown, or output is the folder of the estimates.
    """
    if not isinstance(benchmark, str) or benchmark not in _BENCHMARKS:
        expected = f"expected one of {list(_BENCHMARKS)}, got {benchmark!r}"
        raise ValueError(f"benchmark: {expected}{did_you_mean(benchmark, _BENCHMARKS)}")
    rules = _BENCHMARKS[benchmark]
    prediction, output = Path(prediction), Path(output)
    check_folder_exists("prediction", prediction)
    check_can_be_folder("output", output)
    if output.resolve() == prediction.resolve():
        raise ValueError("output: is the folder of the estimates; name another one")
    files = {
        kind: paths
        for kind, paths in rules.expected_files().items()
        if any(find_estimate(prediction / path, kind).exists() for path in paths)
    }
    if not files:
        raise FileNotFoundError(f"prediction: {prediction} has no file of a submission")
    _make_output(output, [path for paths in files.values() for path in paths])
    job = _Job(rules, prediction, output, {})
    report = progress or (lambda *_: None)
    total = sum(map(len, files.values()))
    kinds: dict[str, SubmittedKind] = {}
    for kind, paths in files.items():
        done = sum(k.expected for k in kinds.values())
        advance = lambda i, path, done=done: report(done + i, total, str(path))
        kinds[kind] = _submit_kind(job, kind, paths, advance)
    report(total, total, "")
    tasks = {
        task: all(kinds[kind].is_complete for kind in needed)
        for task, needed in rules.TASKS.items()
        if set(needed) <= kinds.keys()
    }
    return Submission(benchmark, kinds, tasks)


def _make_output(output: Path, paths: Sequence[Path]) -> None:
    """Makes the folder, and refuses what would keep every file from being written."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except PermissionError:
        raise PermissionError(f"output: the folder {output} cannot be made") from None
    # Of the folders of scenes and kinds some may be there already.
    for folder in sorted({output / path.parent for path in paths}):
        check_can_be_folder("output", folder)
        there = next(x for x in (folder, *folder.parents) if x.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(f"output: no file can be written in the folder {there}")


class _Job(NamedTuple):
    """What is to be submitted, from where and to where.

    Attributes:
      rules: of the benchmark.
      prediction: the folder of the estimates.
      output: the folder of the submission.
      sizes: by name of the image, the file that was read first and its size; it is added to.
    """

    rules: Submitted
    prediction: Path
    output: Path
    sizes: dict[str, tuple[Path, tuple[int, ...]]]


def _submit_kind(
    job: _Job, kind: str, paths: Sequence[Path], advance: Callable[[int, Path], None]
) -> SubmittedKind:
    """Writes the files of a kind and reads them again."""
    missing, wrong = [], []
    for i, path in enumerate(paths):
        advance(i, path)
        estimate, target = find_estimate(job.prediction / path, kind), job.output / path
        if not estimate.exists():
            missing.append(Problem(f"{estimate.with_suffix('')}.*: missing"))
            continue
        try:
            _write(job, kind, estimate, target)
            _check(job, kind, target)
        except (ValueError, OSError) as error:
            wrong.append(Problem.of(error))
    odd = [*_find_unknown(job.prediction, paths), *_find_unknown(job.output, paths)]
    unknown = (Problem(f"{path}: a name that the benchmark does not know") for path in odd)
    return SubmittedKind(len(paths), tuple(missing), tuple(wrong), tuple(unknown))


def _write(job: _Job, kind: str, estimate: Path, target: Path) -> None:
    """Writes one file; what its format cannot hold is an error that names the estimate."""
    values, valid = _read(kind, estimate)
    _check_size(job, estimate, values.shape[:2])
    if job.rules.IS_DENSE and not valid.all():
        unknown = f"{(~valid).sum()} pixels without one"
        raise FormatError(estimate, "a number at every pixel", unknown)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        job.rules.write_estimate(target, kind, values, valid)
    except FormatError:
        raise
    except ValueError as error:
        raise ValueError(f"{estimate}: {error}") from None


def _check(job: _Job, kind: str, target: Path) -> None:
    """Reads a file again, as the benchmark will, and compares its size with its image's others."""
    values, valid = _read(kind, target)
    size = values.shape[:2]
    _check_size(job, target, size)
    if not valid.any():
        raise FormatError(target, "values", "none at any pixel")
    other, wanted = job.sizes.setdefault(target.name, (target, size))
    if wanted != size:
        found, right = (f"{w} x {h} pixels" for h, w in (size, wanted))
        raise FormatError(target, f"{right}, as {other} has", found)


def _read(kind: str, path: Path) -> FlowMap | ScalarMap:
    return read_flow(path) if kind == "flow" else read_any_disparity(path)


def _check_size(job: _Job, path: Path, size: tuple[int, ...]) -> None:
    if size not in job.rules.SIZES:
        choices = " or ".join(f"{w} x {h}" for h, w in sorted(job.rules.SIZES))
        raise FormatError(path, f"{choices} pixels", f"{size[1]} x {size[0]}")


def _find_unknown(folder: Path, paths: Sequence[Path]) -> list[Path]:
    """The files in the folders of a kind that the submission has no place for."""
    wanted = {path.with_suffix("") for path in paths}
    return [
        path
        for inside in sorted({path.parent for path in paths})
        if (folder / inside).is_dir()
        for path in sorted((folder / inside).iterdir())
        if (inside / path.name).with_suffix("") not in wanted and path.name[0] != "."
    ]
