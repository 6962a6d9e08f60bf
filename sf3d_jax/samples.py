"""One sample of a data set: two images, the motion between them, and what belongs to it."""

import dataclasses
from collections.abc import Callable, Iterable

import jax

from sf3d_jax._checks import check_array, check_batch, check_mask
from sf3d_jax._numerics import Leaf, Tree
from sf3d_jax.camera import Camera, check_camera

# The maps on the first frame's grid or the next one's, with the axes that follow (*b, H, W).
_IMAGES = ("image", "next_image")
_VECTORS = {"flow": 2, "scene_flow": 3}
_SCALARS = ("inv_depth", "inv_depth_change", "next_inv_depth")
_MASKS = ("valid", "occlusion")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sample:
    """Two frames and the motion between them; a frozen pytree. What is not known is None.

    The name is for people: it is no part of the pytree, so what comes out of `jit` or
    `jax.tree.map` has none, and another name compiles nothing anew.

    Attributes:
      image: (*b, H, W, C), the first frame.
      next_image: (*b, H, W, C), the next frame.
      flow: (*b, H, W, 2), from the first frame to the next, in pixels.
      inv_depth: (*b, H, W), of the first frame, per metre; not positive where no surface is.
      inv_depth_change: (*b, H, W), 1/z1 - 1/z0 of the same point, on the first frame's grid.
      next_inv_depth: (*b, H, W), of the next frame, on the next frame's grid.
      scene_flow: (*b, H, W, 3), in metres, in the axes of the first camera.
      valid: (*b, H, W), bool, where the motion is known; everywhere if None.
      occlusion: (*b, H, W), bool, which points are hidden in the next frame.
      camera: of the first frame.
      next_camera: of the next frame; that of the first if None, as in `scene_flow`.
      scale: (*b), scaled inverse depth of the data set over inverse depth in 1/m; it is not
        applied: all maps here are per metre.
      name: of the sample; a tuple of names for a batch.
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


_IN_TREE = tuple(field.name for field in dataclasses.fields(Sample) if field.name != "name")


def _flatten(sample: Sample) -> tuple[list[Leaf], None]:
    return [getattr(sample, name) for name in _IN_TREE], None


def _flatten_with_keys(
    sample: Sample,
) -> tuple[list[tuple[jax.tree_util.GetAttrKey, Leaf]], None]:
    return [(jax.tree_util.GetAttrKey(name), getattr(sample, name)) for name in _IN_TREE], None


def _unflatten(_: None, children: Iterable[Leaf]) -> Sample:
    return Sample(**dict(zip(_IN_TREE, children, strict=True)))


# Not register_dataclass: its drop_fields does not work before JAX 0.7.2.
jax.tree_util.register_pytree_with_keys(Sample, _flatten_with_keys, _unflatten, _flatten)


def check_sample(sample: object) -> tuple[int, ...]:
    """Checks the types and shapes of a sample.

    Args:
      sample: what was passed.

    Returns:
      (*b, H, W), the shape of its scalar maps, those that broadcast to it included.

    Raises:
      TypeError: it is no sample, or a map of it has numbers of another kind.
      ValueError: it has no map, or a shape does not fit the others; the field is named.
    """
    if not isinstance(sample, Sample):
        raise TypeError(f"sample: expected a Sample, got {type(sample).__name__}")
    maps = _maps(sample)
    for name, x in maps.items():
        check = check_mask if name in _MASKS else check_array
        check(f"sample.{name}", x, (_VECTORS[name],) if name in _VECTORS else ())
    shapes = {name: x.shape[: x.ndim - _channel_axes(name)] for name, x in maps.items()}
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


def map_pixels(function: Callable[[Leaf, int], Leaf], sample: Sample) -> Sample:
    """The sample with every map x replaced by function(x, axis), `axis` being that of its rows."""
    return dataclasses.replace(
        sample,
        **{name: function(x, -2 - _channel_axes(name)) for name, x in _maps(sample).items()},
    )


def map_cameras(function: Callable[[Camera], Camera], sample: Sample) -> Sample:
    """The sample with its cameras replaced."""
    cameras = present_fields(sample, "camera", "next_camera")
    moved: dict[str, Tree] = {name: function(camera) for name, camera in cameras.items()}
    return dataclasses.replace(sample, **moved)


def present_fields(sample: Sample, *names: str) -> dict[str, Tree]:
    """Those of the fields that the sample has."""
    return {name: x for name in names if (x := getattr(sample, name)) is not None}


def _maps(sample: Sample) -> dict[str, Leaf]:
    return present_fields(sample, *_IMAGES, *_VECTORS, *_SCALARS, *_MASKS)


def _channel_axes(name: str) -> int:
    return int(name in _IMAGES or name in _VECTORS)
