"""The metrics of TAP-Vid and TAPVid-3D: how well points are tracked through a video.

With P the predicted and P* the true position of a point in a frame, for each threshold x,

    true positive       visible in truth and prediction, and |P - P*| < x
    false positive      visible in the prediction, but not in truth, or |P - P*| >= x
    jaccard_x           true positives / (visible in truth + false positives)
    pts_within_x        |P - P*| < x, of those visible in truth
    occlusion_accuracy  the prediction's visibility is that of the truth, of all

and average_jaccard (AJ) and average_pts_within_thresh are means over five thresholds. A visible
point that is predicted too far off counts twice in the denominator of jaccard_x: the true position
is missed, and another one claimed.

In the paper's 2D (Doersch et al., "TAP-Vid: A benchmark for tracking any point in a video", NeurIPS
2022), x is 1, 2, 4, 8 or 16 pixels of an image of 256 x 256. In 3D (Koppula et al., "TAPVid-3D: A
benchmark for tracking any point in 3D", NeurIPS 2024), it is the length of that number of pixels at
the true depth z*, x z* / sqrt(fx fy) metres, with the focal lengths of an image whose shorter side
has 256 pixels. The conventions are those of their evaluation code.
"""

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal, Self, get_args

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_batch, check_choice
from sf3d_jax._numerics import Array, align_ranks, channels, jit
from sf3d_jax.camera import Camera, check_camera, check_size
from sf3d_jax.metrics._accumulate import Metric
from sf3d_jax.metrics._maps import MASK, Map, MapLike, check_not_none, read_maps
from sf3d_jax.metrics._sums import Terms

Scaling = Literal["median", "per_trajectory", "none"]
QueryMode = Literal["first", "strided"]

_PIXELS = (1, 2, 4, 8, 16)
# TAP-Vid measures pixels of images of this height and width, TAPVid-3D of this shorter side.
_SIDE = 256
# In place of pixels at the depth of a point, the same for all: metres.
_METRES = (0.01, 0.04, 0.16, 0.64, 2.56)
_AVERAGES = {"average_jaccard": "jaccard", "average_pts_within_thresh": "pts_within"}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Tracking(Metric):
    """What the metrics of both benchmarks share."""

    units: ClassVar[dict[str, float]] = {
        **{f"{name}_{x}": 100.0 for name in _AVERAGES.values() for x in _PIXELS},
        "occlusion_accuracy": 100.0,
        "missing": 100.0,
    }

    @classmethod
    def empty(cls, *, pool: str = "image") -> Self:
        """The metric of no videos.

        Args:
          pool: "image" for the mean over videos of each video's score, which both papers report;
            "pixels" for one score of the points of all videos.

        Returns:
          A metric to `update`.

        Raises:
          ValueError: pool is neither of the two.
        """
        return super().empty(pool=pool)

    def compute(self) -> dict[str, float]:
        """The scores in percent, averages first, in float64; works outside jit only.

        Returns:
          {name: score}; a score over nothing is left out.

        Raises:
          TypeError: the metric is traced by jit or another transformation.
        """
        scores = super().compute()
        averages = {
            name: sum(scores[f"{score}_{x}"] for x in _PIXELS) / len(_PIXELS)
            for name, score in _AVERAGES.items()
            if all(f"{score}_{x}" in scores for x in _PIXELS)
        }
        return averages | scores

    def _score(
        self,
        within: Sequence[jax.Array],
        known: jax.Array,
        found: jax.Array,
        visible: jax.Array,
        true_visible: jax.Array,
    ) -> Self:
        """The metric with videos.

        Args:
          within: for each threshold the points within it, (*b, T, n).
          known: which points count.
          found: which points have an estimate.
          visible: which are visible by the estimate.
          true_visible: which are visible.
        """
        seen = known & true_visible
        no = jnp.zeros_like(known)
        # Points that claim a wrong position count a second time, beside all others. The other
        # scores have no such points, but a GPU sums terms of one size.
        both = lambda a, b: jnp.concatenate([a, b], axis=-1)
        alone = lambda a, use: (both(a, no), both(use, no))
        terms: dict[str, Terms] = {
            "occlusion_accuracy": alone(visible == true_visible, known),
            "missing": alone(~found, seen),
        }
        for x, near in zip(_PIXELS, within, strict=True):
            right = near & true_visible
            wrong = known & visible & ~right
            terms[f"jaccard_{x}"] = both(right & visible, no), both(seen, wrong)
            terms[f"pts_within_{x}"] = alone(near, seen)
        return self._add(terms)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TapVid(_Tracking):
    """TAP-Vid's metrics of tracks in the image, in percent.

    `compute` returns average_jaccard (AJ), average_pts_within_thresh, jaccard_x and pts_within_x
    for x of 1, 2, 4, 8 and 16 pixels of a 256 x 256 image, occlusion_accuracy (OA), and missing,
    the share of visible points without an estimate. The scores are means over videos, the leading
    axes.
    """

    @partial(jit, static=("size", "query_mode"))
    def update(
        self,
        pixels: MapLike,
        visible: Array,
        true_pixels: MapLike,
        true_visible: Array,
        *,
        size: tuple[int, int],
        query_frames: Array | None = None,
        query_mode: QueryMode = "first",
        mask: Array | None = None,
    ) -> Self:
        """Adds videos of T frames with n points.

        Positions are arrays, or pairs (values, valid), as `Tracks.pixels` and `Tracks.valid`.

        Args:
          pixels: (*b, T, n, 2), the estimate, in pixels; without one a point is at no threshold.
          visible: (*b, T, n), bool, its visibility.
          true_pixels: (*b, T, n, 2), in pixels; points that are not valid or finite do not count.
          true_visible: (*b, T, n), bool.
          size: (H, W) of the frames whose pixels these are; errors are scaled to 256 x 256.
          query_frames: (*b, n), integers, the frame in which each point is given. All frames count
            if None, which TAP-Vid never does.
          query_mode: TAP-Vid's. "first": points are given where they are first visible, and only
            later frames count; "strided": all frames but that of the query count.
          mask: (*b, T, n), bool, the points that count, for videos of several lengths; all if None.

        Returns:
          The metric with these videos.

        Raises:
          ValueError: query_mode is neither of the two.
        """
        height, width = check_size(size)
        check_choice("query_mode", query_mode, get_args(QueryMode))
        maps = _read(2, pixels, visible, true_pixels, true_visible, mask)
        estimate, truth = maps["pixels"], maps["true_pixels"]
        u, v = (a - b for a, b in zip(estimate.parts, truth.parts, strict=True))
        u, v = u * (_SIDE / width), v * (_SIDE / height)
        squared = u * u + v * v
        known = _find_known(maps, truth, query_frames, query_mode)
        within = [estimate.known & (squared < x * x) for x in _PIXELS]
        seen, true_seen = maps["visible"].values, maps["true_visible"].values
        return self._score(within, known, estimate.known, seen, true_seen)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TapVid3D(_Tracking):
    """TAPVid-3D's metrics of tracks in space, in percent.

    `compute` returns average_jaccard (3D-AJ), average_pts_within_thresh (APD), jaccard_x and
    pts_within_x, x in pixels at the true depth, occlusion_accuracy (OA), and missing, the share of
    visible points without an estimate. The scores are means over videos, the leading axes.
    """

    @partial(jit, static=("scaling",))
    def update(
        self,
        points: MapLike,
        visible: Array,
        true_points: MapLike,
        true_visible: Array,
        *,
        camera: Camera | None = None,
        scaling: Scaling = "median",
        query_frames: Array | None = None,
        mask: Array | None = None,
    ) -> Self:
        """Adds videos of T frames with n points. All frames count, also that of the query.

        Positions are arrays, or pairs (values, valid), in metres, in the axes of each frame's own
        camera, as TAPVid-3D has them; |P - P*| < x z* / sqrt(fx fy) is within x pixels, where fx
        and fy are those of the camera times 256 / min(H, W) of its size. The positions of
        `Tracks.points`, which are in world axes, are
        `se3.apply(cameras.world_to_camera[..., None, :, :], tracks.points)`.

        Args:
          points: (*b, T, n, 3), the estimate; without one a point is at no threshold.
          visible: (*b, T, n), bool, its visibility.
          true_points: (*b, T, n, 3); points that are not valid or finite do not count.
          true_visible: (*b, T, n), bool.
          camera: camera of each video, whose focal lengths and size set the thresholds. If None,
            they are 0.01, 0.04, 0.16, 0.64 and 2.56 metres at any depth, the code's fixed ones.
          scaling: what estimates are multiplied with. "median": the ratio of the median distances
            |P*| and |P| of the points of a video that are visible in both; "per_trajectory": the
            ratio of the depths of each point in its query frame; "none": 1.
          query_frames: (*b, n), integers, the frame in which each point is given; needed for
            "per_trajectory".
          mask: (*b, T, n), bool, the points that count, for videos of several lengths; all if None.

        Returns:
          The metric with these videos.

        Raises:
          ValueError: scaling is unknown, or needs query frames that are not given.
        """
        check_choice("scaling", scaling, get_args(Scaling))
        maps = _read(3, points, visible, true_points, true_visible, mask)
        estimate, truth = maps["points"], maps["true_points"]
        known = _find_known(maps, truth)
        seen, true_seen = maps["visible"].values, maps["true_visible"].values
        if scaling == "median":
            both = known & seen & true_seen
            factor = _find_median_ratio(truth, estimate, both)
        elif scaling == "per_trajectory":
            factor = _find_query_ratio(truth, estimate, query_frames)
        else:
            factor = jnp.ones((1,) * known.ndim)
        found = estimate.known & (factor > 0)
        factor = jnp.where(factor > 0, factor, 1).astype(truth.parts[0].dtype)
        x, y, z = (factor * a - b for a, b in zip(estimate.parts, truth.parts, strict=True))
        squared = x * x + y * y + z * z
        reach = _find_reach(truth, camera)
        within = [found & (squared < limit * limit) for limit in reach]
        return self._score(within, known, estimate.known, seen, true_seen)


def _read(
    axes: int,
    estimate: MapLike,
    visible: Array,
    truth: MapLike,
    true_visible: Array,
    mask: Array | None,
) -> dict[str, Map]:
    """Checks the arguments of an update against each other."""
    name = {2: "pixels", 3: "points"}[axes]
    check_not_none(**{name: estimate, f"true_{name}": truth})
    check_not_none(visible=visible, true_visible=true_visible)
    return read_maps(
        **{name: (estimate, axes), f"true_{name}": (truth, axes)},
        visible=(visible, MASK),
        true_visible=(true_visible, MASK),
        mask=(mask, MASK),
    )


def _find_known(
    maps: dict[str, Map],
    truth: Map,
    query_frames: Array | None = None,
    query_mode: QueryMode = "first",
) -> jax.Array:
    """Which points count: known, in the mask, and in a frame that the mode evaluates."""
    known = truth.known & maps["mask"].values if "mask" in maps else truth.known
    if query_frames is None:
        return known
    queries = _check_queries(query_frames, known)[..., None, :]
    (frames,) = align_ranks(jnp.arange(known.shape[-2], dtype=jnp.int32)[:, None], rank=known.ndim)
    return known & (frames > queries if query_mode == "first" else frames != queries)


def _check_queries(query_frames: Array | None, known: jax.Array) -> jax.Array:
    """The frames of queries, (*b, n)."""
    if query_frames is None:
        raise ValueError("query_frames: needed by scaling 'per_trajectory'; pass (*b, n) integers")
    if not hasattr(query_frames, "dtype") or not jnp.issubdtype(query_frames.dtype, jnp.integer):
        got = getattr(query_frames, "dtype", type(query_frames).__name__)
        raise TypeError(f"query_frames: expected an array of integers, got {got}")
    wanted = (*known.shape[:-2], known.shape[-1])
    if query_frames.shape[-1:] != wanted[-1:]:
        shape = f"(..., {wanted[-1]}), one frame for each point"
        raise ValueError(f"query_frames: expected shape {shape}, got {query_frames.shape}")
    check_batch(points=wanted[:-1], query_frames=query_frames.shape[:-1])
    return jnp.broadcast_to(jnp.asarray(query_frames), wanted).astype(jnp.int32)


def _find_median_ratio(truth: Map, estimate: Map, both: jax.Array) -> jax.Array:
    """The ratio of the median distances of points in each video, (*b, 1, 1); 0 without points."""
    use = both & estimate.known
    true_median, median = (
        _find_median(jnp.sqrt(sum(x * x for x in points.parts)), use)
        for points in (truth, estimate)
    )
    usable = use.any((-2, -1)) & (median > 0)
    return jnp.where(usable, true_median / jnp.where(usable, median, 1), 0)[..., None, None]


def _find_median(x: jax.Array, use: jax.Array) -> jax.Array:
    """The median over the last two axes of what is used: (*b)."""
    *batch, frames, points = x.shape
    rows = jnp.where(use, x, jnp.inf).reshape(*batch, frames * points)
    rows = jnp.sort(rows, axis=-1)
    count = use.sum((-2, -1), dtype=jnp.int32)[..., None]
    middle = [jnp.maximum(k, 0) // 2 for k in (count - 1, count)]
    low, high = (jnp.take_along_axis(rows, jnp.minimum(k, rows.shape[-1] - 1), -1) for k in middle)
    return ((low + high) / 2)[..., 0]


def _find_query_ratio(truth: Map, estimate: Map, query_frames: Array | None) -> jax.Array:
    """The ratio of the depths of each point in its query frame, (*b, 1, n); 0 where undefined."""
    frames = _check_queries(query_frames, truth.known)[..., None, :]
    at = lambda x: jnp.take_along_axis(x, jnp.clip(frames, 0, x.shape[-2] - 1), axis=-2)
    true_depth, depth = (jnp.where(at(p.known), at(p.parts[2]), 0) for p in (truth, estimate))
    usable = (true_depth > 0) & (depth > 0)
    return jnp.where(usable, true_depth / jnp.where(usable, depth, 1), 0)


def _find_reach(truth: Map, camera: Camera | None) -> list[jax.Array]:
    """The thresholds in metres, each of which broadcasts against (*b, T, n)."""
    depth = truth.parts[2]
    if camera is None:
        return [jnp.full((1,) * depth.ndim, x, depth.dtype) for x in _METRES]
    check_batch(camera=check_camera("camera", camera), points=depth.shape[:-2])
    # The evaluation resizes videos, and the cameras with them.
    fx, fy = channels(jnp.asarray(camera.focal, depth.dtype) * (_SIDE / min(camera.size)))
    depth, focal = align_ranks(depth, jnp.sqrt(fx * fy)[..., None, None])
    return [x * (depth / focal) for x in _PIXELS]
