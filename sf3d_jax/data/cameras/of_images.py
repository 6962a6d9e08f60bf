"""Cameras of images, from a transforms.json or from JSON recognised by its content."""

from typing import TYPE_CHECKING, NamedTuple

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.json import outline, read_json
from sf3d_jax.data.cameras.by_content import build_cameras
from sf3d_jax.data.cameras.by_content.labels import find_image_names
from sf3d_jax.data.cameras.checks import Size
from sf3d_jax.data.cameras.transforms import build_frames, is_broken_transforms

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera


class ImageCamera(NamedTuple):
    """The camera of an image.

    Attributes:
      image: image name as in the file, such as ./train/r_0; the frame's number, such as 0007, if
        the file names only frames; None if it names neither.
      camera: float64 camera, posed in the file's world, or in its mirror image x -> -x if exactly
        one focal length is negative.
    """

    image: str | None
    camera: "Camera"


def read_image_cameras(path: PathLike, *, size: Size | None = None) -> tuple[ImageCamera, ...]:
    """Reads the cameras of images from JSON of any known form.

    Uses `read_transforms` if it can read the file: one image may then have several cameras, and
    the order is that of the file. Otherwise uses `read_json_cameras`, ordered by frame number.
    Cameras are world to camera with OpenCV's axes (x right, y down, z forward).

    Args:
      path: file to read.
      size: (H, W) of the images. If the file has a different size, the cameras are resized so that
        the full image areas coincide. None takes the size from the file, or from the images beside
        a transforms.json.

    Returns:
      One camera per image, with integers at pixel centres.

    Raises:
      FormatError: neither reader accepts the file, or it has no camera. The error comes from
        `read_transforms` if the file looks like a transforms.json, otherwise from
        `read_json_cameras`.
      ValueError: size is not a pair of positive integers.
    """
    from sf3d_jax.camera import check_size

    size = None if size is None else check_size(size)
    tree = read_json(path)
    try:
        if frames := build_frames(path, tree, size):
            return tuple(ImageCamera(x.image, x.camera) for x in frames)
        raise FormatError(path, "a list `frames` of at least one frame", outline(tree))
    except FormatError as error:
        try:
            cameras = build_cameras(path, tree, size)
        except FormatError:
            if is_broken_transforms(tree):
                raise error from None
            raise
    images = find_image_names(path, tree, len(cameras))
    return tuple(
        ImageCamera(x.frame if image is None else image, x.camera)
        for image, x in zip(images, cameras, strict=True)
    )
