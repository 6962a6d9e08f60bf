"""Makes cameras as one batch of the same size and model, and splits it into single cameras.

Checking a camera on construction dominates the cost of making it; a batch is checked only once.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sf3d_jax.data._files import LARGEST, FormatError, PathLike
from sf3d_jax.data.cameras.checks import Size

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera


def check_focal(path: PathLike, where: Callable[[int], str], focal: np.ndarray) -> None:
    """Refuses focal lengths that are not positive, or are absurdly large.

    Args:
      path: file named in error messages.
      where: names the part of the file that holds camera i, for error messages.
      focal: [N, 2], (fx, fy).

    Raises:
      FormatError: a focal length is out of range.
    """
    for i in np.flatnonzero(~((focal > 0) & (focal <= LARGEST)).all(-1)).tolist():
        expected = f"positive focal lengths in {where(i)}, up to {LARGEST:g}"
        raise FormatError(path, expected, f"{focal[i].tolist()}")


def make_batch(
    focal: np.ndarray,
    point: np.ndarray,
    world_to_camera: np.ndarray,
    size: Size,
    model: str,
    distortion: Sequence[Sequence[float]] | None,
) -> "Camera":
    """Makes a batch of cameras from numbers that were checked.

    Args:
      focal: [N, 2], (fx, fy) in pixels.
      point: [N, 2], the principal points, integers at pixel centres.
      world_to_camera: [N, 3, 4], in OpenCV's axes.
      size: (H, W) of the images.
      model: lens model of `Camera`.
      distortion: [N, K], coefficients of the model, or None.

    Returns:
      The cameras, float64.
    """
    from sf3d_jax.camera import Camera

    coefficients = None if distortion is None else np.array(distortion, np.float64)
    return Camera(focal, point, world_to_camera, coefficients, size=size, model=model)


def split_batch(batch: "Camera") -> Iterator["Camera"]:
    """Iterates over the cameras of a batch.

    Args:
      batch: cameras with one batch axis.
    """
    import jax

    columns, form = jax.tree_util.tree_flatten(batch)
    for leaves in zip(*columns, strict=True):
        yield jax.tree_util.tree_unflatten(form, leaves)
