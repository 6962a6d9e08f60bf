"""Maps at the resolution of a panel: large ones are averaged, small and sparse ones are enlarged.

Maps are averaged before they are coloured, over the pixels that are known: a picture of a large
map needs little memory, and a colour is that of a motion and not a mixture of colours.
"""

import itertools

import numpy as np

from sf3d_jax.data.opencv import import_cv2

# Maps of which less is known are drawn with thicker dots.
_SPARSE = 0.5


def panel_size(size: tuple[int, int], width: int, height: int) -> tuple[int, int]:
    """The largest size of a map's aspect that fits.

    Args:
      size: (H, W) of the map.
      width: that there is.
      height: that there is.

    Returns:
      (height, width), at least one pixel each.
    """
    scale = min(width / size[1], height / size[0])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def shrink(
    values: np.ndarray, known: np.ndarray, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Averages a map over the known pixels below each pixel of a smaller one.

    Args:
      values: float [H, W] or [H, W, C].
      known: bool [H, W].
      size: (height, width) of the smaller map; an axis that is not smaller stays as it is.

    Returns:
      The map in float64, 0 where unknown, and where it is known: above any known pixel.
    """
    rows, columns = (_edges(n, m) for n, m in zip(known.shape, size, strict=True))
    shape = len(rows) - 1, len(columns) - 1
    sums = np.zeros((*shape, *values.shape[2:]))
    counts = np.zeros(shape, int)
    with np.errstate(over="ignore", invalid="ignore"):
        for row, (first, end) in enumerate(itertools.pairwise(rows)):
            here = known[first:end]
            counts[row] = np.add.reduceat(here.sum(0), columns[:-1])
            masked = np.where(_over_channels(here, values), values[first:end].astype(np.float64), 0)
            sums[row] = np.add.reduceat(masked.sum(0), columns[:-1], axis=0)
    return sums / _over_channels(np.maximum(counts, 1), values), counts > 0


def thicken(values: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spreads the pixels of a sparse map to their unknown neighbours, so that they can be seen.

    Args:
      values: [H, W] or [H, W, C].
      known: bool [H, W].

    Returns:
      The map, and where it is known; both as they were where at least half of the map is known.
    """
    if known.mean() >= _SPARSE:
        return values, known
    # The frame keeps what is rolled out at one side from coming in at the other.
    known = np.pad(known, 1)
    values = np.pad(values, [(1, 1), (1, 1)] + [(0, 0)] * (values.ndim - 2))
    for axis, step in ((1, 1), (1, -1), (0, 1), (0, -1)):
        new = np.roll(known, step, axis) & ~known
        values = np.where(_over_channels(new, values), np.roll(values, step, axis), values)
        known = known | new
    return values[1:-1, 1:-1], known[1:-1, 1:-1]


def enlarge(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Repeats pixels, so that each remains a square of one colour.

    Args:
      picture: [h, w] or [h, w, C].
      size: (height, width) of the result.

    Returns:
      The picture of that size.
    """
    rows, columns = (
        (2 * np.arange(m) + 1) * n // (2 * m) for n, m in zip(picture.shape, size, strict=False)
    )
    return picture[rows][:, columns]


def resize_picture(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A picture of another size: means over areas where it shrinks, squares where it grows.

    Args:
      picture: uint8 [H, W, 3].
      size: (height, width).

    Returns:
      uint8 [height, width, 3].
    """
    if size[0] >= picture.shape[0]:
        return enlarge(picture, size)
    cv2 = import_cv2()
    return cv2.resize(picture, size[::-1], interpolation=cv2.INTER_AREA)


def _edges(n: int, m: int) -> np.ndarray:
    """Where the n pixels of an axis are cut into m parts, or into n where m is larger."""
    return np.arange(min(n, m) + 1) * n // min(n, m)


def _over_channels(mask: np.ndarray, values: np.ndarray) -> np.ndarray:
    return mask.reshape(*mask.shape, *[1] * (values.ndim - 2))
