"""Cameras of a sequence in JSON, such as SRFlow3D's `camera/ID/spirals.json`.

SRFlow3D does not publish what its file looks like. What is read is told by its content. A camera is

- a matrix K [3, 3] (also intrinsics, camera_matrix, ...), or fx fy cx cy, or focal and
  principal_point, or fov; without a principal point it is the image's centre;
- with a pose [3, 4] or [4, 4], or R (or rvec, qvec, quaternion_wxyz, quaternion_xyzw) and t, or
  one of those and the place of the camera (position, camera_center);
- and, if it is there, distortion or k1 k2 p1 p2 k3, `model` being fisheye or not, and h and w.

Cameras stand in a list with one object a frame, in an object by frame ("0000", "frame_0000",
"render/031/0000.jpg"), or in columns ({"K": [N, 3, 3], "w2c": [N, 4, 4]}), whose frames a list of
names beside them may say; what all frames have in common may stand beside them, and anything may be
wrapped ({"spirals": ...}). Several sequences are refused. One camera alone is that of all frames.
A NeRF's transforms.json is read by the rules of `transforms`, nerfstudio's camera_path.json by
those of `path`. Names are compared without case, underscores, hyphens, spaces, and a plural s. A
key beside a camera that is neither a part of it nor harmless by the list of `keys` is refused.

What the file does not say is taken so:

- Poses called w2c, world_to_camera, world_2_cam and the like are world to camera; so are
  extrinsics, viewmat, T_cw, Rt, and R with t, as in K [R | t], and, if there is none of these,
  `matrix`, `transform`, T and a matrix straight under the frame. c2w, camera_to_world, cam2world,
  pose, camera_pose and T_wc are camera to world. w2c or c2w before or after another name says the
  direction too, as in cam_R_w2c.
- What stands under the name of a pose has its direction: {"c2w": {"0000": {"matrix": ...}}}. So has
  a name that only implies one where a text says another: {"type": "c2w"}.
- With `position`, `rotation` and quaternions are camera to world, as in the cameras.json of
  3D Gaussian Splatting, and R, rvec and qvec world to camera.
- Axes are OpenCV's, but OpenGL's under transform_matrix, or as `convention`, `coordinate_system` or
  the like says; one that is neither is refused, as is a `camera_model` of another lens.
- A matrix with the translation in its last row is transposed, as world_view_transform of 3D
  Gaussian Splatting always is.
- Where a frame has several poses, those with the names that say most must agree and count.
- Lengths are as in the file: cam_t_w2c of the BOP benchmark is in millimetres.
- Principal points are those of OpenCV, integers at pixel centres, but counted from the image's edge
  beside fl_x and in transforms.json.
- `fov` is across the image, in radians up to pi and in degrees beyond.
- A lens whose coefficients are all zero is a pinhole, but for a fisheye; two negative focal lengths
  turn the camera by 180 degrees about its axis.
- What a frame says of its focal lengths, or of its distortion, counts as a whole before what is
  said of all frames. The latter is of the size that is said of all frames, and scaled to that of
  the frame.
- Intrinsics are of the size that the file says, or of the one wanted if it says none; then the
  principal point must be about its centre. Else it may be outside of the image. `hw` and `wh` say
  their order; another pair, such as `size`, is (H, W) or (W, H), whichever fits what is wanted.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.frames import frame_of, frame_of_number
from sf3d_jax.data._files.json import Json, outline, read_json, write_json
from sf3d_jax.data.cameras.by_content.fields import MissingError, camera_of
from sf3d_jax.data.cameras.by_content.labels import named_frames
from sf3d_jax.data.cameras.by_content.path import cameras_of_path, is_camera_path
from sf3d_jax.data.cameras.by_content.poses import OURS
from sf3d_jax.data.cameras.by_content.result import FrameCamera
from sf3d_jax.data.cameras.by_content.table import Table, collect
from sf3d_jax.data.cameras.checks import CameraArgument, Size, camera_argument
from sf3d_jax.data.cameras.keys import refuse_unknown
from sf3d_jax.data.cameras.transforms import is_transforms, list_frames, read_tree

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

__all__ = ["FrameCamera", "read_json_cameras", "write_json_cameras"]

_TRANSFORMS = "transforms.json (camera to world, OpenGL)"
_MIRRORED = ", in the mirror image of its world, x -> -x, as one focal length is negative"


def read_json_cameras(path: PathLike, size: Size | None = None) -> tuple[FrameCamera, ...]:
    """Reads the cameras of a sequence.

    Args:
      path: of the file.
      size: (H, W) of the images. If the file has another one, the cameras are resized, areas onto
        areas. None takes the size that the file has.

    Returns:
      One camera a frame in the order of their numbers, or the one that all frames have.

    Raises:
      FormatError: the file is no JSON or of no known form, or can be read in two ways, a pose is no
        rotation and translation, a frame lacks a part, intrinsics do not fit the image, the sizes
        do not differ by a common factor, or a key beside a camera is not known.
      ValueError: size is no pair of positive integers.
    """
    from sf3d_jax.camera import check_size

    size = None if size is None else check_size(size)
    return cameras_of(path, read_json(path), size)


def cameras_of(path: PathLike, tree: Json, size: Size | None) -> tuple[FrameCamera, ...]:
    """The cameras of a file that was read; else as `read_json_cameras`."""
    if (cameras := _transforms(path, tree, size)) is not None:
        return cameras
    if is_camera_path(tree):
        return cameras_of_path(path, tree, size)
    table = collect(path, tree)
    try:
        cameras = _cameras(path, table, size)
    except MissingError as error:
        raise FormatError(path, f"{error}", outline(tree), missing=error.missing) from None
    refuse_unknown(path, "the file", table.unknown)
    return cameras


def _cameras(path: PathLike, table: Table, size: Size | None) -> tuple[FrameCamera, ...]:
    """The cameras of a table, the one of all frames or one a frame."""
    if not table.frames:
        return (FrameCamera(None, *camera_of(path, "all frames", {}, table.shared, size)),)
    return tuple(
        FrameCamera(
            frame.name,
            *camera_of(path, f"frame {frame.name}", own, table.shared, size),
            named=frame.named,
        )
        for _, (frame, own) in sorted(table.frames.items())
    )


def write_json_cameras(path: PathLike, cameras: Mapping[str, "Camera"]) -> None:
    """Writes cameras by frame, of which `read_json_cameras` gives back every bit.

    A lens of OpenCV's whose coefficients are all zero is read as a pinhole.

        {"convention": ..., "size": [H, W], "frames": {"0000": {"K": [3, 3],
         "world_to_camera": [3, 4], "model": "opencv", "distortion": [..]}, ...}}

    Args:
      path: of the file.
      cameras: by frame, such as 0007; at least one, all of one size.

    Raises:
      TypeError: it is no mapping, a name is no string, or a value is no camera.
      ValueError: there is none, sizes differ, a name is not that of a frame or twice, a camera is a
        batch or has numbers that none has, or its pose is no rotation and translation.
    """
    if not isinstance(cameras, Mapping) or not all(isinstance(name, str) for name in cameras):
        raise TypeError("cameras: expected a mapping from names of frames such as '0007'")
    if not cameras:
        raise ValueError("cameras: expected at least one, got none")
    checked = {name: camera_argument(f"cameras[{name!r}]", x) for name, x in cameras.items()}
    sizes = {camera.size for camera in checked.values()}
    if len(sizes) > 1:
        raise ValueError(f"cameras: expected one size, got {sorted(sizes)}")
    frames = [frame_of(name) for name in cameras]
    if len({frame.number for frame in frames if frame is not None}) < len(cameras):
        raise ValueError(f"cameras: expected frames with numbers, got {list(cameras)[:8]}")
    tree = {name: _written(camera) for name, camera in checked.items()}
    size = list(next(iter(sizes)))
    write_json(path, {"convention": OURS, "size": size, "frames": tree})


def _transforms(path: PathLike, tree: Json, size: Size | None) -> tuple[FrameCamera, ...] | None:
    """The cameras of a transforms.json, wrapped or not; None where it is something else."""
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
            "one camera a timestep; `read_transforms` reads several",
            f"camera_index {found}",
        )
    names = named_frames(path, list_frames(tree) or [])
    if names is None and len(read) == 1:
        return (FrameCamera(None, read[0].camera, form),)
    frames = names or [frame_of_number(i, named=False) for i in range(len(read))]
    pairs = sorted(zip(frames, read, strict=True), key=lambda pair: pair[0].number)
    return tuple(FrameCamera(frame.name, x.camera, form, frame.named) for frame, x in pairs)


def _written(camera: CameraArgument) -> dict[str, Json]:
    """One camera as an object."""
    fx, fy, cx, cy = camera.optics
    k = [[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]]
    tree = {"K": k, "world_to_camera": camera.pose.tolist()}
    if camera.distortion is None:
        return tree
    return {**tree, "model": camera.model, "distortion": camera.distortion}
