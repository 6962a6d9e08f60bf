"""Cameras of images: of a transforms.json, or of JSON that is told by its content."""

from typing import TYPE_CHECKING, NamedTuple

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.json import outline, read_json
from sf3d_jax.data.cameras.by_content import cameras_of
from sf3d_jax.data.cameras.by_content.labels import image_names
from sf3d_jax.data.cameras.checks import Size
from sf3d_jax.data.cameras.transforms import frames_of, is_broken_transforms

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera


class ImageCamera(NamedTuple):
    """The camera of an image.

    Attributes:
      image: the image as the file names it, such as ./train/r_0; the frame's number, such as 0007,
        where the file names only frames; None where it names neither.
      camera: float64, with the world of the file, or its mirror image as of `read_transforms`.
    """

    image: str | None
    camera: "Camera"


def read_image_cameras(path: PathLike, *, size: Size | None = None) -> tuple[ImageCamera, ...]:
    """Reads the cameras of images from JSON of any known form.

    A file that `read_transforms` reads is read so; then one image may have several cameras, and
    the order is that of the file. Any other one is read by `read_json_cameras`, in the order of
    the frames' numbers.

    Args:
      path: file to read.
      size: (H, W) of the images. If the file has another one, the cameras are resized, areas onto
        areas. None takes the size that the file, or the first image beside a transforms.json, has.

    Returns:
      One camera for each image; integers at pixel centres.

    Raises:
      FormatError: neither reader can use the file, or it has no camera. The error is that of
        `read_transforms` if the file looks like a transforms.json, and else that of
        `read_json_cameras`.
      ValueError: size is not a pair of positive integers.
    """
    from sf3d_jax.camera import check_size

    size = None if size is None else check_size(size)
    tree = read_json(path)
    try:
        if frames := frames_of(path, tree, size):
            return tuple(ImageCamera(x.image, x.camera) for x in frames)
        raise FormatError(path, "a list `frames` of at least one frame", outline(tree))
    except FormatError as error:
        try:
            cameras = cameras_of(path, tree, size)
        except FormatError:
            if is_broken_transforms(tree):
                raise error from None
            raise
    images = image_names(path, tree, len(cameras))
    return tuple(
        ImageCamera(x.frame if image is None else image, x.camera)
        for image, x in zip(images, cameras, strict=True)
    )
