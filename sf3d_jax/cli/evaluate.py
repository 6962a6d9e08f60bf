"""`sf3d evaluate`: compares a folder of estimates with the ground truth of a benchmark."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from sf3d_jax.cli._progress import describe_problem, show_progress
from sf3d_jax.cli.inputs import check_writable, name_flags

if TYPE_CHECKING:
    from sf3d_jax.data import Evaluation

Results = dict[str, float]

_SPRING_COLUMNS = {
    "Flow": ("1px", "EPE", "Fl", "WAUC"),
    "First disparity": ("D1-1px", "D1-abs", "D1"),
    "Second disparity": ("D2-1px", "D2-abs", "D2"),
    "Scene flow": ("SF-1px", "SF"),
}
_UNITS = {
    "kitti": "outliers and density in %, epe in pixels",
    "spring": "1px, Fl, D1, D2, SF and WAUC in %, EPE and abs in pixels",
    "things": "EPE2D in pixels, EPE3D in units of the baseline, the rest in %; all pixels count "
    "as points, even occluded ones",
    "srflow3d": "EPE in pixels, EPE3D in metres, MAE per metre, the rest in %",
}


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Compare estimates with the ground truth of a benchmark, by the benchmark's rules.

    Estimates are laid out as a submission (kitti: flow/000000_10.png, disp_0, disp_1; spring:
    SCENE/flow_FW_left/flow_FW_left_0001.flo5 and so on) or as the data set itself (things,
    srflow3d). Kinds of estimates without any file are skipped. Files that are missing or bad, or
    have no valid pixel, are listed, and the exit code is then 2.
    """

    benchmark: Annotated[Literal["kitti", "spring", "things", "srflow3d"], Positional]
    """Benchmark whose rules and folder layout apply."""
    prediction: Path
    """Folder of the estimates."""
    truth: Path
    """Ground truth: the folder of flow_occ (kitti), scenes (spring), optical_flow or train."""
    json: Path | None = None
    """Also write all scores to this JSON file."""
    csv: Path | None = None
    """Also write the scores of each image to this file, one line per image.
    In kitti, -result means over pixels with an estimate, -noc over pixels that stay inside."""
    pool: Literal["pixels", "image"] = "pixels"
    """Average over all pixels, as the benchmarks do, or over the means of the images."""
    scale: float | None = None
    """srflow3d: scaled inverse depth times depth in metres; measured if not given."""
    intrinsics: tuple[float, float, float, float] | None = None
    """srflow3d: fx fy cx cy in pixels, for the errors in 3D."""

    def run(self) -> None:
        """Prints a table; continues after a bad file and lists the bad ones at the end."""
        for name, path in (("--json", self.json), ("--csv", self.csv)):
            if path is not None:
                check_writable(name, path)
        from sf3d_jax import data

        with name_flags(self), show_progress("image") as progress:
            result = data.evaluate(
                self.benchmark,
                prediction=self.prediction,
                truth=self.truth,
                pool=self.pool,
                scale=self.scale,
                intrinsics=self.intrinsics,
                progress=progress,
            )
        self._report(result)

    def _report(self, result: "Evaluation") -> None:
        bad = [describe_problem(problem) for problem in result.problems]
        if self.json is not None:
            self._write_json(self.json, result, bad)
        if self.csv is not None:
            _write_csv(self.csv, result)
        if result.scores:
            print(f"{self.benchmark}: {_UNITS[self.benchmark]}")
            print(f"  {_describe_pooling(result)}")
            print("\n".join(_format_tables(self.benchmark, result.scores)))
            print(_describe_missing(result.scores), end="")
        if bad:
            listed = "".join(f"\n  {line}" for line in bad)
            print(f"missing or bad files, whose images are not in the scores:{listed}", flush=True)
            files = "1 file is" if len(bad) == 1 else f"{len(bad)} files are"
            images = "1 image" if result.images == 1 else f"{result.images} images"
            raise ValueError(f"{files} missing or bad, of {images} to evaluate")

    def _write_json(self, path: Path, result: "Evaluation", bad: list[str]) -> None:
        import json

        from sf3d_jax.data import write_bytes

        content = {
            "benchmark": result.benchmark,
            "pool": result.pool,
            "images": result.images,
            "results": result.scores,
            "missing_or_bad": bad,
        }
        write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


def _write_csv(path: Path, result: "Evaluation") -> None:
    """Writes one line per image; a score that an image does not have is left empty."""
    import csv
    import io

    from sf3d_jax.data import write_bytes

    text = io.StringIO()
    named = {name for scores in result.scores_of_images.values() for name in scores}
    writer = csv.writer(text, lineterminator="\n")
    # Column order is that of the table, whose scores include those of every image.
    names = [name for name in result.scores if name in named]
    writer.writerow(["image", *names])
    for image, scores in result.scores_of_images.items():
        writer.writerow([image, *(scores.get(name, "") for name in names)])
    write_bytes(path, text.getvalue().encode())


def _describe_pooling(result: "Evaluation") -> str:
    """Describes the number of images and how their scores are averaged."""
    count = len(result.scores_of_images)
    images = "1 image" if count == 1 else f"{count} images"
    over = {"pixels": "all pixels of all images", "image": "the means of the images"}
    return f"{images}, mean over {over[result.pool]}"


def _describe_missing(results: Results) -> str:
    """Warns if mean errors leave out pixels, which makes them look better than they are."""
    shares = {name: x for name, x in results.items() if "missing" in name and x}
    if not shares:
        return ""
    listed = ", ".join(f"{name} {x:.4g} %" for name, x in shares.items())
    return f"  mean errors leave out pixels without an estimate: {listed}\n"


def _format_tables(benchmark: str, results: Results) -> list[str]:
    """Formats the scores as lines of text."""
    if benchmark == "kitti":
        return _format_kitti(results)
    if benchmark == "spring":
        return _format_spring(results)
    width = max(map(len, results))
    return [f"  {name:<{width}} {x:12.6g}" for name, x in results.items()]


def _format_kitti(results: Results) -> list[str]:
    sets = {
        "All pixels with truth (occ)": "",
        "Pixels that stay in the image (noc)": "-noc",
        "Pixels with an estimate (occ)": "-result",
        "Pixels with an estimate (noc)": "-result-noc",
    }
    # If every pixel has an estimate, the tables of pixels with one repeat the others.
    dense = all(x == 100 for name, x in results.items() if "density" in name)
    rows, columns = ("D1", "D2", "Fl", "SF"), ("bg", "fg", "all", "epe", "density")
    lines: list[str] = []
    for title, end in sets.items():
        if not (dense and "-result" in end):
            lines += _format_table(title, rows, columns, f"{{row}}-{{column}}{end}", results)
    return lines


def _format_spring(results: Results) -> list[str]:
    from sf3d_jax.metrics import SpringSceneFlow

    lines: list[str] = []
    for title, columns in _SPRING_COLUMNS.items():
        totals = {f"{name}-total": x for name, x in results.items()}
        lines += _format_table(
            title, ("total", *SpringSceneFlow.bins), columns, "{column}-{row}", totals | results
        )
    return lines


def _format_table(
    title: str, rows: tuple[str, ...], columns: tuple[str, ...], names: str, results: Results
) -> list[str]:
    """Formats a table of the rows and columns that are not empty; [] if all are."""
    name = lambda row, column: names.format(row=row, column=column)
    rows = tuple(r for r in rows if any(name(r, c) in results for c in columns))
    columns = tuple(c for c in columns if any(name(r, c) in results for r in rows))
    if not rows:
        return []
    number = lambda key: f"{results[key]:10.4f}" if key in results else f"{'-':>10}"
    head = f"  {title:<30}" + "".join(f"{c:>10}" for c in columns)
    return [head] + [f"  {r:<30}" + "".join(number(name(r, c)) for c in columns) for r in rows]
