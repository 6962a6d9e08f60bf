"""SRFlow3D metrics: errors of the flow in pixels and of the 3D scene flow in metres.

    EPE    mean |F - F*|, pixels
    EPE3D  mean |(X1 - X0) - (X1 - X0)*|, metres, and in millimetres

over the pixels of the mask, the person. The 3D motion is passed as vectors, or computed by
`sf3d.scene_flow` from flow, inverse depth and its change.
"""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_batch
from sf3d_jax._numerics import jit
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.conversion.scene_flow import scene_flow
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


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SRFlow3D(Metric):
    """End-point errors of flow and of 3D scene flow within a mask.

    The names that `compute` returns are EPE, mean |F - F*| in pixels; EPE3D, mean |S - S*| in
    metres; EPE3D-mm in millimetres; and missing and missing3D, the pixels, in percent, without an
    estimate, because it is not finite or gives a depth that is not positive. These are left out of
    the means. A score is omitted if a map that it needs was not passed.
    """

    units: ClassVar[dict[str, float]] = {
        "EPE": 1.0,
        "EPE3D": 1.0,
        "EPE3D-mm": 1e3,
        "missing": 100.0,
        "missing3D": 100.0,
    }

    @jit
    def update(
        self,
        *,
        flow: MapLike | None = None,
        inv_depth_change: MapLike | None = None,
        inv_depth: MapLike | None = None,
        vectors: MapLike | None = None,
        true_flow: MapLike | None = None,
        true_inv_depth_change: MapLike | None = None,
        true_inv_depth: MapLike | None = None,
        true_vectors: MapLike | None = None,
        mask: Array | None = None,
        camera: Camera | None = None,
        next_camera: Camera | None = None,
    ) -> "SRFlow3D":
        """Adds images. Each map is an array or (values, valid), as `sf3d.data` reads it.

        Args:
          flow: (*b, H, W, 2), the estimate, in pixels.
          inv_depth_change: (*b, H, W), the estimated 1/z1 - 1/z0, per metre.
          inv_depth: (*b, H, W), the estimated 1/z0, per metre; the true one if None.
          vectors: (*b, H, W, 3), the estimated scene flow, in metres, in place of the two above.
          true_flow: (*b, H, W, 2), in pixels.
          true_inv_depth_change: (*b, H, W), per metre.
          true_inv_depth: (*b, H, W), per metre.
          true_vectors: (*b, H, W, 3), in metres, in place of the two above.
          mask: (*b, H, W), bool, the pixels that count; all if None.
          camera: first camera; needed to compute vectors. Batch axes of both cameras broadcast
            against *b.
          next_camera: camera of the second image; the first camera if None.

        Returns:
          The metric with these images.

        Raises:
          TypeError: a camera is not a Camera.
          ValueError: no map is given.
        """
        maps = read_maps(
            flow=(flow, 2),
            inv_depth_change=(inv_depth_change, SCALAR),
            inv_depth=(inv_depth, SCALAR),
            vectors=(vectors, 3),
            true_flow=(true_flow, 2),
            true_inv_depth_change=(true_inv_depth_change, SCALAR),
            true_inv_depth=(true_inv_depth, SCALAR),
            true_vectors=(true_vectors, 3),
            mask=(mask, MASK),
        )
        maps = _broadcast(maps, camera=camera, next_camera=next_camera)
        terms: dict[str, Terms] = {}
        if {"flow", "true_flow"} <= maps.keys():
            terms |= _compare(("EPE",), "missing", maps["flow"], maps["true_flow"], maps)
        depth = "inv_depth" if "inv_depth" in maps else "true_inv_depth"
        estimate = _find_vectors(maps, "", depth, camera, next_camera)
        truth = _find_vectors(maps, "true_", "true_inv_depth", camera, next_camera)
        if estimate is not None and truth is not None:
            terms |= _compare(("EPE3D", "EPE3D-mm"), "missing3D", estimate, truth, maps)
        return self._add(terms)


def _broadcast(maps: dict[str, Map], **cameras: Camera | None) -> dict[str, Map]:
    """The maps, broadcast to the common batch shape of maps and cameras."""
    batches = {n: check_camera(n, camera) for n, camera in cameras.items() if camera is not None}
    *of_maps, height, width = next(iter(maps.values())).known.shape
    shape = (*check_batch(maps=tuple(of_maps), **batches), height, width)
    return jax.tree.map(lambda x: jnp.broadcast_to(x, shape), maps)


def _compare(
    names: tuple[str, ...], missing: str, estimate: Map, truth: Map, maps: dict[str, Map]
) -> dict[str, Terms]:
    use = truth.known & maps["mask"].values if "mask" in maps else truth.known
    error, use, found = compute_maps_once((distance(estimate, truth), use, estimate.known))
    return {name: (error, use & found) for name in names} | {missing: (~found, use)}


def _find_vectors(
    maps: dict[str, Map], kind: str, depth: str, camera: Camera | None, next_camera: Camera | None
) -> Map | None:
    """The given scene flow, or the one computed from flow, inverse depth and change."""
    if f"{kind}vectors" in maps:
        return maps[f"{kind}vectors"]
    names = (f"{kind}flow", depth, f"{kind}inv_depth_change")
    if camera is None or not set(names) <= maps.keys():
        return None
    flow, inv_depth, change = (maps[name] for name in names)
    lifted = scene_flow(
        jnp.stack(flow.parts, -1), inv_depth.values, change.values, camera, next_camera
    )
    known = flow.known & inv_depth.known & change.known & lifted.valid
    return Map(tuple(jnp.moveaxis(lifted.vectors, -1, 0)), known)
