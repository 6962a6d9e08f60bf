"""The camera of one frame of a JSON file, by the rules listed in `by_content`."""

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from sf3d_jax.data._files import CALLER, FormatError, PathLike, check_header_size
from sf3d_jax.data.cameras.by_content.poses import FrameFields, read_pose, read_stated_conventions
from sf3d_jax.data.cameras.by_content.table import MODEL, Field, Fields
from sf3d_jax.data.cameras.checks import (
    Size,
    check_fits,
    is_same_shape,
    make_camera,
    read_intrinsics,
    resize_camera,
)
from sf3d_jax.data.cameras.flipped import turn_flipped
from sf3d_jax.data.cameras.lens import (
    compute_focal,
    find_lens_model,
    name_params,
    read_coefficients,
)
from sf3d_jax.data.cameras.names import EXAMPLES

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

_NAMED = ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6")
_COUNTS = {"opencv": (4, 5, 8, 12), "fisheye": (4,)}

# The key of focal lengths beside which pixels are counted from the image's edge.
_EDGE = "fl_x"

_T = TypeVar("_T")


class MissingError(Exception):
    """A camera lacks the part that the message names.

    Attributes:
      missing: argument through which the caller can supply it, or None; see `FormatError`.
    """

    def __init__(self, part: str, where: str, missing: str | None = None) -> None:
        """Builds a message that lists the names the part might have."""
        super().__init__(f"{part} for {where}, as {EXAMPLES[part]}")
        self.missing = missing


class _Lens(NamedTuple):
    """Focal lengths and principal point (None: the centre), integers at pixel centres."""

    focal: np.ndarray
    point: np.ndarray | None
    form: str


def build_camera(
    path: PathLike, where: str, own: Fields, shared: Fields, size: Size | None
) -> tuple["Camera", str]:
    """Builds the camera of a frame.

    Args:
      path: file named in error messages.
      where: frame named in error messages.
      own: values of the frame.
      shared: values shared by all frames.
      size: requested (H, W); None keeps the file's size.

    Returns:
      The camera and the keys it was read from, such as "K and w2c (world to camera)".

    Raises:
      MissingError: the pose, the size or the intrinsics are missing.
      FormatError: a part is invalid.
    """
    every, common = FrameFields(path, where, {**shared, **own}), FrameFields(path, where, shared)
    views = FrameFields(path, where, own), every
    conventions = read_stated_conventions(every)
    pose = _read_first(views, lambda view: read_pose(view, conventions))
    if pose is None:
        raise MissingError("a pose", where)
    found_size = _read_first(views, lambda view: _read_size(view, size, conventions.ours))
    file_size = found_size or size
    if file_size is None:
        raise MissingError("height and width", f"{where}, or {CALLER['size']}", missing="size")
    lens, lens_size = _read_lens(views[0], file_size), file_size
    if lens is None:  # shared intrinsics refer to the shared size
        lens_size = _read_size(common, size, conventions.ours) or file_size
        lens = _read_lens(every, lens_size)
    if lens is None:
        raise MissingError("intrinsics", where)
    point = _read_point(every, lens.form) if lens.point is None else lens.point
    height, width = lens_size
    point = np.array([(width - 1) / 2, (height - 1) / 2]) if point is None else point
    if not conventions.ours:
        told = found_size is not None
        check_fits(path, where, np.abs(lens.focal), point, lens_size, told=told)
    model, distortion = _read_distortion(every if _has_no_lens(views[0]) else views[0], every)
    focal, world_to_camera = lens.focal, pose.value
    if model == "pinhole" and (focal < 0).all():
        focal, world_to_camera = turn_flipped(focal, world_to_camera)
    camera = make_camera(
        path,
        where,
        focal=focal,
        principal_point=point,
        size=lens_size,
        world_to_camera=world_to_camera,
        distortion=distortion,
        model=model,
    )
    camera = resize_camera(path, where, camera, file_size)
    return resize_camera(path, where, camera, size or file_size), f"{lens.form} and {pose.form}"


def _read_first(
    views: Iterable[FrameFields], part: Callable[[FrameFields], _T | None]
) -> _T | None:
    """Reads a part from the frame's own values, or failing that, with the shared ones added."""
    found = (part(view) for view in views)
    return next((x for x in found if x is not None), None)


def _read_size(view: FrameFields, wanted: Size | None, ours: bool) -> Size | None:
    """Reads (H, W); a pair of unknown order takes the order that fits the requested size."""
    height, width = view.number("height"), view.number("width")
    ordered = height is not None and width is not None
    for role, order in (("hw", 1), ("wh", -1), ("size", 1)):
        if (height is None or width is None) and (pair := view.one(role)) is not None:
            height, width = pair.value[::order].tolist()
            ordered = role != "size" or ours or height == width
    if height is None or width is None:
        return None
    if height != int(height) or width != int(width):
        raise FormatError(view.path, f"a size in whole pixels for {view.where}", f"{width:g}")
    check_header_size(view.path, int(width), int(height))
    size, other = (int(height), int(width)), (int(width), int(height))
    if ordered or (wanted is not None and is_same_shape(size, wanted)):
        return size
    if wanted is None:
        expected = f"height and width for {view.where}, or {CALLER['size']}"
        found = f"the pair {list(size)}, which may be (height, width) or (width, height)"
        raise FormatError(view.path, expected, found, missing="size")
    return other if is_same_shape(other, wanted) else size


def _read_lens(view: FrameFields, size: Size) -> _Lens | None:
    """Reads the intrinsics: from a matrix, else from focal lengths, else from angles of view."""
    if (field := view.one("matrix")) is not None:
        where, matrix = f"{field.place} of {view.where}", field.value
        if matrix.shape == (4,):
            return _Lens(matrix[:2], matrix[2:], field.key)
        matrix = np.r_[matrix, [[0, 0, 1]]] if matrix.shape == (2, 3) else matrix
        matrix = matrix.reshape(3, 3) if matrix.size == 9 else matrix[:3, :3]
        return _Lens(*read_intrinsics(view.path, where, matrix), field.key)
    for first, second, form in (("flx", "fly", _EDGE), ("fx", "fy", "fx")):
        if (fx := view.number(first)) is not None:
            fy = view.number(second)
            return _Lens(
                np.array([fx, abs(fx) if fy is None else fy]), _read_point(view, form), form
            )
    if (field := view.one("focal")) is not None:
        focal = field.value if field.value.ndim else np.array([field.value, abs(field.value)])
        return _Lens(focal, _read_point(view, field.key), field.key)
    return _read_angles(view, size)


def _read_point(view: FrameFields, form: str) -> np.ndarray | None:
    """Reads the principal point; beside fl_x it is counted from the image's edge."""
    cx, cy, pair = view.number("cx"), view.number("cy"), view.one("principalpoint")
    point = None if pair is None else pair.value
    point = point if cx is None or cy is None else np.array([cx, cy])
    return point - 0.5 if point is not None and form == _EDGE else point


def _read_angles(view: FrameFields, size: Size) -> _Lens | None:
    """Reads the intrinsics from a horizontal or vertical angle of view."""
    x, y = (
        None if (field := view.one(role)) is None else _convert_angle(view, field, side)
        for role, side in (("fovx", size[1]), ("fovy", size[0]))
    )
    x, y = (y if x is None else x), (x if y is None else y)
    if x is None or y is None:
        return None
    return _Lens(np.array([x, y]), _read_point(view, "angle"), "angle of view")


def _convert_angle(view: FrameFields, field: Field, side: int) -> float:
    """Converts an angle of view to a focal length; angles beyond pi are in degrees."""
    angle = float(field.value)
    angle = math.radians(angle) if angle > math.pi else angle
    return compute_focal(view.path, f"{field.place} of {view.where}", angle, side)


def _has_no_lens(view: FrameFields) -> bool:
    """Whether there is no distortion key."""
    return not view.all("distortion", "distortionparams", *_NAMED)


def _read_distortion(view: FrameFields, every: FrameFields) -> tuple[str, np.ndarray | None]:
    """Reads the lens model from `every` and its coefficients from `view`.

    A lens without distortion is a pinhole, unless it is a fisheye.
    """
    model = find_lens_model(view.path, view.where, every.texts(MODEL))
    found = [
        _read_named_coefficients(view, model, view.number),
        _read_listed_coefficients(view, model),
    ]
    if (params := view.one("distortionparams")) is not None:
        number = name_params(params.value.reshape(-1)).get
        found.append(_read_named_coefficients(view, model, number))
    found = [x for x in found if x.any()]
    length = max(map(len, found), default=0)
    padded = [np.pad(x, (0, length - len(x))) for x in found]
    if any(not np.array_equal(padded[0], other) for other in padded[1:]):
        shown = " and ".join(f"{x.tolist()}" for x in found)
        raise FormatError(view.path, f"one distortion for {view.where}", shown)
    if found:
        return model, max(found, key=len)
    return ("fisheye", np.zeros(4)) if model == "fisheye" else ("pinhole", None)


def _read_named_coefficients(
    view: FrameFields, model: str, number: Callable[[str], float | None]
) -> np.ndarray:
    """Reads coefficients stored under their names."""
    return np.array(read_coefficients(view.path, view.where, model, number)[1] or ())


def _read_listed_coefficients(view: FrameFields, model: str) -> np.ndarray:
    """Reads a list of coefficients in OpenCV's order, padded with zeros."""
    if (field := view.one("distortion")) is None:
        return np.zeros(0)
    found, counts = field.value.reshape(-1), _COUNTS[model]
    if found[counts[-1] :].any():
        where = f"{field.place} of {view.where}"
        expected = f"at most {counts[-1]} coefficients in {where}, model {model}"
        raise FormatError(view.path, expected, f"{len(found)}")
    found = found[: counts[-1]]
    count = next(n for n in counts if n >= len(found))
    return np.pad(found, (0, count - len(found)))
