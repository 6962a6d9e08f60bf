"""One step of motion: what is known of the surface points of a frame on their way to the next."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_maps, name_type
from sf3d_jax._numerics import result_type


class Motion(NamedTuple):
    """The motion of the surface points of one frame to the next, on the first frame's grid.

    A step of a `Sample`, or all steps of a `Sequence`, is

        Motion(x.flow, x.inv_depth, x.inv_depth_change, x.valid, x.occlusion)

    where a sequence gives `inv_depth[..., :-1, :, :]`, that of the first frame of each pair.

    Attributes:
      flow: (*b, H, W, 2), in pixels.
      inv_depth: (*b, H, W), d = 1/z0, per metre; not positive where there is no surface.
      inv_depth_change: (*b, H, W), c = 1/z1 - 1/z0 of the same point, per metre.
      valid: (*b, H, W), bool, where the motion is known; everywhere if None.
      hidden: (*b, H, W), bool, where another surface hides the point in the next frame; nowhere if
        None.
    """

    flow: jax.Array
    inv_depth: jax.Array
    inv_depth_change: jax.Array
    valid: jax.Array | None = None
    hidden: jax.Array | None = None


def check_motion(name: str, motion: object) -> tuple[tuple[int, ...], jnp.dtype]:
    """Checks a step; returns the common shape of its maps, (*b, H, W), and their dtype."""
    if not isinstance(motion, Motion):
        got = name_type(motion)
        is_list = isinstance(motion, list | tuple) and {*map(type, motion)} == {Motion}
        advice = "; stack the steps: jax.tree.map(lambda *x: jnp.stack(x), *steps)"
        raise TypeError(f"{name}: expected a tracks.Motion, got {got}{advice if is_list else ''}")
    flow, inv_depth, change, valid, hidden = motion
    try:
        check_maps(
            flow=(flow, "flow"),
            inv_depth=(inv_depth, "map"),
            inv_depth_change=(change, "map"),
            valid=(valid, "mask"),
            hidden=(hidden, "mask"),
        )
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}.{error}") from None
    shapes = [x.shape for x in (inv_depth, change, valid, hidden) if x is not None]
    shape = jnp.broadcast_shapes(flow.shape[:-1], *shapes)
    return shape, result_type(*(x.dtype for x in (flow, inv_depth, change)))
