"""FlyingThings3D metrics: the two protocols that papers report, and mix.

On pixels with a true flow below 250 px and a true depth below 250 m (RAFT-3D):

    EPE2D, EPE3D   mean error of the flow in pixels, of the scene flow in metres
    1px, 5cm, 10cm share of pixels with a smaller error

On points (HPLFlowNet), with e the error and r = e / (|true| + 1e-4):

    Acc3DS         e < 0.05 m or r < 0.05
    Acc3DR         e < 0.1 m or r < 0.1
    Outliers3D     e > 0.3 m or r > 0.1

Teed and Deng, "RAFT-3D" (CVPR 2021); Gu et al., "HPLFlowNet" (CVPR 2019).
"""

import dataclasses
from typing import ClassVar

import jax

from sf3d_jax._numerics import jit
from sf3d_jax._numerics.lengths import length
from sf3d_jax.metrics._accumulate import Metric
from sf3d_jax.metrics._maps import (
    MASK,
    SCALAR,
    Array,
    Map,
    MapLike,
    compute_maps_once,
    distance,
    read_maps,
)
from sf3d_jax.metrics._sums import Terms

_FARTHEST = 250.0
_EXTRA = 1e-4


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class FlyingThings3D(Metric):
    """Errors of flow and scene flow by both protocols for FlyingThings3D; shares in percent.

    On pixels with a true flow below 250 px and a true depth below 250 m (RAFT-3D):

        EPE2D          mean error of the flow, in pixels
        1px            share of flow errors below 1 px
        EPE3D          mean error of the scene flow, in metres
        5cm, 10cm      shares of scene-flow errors below 5 and 10 cm

    On points (HPLFlowNet), with e the error and r = e / (|true| + 1e-4):

        EPE3D-points   mean e, in metres
        Acc3DS         e < 0.05 m or r < 0.05
        Acc3DR         e < 0.1 m or r < 0.1
        Outliers3D     e > 0.3 m or r > 0.1

    A score is omitted if a map that it needs was not passed. All scores on pixels also need
    `true_inv_depth`. A non-finite estimate is an outlier and not accurate, and is left out of the
    mean errors; missing2D and missing3D are the shares of such pixels.
    """

    units: ClassVar[dict[str, float]] = {
        "EPE2D": 1.0,
        "1px": 100.0,
        "EPE3D": 1.0,
        "5cm": 100.0,
        "10cm": 100.0,
        "EPE3D-points": 1.0,
        "Acc3DS": 100.0,
        "Acc3DR": 100.0,
        "Outliers3D": 100.0,
        "missing2D": 100.0,
        "missing3D": 100.0,
    }

    @jit
    def update(
        self,
        *,
        flow: MapLike | None = None,
        vectors: MapLike | None = None,
        true_flow: MapLike | None = None,
        true_vectors: MapLike | None = None,
        true_inv_depth: MapLike | None = None,
        points: Array | None = None,
    ) -> "FlyingThings3D":
        """Adds images. Each map is an array or (values, valid), as `scene_flow` returns it.

        Args:
          flow: (*b, H, W, 2), the estimate, in pixels.
          vectors: (*b, H, W, 3), the estimated scene flow, in metres. Pass N points as a map of
            size (N, 1).
          true_flow: (*b, H, W, 2), in pixels.
          true_vectors: (*b, H, W, 3), in metres.
          true_inv_depth: (*b, H, W), inverse depth of the first image, per metre.
          points: (*b, H, W), bool, the points of the second protocol: the non-occluded ones, or a
            sample of them. All if None.

        Returns:
          The metric with these images.

        Raises:
          ValueError: no map is given.
        """
        maps = read_maps(
            flow=(flow, 2),
            vectors=(vectors, 3),
            true_flow=(true_flow, 2),
            true_vectors=(true_vectors, 3),
            true_inv_depth=(true_inv_depth, SCALAR),
            points=(points, MASK),
        )
        near = _find_near(maps)
        terms: dict[str, Terms] = {}
        if near is not None and "flow" in maps:
            error, use, found = compute_maps_once(_compare(maps["flow"], maps["true_flow"], near))
            terms["EPE2D"] = error, use & found
            terms["1px"] = found & (error < 1), use
            terms["missing2D"] = ~found, use
        if near is not None and {"vectors", "true_vectors"} <= maps.keys():
            error, use, found = compute_maps_once(
                _compare(maps["vectors"], maps["true_vectors"], near)
            )
            terms["EPE3D"] = error, use & found
            terms |= {f"{cm}cm": (found & (error < cm / 100), use) for cm in (5, 10)}
            terms["missing3D"] = ~found, use
        if {"vectors", "true_vectors"} <= maps.keys():
            terms |= _report_points(maps)
        return self._add(terms)


def _find_near(maps: dict[str, Map]) -> jax.Array | None:
    """The pixels of the first protocol, or None without the true flow and inverse depth."""
    if not {"true_flow", "true_inv_depth"} <= maps.keys():
        return None
    flow, inv_depth = maps["true_flow"], maps["true_inv_depth"]
    near = inv_depth.known & (inv_depth.values > 1 / _FARTHEST)
    return near & flow.known & (length(*flow.parts) < _FARTHEST)


def _compare(estimate: Map, truth: Map, use: jax.Array) -> tuple[jax.Array, ...]:
    return distance(estimate, truth), use & truth.known, estimate.known


def _report_points(maps: dict[str, Map]) -> dict[str, Terms]:
    truth, found = maps["true_vectors"], maps["vectors"].known
    use = truth.known & maps["points"].values if "points" in maps else truth.known
    error = distance(maps["vectors"], truth)
    share = error / (length(*truth.parts) + _EXTRA)
    error, share, use, found = compute_maps_once((error, share, use, found))
    return {
        "EPE3D-points": (error, use & found),
        "Acc3DS": (found & ((error < 0.05) | (share < 0.05)), use),
        "Acc3DR": (found & ((error < 0.1) | (share < 0.1)), use),
        "Outliers3D": (~found | (error > 0.3) | (share > 0.1), use),
    } | ({} if {"true_flow", "true_inv_depth"} <= maps.keys() else {"missing3D": (~found, use)})
