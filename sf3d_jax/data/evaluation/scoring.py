"""Estimates in a folder against the truth of a benchmark, by its own rules."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.evaluation.problems import Problem, Progress, check_folder_exists
from sf3d_jax.data.sets._benchmark import Arguments, Evaluated, Scoring
from sf3d_jax.data.sets._names import did_you_mean
from sf3d_jax.data.sets.kitti import benchmark as kitti
from sf3d_jax.data.sets.spring import benchmark as spring
from sf3d_jax.data.sets.srflow3d import benchmark as srflow3d
from sf3d_jax.data.sets.things import benchmark as things
from sf3d_jax.metrics import Metric

_BENCHMARKS: Mapping[str, Evaluated] = {
    "kitti": kitti,
    "spring": spring,
    "things": things,
    "srflow3d": srflow3d,
}


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The scores of a folder of estimates.

    Attributes:
      benchmark: whose rules.
      pool: what a score is the mean over.
      images: how many images have an estimate and a truth, those with problems included.
      scores: by name, as the benchmark's metric calls them; empty if all images have problems.
      problems: files that are missing or bad, whose images are not in the scores.
    """

    benchmark: str
    pool: str
    images: int
    scores: dict[str, float]
    problems: tuple[Problem, ...]


def evaluate(
    benchmark: Literal["kitti", "spring", "things", "srflow3d"],
    *,
    prediction: PathLike,
    truth: PathLike,
    pool: Literal["pixels", "image"] = "pixels",
    scale: float | None = None,
    intrinsics: Sequence[float] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Compares the estimates in a folder with the truth of a benchmark, by its own rules.

    The estimates are laid out as a submission (KITTI 2015, Spring) or as the data set itself
    (FlyingThings3D, SRFlow3D), in any format that `read_flow` and `read_map` know by its ending. A
    kind of estimate without any file is left out; of any other kind, every image with a truth is
    expected to have a file. An estimate that is not finite counts as the metric says.

    Args:
      benchmark: "kitti" (`metrics.KittiSceneFlow`), "spring" (`metrics.SpringSceneFlow`), "things"
        (`metrics.FlyingThings3D`; all pixels count as points) or "srflow3d" (`metrics.SRFlow3D`
        within the mask, and `metrics.DepthChange`, whose names begin with "DepthChange-").
      prediction: the folder of the estimates.
      truth: the folder of the truth: of KITTI the one with disp_occ_0 and flow_occ, of Spring the
        one with the scenes, of FlyingThings3D the one with optical_flow, of SRFlow3D the one with
        train or test.
      pool: "pixels" for the mean over all pixels, as the benchmarks do; "image" for the mean over
        images of each one's mean.
      scale: of "srflow3d" only: scaled inverse depth times depth in metres. If None it is measured
        in each image, from the depth beside the scaled inverse depth.
      intrinsics: of "srflow3d" only: (fx, fy, cx, cy) in pixels; without them there are no errors
        in 3D.
      progress: called before each image with the number of images that are done, their number in
        all, and the image's name; and at the end with an empty name.

    Returns:
      The scores: shares in percent, lengths in pixels or in the unit of the metric. A file that is
      missing, unreadable or of another size than the truth is among the problems, and its image is
      left out.

    Raises:
      FileNotFoundError: a folder is missing, or there is no estimate that has a truth.
      TypeError: the scale is no number, or the intrinsics are not numbers.
      ValueError: the benchmark is unknown, an option is out of range or for another benchmark, or
        nothing could be compared although all files are good.
    """
    if not isinstance(benchmark, str) or benchmark not in _BENCHMARKS:
        expected = f"expected one of {list(_BENCHMARKS)}, got {benchmark!r}"
        raise ValueError(f"benchmark: {expected}{did_you_mean(benchmark, _BENCHMARKS)}")
    rules = _BENCHMARKS[benchmark]
    scoring = _check_options(benchmark, scale, intrinsics)
    metrics = {metric.__name__: metric.empty(pool=pool) for metric in rules.METRICS}
    prediction, truth = Path(prediction), Path(truth)
    check_folder_exists("prediction", prediction)
    check_folder_exists("truth", truth)
    items = rules.items(prediction, truth)
    if not items:
        raise FileNotFoundError(f"{prediction} holds no estimate with a truth in {truth}")
    # By file: Spring reads a disparity once for each direction.
    problems: dict[str, Problem] = {}
    for done, item in enumerate(items):
        if progress is not None:
            progress(done, len(items), item.name)
        if missing := [str(path) for path in item.estimates.values() if not path.exists()]:
            problems |= {path: Problem(f"{path}: missing") for path in missing}
            continue
        try:
            metrics = _add_image(metrics, rules.arguments(item, scoring))
        except (ValueError, OSError) as error:
            problem = Problem.of(error)
            problems.setdefault(str(getattr(error, "path", problem)), problem)
    if progress is not None:
        progress(len(items), len(items), "")
    scores = _name_scores(metrics)
    if not scores and not problems:
        raise ValueError(f"nothing could be compared in {truth}: it takes {rules.NEEDS}")
    return Evaluation(benchmark, pool, len(items), scores, tuple(problems.values()))


def _check_options(
    benchmark: str, scale: float | None, intrinsics: Sequence[float] | None
) -> Scoring:
    if benchmark != "srflow3d" and (scale is not None or intrinsics is not None):
        raise ValueError(f"scale, intrinsics: expected for srflow3d only, not for {benchmark}")
    return Scoring(_check_scale(scale), _check_intrinsics(intrinsics))


def _check_scale(scale: float | None) -> float | None:
    if scale is None:
        return None
    number = _check_numbers("scale", scale, "a positive number")
    if number.ndim:
        raise TypeError(f"scale: expected a positive number, got {scale!r}")
    if not 0 < number < math.inf:
        raise ValueError(f"scale: expected a positive number, got {scale}")
    return float(number)


def _check_intrinsics(
    intrinsics: Sequence[float] | None,
) -> tuple[float, float, float, float] | None:
    if intrinsics is None:
        return None
    wanted = "fx, fy > 0 and cx, cy"
    numbers = _check_numbers("intrinsics", intrinsics, wanted)
    if not numbers.ndim:
        raise TypeError(f"intrinsics: expected {wanted}, got {intrinsics!r}")
    if numbers.shape != (4,) or not np.isfinite(numbers).all() or (numbers[:2] <= 0).any():
        raise ValueError(f"intrinsics: expected {wanted}, got {numbers.tolist()}")
    fx, fy, cx, cy = map(float, numbers)
    return fx, fy, cx, cy


def _check_numbers(name: str, x: npt.ArrayLike, wanted: str) -> np.ndarray:
    """The argument as an array of real numbers of any shape."""
    try:
        numbers = np.asarray(x)
    except ValueError:  # lists of several lengths
        raise ValueError(f"{name}: expected {wanted}, got {x!r}") from None
    if numbers.dtype.kind not in "iuf":
        raise TypeError(f"{name}: expected {wanted}, got {x!r}")
    return numbers


def _add_image(metrics: Mapping[str, Metric], arguments: Arguments) -> dict[str, Metric]:
    """The metrics with one image; one without arguments stays as it is."""
    return {
        name: metric.update(**arguments[name]) if name in arguments else metric
        for name, metric in metrics.items()
    }


def _name_scores(metrics: Mapping[str, Metric]) -> dict[str, float]:
    first, *others = metrics.items()
    scores = first[1].compute()
    for name, metric in others:
        scores |= {f"{name}-{score}": x for score, x in metric.compute().items()}
    return scores
