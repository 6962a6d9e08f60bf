"""Samples and sequences: two or more frames, the motion between them, depth, masks and cameras."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import TypeVar

import jax

from sf3d_jax._checks import check_array, check_batch, check_mask, name_type
from sf3d_jax._numerics import Leaf, Tree
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.camera._fields import AXES, edit

# The maps of samples and sequences, with the axes that follow (*b, H, W).
_IMAGES = ("image", "next_image", "images")
_VECTORS = {"flow": 2, "scene_flow": 3}
_SCALARS = ("inv_depth", "inv_depth_change", "next_inv_depth")
_MASKS = ("valid", "occlusion")
_CAMERAS = ("camera", "next_camera", "cameras")
# The maps of a sequence with an axis of N frames; the others have one of N - 1 pairs.
_PER_FRAME = ("images", "inv_depth")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """Two frames and the motion between them; a frozen pytree. Missing fields are None.

    The name is not part of the pytree: outputs of `jit` and `jax.tree.map` have no name, and a
    new name does not trigger recompilation.

    Attributes:
      image: (*b, H, W, C), the first frame.
      next_image: (*b, H, W, C), the next frame.
      flow: (*b, H, W, 2), from the first frame to the next, in pixels.
      inv_depth: (*b, H, W), the first frame's inverse depth, per metre; positive on surfaces.
      inv_depth_change: (*b, H, W), 1/z1 - 1/z0 of the same point, on the first frame's grid.
      next_inv_depth: (*b, H, W), the next frame's inverse depth, on the next frame's grid.
      scene_flow: (*b, H, W, 3), in metres, in the axes of the first camera.
      valid: (*b, H, W), bool, where the motion is known; everywhere if None.
      occlusion: (*b, H, W), bool, True where the point is hidden in the next frame.
      camera: camera of the first frame.
      next_camera: camera of the next frame; `camera` if None.
      scale: (*b), the factor by which the data set's files multiply inverse depth; the maps here
        are already divided by it.
      name: human-readable name; a tuple of names for a batch.
    """

    image: Leaf = None
    next_image: Leaf = None
    flow: Leaf = None
    inv_depth: Leaf = None
    inv_depth_change: Leaf = None
    next_inv_depth: Leaf = None
    scene_flow: Leaf = None
    valid: Leaf = None
    occlusion: Leaf = None
    camera: Camera | None = None
    next_camera: Camera | None = None
    scale: Leaf = None
    name: str | tuple[str, ...] | None = None

    def __repr__(self) -> str:
        """The fields that are not None, arrays by dtype and shape."""
        return _describe(self)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sequence:
    """N consecutive frames and the motion from each to the next; a frozen pytree.

    Missing fields are None. The name is not part of the pytree.

    Attributes:
      images: (*b, N, H, W, C).
      flow: (*b, N - 1, H, W, 2), from each frame to the next, in pixels.
      inv_depth: (*b, N, H, W), per metre; not positive where there is no surface.
      inv_depth_change: (*b, N - 1, H, W), 1/z1 - 1/z0 of the same point, on the grid of the first
        frame of its pair.
      scene_flow: (*b, N - 1, H, W, 3), in metres, in the axes of the first camera of its pair.
      valid: (*b, N - 1, H, W), bool, where the motion is known; everywhere if None.
      occlusion: (*b, N - 1, H, W), bool, True where the point is hidden in the next frame.
      cameras: the cameras of all frames as one Camera with batch axes (*b, N), in one world frame;
        data sets use the axes of the first camera.
      scale: (*b), the factor by which the data set's files multiply inverse depth; the maps here
        are already divided by it.
      name: human-readable name; a tuple of names for a batch.
    """

    images: Leaf = None
    flow: Leaf = None
    inv_depth: Leaf = None
    inv_depth_change: Leaf = None
    scene_flow: Leaf = None
    valid: Leaf = None
    occlusion: Leaf = None
    cameras: Camera | None = None
    scale: Leaf = None
    name: str | tuple[str, ...] | None = None

    def __repr__(self) -> str:
        """The fields that are not None, arrays by dtype and shape."""
        return _describe(self)

    def pairs(self) -> Sample:
        """All N - 1 pairs of consecutive frames.

        Returns:
          A sample with batch axes (*b, N - 1) and no name. Its cameras keep the sequence's world.

        Raises:
          ValueError: the sequence has neither images nor maps, so N is unknown.
        """
        count = _count_frames(self)
        scale = None if self.scale is None else self.scale[..., None]
        return _select_frames(
            self, slice(0, count - 1), slice(1, count), slice(0, count - 1), scale
        )

    def pair(self, index: int) -> Sample:
        """One pair of consecutive frames.

        Args:
          index: index of the pair, from 0; negative counts from the last pair.

        Returns:
          A sample with batch axes (*b) and no name. Its cameras keep the sequence's world.

        Raises:
          IndexError: the sequence has no such pair.
          ValueError: the sequence has neither images nor maps, so N is unknown.
        """
        pairs = range(_count_frames(self) - 1)
        if not -len(pairs) <= index < len(pairs):
            raise IndexError(f"index {index}: the sequence has {len(pairs)} pairs")
        first = pairs[index]
        return _select_frames(self, first, first + 1, first, self.scale)


def _describe(x: Leaf) -> str:
    """One line such as Sample(image=float32[48,64,3], name='a/0'), without array contents."""
    if isinstance(x, Sample | Sequence | Camera):
        fields = {field.name: getattr(x, field.name) for field in dataclasses.fields(x)}
        known = [f"{name}={_describe(y)}" for name, y in fields.items() if y is not None]
        return f"{type(x).__name__}({', '.join(known)})"
    if hasattr(x, "shape") and hasattr(x, "dtype"):
        return f"{x.dtype}[{','.join(map(str, x.shape))}]"
    return repr(x)


S = TypeVar("S", bound=Sample | Sequence)


def _select_frames(
    sequence: Sequence, first: int | slice, after: int | slice, pair: int | slice, scale: Leaf
) -> Sample:
    """Makes a sample from the frames at `first` and `after`, and the motion at `pair`."""
    maps = _present_maps(sequence)
    own = {name: x for name, x in maps.items() if name not in _PER_FRAME}
    taken = {name: _take(x, pair, 2 + _count_channel_axes(name)) for name, x in own.items()}
    for name, field in (("images", "image"), ("inv_depth", "inv_depth")):
        if (x := maps.get(name)) is not None:
            taken[field] = _take(x, first, 2 + _count_channel_axes(name))
            taken[f"next_{field}"] = _take(x, after, 2 + _count_channel_axes(name))
    cameras: dict[str, Tree] = {}
    if sequence.cameras is not None:
        cameras["camera"] = _take_cameras(sequence.cameras, first)
        cameras["next_camera"] = _take_cameras(sequence.cameras, after)
    return Sample(**taken, **cameras, scale=scale)


def _take(x: Leaf, index: int | slice, behind: int) -> Leaf:
    """Indexes the axis that is followed by `behind` others."""
    if not isinstance(x, jax.Array):
        return x[(..., index, *[slice(None)] * behind)]
    # These take the index as a constant; x[...] would send it to the device.
    axis = x.ndim - behind - 1
    if isinstance(index, slice):
        start, stop, _ = index.indices(x.shape[axis])
        return jax.lax.slice_in_dim(x, start, stop, axis=axis)
    return jax.lax.index_in_dim(x, index, axis, keepdims=False)


def _take_cameras(cameras: Camera, index: int | slice) -> Camera:
    """Selects the cameras of some frames; values shared by all frames stay as they are."""

    def take(x: Leaf, behind: int) -> Leaf:
        if x is None or x.ndim <= behind:
            return x
        if x.shape[-behind - 1] == 1:
            return x if isinstance(index, slice) else _take(x, 0, behind)
        return _take(x, index, behind)

    taken: dict[str, Leaf] = {n: take(getattr(cameras, n), behind) for n, behind in AXES.items()}
    return edit(cameras, **taken)


def _count_frames(sequence: Sequence) -> int:
    """Counts the frames by the first map that has an axis of frames."""
    for name, x in _present_maps(sequence).items():
        if x.ndim > (behind := 2 + _count_channel_axes(name)):
            return int(x.shape[-behind - 1]) + (name not in _PER_FRAME)
    raise ValueError("sequence: expected images or maps with an axis of frames, got none")


def _register(kind: type[Sample] | type[Sequence]) -> None:
    """Registers a class as a pytree of all its fields but the name."""
    names = tuple(field.name for field in dataclasses.fields(kind) if field.name != "name")

    def flatten(x: Leaf) -> tuple[list[Leaf], None]:
        return [getattr(x, name) for name in names], None

    def flatten_with_keys(x: Leaf) -> tuple[list[tuple[jax.tree_util.GetAttrKey, Leaf]], None]:
        return [(jax.tree_util.GetAttrKey(name), getattr(x, name)) for name in names], None

    def unflatten(_: None, children: Iterable[Leaf]) -> Sample | Sequence:
        return kind(**dict(zip(names, children, strict=True)))

    # register_dataclass would be shorter, but its drop_fields does not work before JAX 0.7.2.
    jax.tree_util.register_pytree_with_keys(kind, flatten_with_keys, unflatten, flatten)


_register(Sample)
_register(Sequence)


def check_sample(sample: object) -> tuple[int, ...]:
    """Checks the types and shapes of a sample or a sequence.

    Args:
      sample: argument to check.

    Returns:
      (*b, H, W), the shape to which its scalar maps broadcast; for a sequence of N frames
      (*b, N - 1, H, W), the shape of its motion.
    """
    if isinstance(sample, Sequence):
        _check_frames(sample)
        sample = sample.pairs()
    if not isinstance(sample, Sample):
        raise TypeError(f"sample: expected a Sample or a Sequence, got {name_type(sample)}")
    maps = _present_maps(sample)
    _check_kinds("sample", maps)
    shapes = {name: x.shape[: x.ndim - _count_channel_axes(name)] for name, x in maps.items()}
    sizes = {name: shape[-2:] for name, shape in shapes.items()}
    batches = {name: shape[:-2] for name, shape in shapes.items()}
    for name, camera in present_fields(sample, "camera", "next_camera").items():
        batches[name] = check_camera(f"sample.{name}", camera)
        sizes[name] = camera.size
    for name, scale in present_fields(sample, "scale").items():
        check_array(f"sample.{name}", scale)
        batches[name] = scale.shape
    if not maps:
        raise ValueError("sample: expected an image or a map, got none")
    if len(set(sizes.values())) > 1 or min(map(len, sizes.values())) < 2:
        listed = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise ValueError(f"sample: expected maps of one size (H, W), got {listed}")
    return *check_batch(**batches), *next(iter(sizes.values()))


def _check_frames(sequence: Sequence) -> None:
    """Checks the types of a sequence's fields, and that all agree on the number of frames."""
    maps = _present_maps(sequence)
    _check_kinds("sequence", maps)
    counts = {}
    for name, x in maps.items():
        behind = 2 + _count_channel_axes(name)
        frames = x.shape[-behind - 1] if x.ndim > behind else 0
        counts[name] = frames + (name not in _PER_FRAME)
    if sequence.cameras is not None:
        batch = check_camera("sequence.cameras", sequence.cameras)
        counts["cameras"] = batch[-1] if batch else 0
    for name, scale in present_fields(sequence, "scale").items():
        check_array(f"sequence.{name}", scale)
    if len({*counts.values()}) > 1 or min(counts.values(), default=0) < 2:
        listed = ", ".join(f"{name} of {n}" for name, n in counts.items()) or "none"
        raise ValueError(
            "sequence: expected images, inverse depth and cameras of N frames, at least 2, and "
            f"motion of N - 1 pairs, got {listed} frames"
        )


def _check_kinds(what: str, maps: dict[str, Leaf]) -> None:
    for name, x in maps.items():
        check = check_mask if name in _MASKS else check_array
        check(f"{what}.{name}", x, (_VECTORS[name],) if name in _VECTORS else ())


def map_pixels(function: Callable[[Leaf, int], Leaf], sample: S) -> S:
    """Replaces every map x of a sample by function(x, axis), where `axis` is the axis of rows."""
    return dataclasses.replace(
        sample,
        **{
            name: function(x, -2 - _count_channel_axes(name))
            for name, x in _present_maps(sample).items()
        },
    )


def map_cameras(function: Callable[[Camera], Camera], sample: S) -> S:
    """Replaces every camera of a sample by function(camera)."""
    cameras = present_fields(sample, *_CAMERAS)
    moved: dict[str, Tree] = {name: function(camera) for name, camera in cameras.items()}
    return dataclasses.replace(sample, **moved)


def as_pairs(sample: Sample | Sequence) -> Sample:
    """Returns a sample as it is, and a sequence as the sample of its pairs."""
    return sample.pairs() if isinstance(sample, Sequence) else sample


def present_fields(sample: Sample | Sequence, *names: str) -> dict[str, Tree]:
    """Returns {name: value} of the named fields that are not None."""
    return {name: x for name in names if (x := getattr(sample, name, None)) is not None}


def _present_maps(sample: Sample | Sequence) -> dict[str, Leaf]:
    return present_fields(sample, *_IMAGES, *_VECTORS, *_SCALARS, *_MASKS)


def _count_channel_axes(name: str) -> int:
    return int(name in _IMAGES or name in _VECTORS)
