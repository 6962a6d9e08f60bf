"""The transforms.json of NeRF, instant-ngp, nerfstudio, VHAP, GaussianAvatars and NeRFace.

    {"camera_angle_x": 0.69, "frames": [{"file_path": "./train/r_0", "transform_matrix": ...}]}
    {"fl_x": .., "fl_y": .., "cx": .., "cy": .., "w": .., "h": .., "k1": .., "frames": [...]}

`transform_matrix` is camera to world with OpenGL's axes (x right, y up, z back), unless
`convention` or a similar key says OpenCV; the cameras returned have OpenCV's axes. Intrinsics stand
in each frame, or once beside the frames for all of them. A frame that has any replaces the common
ones as a whole; common ones are scaled to a frame of another w and h. The focal length in pixels is
fl_x, or .5 w / tan(a / 2) where a is camera_angle_x in radians or x_fov in degrees. The principal
point is counted from the image's edge (its centre is w/2), so half a pixel is subtracted; it
defaults to the centre. k1 k2 p1 p2 k3 are OpenCV's distortion, extended by k4 k5 k6 if all are
given; k1 to k4 are OpenCV's fisheye coefficients where `camera_model` is OPENCV_FISHEYE or
`is_fisheye` is true, as in nerfstudio and instant-ngp. `distortion_params` is k1 k2 k3 k4 p1 p2.
VHAP adds `timestep_index`, `camera_index` and `fg_mask_path`. The `test_frames` of ScanNet++ follow
the frames. Any other key must be on the list of harmless keys in `keys`, or is refused.

NeRFace's `intrinsics` are fx, fy in pixels and cx, cy as fractions of width and height. If fx and
fy are both negative, the camera is turned by 180 degrees about its axis. If only one is, the file's
world is mirrored; the cameras returned are those of its mirror image, x -> -x, where their poses
are proper rotations and they see the same images.
"""

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sf3d_jax.data._files import CALLER, FormatError, PathLike
from sf3d_jax.data._files.json import Json, outline, read_json
from sf3d_jax.data.cameras.batches import check_focal, make_batch, split_batch
from sf3d_jax.data.cameras.checks import Size, resize_camera
from sf3d_jax.data.cameras.flipped import is_turned, turn_flipped
from sf3d_jax.data.cameras.keys import find_unknown_keys, is_harmless, refuse_unknown
from sf3d_jax.data.cameras.transforms import intrinsics, lenses
from sf3d_jax.data.cameras.transforms import poses as transforms_poses
from sf3d_jax.data.cameras.transforms.columns import File, find_true, make_level
from sf3d_jax.data.cameras.transforms.frame import TransformsFrame
from sf3d_jax.data.cameras.transforms.images import read_image_sizes
from sf3d_jax.data.cameras.transforms.intrinsics import FOCAL_KEYS, Intrinsics, read_intrinsics
from sf3d_jax.data.cameras.transforms.lenses import Lens, read_lenses
from sf3d_jax.data.cameras.transforms.poses import is_convention, read_poses
from sf3d_jax.data.cameras.transforms.writing import write_transforms

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

__all__ = ["TransformsFrame", "read_transforms", "write_transforms"]

_FRAMES, _TEST_FRAMES = "frames", "test_frames"
_IMAGE = "file_path"
_INDICES = ("timestep_index", "camera_index")
_MASKS = ("fg_mask_path", "mask_path")
_UNDERSTOOD = frozenset(
    (*intrinsics.KEYS, *lenses.KEYS, transforms_poses.KEY, _IMAGE, *_INDICES, *_MASKS)
)


class ParsedFrames(NamedTuple):
    """Contents of a transforms.json.

    Attributes:
      frames: the frames, in the order of the file.
      is_mirrored: whether the cameras are those of the mirror image of the file's world, x -> -x.
    """

    frames: tuple[TransformsFrame, ...]
    is_mirrored: bool


def read_transforms(path: PathLike, *, size: Size | None = None) -> tuple[TransformsFrame, ...]:
    """Reads the transforms.json of NeRF, instant-ngp, nerfstudio, VHAP or NeRFace.

    The file's `transform_matrix` is camera to world with OpenGL's axes unless it says otherwise;
    the cameras returned are world to camera with OpenCV's (x right, y down, z forward).

    Args:
      path: file to read.
      size: (H, W) of the images. If the file has a different size, the cameras are resized so that
        the full image areas coincide. If neither is given, the size of each frame is read from its
        own image file.

    Returns:
      The frames in the order of the file, those of `test_frames` last; empty if its list `frames`
      is. Cameras are float64, with integers at pixel centres. If exactly one of NeRFace's two focal
      lengths is negative, as its exporter writes them, the file's world is left-handed: the cameras
      are those of its mirror image, where the file's point (x, y, z) is (-x, y, z), and the images
      are unchanged.

    Raises:
      FormatError: the file is not a transforms.json, a pose is not a rotation and translation,
        the size is missing or differs by no common factor, the intrinsics belong to another
        size, a lens model is not supported, or a key beside a camera is unknown.
      ValueError: size is not a pair of positive integers.
    """
    from sf3d_jax.camera import check_size

    size = None if size is None else check_size(size)
    return build_frames(path, read_json(path), size)


def list_frames(tree: Json) -> list[Json] | None:
    """Lists the frames of a transforms.json, those of `test_frames` last.

    Args:
      tree: contents of a JSON file.

    Returns:
      The entries of both lists; None if there is no list `frames`.
    """
    frames = tree.get(_FRAMES) if isinstance(tree, dict) else None
    if not isinstance(frames, list) or not isinstance(tree, dict):
        return None
    others = tree.get(_TEST_FRAMES)
    return [*frames, *others] if isinstance(others, list) else frames


def is_transforms(tree: Json) -> bool:
    """Whether every frame has a transform_matrix, and the root or frame 0 a focal length.

    Args:
      tree: contents of a JSON file.
    """
    frames = list_frames(tree)
    if not frames:
        return False
    posed = all(isinstance(frame, dict) and transforms_poses.KEY in frame for frame in frames)
    return posed and any(key in tree or key in frames[0] for key in FOCAL_KEYS)


def is_broken_transforms(tree: Json) -> bool:
    """Whether an unreadable file was meant to be a transforms.json; decides which error to raise.

    Args:
      tree: contents of a JSON file.

    Returns:
      True if the list `frames` is empty, or if any key belongs to this format.
    """
    frames = list_frames(tree)
    if frames is None:
        return False
    keys = {key for node in (tree, *frames) if isinstance(node, dict) for key in node}
    return not frames or not keys.isdisjoint({transforms_poses.KEY, *FOCAL_KEYS})


def build_frames(path: PathLike, tree: Json, size: Size | None) -> tuple[TransformsFrame, ...]:
    """Builds the frames of `read_transforms` from the parsed file."""
    return read_tree(path, tree, size).frames


def read_tree(path: PathLike, tree: Json, size: Size | None) -> ParsedFrames:
    """Builds the frames of `read_transforms` from the parsed file, and whether it is mirrored."""
    frames = list_frames(tree)
    if frames is None:
        raise FormatError(path, "a list `frames` of at least one frame", outline(tree))
    for i, frame in enumerate(frames):
        if not isinstance(frame, dict):
            raise FormatError(path, f"an object as frame {i}", outline(frame))
    if not frames:
        return ParsedFrames((), is_mirrored=False)
    lists = (_FRAMES, _TEST_FRAMES)
    rest = {k: x for k, x in tree.items() if k not in lists or not isinstance(x, list)}
    file = File(make_level(path, frames), make_level(path, [rest]))
    images = file.text(_IMAGE)
    sizes, told = _find_sizes(file, images, size)
    found, poses, lens = read_intrinsics(file, sizes, told), read_poses(file), read_lenses(file)
    _refuse_unknown(file)
    cameras = _make_cameras(file, found, poses, lens, size)
    indices = [file.whole_numbers(key) for key in _INDICES]
    columns = zip(cameras, images, *indices, file.text(*_MASKS), strict=True)
    is_mirrored = not is_turned(found.focal).all()
    return ParsedFrames(tuple(itertools.starmap(TransformsFrame, columns)), is_mirrored)


def _find_sizes(
    file: File, images: list[str | None], size: Size | None
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the size of each frame, [N, 2], and whether the file states it, [N]."""
    own, common = file.frames.sizes(), file.root.sizes()
    said = np.where(np.isnan(own).all(-1, keepdims=True), common, own)
    told = np.asarray(~np.isnan(said).any(-1))
    other = np.full_like(said, np.nan) if size is None else np.broadcast_to(size, said.shape)
    if size is None and not told.all():
        other = read_image_sizes(file.path, images, ~told)
    sizes = np.where(told[:, None], said, other)
    for i in find_true(np.isnan(sizes).any(-1)):
        raise FormatError(
            file.path,
            f"w and h of {file.frames.where(i)}, or {CALLER['size']}, or an image",
            "none of them" if np.isnan(said[i]).all() else "only one of them",
            missing="size",
        )
    for i in find_true((said != sizes).any(-1) & ~told & ~np.isnan(said).all(-1)):
        expected = f"w and h of {file.frames.where(i)}"
        found = f"one that differs from the images' {sizes[i, 1]:g} x {sizes[i, 0]:g} pixels"
        if (said[i] != sizes[i])[~np.isnan(said[i])].any():
            raise FormatError(file.path, expected, found)
    return sizes, told


def _refuse_unknown(file: File) -> None:
    """Refuses unknown keys beside a camera; most files have none."""
    for nodes, where in ((file.root, "the file"), (file.frames, "")):
        unknown = {key for key in nodes.keys - _UNDERSTOOD if not is_harmless(key)}
        unknown = {key for key in unknown if not is_convention(key)}
        if unknown:
            for i, node in enumerate(nodes.nodes):
                asked = {key: x for key, x in node.items() if key in unknown}
                refuse_unknown(file.path, where or nodes.where(i), find_unknown_keys(asked, ()))


def _make_cameras(
    file: File, found: Intrinsics, poses: np.ndarray, lens: list[Lens], size: Size | None
) -> list["Camera"]:
    """Builds the cameras in batches, resized if the caller asked for another size."""
    check_focal(file.path, file.frames.where, np.abs(found.focal))
    _check_flipped(file, found, lens)
    focal, poses = turn_flipped(found.focal, poses)
    kinds: dict[tuple[float, float, str, int], list[int]] = {}
    for i, (sides, (model, values)) in enumerate(zip(found.sizes.tolist(), lens, strict=True)):
        kinds.setdefault((*sides, model, len(values or ())), []).append(i)
    cameras: dict[int, Camera] = {}
    for (height, width, model, count), at in kinds.items():
        coefficients = [lens[i][1] or () for i in at] if count else None
        own = int(height), int(width)
        batch = make_batch(focal[at], found.point[at], poses[at], own, model, coefficients)
        where = file.frames.where(at[0])
        batch = batch if size is None else resize_camera(file.path, where, batch, size)
        cameras.update(zip(at, split_batch(batch), strict=True))
    return [cameras[i] for i in range(file.length)]


def _check_flipped(file: File, found: Intrinsics, lens: list[Lens]) -> None:
    """Refuses negative focal lengths that do not describe a camera."""
    turned = is_turned(found.focal)
    for i in find_true((found.focal < 0).any(-1)):
        if not (turned[i] or found.relative[i]) or lens[i][0] != "pinhole":
            expected = (
                f"positive focal lengths in {file.frames.where(i)}, or two negative ones of a "
                "pinhole; one alone mirrors the image, which no rotation does"
            )
            raise FormatError(file.path, expected, f"{found.focal[i].tolist()}")
    if turned.any() and not turned.all():
        expected = "one negative focal length in all frames or in none, as it mirrors the world"
        raise FormatError(file.path, expected, f"some in {int((~turned).sum())} of {file.length}")
