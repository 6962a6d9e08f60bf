"""The transforms.json of NeRF, instant-ngp, nerfstudio, VHAP and GaussianAvatars.

    {"camera_angle_x": 0.69, "frames": [{"file_path": "./train/r_0", "transform_matrix": ...}]}
    {"fl_x": .., "fl_y": .., "cx": .., "cy": .., "w": .., "h": .., "k1": .., "frames": [...]}

`transform_matrix` takes a camera with OpenGL's axes (x right, y up, z back) to the world; cameras
here have OpenCV's. The intrinsics stand in the frame or, for all frames, beside them. The focal
length in pixels is fl_x or .5 w / tan(camera_angle_x / 2). The principal point is counted from the
image's edge, w/2 being its centre, so half a pixel is subtracted; without one it is the centre.
k1 k2 p1 p2 k3 are OpenCV's distortion, and k1 to k4 that of its fisheye where `camera_model` is
OPENCV_FISHEYE or `is_fisheye` is true, as in nerfstudio and instant-ngp. VHAP adds
`timestep_index`, `camera_index` and `fg_mask_path`.
"""

import math
from collections import ChainMap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from sf3d_jax.data import _poses
from sf3d_jax.data._cameras import Size, make_camera, resized, rigid_pose
from sf3d_jax.data._files import FormatError, PathLike, check_size
from sf3d_jax.data._json import matrix, outline, read_json, write_json
from sf3d_jax.data._pinhole import homogeneous, poses_argument
from sf3d_jax.data.images import read_image

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

_ENDINGS = ("", ".png", ".jpg", ".jpeg", ".PNG", ".JPG")
_PERSPECTIVE = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "SIMPLE_RADIAL", "RADIAL")
_FISHEYE = ("OPENCV_FISHEYE", "SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE")
_COEFFICIENTS = {"opencv": ("k1", "k2", "p1", "p2", "k3"), "fisheye": ("k1", "k2", "k3", "k4")}
_UNUSED = {"opencv": ("k4", "k5", "k6"), "fisheye": ("p1", "p2", "k5", "k6")}


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
        says the size or it differs by no common factor, or a lens is of another model.
      ValueError: size is no pair of positive integers.
    """
    from sf3d_jax.camera import check_size as check_argument

    size = None if size is None else check_argument(size)
    return frames_of(path, read_json(path), size)


def frames_of(path: PathLike, tree: Any, size: Size | None) -> tuple[TransformsFrame, ...]:
    """The frames of a transforms.json that was read; else as `read_transforms`."""
    frames = tree.get("frames") if isinstance(tree, dict) else None
    if not isinstance(frames, list) or not frames:
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


def write_transforms(path: PathLike, frames: Sequence[TransformsFrame]) -> None:
    """Writes a transforms.json, with the intrinsics in every frame and, if common, beside them.

    Args:
      path: of the file.
      frames: at least one; all with a fisheye, or none.

    Raises:
      ValueError: there is no frame, a camera is a batch, or has a lens that the format lacks.
    """
    if not frames:
        raise ValueError("frames: expected at least one, got none")
    models = {frame.camera.model for frame in frames}
    if "fisheye" in models and len(models) > 1:
        raise ValueError(f"frames: expected one kind of lens, got {sorted(models)}")
    name = {"fisheye": "OPENCV_FISHEYE", "pinhole": "PINHOLE"}
    lenses = [_written_intrinsics(frame.camera) for frame in frames]
    common = lenses[0] if all(lens == lenses[0] for lens in lenses) else {}
    entries = [
        {**_written_names(frame), **lens, "transform_matrix": _written_pose(frame.camera)}
        for frame, lens in zip(frames, lenses, strict=True)
    ]
    model = name.get(models.pop(), "OPENCV") if len(models) == 1 else "OPENCV"
    write_json(path, {"camera_model": model, **common, "frames": entries})


class _Values(NamedTuple):
    """What holds for one frame: its own values and those beside the frames."""

    path: PathLike
    where: str
    values: ChainMap[str, Any]

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
        check_size(self.path, width, height)
        return height, width


def _frame(values: _Values, size: Size | None, fallback: Size | None) -> TransformsFrame:
    own = values.size() or fallback
    if own is None:
        raise FormatError(
            values.path,
            f"w and h of {values.where}, or size=(height, width) from the caller, or an image",
            "none of them",
        )
    model, distortion = _lens(values)
    camera = make_camera(
        values.path,
        values.where,
        focal=_focal(values, own),
        principal_point=[
            x - 0.5 if x is not None else (side - 1) / 2
            for x, side in ((values.number("cx"), own[1]), (values.number("cy"), own[0]))
        ],
        size=own,
        world_to_camera=_pose(values),
        distortion=distortion,
        model=model,
    )
    return TransformsFrame(
        camera if size is None else resized(values.path, values.where, camera, size),
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
    if angle is None:
        return None
    if not 1e-6 < angle < math.pi:
        expected = f"an angle between 0 and pi as {key} of {values.where}"
        raise FormatError(values.path, expected, f"{angle:g}")
    return 0.5 * side / math.tan(angle / 2)


def _pose(values: _Values) -> np.ndarray:
    name = f"transform_matrix of {values.where}"
    pose = matrix(values.path, name, values.values.get("transform_matrix"), (4, 4), (3, 4))
    return _poses.from_camera_to_world(rigid_pose(values.path, name, pose), _poses.OPENGL)


def _lens(values: _Values) -> tuple[str, list[float] | None]:
    """The model and its coefficients; a pinhole where all are zero, but for a fisheye."""
    name = (values.text("camera_model") or "OPENCV").upper()
    if name not in _PERSPECTIVE + _FISHEYE:
        expected = f"camera_model {' or '.join(_PERSPECTIVE + _FISHEYE)} in {values.where}"
        raise FormatError(values.path, expected, repr(name[:40]))
    fisheye = name in _FISHEYE or values.values.get("is_fisheye") is True
    model = "fisheye" if fisheye else "opencv"
    for key in _UNUSED[model]:
        if number := values.number(key):
            expected = f"a lens of {' '.join(_COEFFICIENTS[model])} in {values.where}"
            raise FormatError(values.path, expected, f"{key} = {number:g}")
    coefficients = [values.number(key) or 0.0 for key in _COEFFICIENTS[model]]
    if fisheye or any(coefficients):
        # Without a third radial coefficient OpenCV's model has four.
        return model, coefficients if fisheye or coefficients[4] else coefficients[:4]
    return "pinhole", None


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
                height, width = read_image(image).shape[:2]
                return height, width
    return None


def _written_intrinsics(camera: "Camera") -> dict[str, Any]:
    (height, width), model = camera.size, camera.model
    numbers = [np.asarray(x, np.float64) for x in (camera.focal, camera.principal_point)]
    if numbers[0].shape != (2,) or numbers[1].shape != (2,):
        raise ValueError(f"frames: expected one camera each, got a batch {numbers[0].shape[:-1]}")
    (fx, fy), (cx, cy) = (x.tolist() for x in numbers)
    names = _COEFFICIENTS.get(model, ())
    lens = () if camera.distortion is None else camera.distortion
    distortion: list[float] = np.asarray(lens, np.float64).tolist()
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


def _written_pose(camera: "Camera") -> list[list[float]]:
    world_to_camera = poses_argument("frames", np.asarray(camera.world_to_camera)[None])
    pose = _poses.to_camera_to_world(world_to_camera, _poses.OPENGL)
    # The reader's inverse undone: of a rotation in float32 the transpose is not quite the inverse.
    rotation, translation = np.split(world_to_camera, [3], axis=-1)
    pose[..., 3:] = -np.linalg.solve(rotation, translation)
    return homogeneous(pose)[0].tolist()


def _written_names(frame: TransformsFrame) -> dict[str, Any]:
    names = {
        "file_path": frame.image,
        "timestep_index": frame.timestep,
        "camera_index": frame.camera_index,
        "fg_mask_path": frame.mask,
    }
    return {key: x for key, x in names.items() if x is not None}
