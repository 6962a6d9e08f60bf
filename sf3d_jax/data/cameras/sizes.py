"""The sizes of the images that the intrinsics of the benchmarks belong to, (height, width).

Files of cameras that do not say a size are those of the published images. Images of another size
are resized ones: their cameras are resized with them, each axis by its own ratio, as the sides of
an image are rounded to whole pixels.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import PathLike, SizeError
from sf3d_jax.data.cameras.checks import Size, check_fits, make_camera, resize_camera, same_shape

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

NERSEMBLE = (3208, 2200)
SINTEL = (436, 1024)
SPRING = (1080, 1920)
TARTANAIR = (480, 640)
TARTANAIR_V2 = (640, 640)
THINGS = (540, 960)
VKITTI2 = (375, 1242)

# Of the five days of KITTI, (f, cx, cy) of all rectified cameras. Its benchmarks are made of these
# days, and files of P0 to P3 do not say the size.
KITTI = {
    (375, 1242): (721.5377, 609.5593, 172.854),  # 2011_09_26
    (370, 1224): (707.0493, 604.0814, 180.5066),  # 2011_09_28
    (374, 1238): (718.3351, 600.3891, 181.5122),  # 2011_09_29
    (370, 1226): (707.0912, 601.8873, 183.1104),  # 2011_09_30
    (376, 1241): (718.856, 607.1928, 185.2157),  # 2011_10_03
}
_SAME = 1e-3  # pixels
# From the centre, as of `_off_centre`: of an image of half or twice the size it is .69.
_FAR = 0.4


def kitti_size(focal: np.ndarray, point: np.ndarray) -> Size | None:
    """The size of the images of a day of KITTI.

    Args:
      focal: (fx, fy) in pixels.
      point: (cx, cy) in pixels.

    Returns:
      (H, W); None if the intrinsics are those of no day.
    """
    numbers = [*focal, *point]
    for size, (f, cx, cy) in KITTI.items():
        if np.allclose(numbers, [f, f, cx, cy], rtol=0, atol=_SAME):
            return size
    return None


def check_kitti_fits(
    path: PathLike, where: str, focal: np.ndarray, point: np.ndarray, size: Size
) -> None:
    """Refuses intrinsics of no known day that are rather those of images of KITTI than of others.

    Args:
      path: of the file, which says no size, for the error.
      where: the part of the file, for the error.
      focal: (fx, fy) in pixels.
      point: (cx, cy) in pixels.
      size: (H, W) of the images that are there.

    Raises:
      SizeError: the principal point is far from the centre of the images, or nearer to that of the
        images of KITTI that these were resized from.
    """
    check_fits(path, where, focal, point, size, told=False)
    full = [other for other in KITTI if size not in KITTI and same_shape(other, size)]
    nearest = min([size, *full], key=lambda known: _off_centre(point, known))
    if nearest != size:
        (height, width), (full_height, full_width) = size, nearest
        expected = (
            f"intrinsics of an image of {width} x {height} pixels for {where}, or a line S_rect "
            "with the size that they belong to"
        )
        found = f"those of about {full_width} x {full_height}: the principal point "
        raise SizeError(path, expected, f"{found}({point[0]:g}, {point[1]:g})")


def camera_of_benchmark(
    path: PathLike,
    where: str,
    *,
    focal: npt.ArrayLike,
    principal_point: npt.ArrayLike,
    published: Size,
    size: Size,
    world_to_camera: np.ndarray,
) -> "Camera":
    """The camera of images of a benchmark, of intrinsics that stand in a file without a size.

    The intrinsics belong to the published images or, in a copy of the benchmark that was resized
    with its cameras, to the images that are there: to those whose centre is nearer to the principal
    point, which in these benchmarks is at the centre.

    Args:
      path: of the file, for the error.
      where: the part of the file, for the error.
      focal: (fx, fy) in pixels.
      principal_point: (cx, cy), integers at pixel centres.
      published: (H, W) of the images of the benchmark.
      size: (H, W) of the images that are there.
      world_to_camera: (3, 4), in OpenCV's axes.

    Returns:
      The camera, float64, of images of `size`.

    Raises:
      FormatError: the numbers are no camera.
      SizeError: the intrinsics fit neither size, or are those of images of another aspect.
    """
    focal, point = np.asarray(focal, np.float64), np.asarray(principal_point, np.float64)
    own = min((published, size), key=lambda known: _off_centre(point, known))
    if _off_centre(point, own) > _FAR:
        sizes = " or ".join(f"{w} x {h}" for h, w in dict.fromkeys((published, size)))
        expected = f"the principal point of images of {sizes} pixels, near their centre, in {where}"
        raise SizeError(path, expected, f"({point[0]:g}, {point[1]:g})")
    camera = make_camera(
        path,
        where,
        focal=focal,
        principal_point=point,
        size=own,
        world_to_camera=world_to_camera,
    )
    return resize_camera(path, where, camera, size)


def _off_centre(point: np.ndarray, size: Size) -> float:
    """How far a principal point is from the centre: a logarithm, alike for half and double."""
    ratio = (2 * point + 1) / np.array([size[1], size[0]])
    return float(np.abs(np.log(ratio)).max()) if (ratio > 0).all() else np.inf


def check_aspect(path: PathLike, published: Size, size: Size) -> None:
    """Refuses images that are not the published ones resized.

    Args:
      path: of a file that is of no use without the camera, for the error.
      published: (H, W) of the images of the benchmark, which its cameras belong to.
      size: (H, W) of the images that are there.

    Raises:
      SizeError: the sizes do not differ by a common factor.
    """
    if not same_shape(published, size):
        (height, width), (found_height, found_width) = published, size
        expected = f"images of {width} x {height} pixels, which the camera belongs to, or resized"
        raise SizeError(path, expected, f"{found_width} x {found_height}")
