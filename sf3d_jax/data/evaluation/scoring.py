"""Scores a folder of estimates against the ground truth of a benchmark, by its rules."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.evaluation.problems import (
    Problem,
    Progress,
    check_benchmark,
    check_folder_exists,
)
from sf3d_jax.data.evaluation.sizes import find_common_size
from sf3d_jax.data.sets._benchmark import Arguments, Evaluated, Scoring
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
      benchmark: name of the benchmark.
      pool: "pixels" or "image", what the scores are averaged over.
      images: number of images with an estimate and a ground truth, including those with problems.
      scores: scores by their names in the benchmark's metric; empty if all images have problems.
      problems: missing or bad files, whose images are not in the scores.
      scores_of_images: scores of each image without problems, by image name and score name, in the
        order of the evaluation; scores without any pixel are left out.
    """

    benchmark: str
    pool: str
    images: int
    scores: dict[str, float]
    problems: tuple[Problem, ...]
    scores_of_images: dict[str, dict[str, float]]


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
    """Compares the estimates in a folder with the ground truth of a benchmark, by its rules.

    The estimates are laid out as a submission (KITTI 2015, Spring) or as the data set itself
    (FlyingThings3D, SRFlow3D), in any format that `read_flow` and `read_map` recognise by its
    ending. A kind of estimate without any file is skipped; for the other kinds, every image with a
    ground truth must have a file. Non-finite estimates are scored as the metric defines; a file
    without any valid pixel is a problem. Images of different sizes share one compiled program.

    Args:
      benchmark: "kitti" (`metrics.KittiSceneFlow`), "spring" (`metrics.SpringSceneFlow`), "things"
        (`metrics.FlyingThings3D`; all pixels count as points) or "srflow3d" (`metrics.SRFlow3D`
        within the mask, and `metrics.DepthChange`, whose names begin with "DepthChange-").
      prediction: folder of the estimates.
      truth: folder of the ground truth: the one with disp_occ_0 and flow_occ (KITTI), with the
        scenes (Spring), with optical_flow (FlyingThings3D), or with train or test (SRFlow3D).
      pool: "pixels" averages over all pixels, as the benchmarks do; "image" averages the means of
        the images.
      scale: scaled inverse depth times depth in metres, for "srflow3d" only; None to measure it in
        each image from its depth map.
      intrinsics: (fx, fy, cx, cy) in pixels, for "srflow3d" only; errors in 3D need them.
      progress: called before each image with the number of finished images, their total, and the
        image's name; and at the end with an empty name.

    Returns:
      The scores: shares in percent, lengths in pixels or in the unit of the metric. A file that is
      missing, unreadable, or differs in size from the ground truth is listed as a problem, and its
      image is left out.

    Raises:
      FileNotFoundError: a folder is missing, or no estimate has a ground truth.
      NotADirectoryError: a folder is a file.
      TypeError: the scale or the intrinsics are not numbers.
      ValueError: the benchmark is unknown, an option is out of range or for another benchmark, or
        nothing could be compared although all files are good.
    """
    check_benchmark(benchmark, _BENCHMARKS)
    rules = _BENCHMARKS[benchmark]
    scoring = _check_options(benchmark, scale, intrinsics)
    metrics = {metric.__name__: metric.empty(pool=pool) for metric in rules.METRICS}
    prediction, truth = Path(prediction), Path(truth)
    check_folder_exists("prediction", prediction)
    check_folder_exists("truth", truth)
    items = rules.items(prediction, truth)
    if not items:
        raise FileNotFoundError(
            f"{prediction} has no estimate with a ground truth in {truth}: expected {rules.LAYOUT}"
        )
    scoring = scoring._replace(size=find_common_size(items))
    # By file, as Spring reads a disparity once for each direction.
    problems: dict[str, Problem] = {}
    of_images: dict[str, dict[str, float]] = {}
    for done, item in enumerate(items):
        if progress is not None:
            progress(done, len(items), item.name)
        if missing := [str(path) for path in item.estimates.values() if not path.exists()]:
            problems |= {path: Problem(f"{path}: missing") for path in missing}
            continue
        try:
            image = _score_image(metrics, rules.arguments(item, scoring))
        except (ValueError, OSError) as error:
            problem = Problem.of(error)
            problems.setdefault(str(getattr(error, "path", problem)), problem)
            continue
        of_images[item.name] = _name_scores(image)
        metrics = {name: metric.merge(image[name]) for name, metric in metrics.items()}
    if progress is not None:
        progress(len(items), len(items), "")
    scores = _name_scores(metrics)
    if not scores and not problems:
        raise ValueError(f"nothing could be compared in {truth}: expected {rules.NEEDS}")
    return Evaluation(benchmark, pool, len(items), scores, tuple(problems.values()), of_images)


def _check_options(
    benchmark: str, scale: float | None, intrinsics: Sequence[float] | None
) -> Scoring:
    if benchmark != "srflow3d" and (scale is not None or intrinsics is not None):
        raise ValueError(f"scale, intrinsics: expected with srflow3d only, got {benchmark}")
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
    """Converts an argument to an array of real numbers of any shape."""
    try:
        numbers = np.asarray(x)
    except ValueError:  # ragged lists
        raise ValueError(f"{name}: expected {wanted}, got {x!r}") from None
    if numbers.dtype.kind not in "iuf":
        raise TypeError(f"{name}: expected {wanted}, got {x!r}")
    return numbers


def _score_image(metrics: Mapping[str, Metric], arguments: Arguments) -> dict[str, Metric]:
    """Computes the metrics of one image, by name; a metric without arguments stays empty."""
    empty = {name: type(metric).empty(pool=metric.pool) for name, metric in metrics.items()}
    return {
        name: metric.update(**arguments[name]) if name in arguments else metric
        for name, metric in empty.items()
    }


def _name_scores(metrics: Mapping[str, Metric]) -> dict[str, float]:
    first, *others = metrics.items()
    scores = first[1].compute()
    for name, metric in others:
        scores |= {f"{name}-{score}": x for score, x in metric.compute().items()}
    return scores
