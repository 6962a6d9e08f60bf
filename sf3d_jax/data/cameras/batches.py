"""Many cameras at once: one batch of a size and a model, and its single cameras.

A camera is checked when it is made, which takes longer than all else that is done for it. The
checks of a batch are made once.
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
      path: of the file, for the error.
      where: gives the part of the file of a camera by its place, for the error.
      focal: [N, 2], (fx, fy).

    Raises:
      FormatError: there is such a one.
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
    """A batch of cameras of numbers that were checked.

    Args:
      focal: [N, 2], (fx, fy) in pixels.
      point: [N, 2], the principal points, integers at pixel centres.
      world_to_camera: [N, 3, 4], in OpenCV's axes.
      size: (H, W) of the images.
      model: of `Camera`.
      distortion: [N, K], the coefficients of the model, or None.

    Returns:
      The cameras, float64.
    """
    from sf3d_jax.camera import Camera

    coefficients = None if distortion is None else np.array(distortion, np.float64)
    return Camera(focal, point, world_to_camera, coefficients, size=size, model=model)


def split_batch(batch: "Camera") -> Iterator["Camera"]:
    """The cameras of a batch one by one.

    Args:
      batch: with one batch axis in each array.

    Yields:
      The cameras without it.
    """
    import jax

    columns, form = jax.tree_util.tree_flatten(batch)
    for leaves in zip(*columns, strict=True):
        yield jax.tree_util.tree_unflatten(form, leaves)
