"""`sf3d evaluate`: estimates in a folder against the truth of a benchmark."""

import dataclasses
import math
from pathlib import Path
from typing import Annotated, Any, Literal

from tyro.conf import Positional

from sf3d_jax.cli._errors import describe
from sf3d_jax.cli.inputs import check_writable

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
    "as points, occluded ones too",
    "srflow3d": "EPE in pixels, EPE3D in metres, MAE per metre, the rest in %",
}
# Without which there is not a single number.
_NEEDS = {
    "kitti": "pixels with a true value",
    "spring": "pixels with four true values",
    "things": "the true disparity beside the true flow, and pixels below 250 px and 250 m",
    "srflow3d": "pixels with a true value within the mask",
}


@dataclasses.dataclass(frozen=True)
class Evaluate:
    """Compare estimates with the truth of a benchmark, by its own rules.

    The estimates are laid out as a submission (kitti, spring) or as the data set itself (things,
    srflow3d). What there is no estimate of is left out. Missing and bad files are listed, and
    then the exit code is 2.
    """

    benchmark: Annotated[Literal["kitti", "spring", "things", "srflow3d"], Positional]
    """Whose rules and folders."""
    prediction: Path
    """Folder of the estimates."""
    truth: Path
    """Folder of the truth: of KITTI that with disp_occ_0 and flow_occ, of Spring that with the
    scenes, of FlyingThings3D that with optical_flow, of SRFlow3D that with train or test."""
    json: Path | None = None
    """Also write all numbers to this file."""
    pool: Literal["pixels", "image"] = "pixels"
    """Mean over all pixels, as the benchmarks do, or over images of each one's mean."""
    scale: float | None = None
    """srflow3d: scaled inverse depth times depth in metres; measured from both if not given."""
    intrinsics: tuple[float, float, float, float] | None = None
    """srflow3d: fx fy cx cy in pixels, for the errors in 3D."""

    def run(self) -> None:
        """Prints a table; goes on after a bad file, and lists the bad ones at the end."""
        self._check()
        from tqdm import tqdm

        from sf3d_jax.cli._layouts import LAYOUTS
        from sf3d_jax.cli._scores import add, empty_scores

        items = LAYOUTS[self.benchmark](self.prediction, self.truth)
        if not items:
            raise ValueError(
                f"{self.prediction} holds no estimate with a truth in {self.truth}: are both the "
                f"folders that --help names for {self.benchmark}?"
            )
        scores = empty_scores(self.benchmark, self.pool)
        # By file: Spring reads a disparity once for each direction.
        bad: dict[str, str] = {}
        progress = tqdm(items, unit="image", leave=False)
        for item in progress:
            progress.set_postfix_str(item.name, refresh=False)
            missing = [str(path) for path in item.estimates.values() if not path.exists()]
            bad |= {path: f"{path}: missing" for path in missing}
            if missing:
                continue
            try:
                scores = add(scores, item, self)
            except (ValueError, OSError) as error:
                said = describe(error)
                bad.setdefault(str(getattr(error, "path", said)), said)
        self._report(scores, len(items), list(bad.values()))

    def _check(self) -> None:
        for flag, folder in (("--prediction", self.prediction), ("--truth", self.truth)):
            if not folder.is_dir():
                raise ValueError(f"{flag}: there is no folder {folder}")
        if self.json is not None:
            check_writable("--json", self.json)
        if self.benchmark != "srflow3d" and (self.scale or self.intrinsics):
            raise ValueError("--scale and --intrinsics are for srflow3d only")
        if self.scale is not None and not 0 < self.scale < math.inf:
            raise ValueError(f"--scale: expected a positive number, got {self.scale}")
        numbers = self.intrinsics or (1.0, 1.0)
        if not all(map(math.isfinite, numbers)) or min(numbers[:2]) <= 0:
            raise ValueError(f"--intrinsics: expected fx, fy > 0 and cx, cy, got {numbers}")

    def _report(self, scores: dict[str, Any], count: int, bad: list[str]) -> None:
        results: Results = {}
        for i, (metric, score) in enumerate(scores.items()):
            begin = f"{metric}-" if i else ""
            results |= {f"{begin}{name}": x for name, x in score.compute().items()}
        if not results and not bad:
            needs = _NEEDS[self.benchmark]
            raise ValueError(f"nothing could be compared in {self.truth}: it takes {needs}")
        if self.json is not None:
            self._write_json(self.json, results, count, bad)
        if results:
            print(f"{self.benchmark}: {_UNITS[self.benchmark]}")
            print("\n".join(_tables(self.benchmark, results)))
        if bad:
            listed = "".join(f"\n  {line}" for line in bad)
            print(f"missing or bad files, whose images are not in the numbers:{listed}", flush=True)
            files = "1 file is" if len(bad) == 1 else f"{len(bad)} files are"
            images = "1 image" if count == 1 else f"{count} images"
            raise ValueError(f"{files} missing or bad, of {images} to evaluate")

    def _write_json(self, path: Path, results: Results, count: int, bad: list[str]) -> None:
        import json

        from sf3d_jax.data._files import write_bytes

        content = {
            "benchmark": self.benchmark,
            "pool": self.pool,
            "images": count,
            "results": results,
            "missing_or_bad": bad,
        }
        write_bytes(path, (json.dumps(content, indent=2) + "\n").encode())


def _tables(benchmark: str, results: Results) -> list[str]:
    """The numbers as lines of text."""
    if benchmark == "kitti":
        return _kitti_tables(results)
    if benchmark == "spring":
        return _spring_tables(results)
    width = max(map(len, results))
    return [f"  {name:<{width}} {x:12.6g}" for name, x in results.items()]


def _kitti_tables(results: Results) -> list[str]:
    sets = {
        "All pixels with truth (occ)": "",
        "Pixels that stay inside (noc)": "-noc",
        "Pixels with an estimate (occ)": "-result",
        "Pixels with an estimate (noc)": "-result-noc",
    }
    # Where every pixel has an estimate, both sets are one.
    dense = all(x == 100 for name, x in results.items() if "density" in name)
    rows, columns = ("D1", "D2", "Fl", "SF"), ("bg", "fg", "all", "epe", "density")
    lines: list[str] = []
    for title, end in sets.items():
        if not (dense and "-result" in end):
            lines += _table(title, rows, columns, f"{{row}}-{{column}}{end}", results)
    return lines


def _spring_tables(results: Results) -> list[str]:
    from sf3d_jax.metrics.spring import BINS

    lines: list[str] = []
    for title, columns in _SPRING_COLUMNS.items():
        totals = {f"{name}-total": x for name, x in results.items()}
        lines += _table(title, ("total", *BINS), columns, "{column}-{row}", totals | results)
    shares = {name: x for name, x in results.items() if "missing" in name and x}
    return lines + [f"  {name:<12} {x:10.4f}" for name, x in shares.items()]


def _table(
    title: str, rows: tuple[str, ...], columns: tuple[str, ...], names: str, results: Results
) -> list[str]:
    """A table of the rows and columns that hold anything; none if none do."""
    name = lambda row, column: names.format(row=row, column=column)
    rows = tuple(r for r in rows if any(name(r, c) in results for c in columns))
    columns = tuple(c for c in columns if any(name(r, c) in results for r in rows))
    if not rows:
        return []
    number = lambda key: f"{results[key]:10.4f}" if key in results else f"{'-':>10}"
    head = f"  {title:<30}" + "".join(f"{c:>10}" for c in columns)
    return [head] + [f"  {r:<30}" + "".join(number(name(r, c)) for c in columns) for r in rows]
