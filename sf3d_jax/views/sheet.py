"""One figure for a frame pair: images, flow, inverse depth, scene flow."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from sf3d_jax.data.arrays import finite, real_map, valid_mask
from sf3d_jax.views import legends, map_panels
from sf3d_jax.views.panels import MARGIN, image_panel
from sf3d_jax.views.spread import percent


@np.errstate(over="ignore", invalid="ignore")  # non-finite pixels are unknown
def picture_sheet(
    flow: ArrayLike,
    inv_depth: ArrayLike | None,
    vectors: ArrayLike | None,
    valid: ArrayLike,
    *,
    image: ArrayLike | None = None,
    next_image: ArrayLike | None = None,
    inv_depth_change: ArrayLike | None = None,
    occlusion: ArrayLike | None = None,
    true_flow: ArrayLike | None = None,
    true_vectors: ArrayLike | None = None,
    camera_is_fixed: bool | None = None,
) -> np.ndarray:
    """Draws a titled panel with a legend for each given map, two per row.

    Scene flow has two panels: motion across the view by the hues of the flow wheel about mid-grey,
    and motion along the view from dark blue (away) through mid-grey (still) to bright yellow
    (towards the camera). Arrows repeat the hues. Unknown pixels are hatched.

    The full colour of a motion is the 95th percentile of the moving pixels, so that a few outliers
    do not set the scale. For scene flow, pixels are weighted by squared inverse depth, since the
    error of a 3D motion grows with squared depth. Legends give this scale, and the share, median
    and 95th percentile of the moving pixels. Pixels that move less than 1e-3 px, or in 3D less than
    1e-5 of their depth, are still. Inverse depth spans its 1st to 99th percentile. Maps larger than
    a panel are averaged over known pixels; maps less than half known are drawn with thicker dots.

    Args:
      flow: [H, W, 2], (u, v) in pixels.
      inv_depth: [H, W], per metre, unknown where not positive; None without depth.
      vectors: [H, W, 3], scene flow in metres, axes x right, y down, z forward; unknown where the
        inverse depth is. None without depth.
      valid: bool [H, W]. Non-finite pixels are unknown, too.
      image: uint8 RGB [H, W, 3], first frame; if None, the mask is shown.
      next_image: uint8 RGB [H, W, 3], second frame, also shown warped back by the flow.
      inv_depth_change: [H, W], per metre.
      occlusion: [H, W], bool or from 0 to 1; 1 where the point is hidden in the second frame.
      true_flow: [H, W, 2], adds a panel of the flow's end-point error; unknown where non-finite.
      true_vectors: [H, W, 3], adds a panel of the scene flow's end-point error.
      camera_is_fixed: True if the camera was taken as fixed, so that its motion is part of the
        scene flow; False if that motion was removed. The first panel says which; None omits it.

    Returns:
      uint8 RGB, about 1350 pixels wide whatever the size of the maps.

    Raises:
      ValueError: a shape or dtype does not fit; the message names the argument.
    """
    flow = real_map("flow", flow, 2)
    moves, size = valid_mask(valid, flow), flow.shape[:2]
    camera = _describe_camera(camera_is_fixed)
    panels = [_first_panel(image, moves, camera), map_panels.flow_panel(flow, moves)]
    if next_image is not None:
        second = _check_image("next_image", next_image, size)
        panels.insert(1, image_panel("second frame", second, legends.text_legend()))
        panels.append(map_panels.warped_panel(second, flow, moves))
    space = None
    if inv_depth is not None:
        inv_depth = _read_map("inv_depth", inv_depth, size)
        seen = valid_mask(valid, inv_depth) & (inv_depth > 0)
        panels.append(map_panels.depth_panel(inv_depth, seen))
        if inv_depth_change is not None:
            change = _read_map("inv_depth_change", inv_depth_change, size)
            panels.append(map_panels.change_panel(change, inv_depth, seen & finite(change)))
        if vectors is not None:
            space = _read_map("vectors", vectors, size, 3)
            known = seen & finite(space)
            panels.append(map_panels.across_panel(space, inv_depth, known))
            panels.append(map_panels.along_panel(space, inv_depth, known))
    if occlusion is not None:
        hidden = _read_map("occlusion", _to_float(occlusion), size)
        panels.append(map_panels.occlusion_panel(hidden, valid_mask(valid, hidden)))
    if true_flow is not None:
        truth = _read_map("true_flow", true_flow, size, 2)
        panels.append(map_panels.error_panel("optical flow", flow, truth, moves, "px"))
    if true_vectors is not None and space is not None:
        truth = _read_map("true_vectors", true_vectors, size, 3)
        panels.append(map_panels.error_panel("scene flow", space, truth, known, "m"))
    return _arrange(panels)


def _first_panel(image: ArrayLike | None, valid: np.ndarray, camera: str) -> np.ndarray:
    """The first frame, or the mask if it is not given."""
    height, width = valid.shape
    share = f"{width} x {height} px, {percent(valid.mean())} valid"
    if image is None:
        return map_panels.valid_panel(valid, share, camera)
    first = _check_image("image", image, valid.shape)
    return image_panel("first frame", first, legends.text_legend(share, camera))


def _describe_camera(is_fixed: bool | None) -> str:
    """Whether the scene flow contains the motion of the camera."""
    if is_fixed is None:
        return ""
    return f"scene flow: {'camera taken as fixed' if is_fixed else 'camera motion removed'}"


def _arrange(panels: list[np.ndarray]) -> np.ndarray:
    """Two panels per row; the last place of an odd number stays white."""
    if len(panels) % 2:
        panels = [*panels, np.full_like(panels[-1], legends.WHITE)]
    rows = [np.hstack(panels[i : i + 2]) for i in range(0, len(panels), 2)]
    sheet = np.vstack(rows)
    return np.pad(sheet, ((0, MARGIN), (0, MARGIN), (0, 0)), constant_values=legends.WHITE)


def _read_map(
    name: str, value: ArrayLike, size: tuple[int, ...], channels: int | None = None
) -> np.ndarray:
    """A map with the size of the flow."""
    values = real_map(name, value, channels)
    if values.shape[:2] != size:
        got = list(values.shape[:2])
        raise ValueError(f"{name}: expected the size of the flow, {list(size)}, got {got}")
    return values


def _to_float(mask: ArrayLike) -> ArrayLike:
    array = np.asarray(mask)
    return array.astype(np.float32) if array.dtype == bool else array


def _check_image(name: str, value: ArrayLike, size: tuple[int, ...]) -> np.ndarray:
    image = np.asarray(value)
    if image.dtype != np.uint8 or image.shape != (*size, 3):
        got = f"{image.dtype} {list(image.shape)}"
        raise ValueError(f"{name}: expected uint8 [{size[0]}, {size[1]}, 3], got {got}")
    return image
