"""`sf3d submit`: turns a folder of estimates into a checked submission to a benchmark."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from sf3d_jax.cli._progress import describe_problem, show_progress
from sf3d_jax.cli.inputs import check_folder, name_flags

if TYPE_CHECKING:
    from sf3d_jax.data import Submission

# Number of problems of one kind that are printed.
_LINES = 10


@dataclasses.dataclass(frozen=True)
class Submit:
    """Write estimates as a submission to KITTI 2015 or Spring, and check it.

    The estimates may have any format that sf3d reads, in the folders and with the names of the
    submission: disp_0, disp_1 and flow with 000000_10.* to 000199_10.* for kitti,
    SCENE/flow_FW_left/flow_FW_left_0001.* and so on for spring. Kinds without any file are
    skipped. Missing and wrong files are listed, and the exit code is then 2.
    """

    benchmark: Annotated[Literal["kitti", "spring"], Positional]
    """Benchmark whose names and formats to use."""
    prediction: Path
    """Folder of the estimates."""
    output: Path
    """Folder of the submission; existing files are replaced."""

    def run(self) -> None:
        """Writes the files, reads them back and prints which tasks are complete."""
        check_folder(self.output)
        from sf3d_jax import data

        with name_flags(self), show_progress("file") as progress:
            submission = data.submit(
                self.benchmark,
                prediction=self.prediction,
                output=self.output,
                progress=progress,
            )
        self._report(submission)

    def _report(self, submission: "Submission") -> None:
        for kind, files in submission.kinds.items():
            print(f"{kind}: {files.written} of {files.expected} files written and read back")
        for task, is_complete in submission.tasks.items():
            print(f"{task}: {'complete' if is_complete else 'not complete'}")
        if submission.is_complete:
            print(_NEXT[self.benchmark].format(self.output))
            return
        listed = [
            f"\n  {line}"
            for files in submission.kinds.values()
            for problems in (files.missing, files.wrong, files.unknown)
            for line in _shorten([describe_problem(problem) for problem in problems])
        ]
        print("missing or wrong:" + "".join(listed), flush=True)
        raise ValueError(f"{self.output} is not a complete submission to {self.benchmark} yet")


_NEXT = {
    "kitti": "zip the folders in {0} and upload the archive",
    "spring": "run the benchmark's subsampling programs on {0} and upload what they write",
}


def _shorten(lines: list[str]) -> list[str]:
    if len(lines) <= _LINES + 1:
        return lines
    return [*lines[:_LINES], f"... and {len(lines) - _LINES} more"]
