"""Cameras of a sequence in JSON, such as SRFlow3D's `camera/ID/spirals.json`.

SRFlow3D does not publish its file format, so a file is recognised by its content. A camera consists
of

- a matrix K [3, 3] (also intrinsics, camera_matrix, ...), or fx fy cx cy, or focal and
  principal_point, or fov; the principal point defaults to the image's centre;
- a pose [3, 4] or [4, 4], or a rotation (R, rvec, qvec, quaternion_wxyz, quaternion_xyzw) with
  either t or the camera's position (position, camera_center);
- optionally distortion or k1 k2 p1 p2 k3, a `model` (fisheye or not), and h and w.

Cameras are stored as a list with one object per frame, as an object keyed by frame ("0000",
"frame_0000", "render/031/0000.jpg"), or as columns ({"K": [N, 3, 3], "w2c": [N, 4, 4]}) with an
optional list of frame names beside them. Values shared by all frames may stand beside the frames,
and anything may be wrapped ({"spirals": ...}). Several sequences are refused. A single camera
applies to all frames. NeRF's transforms.json follows the rules of `transforms`, nerfstudio's
camera_path.json those of `path`. Names are compared ignoring case, underscores, hyphens, spaces and
a plural s. A key beside a camera that is neither part of it nor listed as harmless in `keys` is
refused.

Defaults and ambiguities:

- Poses named w2c, world_to_camera, world_2_cam and so on are world to camera; so are extrinsics,
  viewmat, T_cw, Rt, and R with t, as in K [R | t]; and, in the absence of these, `matrix`,
  `transform`, T and a matrix directly under the frame. c2w, camera_to_world, cam2world, pose,
  camera_pose and T_wc are camera to world. A w2c or c2w before or after another name also states
  the direction, as in cam_R_w2c.
- Values under the name of a pose take its direction: {"c2w": {"0000": {"matrix": ...}}}. A text
  such as {"type": "c2w"} overrides a name that merely implies a direction.
- Beside `position`, `rotation` and quaternions are camera to world, as in the cameras.json of
  3D Gaussian Splatting; R, rvec and qvec are world to camera.
- Axes are OpenCV's, except OpenGL's under transform_matrix or where `convention`,
  `coordinate_system` or a similar key says so. Any other convention is refused, as is a
  `camera_model` with an unsupported lens.
- A matrix with the translation in its last row is transposed; world_view_transform of 3D Gaussian
  Splatting always is.
- If a frame has several poses, those with the most explicit names are used, and must agree.
- Lengths keep the file's unit: cam_t_w2c of the BOP benchmark is in millimetres.
- Principal points are OpenCV's, integers at pixel centres, but counted from the image's edge
  beside fl_x and in transforms.json.
- `fov` spans the image's width, in radians up to pi and in degrees beyond.
- A lens whose coefficients are all zero is a pinhole, unless it is a fisheye. Two negative focal
  lengths turn the camera by 180 degrees about its axis.
- A frame's own focal lengths, or its own distortion, replace the shared ones as a whole. Shared
  intrinsics refer to the shared size, and are scaled to that of the frame.
- Intrinsics refer to the size stated in the file, and the principal point may then lie outside of
  the image. Without one they refer to the requested size, and the principal point must be near its
  centre. `hw` and `wh` state their order; any other pair, such as `size`, is read as (H, W) or
  (W, H), whichever fits the requested size.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.frames import frame_of, frame_of_number
from sf3d_jax.data._files.json import Json, outline, read_json, write_json
from sf3d_jax.data.cameras.by_content.fields import MissingError, build_camera
from sf3d_jax.data.cameras.by_content.labels import find_named_frames
from sf3d_jax.data.cameras.by_content.path import is_camera_path, read_camera_path
from sf3d_jax.data.cameras.by_content.poses import OURS
from sf3d_jax.data.cameras.by_content.result import FrameCamera
from sf3d_jax.data.cameras.by_content.table import Table, collect
from sf3d_jax.data.cameras.by_content.written import read_written
from sf3d_jax.data.cameras.checks import CameraArgument, Size, check_camera_argument
from sf3d_jax.data.cameras.keys import refuse_unknown
from sf3d_jax.data.cameras.transforms import is_transforms, list_frames, read_tree

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

__all__ = ["FrameCamera", "read_json_cameras", "write_json_cameras"]

_TRANSFORMS = "transforms.json (camera to world, OpenGL)"
_MIRRORED = ", in the mirror image of its world, x -> -x, as one focal length is negative"


def read_json_cameras(path: PathLike, size: Size | None = None) -> tuple[FrameCamera, ...]:
    """Reads the cameras of a sequence from JSON, recognising its layout by the content.

    Reads SRFlow3D's spirals.json, transforms.json, camera_path.json, and lists, objects or columns
    of intrinsics (K, fx, focal, fov) and poses (w2c, c2w, R and t). Cameras are world to camera,
    X_camera = R X_world + t, with OpenCV's axes; lengths keep the file's unit.

    Args:
      path: file to read.
      size: (H, W) of the images. If the file has a different size, the cameras are resized so that
        the full image areas coincide. None keeps the file's size.

    Returns:
      One camera per frame, ordered by frame number, or a single one shared by all frames.

    Raises:
      FormatError: the file is not JSON, has an unknown or ambiguous layout, a pose is not a
        rotation and translation, a frame lacks a part, intrinsics do not fit the image, the sizes
        do not differ by a common factor, or a key beside a camera is unknown.
      ValueError: size is not a pair of positive integers.
    """
    from sf3d_jax.camera import check_size

    size = None if size is None else check_size(size)
    return build_cameras(path, read_json(path), size)


def build_cameras(path: PathLike, tree: Json, size: Size | None) -> tuple[FrameCamera, ...]:
    """Builds the cameras of `read_json_cameras` from the parsed file."""
    if (written := read_written(path, tree, size)) is not None:
        return written
    if (cameras := _read_transforms(path, tree, size)) is not None:
        return cameras
    if is_camera_path(tree):
        return read_camera_path(path, tree, size)
    table = collect(path, tree)
    try:
        cameras = _make_cameras(path, table, size)
    except MissingError as error:
        raise FormatError(path, f"{error}", outline(tree), missing=error.missing) from None
    refuse_unknown(path, "the file", table.unknown)
    return cameras


def _make_cameras(path: PathLike, table: Table, size: Size | None) -> tuple[FrameCamera, ...]:
    """Builds the cameras of a table: one per frame, or one shared by all frames."""
    if not table.frames:
        return (FrameCamera(None, *build_camera(path, "all frames", {}, table.shared, size)),)
    return tuple(
        FrameCamera(
            frame.name,
            *build_camera(path, f"frame {frame.name}", own, table.shared, size),
            named=frame.named,
        )
        for _, (frame, own) in sorted(table.frames.items())
    )


def write_json_cameras(path: PathLike, cameras: Mapping[str, "Camera"]) -> None:
    """Writes cameras by frame; `read_json_cameras` restores them bit for bit.

    The exception is an OpenCV lens whose coefficients are all zero: it is read as a pinhole.

        {"convention": ..., "size": [H, W], "frames": {"0000": {"K": [3, 3],
         "world_to_camera": [3, 4], "model": "opencv", "distortion": [..]}, ...}}

    Args:
      path: file to write.
      cameras: cameras by frame name, such as 0007; at least one, all of one size.

    Raises:
      TypeError: cameras is not a mapping, a name is not a string, or a value is not a Camera.
      ValueError: cameras is empty, sizes differ, a name does not denote a frame or two denote the
        same one, a camera is a batch or has impossible values, or a pose is not a rotation and
        translation.
    """
    write_json(path, format_cameras(cameras))


def format_cameras(cameras: Mapping[str, "Camera"]) -> Json:
    """Converts cameras by frame to the JSON that `write_json_cameras` writes.

    Args:
      cameras: cameras as in `write_json_cameras`, which raises the same errors.

    Returns:
      The JSON, with the keys `convention`, `size` and `frames`.
    """
    if not isinstance(cameras, Mapping) or not all(isinstance(name, str) for name in cameras):
        raise TypeError("cameras: expected a mapping from names of frames such as '0007'")
    if not cameras:
        raise ValueError("cameras: expected at least one, got none")
    checked = {name: check_camera_argument(f"cameras[{name!r}]", x) for name, x in cameras.items()}
    sizes = {camera.size for camera in checked.values()}
    if len(sizes) > 1:
        raise ValueError(f"cameras: expected one size, got {sorted(sizes)}")
    frames = [frame_of(name) for name in cameras]
    if len({frame.number for frame in frames if frame is not None}) < len(cameras):
        raise ValueError(f"cameras: expected frames with numbers, got {list(cameras)[:8]}")
    tree = {name: _format_camera(camera) for name, camera in checked.items()}
    size = list(next(iter(sizes)))
    return {"convention": OURS, "size": size, "frames": tree}


def _read_transforms(
    path: PathLike, tree: Json, size: Size | None
) -> tuple[FrameCamera, ...] | None:
    """Reads the cameras of a transforms.json, wrapped or not; None if it is something else."""
    while isinstance(tree, dict) and not is_transforms(tree):
        tree = next(iter(tree.values())) if len(tree) == 1 else None
    if not isinstance(tree, dict):
        return None
    read, is_mirrored = read_tree(path, tree, size)
    form = f"{_TRANSFORMS}{_MIRRORED if is_mirrored else ''}"
    indices = {x.camera_index for x in read if x.camera_index is not None}
    if len(indices) > 1:
        found = ", ".join(str(i) for i in sorted(indices)[:8])
        raise FormatError(
            path,
            "one camera per timestep (`read_transforms` reads several)",
            f"camera_index {found}",
        )
    names = find_named_frames(path, list_frames(tree) or [])
    if names is None and len(read) == 1:
        return (FrameCamera(None, read[0].camera, form),)
    frames = names or [frame_of_number(i, named=False) for i in range(len(read))]
    pairs = sorted(zip(frames, read, strict=True), key=lambda pair: pair[0].number)
    return tuple(FrameCamera(frame.name, x.camera, form, frame.named) for frame, x in pairs)


def _format_camera(camera: CameraArgument) -> dict[str, Json]:
    """Converts one camera to a JSON object."""
    fx, fy, cx, cy = camera.optics
    k = [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]
    tree = {"K": k, "world_to_camera": camera.pose.tolist()}
    if camera.distortion is None:
        return tree
    return {**tree, "model": camera.model, "distortion": camera.distortion}
