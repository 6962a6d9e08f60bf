"""The transforms.json of NeRF, instant-ngp, nerfstudio, VHAP and GaussianAvatars.

    {"camera_angle_x": 0.69, "frames": [{"file_path": "./train/r_0", "transform_matrix": ...}]}
    {"fl_x": .., "fl_y": .., "cx": .., "cy": .., "w": .., "h": .., "k1": .., "frames": [...]}

`transform_matrix` takes a camera with OpenGL's axes (x right, y up, z back) to the world, unless
`convention` or the like says OpenCV; cameras here have OpenCV's. The intrinsics stand in the frame
or, for all frames, beside them. The focal length in pixels is fl_x or .5 w / tan(camera_angle_x /
2). The principal point is counted from the image's edge, w/2 being its centre, so half a pixel is
subtracted; without one it is the centre. k1 k2 p1 p2 k3 are OpenCV's distortion, as are k4 k5 k6 if
all are given, and k1 to k4 that of its fisheye where `camera_model` is OPENCV_FISHEYE or
`is_fisheye` is true, as in nerfstudio and instant-ngp. VHAP adds `timestep_index`, `camera_index`
and `fg_mask_path`.
"""

import math
import operator
from collections import ChainMap
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sf3d_jax.data._files import CALLER, FormatError, PathLike, check_header_size
from sf3d_jax.data._files.json import Json, matrix, outline, read_json, write_json
from sf3d_jax.data._files.pictures import read_picture
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.cameras.checks import (
    CameraArgument,
    Size,
    camera_argument,
    check_fits,
    make_camera,
    resize_camera,
    rigid_pose,
)
from sf3d_jax.data.cameras.lens import COEFFICIENTS, coefficients, focal_of_angle, lens_model
from sf3d_jax.data.cameras.names import CONVENTIONS, read_convention, simple
from sf3d_jax.data.cameras.poses import homogeneous
from sf3d_jax.data.opencv import import_cv2

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

_FOCAL_KEYS = ("fl_x", "fl_y", "camera_angle_x", "camera_angle_y")
_ENDINGS = ("", ".png", ".jpg", ".jpeg", ".PNG", ".JPG")


class TransformsFrame(NamedTuple):
    """One frame of a transforms.json.

    Attributes:
      camera: with the world of the file.
      image: its `file_path` as it stands in the file, relative to its folder; or None.
      timestep: its `timestep_index`, or None.
      camera_index: its `camera_index`, or None.
      mask: its `fg_mask_path` or `mask_path` as it stands in the file, or None.
    """

    camera: "Camera"
    image: str | None = None
    timestep: int | None = None
    camera_index: int | None = None
    mask: str | None = None


def read_transforms(path: PathLike, *, size: Size | None = None) -> tuple[TransformsFrame, ...]:
    """Reads a transforms.json.

    Args:
      path: of the file.
      size: (H, W) of the images. If the file has another one, the cameras are resized, areas onto
        areas. If neither is given, the first image that lies where the file says is opened.

    Returns:
      The frames in the order of the file; cameras in float64, integers at pixel centres.

    Raises:
      FormatError: the file is no transforms.json, a pose is no rotation and translation, nobody
        says the size or it differs by no common factor, the intrinsics are those of another size,
        or a lens is of another model.
      ValueError: size is no pair of positive integers.
    """
    from sf3d_jax.camera import check_size

    size = None if size is None else check_size(size)
    return frames_of(path, read_json(path), size)


def is_transforms(tree: Json) -> bool:
    """Whether every frame has a transform_matrix, and the first one a focal length of this format.

    Args:
      tree: of a JSON file.
    """
    frames = _list_frames(tree)
    if not frames:
        return False
    posed = all(isinstance(frame, dict) and "transform_matrix" in frame for frame in frames)
    return posed and any(key in tree or key in frames[0] for key in _FOCAL_KEYS)


def is_broken_transforms(tree: Json) -> bool:
    """Whether a file that cannot be read was meant for this format, for the choice of the error.

    Args:
      tree: of a JSON file.

    Returns:
      True if the list `frames` is empty, or there is any key of this format.
    """
    frames = _list_frames(tree)
    if frames is None:
        return False
    keys = {key for node in (tree, *frames) if isinstance(node, dict) for key in node}
    return not frames or not keys.isdisjoint({"transform_matrix", *_FOCAL_KEYS})


def frames_of(path: PathLike, tree: Json, size: Size | None) -> tuple[TransformsFrame, ...]:
    """The frames of a transforms.json that was read; else as `read_transforms`."""
    frames = _list_frames(tree)
    if not frames:
        raise FormatError(path, "a list `frames` of at least one frame", outline(tree))
    values = []
    for i, frame in enumerate(frames):
        if not isinstance(frame, dict):
            raise FormatError(path, f"an object as frame {i}", outline(frame))
        values.append(_Values(path, f"frame {i}", ChainMap(frame, tree)))
    fallback = size
    if fallback is None and any(v.size() is None for v in values):
        fallback = _size_of_image(path, values)
    return tuple(_frame(v, size, fallback) for v in values)


def _list_frames(tree: Json) -> list[Json] | None:
    """The list `frames` of a JSON file, if it has one."""
    frames = tree.get("frames") if isinstance(tree, dict) else None
    return frames if isinstance(frames, list) else None


def write_transforms(path: PathLike, frames: Sequence[TransformsFrame]) -> None:
    """Writes a transforms.json, with the intrinsics in every frame and, if common, beside them.

    Read again, focal lengths and coefficients have every bit, poses and principal points all but
    the last: the file has the inverse pose, and counts pixels from the edge.

    Args:
      path: of the file.
      frames: at least one; all with a fisheye, or none.

    Raises:
      TypeError: a camera is none, or an index no whole number.
      ValueError: there is no frame, a camera is a batch or has numbers that none has, or a lens
        that the format lacks.
    """
    if not frames:
        raise ValueError("frames: expected at least one, got none")
    checked = [camera_argument(f"frames[{i}].camera", x.camera) for i, x in enumerate(frames)]
    models = {camera.model for camera in checked}
    if "fisheye" in models and len(models) > 1:
        raise ValueError(f"frames: expected one kind of lens, got {sorted(models)}")
    name = {"fisheye": "OPENCV_FISHEYE", "pinhole": "PINHOLE"}
    lenses = [_written_intrinsics(camera) for camera in checked]
    common = lenses[0] if all(lens == lenses[0] for lens in lenses) else {}
    entries = [
        {**_written_names(frame), **lens, "transform_matrix": _written_pose(camera.pose)}
        for frame, lens, camera in zip(frames, lenses, checked, strict=True)
    ]
    model = name.get(models.pop(), "OPENCV") if len(models) == 1 else "OPENCV"
    write_json(path, {"camera_model": model, **common, "frames": entries})


class _Values(NamedTuple):
    """What holds for one frame: its own values and those beside the frames."""

    path: PathLike
    where: str
    values: ChainMap[str, Json]

    def number(self, *keys: str) -> float | None:
        """The number under the first of the keys that is there."""
        for key in keys:
            if self.values.get(key) is not None:
                name = f"{key} of {self.where}"
                return float(matrix(self.path, name, self.values[key], ()))
        return None

    def whole(self, key: str) -> int | None:
        number = self.number(key)
        if number is not None and number != int(number):
            expected = f"a whole number as {key} of {self.where}"
            raise FormatError(self.path, expected, f"{number:g}")
        return None if number is None else int(number)

    def text(self, *keys: str) -> str | None:
        found = (self.values.get(key) for key in keys)
        return next((x for x in found if isinstance(x, str)), None)

    def size(self) -> Size | None:
        height, width = self.whole("h"), self.whole("w")
        if height is None or width is None:
            return None
        check_header_size(self.path, width, height)
        return height, width


def _frame(values: _Values, size: Size | None, fallback: Size | None) -> TransformsFrame:
    own = values.size() or fallback
    if own is None:
        raise FormatError(
            values.path,
            f"w and h of {values.where}, or {CALLER['size']}, or an image",
            "none of them",
            missing="size",
        )
    focal = _focal(values, own)
    sides = ("cx", own[1]), ("cy", own[0])
    found = [(values.number(key), side) for key, side in sides]
    point = [x - 0.5 if x is not None else (side - 1) / 2 for x, side in found]
    if values.size() is None:
        lens = np.array(focal), np.array(point)
        check_fits(values.path, values.where, *lens, own, told=False)
    model, distortion = _lens(values)
    camera = make_camera(
        values.path,
        values.where,
        focal=focal,
        principal_point=point,
        size=own,
        world_to_camera=_pose(values),
        distortion=distortion,
        model=model,
    )
    return TransformsFrame(
        camera if size is None else resize_camera(values.path, values.where, camera, size),
        values.text("file_path"),
        values.whole("timestep_index"),
        values.whole("camera_index"),
        values.text("fg_mask_path", "mask_path"),
    )


def _focal(values: _Values, size: Size) -> list[float]:
    """(fx, fy); pixels are square where only one is given."""
    x, y = (
        _focal_of_angle(values, key, side)
        if (focal := values.number(f"fl_{axis}")) is None
        else focal
        for axis, key, side in (("x", "camera_angle_x", size[1]), ("y", "camera_angle_y", size[0]))
    )
    x, y = (y if x is None else x), (x if y is None else y)
    if x is None or y is None:
        found = ", ".join(values.values)[:200]
        raise FormatError(values.path, f"fl_x or camera_angle_x of {values.where}", found)
    return [x, y]


def _focal_of_angle(values: _Values, key: str, side: int) -> float | None:
    angle = values.number(key)
    where = f"{key} of {values.where}"
    return None if angle is None else focal_of_angle(values.path, where, angle, side)


def _pose(values: _Values) -> np.ndarray:
    name = f"transform_matrix of {values.where}"
    pose = matrix(values.path, name, values.values.get("transform_matrix"), (4, 4), (3, 4))
    return poses.from_camera_to_world(rigid_pose(values.path, name, pose), _axes(values))


def _axes(values: _Values) -> np.ndarray | None:
    """OpenGL's axes, unless the file says that they are OpenCV's."""
    axes: np.ndarray | None = poses.OPENGL
    for key, text in values.values.items():
        if simple(key) in CONVENTIONS and isinstance(text, str):
            said, direction = read_convention(text)
            if said is None or direction == "w2c":
                expected = f"OpenGL or OpenCV, camera to world, as {key} of {values.where}"
                raise FormatError(values.path, expected, repr(text[:40]))
            axes = None if said == "opencv" else poses.OPENGL
    return axes


def _lens(values: _Values) -> tuple[str, list[float] | None]:
    """The model and its coefficients; a pinhole where all are zero, but for a fisheye."""
    name = values.text("camera_model")
    names = [] if name is None else [name]
    names += ["fisheye"] if values.values.get("is_fisheye") is True else []
    model = lens_model(values.path, values.where, names)
    return coefficients(values.path, values.where, model, values.number)


def _size_of_image(path: PathLike, frames: list[_Values]) -> Size | None:
    """The size of the first image that is there; its name may lack the ending."""
    for frame in frames:
        name = frame.text("file_path")
        for ending in _ENDINGS if name else ():
            image = Path(path).parent / f"{name}{ending}"
            try:
                found = image.is_file()
            except (OSError, ValueError):  # no name that the file system could have
                found = False
            if found:
                # Of any depth; only its size counts.
                height, width = read_picture(image, import_cv2().IMREAD_UNCHANGED).shape[:2]
                return height, width
    return None


def _written_intrinsics(camera: CameraArgument) -> dict[str, Json]:
    (height, width), (fx, fy, cx, cy) = camera.size, camera.optics
    names, distortion = COEFFICIENTS.get(camera.model, ()), camera.distortion or []
    if any(distortion[len(names) :]):
        raise ValueError(f"frames: this format holds {' '.join(names)}, got {distortion}")
    return {
        "w": width,
        "h": height,
        "fl_x": fx,
        "fl_y": fy,
        "cx": cx + 0.5,
        "cy": cy + 0.5,
        "camera_angle_x": 2 * math.atan(0.5 * width / fx),
        "camera_angle_y": 2 * math.atan(0.5 * height / fy),
        **dict(zip(names, distortion, strict=False)),
    }


def _written_pose(world_to_camera: np.ndarray) -> list[list[float]]:
    pose = poses.to_camera_to_world(world_to_camera, poses.OPENGL)
    # The reader's inverse undone: of a rotation in float32 the transpose is not quite the inverse.
    rotation, translation = np.split(world_to_camera, [3], axis=-1)
    pose[:, 3:] = -np.linalg.solve(rotation, translation)
    return homogeneous(pose[None])[0].tolist()


def _written_names(frame: TransformsFrame) -> dict[str, Json]:
    names: dict[str, Json] = {"file_path": frame.image, "fg_mask_path": frame.mask}
    names = {key: x.as_posix() if isinstance(x, PurePath) else x for key, x in names.items()}
    numbers = {"timestep_index": frame.timestep, "camera_index": frame.camera_index}
    names |= {key: x if x is None else operator.index(x) for key, x in numbers.items()}
    return {key: x for key, x in names.items() if x is not None}
