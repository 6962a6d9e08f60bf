"""The image sizes (height, width) that the intrinsics of the benchmarks refer to.

Camera files without a size refer to the published images. Images of another size were resized, and
their cameras are resized with them, each axis by its own ratio since the sides of an image are
rounded to whole pixels.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import PathLike, SizeError
from sf3d_jax.data.cameras.checks import Size, check_fits, is_same_shape, make_camera, resize_camera

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

NERSEMBLE = (3208, 2200)
SINTEL = (436, 1024)
SPRING = (1080, 1920)
TARTANAIR = (480, 640)
TARTANAIR_V2 = (640, 640)
THINGS = (540, 960)
VKITTI2 = (375, 1242)

# (f, cx, cy) of all rectified cameras on each of KITTI's five recording days, which its benchmarks
# are made of. Files with P0 to P3 do not state the size.
KITTI = {
    (375, 1242): (721.5377, 609.5593, 172.854),  # 2011_09_26
    (370, 1224): (707.0493, 604.0814, 180.5066),  # 2011_09_28
    (374, 1238): (718.3351, 600.3891, 181.5122),  # 2011_09_29
    (370, 1226): (707.0912, 601.8873, 183.1104),  # 2011_09_30
    (376, 1241): (718.856, 607.1928, 185.2157),  # 2011_10_03
}
_SAME = 1e-3  # pixels
# Largest result of `_measure_off_centre`; half or twice the size gives .69.
_FAR = 0.4


def find_kitti_size(focal: np.ndarray, point: np.ndarray) -> Size | None:
    """Finds the image size of the KITTI recording day that has these intrinsics.

    Args:
      focal: (fx, fy) in pixels.
      point: (cx, cy) in pixels.

    Returns:
      (H, W); None if no day has these intrinsics.
    """
    numbers = [*focal, *point]
    for size, (f, cx, cy) in KITTI.items():
        if np.allclose(numbers, [f, f, cx, cy], rtol=0, atol=_SAME):
            return size
    return None


def check_kitti_fits(
    path: PathLike, where: str, focal: np.ndarray, point: np.ndarray, size: Size
) -> None:
    """Refuses intrinsics of an unknown day that fit KITTI's original images better than the user's.

    Args:
      path: file without a size, named in error messages.
      where: part of the file named in error messages.
      focal: (fx, fy) in pixels.
      point: (cx, cy) in pixels.
      size: (H, W) of the user's images.

    Raises:
      SizeError: the principal point is far from the images' centre, or nearer to that of the KITTI
        images that they were resized from.
    """
    check_fits(path, where, focal, point, size, told=False)
    full = [other for other in KITTI if size not in KITTI and is_same_shape(other, size)]
    nearest = min([size, *full], key=lambda known: _measure_off_centre(point, known))
    if nearest != size:
        (height, width), (full_height, full_width) = size, nearest
        expected = (
            f"intrinsics of an image of {width} x {height} pixels for {where}, or a line S_rect "
            "with the size that they refer to"
        )
        found = f"those of about {full_width} x {full_height}: the principal point "
        raise SizeError(path, expected, f"{found}({point[0]:g}, {point[1]:g})")


def make_benchmark_camera(
    path: PathLike,
    where: str,
    *,
    focal: npt.ArrayLike,
    principal_point: npt.ArrayLike,
    published: Size,
    size: Size,
    world_to_camera: np.ndarray,
) -> "Camera":
    """Makes the camera of a benchmark's images from a file that states no size.

    The intrinsics refer either to the published images or, in a copy of the benchmark that was
    resized with its cameras, to the user's images. Principal points of these benchmarks are at the
    centre, so the size whose centre is nearer is chosen.

    Args:
      path: file named in error messages.
      where: part of the file named in error messages.
      focal: (fx, fy) in pixels.
      principal_point: (cx, cy), integers at pixel centres.
      published: (H, W) of the benchmark's published images.
      size: (H, W) of the user's images.
      world_to_camera: (3, 4), in OpenCV's axes.

    Returns:
      The camera, float64, of images of `size`.

    Raises:
      FormatError: the numbers do not describe a camera.
      SizeError: the intrinsics fit neither size, or belong to images of another aspect.
    """
    focal, point = np.asarray(focal, np.float64), np.asarray(principal_point, np.float64)
    own = min((published, size), key=lambda known: _measure_off_centre(point, known))
    if _measure_off_centre(point, own) > _FAR:
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


def _measure_off_centre(point: np.ndarray, size: Size) -> float:
    """Measures how far a principal point is from the centre: |log ratio|, max over the axes."""
    ratio = (2 * point + 1) / np.array([size[1], size[0]])
    return float(np.abs(np.log(ratio)).max()) if (ratio > 0).all() else np.inf


def check_aspect(path: PathLike, published: Size, size: Size) -> None:
    """Refuses images that are not resized copies of the published ones.

    Args:
      path: file that needs the camera, named in error messages.
      published: (H, W) of the published images, which the benchmark's cameras refer to.
      size: (H, W) of the user's images.

    Raises:
      SizeError: the sizes do not differ by a common factor.
    """
    if not is_same_shape(published, size):
        (height, width), (found_height, found_width) = published, size
        expected = f"images of {width} x {height} pixels, as the camera's, or resized copies"
        raise SizeError(path, expected, f"{found_width} x {found_height}")
