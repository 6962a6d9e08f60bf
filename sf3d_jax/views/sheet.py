"""One picture that shows what a frame pair contains: image, flow, inverse depth, scene flow."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sf3d_jax.data.arrays import real_map, valid_mask
from sf3d_jax.data.opencv import import_cv2
from sf3d_jax.views import legends
from sf3d_jax.views.colors import flow_to_color, scalar_to_color, scene_flow_to_color

_MARGIN = 20
_TITLE_HEIGHT = 36
_LARGEST_HEIGHT = 640
_PAPER = 225  # the grey beside a tall picture: neither white (no motion) nor black (unknown)


def picture_sheet(
    flow: npt.ArrayLike,
    inv_depth: npt.ArrayLike | None,
    vectors: npt.ArrayLike | None,
    valid: npt.ArrayLike,
    *,
    image: npt.ArrayLike | None = None,
) -> np.ndarray:
    """Draws four titled panels with their legends, two beside two; the first two without depth.

    Colours span what is common, and stay at the end of their scale beyond: inverse depth from its
    1st to its 99th percentile; flow up to the length that 98 % of what moves stay below; scene flow
    likewise, where a pixel counts by its squared inverse depth, as its motion is that much more
    certain. Below 1e-3 px, and in space below 1e-5 of the depth, nothing moves.

    Args:
      flow: [H, W, 2], (u, v) in pixels.
      inv_depth: [H, W], per metre; unknown where it is not positive. None where there is no depth.
      vectors: [H, W, 3], scene flow in metres, axes x right, y down, z forward; unknown where the
        inverse depth is. None without depth.
      valid: bool [H, W]. What is not finite is unknown, too.
      image: uint8 RGB [H, W, 3], the first frame; the mask is shown when it is not given.

    Returns:
      uint8 RGB, about 1350 pixels wide whatever the size of the maps.

    Raises:
      ValueError: a wrong shape or dtype.
    """
    flow = real_map("flow", flow, 2)
    moves = valid_mask(valid, flow)
    rows = [[_image_panel(image, moves), _flow_panel(flow, moves)]]
    if inv_depth is not None and vectors is not None:
        inv_depth, vectors = real_map("inv_depth", inv_depth), real_map("vectors", vectors, 3)
        _check_same_size("inv_depth", inv_depth, flow)
        _check_same_size("vectors", vectors, flow)
        seen = valid_mask(valid, inv_depth) & (inv_depth > 0)
        known = seen & valid_mask(valid, vectors)
        rows.append([_depth_panel(inv_depth, seen), _scene_flow_panel(vectors, inv_depth, known)])
    sheet = np.vstack([np.hstack(panels) for panels in rows])
    return np.pad(sheet, ((0, _MARGIN), (0, _MARGIN), (0, 0)), constant_values=legends.WHITE)


def _check_same_size(name: str, array: np.ndarray, flow: np.ndarray) -> None:
    size, expected = list(array.shape[:2]), list(flow.shape[:2])
    if size != expected:
        raise ValueError(f"{name}: expected the size of the flow, {expected}, got {size}")


def _image_panel(image: npt.ArrayLike | None, valid: np.ndarray) -> np.ndarray:
    height, width = valid.shape
    share = f"{width} x {height} px, {100 * valid.mean():.1f} % valid"
    if image is None:
        picture = np.repeat(255 * valid[..., None].astype(np.uint8), 3, axis=-1)
        return _panel("valid pixels", picture, legends.text_legend(share, "black: unknown"))

    image = np.asarray(image)
    if image.dtype != np.uint8 or image.shape != (height, width, 3):
        got = f"{image.dtype} {list(image.shape)}"
        raise ValueError(f"image: expected uint8 [{height}, {width}, 3], got {got}")
    return _panel("image (first frame)", image, legends.text_legend(share))


def _flow_panel(flow: np.ndarray, valid: np.ndarray) -> np.ndarray:
    title = "optical flow (motion in the image)"
    if not valid.any():
        return _empty_panel(title, valid)

    length = _length(flow, valid)
    rim = _common_length(length, length > 1e-3, np.ones_like(length))
    # What is longer keeps its direction and ends just inside the rim, where the wheel darkens.
    shortened = flow * (0.999 * rim / np.maximum(length, rim))[..., None]
    picture = flow_to_color(shortened, valid=valid, max_flow=rim)
    return _panel(title, picture, legends.flow_legend(rim))


def _depth_panel(inv_depth: np.ndarray, valid: np.ndarray) -> np.ndarray:
    title = "inverse depth (bright is near, black is unknown)"
    if not valid.any():
        return _empty_panel(title, valid)

    low, high = np.percentile(inv_depth[valid], [1, 99]).tolist()
    picture = scalar_to_color(inv_depth, valid=valid, limits=(low, high))
    return _panel(title, picture, legends.depth_legend((low, high)))


def _scene_flow_panel(vectors: np.ndarray, inv_depth: np.ndarray, valid: np.ndarray) -> np.ndarray:
    title = "scene flow (motion in space)"
    if not valid.any():
        return _empty_panel(title, valid)

    length, near = _length(vectors, valid), np.where(valid, inv_depth, 0).astype(np.float64)
    longest = _common_length(length, length * near > 1e-5, near**2)
    picture = scene_flow_to_color(vectors, valid=valid, max_length=longest)
    return _panel(title, picture, legends.scene_flow_legend(longest))


def _length(vectors: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """In float64, which no float32 overflows; 0 where invalid."""
    return np.linalg.norm(np.where(valid[..., None], vectors, 0).astype(np.float64), axis=-1)


def _common_length(length: np.ndarray, moves: np.ndarray, weight: np.ndarray) -> float:
    """The length that 98 % of the weight of what moves stays below; 1 where nothing moves."""
    if not moves.any():
        return 1.0
    lengths, weights = length[moves], weight[moves]
    order = np.argsort(lengths)
    below = np.cumsum(weights[order])
    return float(lengths[order][np.searchsorted(below, 0.98 * below[-1])])


def _empty_panel(title: str, valid: np.ndarray) -> np.ndarray:
    black = np.zeros((*valid.shape, 3), np.uint8)
    return _panel(title, black, legends.text_legend("black: unknown, no pixel is valid"))


def _panel(title: str, picture: np.ndarray, legend: np.ndarray) -> np.ndarray:
    """Title, picture and legend one above the other, with a margin on the left."""
    heading = np.full((_TITLE_HEIGHT, legends.PANEL_WIDTH, 3), legends.WHITE, np.uint8)
    legends.write_text(heading, title, 0, 26, size=0.7)
    panel = np.vstack([heading, _fit(picture), legend])
    return np.pad(panel, ((0, 0), (_MARGIN, 0), (0, 0)), constant_values=legends.WHITE)


def _fit(picture: np.ndarray) -> np.ndarray:
    """The picture as wide as a panel or, if that is too tall, centred on grey."""
    cv2 = import_cv2()
    height, width = picture.shape[:2]
    scale = min(legends.PANEL_WIDTH / width, _LARGEST_HEIGHT / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    # Enlarged pixels stay squares of one colour: a blend of two colours would be a third motion.
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_NEAREST
    left = (legends.PANEL_WIDTH - size[0]) // 2
    right = legends.PANEL_WIDTH - size[0] - left
    fitted = cv2.resize(picture, size, interpolation=method)
    return np.pad(fitted, ((0, 0), (left, right), (0, 0)), constant_values=_PAPER)
