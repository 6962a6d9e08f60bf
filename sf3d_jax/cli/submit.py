"""`sf3d submit`: a folder of estimates as a submission to a benchmark, checked."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional

from sf3d_jax.cli._errors import describe
from sf3d_jax.cli.inputs import check_folder

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
        if not self.prediction.is_dir():
            raise ValueError(f"--prediction: there is no folder {self.prediction}")
        check_folder(self.output)
        if self.output.resolve() == self.prediction.resolve():
            raise ValueError("--output: is the folder of the estimates; name another one")
        from sf3d_jax.cli._submission import TASKS, expected, source, unexpected

        files = {
            kind: paths
            for kind, paths in expected(self.benchmark).items()
            if any(source(self.prediction, kind, path).exists() for path in paths)
        }
        if not files:
            raise ValueError(
                f"--prediction: {self.prediction} has no file where --help says they are"
            )
        sizes: dict[str, Any] = {}
        wrong = {kind: self._write(kind, paths, sizes) for kind, paths in files.items()}
        for kind, paths in files.items():
            odd = unexpected(self.prediction, paths) + unexpected(self.output, paths)
            wrong[kind] += _shortened(
                [f"{p}: a name that the benchmark does not know" for p in odd]
            )
        for task, kinds in TASKS[self.benchmark].items():
            if set(kinds) <= files.keys():
                print(f"{task}: {'not complete' if any(wrong[k] for k in kinds) else 'complete'}")
        listed = [line for lines in wrong.values() for line in lines]
        if listed:
            print("missing or wrong:" + "".join(f"\n  {line}" for line in listed), flush=True)
            raise ValueError(f"{self.output} is not yet a whole submission to {self.benchmark}")
        print(_NEXT[self.benchmark].format(self.output))

    def _write(self, kind: str, paths: list[Path], sizes: dict[str, Any]) -> list[str]:
        """Writes the files of a kind and reads them again; what is missing or wrong with them."""
        from tqdm import tqdm

        from sf3d_jax.cli._submission import check, source, write

        missing, wrong = [], []
        for path in tqdm(paths, desc=kind, unit="file", leave=False):
            estimate, target = source(self.prediction, kind, path), self.output / path
            if not estimate.exists():
                missing.append(f"{estimate.with_suffix('')}.*: missing")
                continue
            try:
                write(self.benchmark, kind, estimate, target)
                check(self.benchmark, kind, target, sizes)
            except (ValueError, OSError) as error:
                wrong.append(describe(error))
        good = len(paths) - len(missing) - len(wrong)
        print(f"{kind}: {good} of {len(paths)} files written and read again")
        return _shortened(missing) + _shortened(wrong)


_NEXT = {
    "kitti": "zip the folders in {0} and upload the archive",
    "spring": "run the benchmark's subsampling programs on {0} and upload what they write",
}


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= _LINES + 1:
        return lines
    return [*lines[:_LINES], f"... and {len(lines) - _LINES} more"]
