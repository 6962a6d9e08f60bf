"""The panels of a sheet: what each map shows, with which colours and scale.

Every function takes float32 maps [H, W] or [H, W, C] and a bool mask [H, W] of known pixels, and
returns a panel, uint8 RGB.
"""

import functools
from collections.abc import Callable

import numpy as np

from sf3d_jax.data.arrays import finite
from sf3d_jax.data.opencv import import_cv2
from sf3d_jax.views import legends
from sf3d_jax.views.colors import (
    flow_to_color,
    lateral_to_color,
    scalar_to_color,
    signed_to_color,
)
from sf3d_jax.views.panels import fit, map_panel
from sf3d_jax.views.resolution import resize_image, shrink, thicken
from sf3d_jax.views.spread import Spread, find_lengths, find_spread, percent

# Smaller motions may be rounding errors and count as still.
_STILL_PIXELS = 1e-3
_STILL_OF_DEPTH = 1e-5


def valid_panel(known: np.ndarray, *lines: str) -> np.ndarray:
    """Which pixels are known; shown if no image is given."""
    white = np.full((*known.shape, 3), 255, np.uint8)
    colors, there = shrink(white, known, fit(known.shape))
    legend = legends.text_legend(*lines, "hatched: unknown")
    return map_panel("valid pixels", colors.astype(np.uint8), there, fit(known.shape), legend)


def flow_panel(flow: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The flow by the Middlebury wheel, with arrows."""
    title = "optical flow (motion in the image)"
    if not known.any():
        return _empty_panel(title, known)

    length = find_lengths(flow, known)
    spread = find_spread(length, known & (length > _STILL_PIXELS), known)
    small, there = _shrink_to_panel(flow, known)
    share = _clip_length(small / spread.scale)
    legend = legends.wheel_legend(
        _format_pixels(spread.scale) if spread.share else None,
        _describe_spread(spread, _format_pixels),
        f"{_describe_share(spread)}white: still   hatched: unknown",
        color=functools.partial(flow_to_color, max_flow=1),
    )
    # Longer vectors are clipped to just inside the rim, beyond which the wheel darkens.
    colors = flow_to_color(0.999 * share, valid=there, max_flow=1)
    return map_panel(title, colors, there, fit(known.shape), legend, arrows=share)


def warped_panel(next_image: np.ndarray, flow: np.ndarray, known: np.ndarray) -> np.ndarray:
    """The second image sampled where the flow leads, at the resolution of the panel."""
    cv2 = import_cv2()
    size = fit(known.shape)
    small, there = _shrink_to_panel(flow, known)
    height, width = there.shape
    image = resize_image(next_image, (height, width))
    scale = np.array([width, height]) / known.shape[::-1]
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    # Clipped just outside the image, since OpenCV may not handle large coordinates.
    pixels = np.clip(grid + scale * small, -2, max(width, height) + 2).astype(np.float32)
    inside = ((pixels >= -0.5) & (pixels <= np.array([width, height]) - 0.5)).all(-1)
    warped = cv2.remap(image, pixels, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    legend = legends.text_legend(
        "it shows the first frame where the flow is right",
        "hatched: outside of the second frame, or unknown",
    )
    title = "second frame, warped back by the flow"
    return map_panel(title, warped, there & inside, size, legend)


def depth_panel(inv_depth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Inverse depth by viridis, from its 1st to its 99th percentile."""
    title = "inverse depth (bright is near)"
    if not known.any():
        return _empty_panel(title, known)

    low, median, high = np.percentile(inv_depth[known], [1, 50, 99]).tolist()
    small, there = _shrink_to_panel(inv_depth, known)
    far, middle, near = (f"{d:.3g} /m ({1 / d:.3g} m)" for d in (low, median, high))
    legend = legends.bar_legend(
        scalar_to_color(_ramp(0, 1)),
        far,
        near,
        text=f"median {middle}   ends: 1st and 99th percentile",
    )
    colors = scalar_to_color(small, valid=there, limits=(low, high))
    return map_panel(title, colors, there, fit(known.shape), legend)


def change_panel(change: np.ndarray, inv_depth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Inverse-depth change by cividis about 0."""
    title = "inverse-depth change (bright comes nearer)"
    if not known.any():
        return _empty_panel(title, known)

    size = np.abs(change)
    moves = known & (size > _STILL_OF_DEPTH * inv_depth)
    spread = find_spread(size, moves, known)
    say = lambda c: f"{c:.3g} /m"
    return _signed_panel(title, change, known, spread, ("farther", "nearer"), say)


def across_panel(vectors: np.ndarray, inv_depth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Scene flow to the right and down, by the hues of the flow wheel about mid-grey."""
    title = "scene flow across the view (right, down)"
    if not known.any():
        return _empty_panel(title, known)

    sideways = vectors[..., :2]
    length = find_lengths(sideways, known)
    moves = known & _is_moving(length, inv_depth)
    spread = find_spread(length, moves, known, inv_depth)
    small, there = _shrink_to_panel(sideways, known)
    share = _clip_length(small / spread.scale)
    color = functools.partial(lateral_to_color, max_length=1)
    legend = legends.wheel_legend(
        _format_length(spread.scale) if spread.share else None,
        _describe_spread(spread, _format_length),
        f"{_describe_share(spread)}grey: still   hatched: unknown",
        color=color,
    )
    colors = color(share, valid=there)
    return map_panel(title, colors, there, fit(known.shape), legend, arrows=share)


def along_panel(vectors: np.ndarray, inv_depth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Scene flow towards the camera or away from it, by cividis about 0."""
    title = "scene flow along the view (bright comes nearer)"
    if not known.any():
        return _empty_panel(title, known)

    towards = -vectors[..., 2]
    size = np.abs(towards)
    moves = known & _is_moving(size, inv_depth)
    spread = find_spread(size, moves, known, inv_depth)
    return _signed_panel(title, towards, known, spread, ("away", "towards"), _format_length)


def occlusion_panel(hidden: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Pixels hidden in the second frame, dark grey on light grey."""
    title = "occlusion (dark is hidden in the second frame)"
    if not known.any():
        return _empty_panel(title, known)

    share = percent(np.mean(hidden[known], dtype=np.float64))
    small, there = _shrink_to_panel(hidden, known)
    grey = np.rint(230 - 190 * np.clip(small, 0, 1)).astype(np.uint8)
    colors = np.repeat(grey[..., None], 3, axis=-1)
    legend = legends.text_legend(f"{share} hidden   hatched: unknown")
    return map_panel(title, colors, there, fit(known.shape), legend)


def error_panel(
    what: str, values: np.ndarray, truth: np.ndarray, known: np.ndarray, unit: str
) -> np.ndarray:
    """The end-point error |values - truth| by viridis, from 0 to its 95th percentile."""
    title = f"end-point error of the {what}"
    known = known & finite(truth)
    if not known.any():
        return _empty_panel(title, known)

    error = find_lengths(values - truth, known)
    median, p95 = np.percentile(error[known], [50, 95]).tolist()
    mean = np.mean(error[known], dtype=np.float64)
    small, there = _shrink_to_panel(error, known)
    say = _format_pixels if unit == "px" else _format_length
    legend = legends.bar_legend(
        scalar_to_color(_ramp(0, 1)),
        "0",
        f"{say(p95)} (p95) or more",
        text=f"mean {say(mean)}   median {say(median)}   hatched: unknown",
    )
    colors = scalar_to_color(small, valid=there, limits=(0, p95 or 1.0))
    return map_panel(title, colors, there, fit(known.shape), legend)


def _signed_panel(
    title: str,
    values: np.ndarray,
    known: np.ndarray,
    spread: Spread,
    ends: tuple[str, str],
    say: Callable[[float], str],
) -> np.ndarray:
    """A map around 0 by cividis, up to the scale of its spread."""
    small, there = _shrink_to_panel(values, known)
    colors = signed_to_color(small, valid=there, limit=spread.scale)
    low, high = (f"{end} {say(spread.scale)}" if spread.share else end for end in ends)
    legend = legends.bar_legend(
        signed_to_color(_ramp(-1, 1), limit=1),
        low,
        high,
        middle="grey: still, hatched: unknown",
        text=f"{_describe_share(spread)}{_describe_spread(spread, say)}",
    )
    return map_panel(title, colors, there, fit(known.shape), legend)


def _empty_panel(title: str, known: np.ndarray) -> np.ndarray:
    """A hatched panel without a known pixel."""
    size = fit(known.shape)
    nothing = np.zeros((*size, 3), np.uint8)
    legend = legends.text_legend("no pixel is known")
    return map_panel(title, nothing, np.zeros(size, bool), size, legend)


def _shrink_to_panel(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return thicken(*shrink(values, known, fit(known.shape)))


def _is_moving(length: np.ndarray, inv_depth: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return length * inv_depth > _STILL_OF_DEPTH


def _clip_length(vectors: np.ndarray) -> np.ndarray:
    """Vectors clipped to length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1)


def _ramp(low: float, high: float) -> np.ndarray:
    return np.linspace(low, high, legends.PANEL_WIDTH)[None]


def _describe_share(spread: Spread) -> str:
    """The share of pixels that move, if any."""
    return f"{percent(spread.share)} moves   " if spread.share else ""


def _describe_spread(spread: Spread, say: Callable[[float], str]) -> str:
    """Median and 95th percentile of the motion of moving pixels."""
    if spread.share == 0:
        return "nothing moves"
    return f"moving pixels: median {say(spread.median)}, p95 {say(spread.p95)}"


def _format_pixels(pixels: float) -> str:
    return f"{pixels:.3g} px"


def _format_length(metres: float) -> str:
    return f"{metres:.3g} m" if metres >= 0.1 else f"{1000 * metres:.3g} mm"
