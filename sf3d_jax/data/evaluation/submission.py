"""Turns a folder of estimates into a checked submission to a benchmark."""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.evaluation.problems import (
    Problem,
    Progress,
    check_benchmark,
    check_can_be_folder,
    check_folder_exists,
)
from sf3d_jax.data.maps import read_flow
from sf3d_jax.data.maps.kinds import FlowMap, ScalarMap
from sf3d_jax.data.sets._benchmark import Submitted, find_estimate, read_any_disparity
from sf3d_jax.data.sets.kitti import benchmark as kitti
from sf3d_jax.data.sets.spring import benchmark as spring

_BENCHMARKS: Mapping[str, Submitted] = {"kitti": kitti, "spring": spring}


class SubmittedKind(NamedTuple):
    """The files of one kind, such as the flow.

    Attributes:
      expected: number of files in a complete submission.
      missing: missing estimates.
      wrong: estimates that could not be written in the format of the benchmark, or read back.
      unknown: files in the folders of this kind whose names the benchmark does not know.
    """

    expected: int
    missing: tuple[Problem, ...]
    wrong: tuple[Problem, ...]
    unknown: tuple[Problem, ...]

    @property
    def written(self) -> int:
        """The number of files that were written and read back."""
        return self.expected - len(self.missing) - len(self.wrong)

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing, wrong or unknown."""
        return not (self.missing or self.wrong or self.unknown)


@dataclasses.dataclass(frozen=True)
class Submission:
    """The result of `submit`.

    Attributes:
      benchmark: name of the benchmark.
      kinds: kinds of files with at least one estimate, by the name of their folder.
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

    The estimates may have any format that `read_flow` and `read_map` recognise by its ending, in
    the folders and with the names of the submission: disp_0, disp_1 and flow with 000000_10.* to
    000199_10.* for KITTI, SCENE/flow_FW_left/flow_FW_left_0001.* and so on for Spring. A kind
    without any file is skipped. Each file that is written is read back, as the benchmark will do.

    Args:
      benchmark: "kitti" for 16-bit PNGs, "spring" for HDF5.
      prediction: folder of the estimates.
      output: folder of the submission; it is created, and existing files are replaced.
      progress: called before each file with the number of finished files, their total, and the
        file's path; and at the end with an empty name.

    Returns:
      The complete tasks, and the missing and wrong files. A file is wrong if it is unreadable, if
      its size differs from that of the benchmark's images, or if its format cannot hold a value.
      For Spring, an estimate must be finite everywhere; for KITTI, non-finite pixels are holes, but
      at least one pixel must be valid.

    Raises:
      FileNotFoundError: the folder of the estimates is missing, or has no file of a submission.
      NotADirectoryError: prediction, output, or a folder that output needs, is a file.
      PermissionError: output cannot be made or written to.
      ValueError: the benchmark is unknown, or output is the folder of the estimates.
    """
    check_benchmark(benchmark, _BENCHMARKS)
    rules = _BENCHMARKS[benchmark]
    prediction, output = Path(prediction), Path(output)
    check_folder_exists("prediction", prediction)
    check_can_be_folder("output", output)
    if output.resolve() == prediction.resolve():
        raise ValueError("output: expected another folder than that of the estimates")
    files = {
        kind: paths
        for kind, paths in rules.expected_files().items()
        if any(find_estimate(prediction / path, kind).exists() for path in paths)
    }
    if not files:
        wanted = ", ".join(str(paths[0]) for paths in rules.expected_files().values())
        raise FileNotFoundError(
            f"prediction: {prediction} has no file of a submission, such as {wanted}"
        )
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
    """Makes the folder; raises if it, or an existing folder in it, cannot be written to."""
    try:
        output.mkdir(parents=True, exist_ok=True)
    except PermissionError:
        raise PermissionError(f"output: cannot make the folder {output}") from None
    # Some folders of scenes and kinds may exist already.
    for folder in sorted({output / path.parent for path in paths}):
        check_can_be_folder("output", folder)
        there = next(x for x in (folder, *folder.parents) if x.exists())
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError(f"output: cannot write to the folder {there}")


class _Job(NamedTuple):
    """One call of `submit`.

    Attributes:
      rules: rules of the benchmark.
      prediction: folder of the estimates.
      output: folder of the submission.
      sizes: first file read for each image and its size, by image name; filled while reading.
    """

    rules: Submitted
    prediction: Path
    output: Path
    sizes: dict[str, tuple[Path, tuple[int, ...]]]


def _submit_kind(
    job: _Job, kind: str, paths: Sequence[Path], advance: Callable[[int, Path], None]
) -> SubmittedKind:
    """Writes the files of a kind and reads them back."""
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
    """Writes one file; raises, naming the estimate, if the format cannot hold a value."""
    values, valid = _read(kind, estimate)
    _check_size(job, estimate, values.shape[:2])
    if job.rules.IS_DENSE and not valid.all():
        unknown = f"{(~valid).sum()} invalid pixels"
        raise FormatError(estimate, "a valid value at every pixel", unknown)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        job.rules.write_estimate(target, kind, values, valid)
    except FormatError:
        raise
    except ValueError as error:
        raise ValueError(f"{estimate}: {error}") from None


def _check(job: _Job, kind: str, target: Path) -> None:
    """Reads a file back, as the benchmark will, and compares its size with the image's others."""
    values, valid = _read(kind, target)
    size = values.shape[:2]
    _check_size(job, target, size)
    if not valid.any():
        raise FormatError(target, "at least one valid pixel", "none")
    other, wanted = job.sizes.setdefault(target.name, (target, size))
    if wanted != size:
        found, right = (f"{w} x {h} pixels" for h, w in (size, wanted))
        raise FormatError(target, f"{right} like {other}", found)


def _read(kind: str, path: Path) -> FlowMap | ScalarMap:
    return read_flow(path) if kind == "flow" else read_any_disparity(path)


def _check_size(job: _Job, path: Path, size: tuple[int, ...]) -> None:
    if size not in job.rules.SIZES:
        choices = " or ".join(f"{w} x {h}" for h, w in sorted(job.rules.SIZES))
        raise FormatError(path, f"{choices} pixels", f"{size[1]} x {size[0]}")


def _find_unknown(folder: Path, paths: Sequence[Path]) -> list[Path]:
    """Finds the files in the folders of a kind that do not belong to the submission."""
    wanted = {path.with_suffix("") for path in paths}
    return [
        path
        for inside in sorted({path.parent for path in paths})
        if (folder / inside).is_dir()
        for path in sorted((folder / inside).iterdir())
        if (inside / path.name).with_suffix("") not in wanted and path.name[0] != "."
    ]
