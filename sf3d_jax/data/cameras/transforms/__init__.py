"""The transforms.json of NeRF, instant-ngp, nerfstudio, VHAP, GaussianAvatars and NeRFace.

    {"camera_angle_x": 0.69, "frames": [{"file_path": "./train/r_0", "transform_matrix": ...}]}
    {"fl_x": .., "fl_y": .., "cx": .., "cy": .., "w": .., "h": .., "k1": .., "frames": [...]}

`transform_matrix` takes a camera with OpenGL's axes (x right, y up, z back) to the world, unless
`convention` or the like says OpenCV; cameras here have OpenCV's. The intrinsics stand in the frame
or, for all frames, beside them; what a frame says counts as a whole before them, and theirs are
scaled to a frame of another w and h. The focal length in pixels is fl_x or .5 w / tan(a / 2) with a
being camera_angle_x in radians or x_fov in degrees. The principal point is counted from the image's
edge, w/2 being its centre, so half a pixel is subtracted; without one it is the centre. k1 k2 p1 p2
k3 are OpenCV's distortion, as are k4 k5 k6 if all are given, and k1 to k4 that of its fisheye where
`camera_model` is OPENCV_FISHEYE or `is_fisheye` is true, as in nerfstudio and instant-ngp;
`distortion_params` has k1 k2 k3 k4 p1 p2. VHAP adds `timestep_index`, `camera_index` and
`fg_mask_path`. The `test_frames` of ScanNet++ follow the frames. Other keys are those that `keys`
lists, or are refused.

NeRFace's `intrinsics` are fx, fy in pixels and cx, cy per width and height. Where fx and fy are
negative the camera is turned by 180 degrees about its axis. Where only one of NeRFace's is, its
world is mirrored, and what is returned are the cameras in the mirror image of it, x -> -x, in which
they are rotated and see the same images.
"""

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sf3d_jax.data._files import CALLER, FormatError, PathLike
from sf3d_jax.data._files.json import Json, outline, read_json
from sf3d_jax.data.cameras.batches import check_focal, make_batch, split_batch
from sf3d_jax.data.cameras.checks import Size, resize_camera
from sf3d_jax.data.cameras.flipped import is_turned, turn_flipped
from sf3d_jax.data.cameras.keys import is_harmless, refuse_unknown, unknown_keys
from sf3d_jax.data.cameras.transforms import intrinsics, lenses
from sf3d_jax.data.cameras.transforms import poses as transforms_poses
from sf3d_jax.data.cameras.transforms.columns import File, level, places
from sf3d_jax.data.cameras.transforms.frame import TransformsFrame
from sf3d_jax.data.cameras.transforms.images import sizes_of_images
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


class Frames(NamedTuple):
    """What a transforms.json holds.

    Attributes:
      frames: in the order of the file.
      is_mirrored: whether the cameras are those of the mirror image of its world, x -> -x.
    """

    frames: tuple[TransformsFrame, ...]
    is_mirrored: bool


def read_transforms(path: PathLike, *, size: Size | None = None) -> tuple[TransformsFrame, ...]:
    """Reads a transforms.json.

    Args:
      path: of the file.
      size: (H, W) of the images. If the file has another one, the cameras are resized, areas onto
        areas. If neither is given, each frame has the size of its own image, which lies where the
        file says.

    Returns:
      The frames in the order of the file, those of `test_frames` last, none where its list `frames`
      is empty; cameras in float64, integers at pixel centres. Where one of NeRFace's two focal
      lengths is negative, as its exporter writes them, the file's world is left-handed: the cameras
      are those of its mirror image, in which the point (x, y, z) of the file is (-x, y, z). The
      images are the same.

    Raises:
      FormatError: the file is not a transforms.json, a pose is not a rotation and translation,
        nobody says the size or it differs by no common factor, the intrinsics are those of another
        size, a lens is of another model, or a key beside a camera is not known.
      ValueError: size is not a pair of positive integers.
    """
    from sf3d_jax.camera import check_size

    size = None if size is None else check_size(size)
    return frames_of(path, read_json(path), size)


def list_frames(tree: Json) -> list[Json] | None:
    """The frames of a transforms.json, those of `test_frames` last.

    Args:
      tree: of a JSON file.

    Returns:
      What is in the lists; None where there is no list `frames`.
    """
    frames = tree.get(_FRAMES) if isinstance(tree, dict) else None
    if not isinstance(frames, list) or not isinstance(tree, dict):
        return None
    others = tree.get(_TEST_FRAMES)
    return [*frames, *others] if isinstance(others, list) else frames


def is_transforms(tree: Json) -> bool:
    """Whether every frame has a transform_matrix, and the first one a focal length of this format.

    Args:
      tree: of a JSON file.
    """
    frames = list_frames(tree)
    if not frames:
        return False
    posed = all(isinstance(frame, dict) and transforms_poses.KEY in frame for frame in frames)
    return posed and any(key in tree or key in frames[0] for key in FOCAL_KEYS)


def is_broken_transforms(tree: Json) -> bool:
    """Whether a file that cannot be read was meant for this format, for the choice of the error.

    Args:
      tree: of a JSON file.

    Returns:
      True if the list `frames` is empty, or there is any key of this format.
    """
    frames = list_frames(tree)
    if frames is None:
        return False
    keys = {key for node in (tree, *frames) if isinstance(node, dict) for key in node}
    return not frames or not keys.isdisjoint({transforms_poses.KEY, *FOCAL_KEYS})


def frames_of(path: PathLike, tree: Json, size: Size | None) -> tuple[TransformsFrame, ...]:
    """The frames of a transforms.json that was read; else as `read_transforms`."""
    return read_tree(path, tree, size).frames


def read_tree(path: PathLike, tree: Json, size: Size | None) -> Frames:
    """What a transforms.json that was read holds; else as `read_transforms`."""
    frames = list_frames(tree)
    if frames is None:
        raise FormatError(path, "a list `frames` of at least one frame", outline(tree))
    for i, frame in enumerate(frames):
        if not isinstance(frame, dict):
            raise FormatError(path, f"an object as frame {i}", outline(frame))
    if not frames:
        return Frames((), is_mirrored=False)
    lists = (_FRAMES, _TEST_FRAMES)
    rest = {k: x for k, x in tree.items() if k not in lists or not isinstance(x, list)}
    file = File(level(path, frames), level(path, [rest]))
    images = file.text(_IMAGE)
    sizes, told = _sizes(file, images, size)
    found, poses, lens = read_intrinsics(file, sizes, told), read_poses(file), read_lenses(file)
    _refuse_unknown(file)
    cameras = _cameras(file, found, poses, lens, size)
    indices = [file.whole_numbers(key) for key in _INDICES]
    columns = zip(cameras, images, *indices, file.text(*_MASKS), strict=True)
    is_mirrored = not is_turned(found.focal).all()
    return Frames(tuple(itertools.starmap(TransformsFrame, columns)), is_mirrored)


def _sizes(
    file: File, images: list[str | None], size: Size | None
) -> tuple[np.ndarray, np.ndarray]:
    """The size of each frame, [N, 2], and where the file says it, [N]."""
    own, common = file.frames.sizes(), file.root.sizes()
    said = np.where(np.isnan(own).all(-1, keepdims=True), common, own)
    told = np.asarray(~np.isnan(said).any(-1))
    other = np.full_like(said, np.nan) if size is None else np.broadcast_to(size, said.shape)
    if size is None and not told.all():
        other = sizes_of_images(file.path, images, ~told)
    sizes = np.where(told[:, None], said, other)
    for i in places(np.isnan(sizes).any(-1)):
        raise FormatError(
            file.path,
            f"w and h of {file.frames.where(i)}, or {CALLER['size']}, or an image",
            "none of them" if np.isnan(said[i]).all() else "only one of them",
            missing="size",
        )
    for i in places((said != sizes).any(-1) & ~told & ~np.isnan(said).all(-1)):
        expected = f"w and h of {file.frames.where(i)}"
        found = f"one of them, not that of the images of {sizes[i, 1]:g} x {sizes[i, 0]:g} pixels"
        if (said[i] != sizes[i])[~np.isnan(said[i])].any():
            raise FormatError(file.path, expected, found)
    return sizes, told


def _refuse_unknown(file: File) -> None:
    """Refuses keys beside a camera that are not known; most files have no such key at all."""
    for nodes, where in ((file.root, "the file"), (file.frames, "")):
        unknown = {key for key in nodes.keys - _UNDERSTOOD if not is_harmless(key)}
        unknown = {key for key in unknown if not is_convention(key)}
        if unknown:
            for i, node in enumerate(nodes.nodes):
                asked = {key: x for key, x in node.items() if key in unknown}
                refuse_unknown(file.path, where or nodes.where(i), unknown_keys(asked, ()))


def _cameras(
    file: File, found: Intrinsics, poses: np.ndarray, lens: list[Lens], size: Size | None
) -> list["Camera"]:
    """The cameras, checked together, and resized where another size is wanted."""
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
    """Refuses negative focal lengths that make no camera."""
    turned = is_turned(found.focal)
    for i in places((found.focal < 0).any(-1)):
        if not (turned[i] or found.relative[i]) or lens[i][0] != "pinhole":
            expected = (
                f"positive focal lengths in {file.frames.where(i)}, or two negative ones of a "
                "pinhole; one alone mirrors the image, which no rotation does"
            )
            raise FormatError(file.path, expected, f"{found.focal[i].tolist()}")
    if turned.any() and not turned.all():
        expected = "one negative focal length in all frames or in none, as it mirrors the world"
        raise FormatError(file.path, expected, f"some in {int((~turned).sum())} of {file.length}")
