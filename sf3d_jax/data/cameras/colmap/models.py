"""Converts COLMAP's camera models and image poses to those of `Camera`, and back.

The docstring of `colmap` has the table of models and the conventions.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from sf3d_jax.data._files import (
    LARGEST_SIDE,
    FormatError,
    PathLike,
    check_header_size,
    check_numbers,
)
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.cameras.checks import (
    check_camera_argument,
    check_is_no_larger,
    check_rigid_pose,
    check_told_size,
    make_camera,
)

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

R = TypeVar("R")


class Model(NamedTuple):
    """One of COLMAP's models.

    Attributes:
      number: id of the model in binary files.
      focals: number of focal lengths, which come first.
      distortion: number of coefficients after the principal point.
      ours: corresponding model of `Camera`.
    """

    number: int
    focals: int
    distortion: int
    ours: str

    @property
    def parameters(self) -> int:
        """The number of parameters."""
        return self.focals + 2 + self.distortion


MODELS = {
    "SIMPLE_PINHOLE": Model(0, 1, 0, "pinhole"),
    "PINHOLE": Model(1, 2, 0, "pinhole"),
    "SIMPLE_RADIAL": Model(2, 1, 1, "opencv"),
    "RADIAL": Model(3, 1, 2, "opencv"),
    "OPENCV": Model(4, 2, 4, "opencv"),
    "OPENCV_FISHEYE": Model(5, 2, 4, "fisheye"),
    "FULL_OPENCV": Model(6, 2, 8, "opencv"),
    "SIMPLE_RADIAL_FISHEYE": Model(8, 1, 1, "fisheye"),
    "RADIAL_FISHEYE": Model(9, 1, 2, "fisheye"),
}

# Unsupported models, by number.
OTHERS = {7: "FOV", 10: "THIN_PRISM_FISHEYE", 11: "RAD_TAN_THIN_PRISM_FISHEYE"}


class CameraRecord(NamedTuple):
    """A camera in COLMAP's form.

    Attributes:
      model: name of the model.
      width: image width in pixels.
      height: image height in pixels.
      parameters: parameters of the model.
    """

    model: str
    width: int
    height: int
    parameters: list[float]


class ImageRecord(NamedTuple):
    """An image in COLMAP's form.

    Attributes:
      pose: quaternion w x y z and translation, world to camera.
      camera_id: id of its camera.
      name: name of its file.
    """

    pose: list[float]
    camera_id: int
    name: str


class ColmapImage(NamedTuple):
    """An image of a COLMAP model.

    Attributes:
      name: name of its file, relative to the image folder.
      camera_id: id of its camera.
      world_to_camera: float64 [3, 4] in OpenCV's axes and the unit of the model.
    """

    name: str
    camera_id: int
    world_to_camera: np.ndarray


def collect_by_id(path: PathLike, what: str, records: Iterable[tuple[int, R]]) -> dict[int, R]:
    """Collects records by id.

    Args:
      path: file named in error messages.
      what: kind of the records, "camera" or "image".
      records: (id, record) in the order of the file.

    Raises:
      FormatError: an id occurs twice.
    """
    found: dict[int, R] = {}
    for number, record in records:
        if number in found:
            raise FormatError(path, f"every {what} once", f"{what} {number} twice")
        found[number] = record
    return found


def find_model(path: PathLike, name: str) -> Model:
    """Looks up a model by its name.

    Raises:
      FormatError: the model is not supported.
    """
    if name not in MODELS:
        from sf3d_jax._checks import list_choices  # imports JAX, which takes a while

        raise FormatError(path, f"the camera model {list_choices(MODELS)}", name[:40])
    return MODELS[name]


def convert_camera_record(path: PathLike, camera_id: int, record: CameraRecord) -> "Camera":
    """Makes a camera with the identity as pose."""
    model = find_model(path, record.model)
    numbers = np.array(record.parameters, np.float64)
    focal, point, distortion = np.split(numbers, [model.focals, model.focals + 2])
    count = 8 if model.distortion > 4 else 4
    where, size = f"camera {camera_id}", (record.height, record.width)
    focal, point = np.broadcast_to(focal, 2), point - 0.5
    check_header_size(path, record.width, record.height)
    check_numbers(path, where, numbers)
    check_is_no_larger(path, where, focal, point, size)
    return make_camera(
        path,
        where,
        focal=focal,
        principal_point=point,
        size=size,
        world_to_camera=np.eye(3, 4),
        distortion=np.pad(distortion, (0, count - len(distortion))) if len(distortion) else None,
        model=model.ours,
    )


def convert_image_record(path: PathLike, image_id: int, record: ImageRecord) -> ColmapImage:
    """Converts an image's pose to a matrix."""
    where = f"image {image_id}"
    numbers = np.array(record.pose, np.float64)
    check_numbers(path, where, numbers)
    if not np.linalg.norm(numbers[:4]) > poses.SMALLEST_QUATERNION:
        raise FormatError(path, f"a quaternion in {where}", f"{record.pose[:4]}")
    pose = np.c_[poses.from_quaternion(numbers[:4]), numbers[4:]]
    return ColmapImage(record.name, record.camera_id, check_rigid_pose(path, where, pose))


def make_camera_record(camera_id: int, camera: "Camera") -> CameraRecord:
    """Converts a camera to COLMAP's form.

    Raises:
      ValueError: it is a batch, has coefficients that COLMAP's models lack, or values or a size
        that readers refuse.
    """
    name = f"cameras[{camera_id}]"
    one = check_camera_argument(name, camera)
    check_told_size(name, one)
    distortion = one.distortion or []
    if any(distortion[8:]):
        raise ValueError(f"{name}: COLMAP has no thin prism coefficients, got {distortion[8:]}")
    distortion = distortion[:8]
    if camera.model == "opencv" and len(distortion) > 4:
        model = "FULL_OPENCV"
        distortion += [0.0] * (8 - len(distortion))
    else:
        model = {"pinhole": "PINHOLE", "opencv": "OPENCV", "fisheye": "OPENCV_FISHEYE"}[
            camera.model
        ]
    fx, fy, cx, cy = one.optics
    numbers = [fx, fy, cx + 0.5, cy + 0.5, *distortion]
    height, width = camera.size
    if not 1 <= min(camera.size) <= max(camera.size) <= LARGEST_SIDE:
        expected = f"a width and a height of 1 to {LARGEST_SIDE:,}"
        raise ValueError(f"{name}: expected {expected}, got {width} x {height}")
    return CameraRecord(model, width, height, numbers)


def make_image_record(image_id: int, image: ColmapImage) -> ImageRecord:
    """Converts an image to COLMAP's form.

    Raises:
      ValueError: its pose is not a rotation and translation, or its name cannot be written.
    """
    name = f"images[{image_id}]"
    pose = poses.check_poses_argument(
        f"{name}.world_to_camera", np.asarray(image.world_to_camera)[None]
    )[0]
    if not image.name or not image.name.isprintable():
        raise ValueError(f"{name}: expected a name, got {image.name!r}")
    numbers = [*poses.to_quaternion(pose[:, :3]).tolist(), *pose[:, 3].tolist()]
    return ImageRecord(numbers, image.camera_id, image.name)
