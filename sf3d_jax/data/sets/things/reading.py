"""Reads the maps of a sample of FlyingThings3D, Monkaa, Driving or the subset."""

from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.data.cameras.sizes import THINGS, check_aspect
from sf3d_jax.data.maps import read_flow, read_map
from sf3d_jax.data.maps.images import read_unit_image
from sf3d_jax.data.maps.kinds import FlowMap, ScalarMap
from sf3d_jax.data.sets._reading import Files, to_float32
from sf3d_jax.data.sets.things.cameras import find_sign
from sf3d_jax.samples import Sample

# Kinds that need the camera to be interpreted.
_OF_CAMERA = ("poses", "disparity", "next_disparity", "change")


def read_things(files: Files, focal: float) -> Sample:
    """Reads the images and the maps.

    Args:
      files: files of the sample: "image" and "disparity" of both frames, "flow" and "change".
      focal: focal length in pixels of a 960 x 540 image; the baseline is 1.

    Returns:
      The sample without cameras; NaN where a map has no value.

    Raises:
      FormatError: a file is malformed or has another aspect ratio, or there is a change but no
        disparity.
      OSError: a file is missing.
    """
    image, next_image = files.both("image", read_unit_image)
    flow = files.read("flow", lambda path: _mark_missing(read_flow(path)))
    disparity, next_disparity = files.both("disparity", _read_map)
    if "change" in files.paths and disparity is None:
        expected = "a disparity beside it, which has the sign of the change"
        raise FormatError(files.paths["change"], expected, "none")
    change = files.read("change", _read_map)
    size = files.size()
    if seen := [files.paths[kind] for kind in _OF_CAMERA if kind in files.paths]:
        check_aspect(seen[0], THINGS, size)
    per_pixel = focal * size[1] / THINGS[1]
    return Sample(
        image=image,
        next_image=next_image,
        flow=flow,
        inv_depth=_divide_by_focal(disparity, disparity, per_pixel),
        inv_depth_change=_divide_by_focal(change, disparity, per_pixel),
        next_inv_depth=_divide_by_focal(next_disparity, next_disparity, per_pixel),
    )


def _read_map(path: Path) -> np.ndarray:
    return _mark_missing(read_map(path))


def _mark_missing(pair: FlowMap | ScalarMap) -> np.ndarray:
    """Puts NaN where a map has no value, because the data set claims one for all pixels."""
    values, valid = pair
    return np.where(valid.reshape(*valid.shape, *[1] * (values.ndim - 2)), values, np.nan)


def _divide_by_focal(
    values: np.ndarray | None, disparity: np.ndarray | None, focal: float
) -> np.ndarray | None:
    """Computes +-values / focal, for disparities or their changes; the baseline is 1.

    The sign is chosen so that most disparities become positive, because releases differ in sign.
    """
    if values is None or disparity is None:
        return None
    return to_float32(find_sign(disparity) * values / focal)
