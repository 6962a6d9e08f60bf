"""`sf3d submit`: a folder of estimates as a submission to a benchmark, checked."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from sf3d_jax.cli._progress import describe_problem, show_progress
from sf3d_jax.cli.inputs import check_folder, name_flags

if TYPE_CHECKING:
    from sf3d_jax.data import Submission

# How many lines of one kind of complaint are printed.
_LINES = 10


@dataclasses.dataclass(frozen=True)
class Submit:
    """Write estimates as a submission to KITTI 2015 or Spring, and check it.

    The estimates, in any format that is read here, have the folders and names of the submission:
    of kitti disp_0, disp_1 and flow with 000000_10.* to 000199_10.*, of spring
    SCENE/flow_FW_left/flow_FW_left_0001.* and so on. A kind without any file is left out. What
    is missing or wrong is listed, and then the exit code is 2.
    """

    benchmark: Annotated[Literal["kitti", "spring"], Positional]
    """Whose names and formats."""
    prediction: Path
    """Folder of the estimates."""
    output: Path
    """Folder of the submission; files of the same names are replaced."""

    def run(self) -> None:
        """Writes the files, reads them again and says which tasks are complete."""
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
            print(f"{kind}: {files.written} of {files.expected} files written and read again")
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
        raise ValueError(f"{self.output} is not yet a whole submission to {self.benchmark}")


_NEXT = {
    "kitti": "zip the folders in {0} and upload the archive",
    "spring": "run the benchmark's subsampling programs on {0} and upload what they write",
}


def _shorten(lines: list[str]) -> list[str]:
    if len(lines) <= _LINES + 1:
        return lines
    return [*lines[:_LINES], f"... and {len(lines) - _LINES} more"]
