"""A folder of estimates as a submission to a benchmark, checked."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.evaluation.problems import Problem, Progress, check_folder, problem_of
from sf3d_jax.data.maps import read_flow, write_disparity, write_flow, write_map
from sf3d_jax.data.maps.kinds import FlowMap, ScalarMap
from sf3d_jax.data.sets._benchmark import find_estimate, read_any_disparity
from sf3d_jax.data.sets.kitti import benchmark as kitti
from sf3d_jax.data.sets.spring import benchmark as spring


class _Benchmark(Protocol):
    """What the module of a benchmark says about submissions.

    Attributes:
      TASKS: which kinds of files each task needs.
      SIZES: the sizes of images, (height, width).
    """

    TASKS: dict[str, tuple[str, ...]]
    SIZES: set[tuple[int, int]]

    def expected_files(self) -> dict[str, list[Path]]: ...


_BENCHMARKS: Mapping[str, _Benchmark] = {"kitti": kitti, "spring": spring}


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
      NotADirectoryError: output is a file.
      ValueError: the benchmark is unknown, or output is the folder of the estimates.
    """
    if benchmark not in _BENCHMARKS:
        raise ValueError(f"benchmark: expected one of {list(_BENCHMARKS)}, got {benchmark!r}")
    rules = _BENCHMARKS[benchmark]
    prediction, output = Path(prediction), Path(output)
    check_folder("prediction", prediction)
    if output.exists() and not output.is_dir():
        raise NotADirectoryError(f"output: {output} is a file; name a folder")
    if output.resolve() == prediction.resolve():
        raise ValueError("output: is the folder of the estimates; name another one")
    files = {
        kind: paths
        for kind, paths in rules.expected_files().items()
        if any(find_estimate(prediction / path, kind).exists() for path in paths)
    }
    if not files:
        raise FileNotFoundError(f"prediction: {prediction} has no file of a submission")
    writer = _Writer(benchmark, rules.SIZES, prediction, output)
    total = sum(map(len, files.values()))
    kinds: dict[str, SubmittedKind] = {}
    done = 0
    for kind, paths in files.items():
        for path in paths:
            if progress is not None:
                progress(done, total, str(path))
            writer.write(kind, path)
            done += 1
        kinds[kind] = writer.finish(paths)
    if progress is not None:
        progress(total, total, "")
    tasks = {
        task: all(kinds[kind].is_complete for kind in needed)
        for task, needed in rules.TASKS.items()
        if set(needed) <= kinds.keys()
    }
    return Submission(benchmark, kinds, tasks)
