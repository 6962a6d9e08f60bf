"""Checks of maps that a camera took."""

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import result_type
from sf3d_jax.camera import Camera, check_camera


def check_maps_of(
    camera: Camera, next_camera: Camera | None, **maps: tuple[jax.Array, int]
) -> tuple[jnp.dtype, tuple[int, ...]]:
    """Checks maps, given as (array, number of channels or 0 for no axis), against the cameras.

    Returns:
      The dtype of the maps, and the common batch shape.
    """
    batches = {"camera": check_camera("camera", camera)}
    if next_camera is not None:
        batches["next_camera"] = check_camera("next_camera", next_camera)
    for name, (x, count) in maps.items():
        channels = (count,) if count else ()
        trailing = (*camera.size, *channels)
        height, width = camera.size
        swapped = (width, height, *channels)
        if height != width and getattr(x, "shape", ())[-len(swapped) :] == swapped:
            raise ValueError(
                f"{name}: expected the camera's size {camera.size}, got {swapped[:2]}; a camera's "
                "size is (height, width); are the two swapped?"
            )
        try:
            check_array(name, x, trailing)
        except ValueError as error:
            raise ValueError(f"{error} (the camera's size is {height} x {width})") from None
        batches[name] = x.shape[: x.ndim - len(trailing)]
    return result_type(*(x.dtype for x, _ in maps.values())), check_batch(**batches)
