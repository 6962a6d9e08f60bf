"""Maps at the resolution of a panel: large maps are averaged, small and sparse ones enlarged.

Maps are averaged over their known pixels before they are coloured. So large maps need little
memory, and each colour shows a motion, not a mixture of colours.
"""

import itertools

import numpy as np

from sf3d_jax.data.opencv import import_cv2

# Maps with a smaller share of known pixels are drawn with thicker dots.
_SPARSE = 0.5


def panel_size(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """The largest size that fits and keeps the aspect ratio of a map.

    Args:
      size: (H, W) of the map.
      width: available width.
      height: available height.

    Returns:
      (height, width), at least one pixel each.
    """
    scale = min(width / size[1], height / size[0])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def shrink(
    values: np.ndarray, known: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Averages a map over the known pixels under each pixel of a smaller map.

    Args:
      values: float [H, W] or [H, W, C].
      known: bool [H, W].
      size: (height, width) of the smaller map; an axis that is not smaller is kept.

    Returns:
      The map in float64, 0 where unknown, and where it is known: wherever a source pixel is.
    """
    rows, columns = (_part_bounds(n, m) for n, m in zip(known.shape, size, strict=True))
    shape = len(rows) - 1, len(columns) - 1
    sums = np.zeros((*shape, *values.shape[2:]))
    counts = np.zeros(shape, int)
    with np.errstate(over="ignore", invalid="ignore"):
        for row, (first, end) in enumerate(itertools.pairwise(rows)):
            here = known[first:end]
            counts[row] = np.add.reduceat(here.sum(0), columns[:-1])
            masked = np.where(
                _add_channel_axes(here, values), values[first:end].astype(np.float64), 0
            )
            sums[row] = np.add.reduceat(masked.sum(0), columns[:-1], axis=0)
    return sums / _add_channel_axes(np.maximum(counts, 1), values), counts > 0


def thicken(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spreads the pixels of a sparse map to unknown neighbours, to make them visible.

    Args:
      values: [H, W] or [H, W, C].
      known: bool [H, W].

    Returns:
      The map, and where it is known; both unchanged if at least half of the map is known.
    """
    if known.mean() >= _SPARSE:
        return values, known
    # The padding keeps np.roll from wrapping pixels around to the other side.
    known = np.pad(known, 1)
    values = np.pad(values, [(1, 1), (1, 1)] + [(0, 0)] * (values.ndim - 2))
    for axis, step in ((1, 1), (1, -1), (0, 1), (0, -1)):
        new = np.roll(known, step, axis) & ~known
        values = np.where(_add_channel_axes(new, values), np.roll(values, step, axis), values)
        known = known | new
    return values[1:-1, 1:-1], known[1:-1, 1:-1]


def enlarge(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Repeats pixels, so that each becomes a square of one colour.

    Args:
      image: [h, w] or [h, w, C].
      size: (height, width) of the result.

    Returns:
      The image at that size.
    """
    rows, columns = (
        (2 * np.arange(m) + 1) * n // (2 * m) for n, m in zip(image.shape, size, strict=False)
    )
    return image[rows][:, columns]


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes an image: area averages when it shrinks, squares of one colour when it grows.

    Args:
      image: uint8 [H, W, 3].
      size: (height, width).

    Returns:
      uint8 [height, width, 3].
    """
    if size[0] >= image.shape[0]:
        return enlarge(image, size)
    cv2 = import_cv2()
    return cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)


def _part_bounds(n: int, m: int) -> np.ndarray:
    """The bounds of m parts of an axis of n pixels, or of n parts if m is larger."""
    return np.arange(min(n, m) + 1) * n // min(n, m)


def _add_channel_axes(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    return mask.reshape(*mask.shape, *[1] * (values.ndim - 2))
