"""Random crops, flips and scales of a sample that keep its geometry consistent.

Changing a sample and computing its scene flow give the same result in either order. All frames of a
`Sequence` get the same change, as if its pairs were changed with one key.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._checks import check_key
from sf3d_jax._numerics import (
    Leaf,
    Tree,
    align_ranks,
    and_valid,
    channels,
    compute_once,
    is_in_range,
    is_positive_finite,
    jit,
    mask,
    narrow,
    widen,
)
from sf3d_jax.camera import Camera, Size, check_size, scale_camera, shift_camera
from sf3d_jax.conversion.scene_flow import image_motion, scene_flow
from sf3d_jax.samples import (
    S,
    Sample,
    Sequence,
    as_pairs,
    check_sample,
    map_cameras,
    map_pixels,
    present_fields,
)
from sf3d_jax.warping.resizing import Footprint, find_footprint, resample

Range = tuple[float, float]

_IMAGES = ("image", "next_image", "images")
_DEPTHS = ("inv_depth", "next_inv_depth")


def random_crop(key: jax.Array, sample: S, size: Size) -> S:
    """Crops all frames to the same window at a random place: x[top : top + h, left : left + w].

    Args:
      key: a key of jax.random.
      sample: sample or sequence with maps (*b, H, W) or (*b, H, W, C).
      size: (h, w) of the window, static.

    Returns:
      The sample of the window, with the cameras of the window. Values do not change.

    Raises:
      ValueError: the window is larger than the maps.
    """
    return _crop(key, sample, size=check_size(size))


def _crop_at_random(key: jax.Array, sample: S, size: Size) -> S:
    check_key(key)
    old = check_sample(sample)[-2:]
    if size[0] > old[0] or size[1] > old[1]:
        raise ValueError(f"size: expected at most {old}, got {size}")
    limits = jnp.array(old) - jnp.array(size) + 1
    top, left = jax.random.randint(key, (2,), 0, limits)

    def window(x: jax.Array, axis: int) -> jax.Array:
        x = lax.dynamic_slice_in_dim(x, top, size[0], x.ndim + axis)
        return lax.dynamic_slice_in_dim(x, left, size[1], x.ndim + axis + 1)

    return map_cameras(lambda c: c.crop(top, left, size), map_pixels(window, sample))


_crop = jit(_crop_at_random, static=("size",))


@jit
def random_flip(key: jax.Array, sample: S, *, probability: float = 0.5) -> S:
    """Mirrors all frames, and with them the world, left to right: u' = W - 1 - u, x' = -x.

    Args:
      key: a key of jax.random.
      sample: sample or sequence with maps (*b, H, W) or (*b, H, W, C).
      probability: probability of mirroring.

    Returns:
      The sample unchanged, or mirrored: the order of columns is reversed, u of flows and x of scene
      flows change sign, and cameras are those of `Camera.flip`. Exact to the bit.
    """
    check_key(key)
    check_sample(sample)
    flipped = jax.random.uniform(key) < jnp.asarray(probability, float)
    mirrored = map_pixels(lambda x, axis: jnp.flip(x, axis + 1), sample)
    mirrored = map_cameras(Camera.flip, mirrored)
    signed: dict[str, Leaf] = {}
    for name, x in present_fields(mirrored, "flow", "scene_flow").items():
        signs = jnp.array([-1, *[1] * (x.shape[-1] - 1)], x.dtype)
        signed[name] = x * align_ranks(signs, rank=x.ndim)[0]
    mirrored = dataclasses.replace(mirrored, **signed)
    return jax.tree.map(lambda a, b: jnp.where(flipped, a, b), mirrored, sample)


def random_scale(
    key: jax.Array,
    sample: S,
    size: Size,
    *,
    log2_scale: Range = (-0.2, 0.5),
    log2_stretch: float = 0.2,
) -> S:
    """Scales all frames by random factors along u and v, and crops them to a random window.

    The factor of each axis is 2^(s + t) with s from U(*log2_scale), shared by both axes, and t from
    U(-log2_stretch, log2_stretch), but at least the factor at which the frame fills the window.
    Pixels are areas: u' = (u + 1/2) factor - 1/2 - left.

    - Images: linear; averaged over areas where they shrink.
    - Inverse depth d: linear on one surface, which is exact for planes; nearest pixel at edges.
    - Scene flow V: mean(d V) / mean(d) with the weights of d; exact for planes in affine motion.
    - Flow with inverse-depth change: lifted to V, then projected with the new cameras.
    - Flow alone: linear, multiplied by the factors.
    - Masks: nearest pixel.

    Args:
      key: a key of jax.random.
      sample: sample or sequence with maps (*b, H, W) or (*b, H, W, C).
      size: (h, w) of the window, static; may be larger than the maps.
      log2_scale: smallest and largest s.
      log2_stretch: largest |t|.

    Returns:
      The sample of the window, each map in its dtype, and always with `valid`. It is False where
      the nearest pixel has no motion; motion is 0 there. Images are 0 where they use non-finite
      pixels.

    Raises:
      ValueError: log2_scale is not a pair, or an inverse-depth change comes without the flow,
        inverse depth and camera that it needs.
    """
    if np.shape(log2_scale) != (2,):
        raise ValueError(f"log2_scale: expected (least, greatest), got {log2_scale}")
    return _scale(key, sample, log2_scale, log2_stretch, size=check_size(size))


def _scale_at_random(
    key: jax.Array, sample: S, log2_scale: Range, log2_stretch: float, size: Size
) -> S:
    check_key(key)
    *_, height, width = check_sample(sample)
    if sample.inv_depth_change is not None:
        camera = "cameras" if isinstance(sample, Sequence) else "camera"
        for name in ("flow", "inv_depth", camera):
            if getattr(sample, name) is None:
                raise ValueError(f"sample.{name}: needed to scale sample.inv_depth_change")
    window = _draw_window(key, (height, width), size, log2_scale, log2_stretch)
    moved = map_cameras(window.camera, sample)
    maps: dict[str, Leaf] = {
        **{name: window.image(x) for name, x in present_fields(sample, *_IMAGES).items()},
        **{name: window.inv_depth(x) for name, x in present_fields(sample, *_DEPTHS).items()},
    }
    moved = dataclasses.replace(moved, **maps)
    return dataclasses.replace(moved, **_move_motion(as_pairs(sample), as_pairs(moved), window))


_scale = jit(_scale_at_random, static=("size",))


@dataclasses.dataclass(frozen=True)
class _Window:
    """A window of the scaled image: u = (u' + corner + 1/2) / scale - 1/2 on the old grid.

    Attributes:
      old: (H, W) of the old grid.
      size: (h, w) of the window.
      scale: (2,), factors along u and v.
      corner: (2,), (left, top) of the window in the scaled image, whole pixels.
    """

    old: Size
    size: Size
    scale: jax.Array
    corner: jax.Array

    def camera(self, camera: Camera) -> Camera:
        return shift_camera(scale_camera(camera, self.scale, self.old), -self.corner, self.size)

    def image(self, image: jax.Array) -> jax.Array:
        def move(a: jax.Array, shape: tuple[int, ...]) -> jax.Array:
            axes = a.ndim - 2, a.ndim - 3
            scale, shift = self.scale.astype(a.dtype), -self.corner.astype(a.dtype)
            return jax.image.scale_and_translate(a, shape, axes, scale, shift, "linear")

        return resample(image, None, self.size, move).values

    def inv_depth(self, inv_depth: jax.Array) -> jax.Array:
        (d,) = widen(inv_depth)
        known = is_positive_finite(d)
        values = self.footprint(d, known).mean(mask(known, d))
        return values.astype(inv_depth.dtype)

    def footprint(self, inv_depth: jax.Array, known: jax.Array) -> Footprint:
        """Finds the footprint of the new pixels, clipped to the outermost pixel centres."""
        height, width = self.size
        at = [
            (jnp.arange(n, dtype=inv_depth.dtype) + c + 0.5) / s - 0.5
            for n, c, s in zip(
                (width, height),
                self.corner.astype(inv_depth.dtype),
                self.scale.astype(inv_depth.dtype),
                strict=True,
            )
        ]
        u, v = (jnp.clip(x, 0, n - 1) for x, n in zip(at, self.old[::-1], strict=True))
        return find_footprint(inv_depth, known, v, u)


def _draw_window(
    key: jax.Array, old: Size, size: Size, log2_scale: Range, log2_stretch: float
) -> _Window:
    whole, window = jnp.array(old[::-1], float), jnp.array(size[::-1], float)
    of_both, of_each, of_place = jax.random.split(key, 3)
    exponent = jax.random.uniform(of_both, minval=log2_scale[0], maxval=log2_scale[1])
    stretch = jax.random.uniform(of_each, (2,), minval=-log2_stretch, maxval=log2_stretch)
    scale = jnp.maximum(2 ** (exponent + stretch), window / whole)
    # The window stays inside: a fraction of a pixel at the end is not used.
    room = jnp.maximum(jnp.floor(whole * scale - window), 0)
    corner = jnp.floor(jax.random.uniform(of_place, (2,)) * (room + 1))
    return _Window(old, size, scale, jnp.minimum(corner, room))


def _move_motion(sample: Sample, moved: Sample, window: _Window) -> dict[str, Leaf]:
    """Computes motion and masks in the window; `moved` has its cameras and inverse depth."""
    had = present_fields(sample, "flow", "inv_depth", "inv_depth_change", "scene_flow")
    cameras: Tree = sample.camera, sample.next_camera
    next_cameras: Tree = moved.camera, moved.next_camera
    maps, cameras, depth, next_cameras = widen(had, cameras, moved.inv_depth, next_cameras)
    dtype = next((x.dtype for x in maps.values()), jnp.float32)
    d = maps.get("inv_depth", jnp.ones(window.old, dtype))
    known = jnp.broadcast_to(True if sample.valid is None else sample.valid, check_sample(sample))
    carried: dict[str, jax.Array] = {
        name: maps[name] for name in ("flow", "scene_flow") if name in maps
    }
    if "inv_depth_change" in maps or "scene_flow" in maps:
        known = and_valid(known, is_positive_finite(d))
    if "inv_depth_change" in maps:
        carried["flow"], lifts = scene_flow(maps["flow"], d, maps["inv_depth_change"], *cameras)
        known = and_valid(known, lifts)
    for x in carried.values():
        known = and_valid(known, is_in_range(x).all(-1))

    # Otherwise XLA would compute them again for each corner of a footprint.
    carried = compute_once(carried)
    at = window.footprint(d, known)
    # Motion in space is weighted by d, flow is not.
    result = {
        name: _average(at, x, known, d if x.shape[-1] == 3 else jnp.ones_like(d))
        for name, x in carried.items()
    }
    valid = at.valid
    if "inv_depth_change" in maps:
        result["flow"], result["inv_depth_change"], seen = image_motion(
            result["flow"], depth, *next_cameras
        )
        valid = and_valid(valid, seen)
    elif "flow" in maps:
        scale = align_ranks(window.scale.astype(d.dtype), rank=result["flow"].ndim)[0]
        result["flow"] = result["flow"] * scale
    for name, x in result.items():
        result[name], valid = narrow(valid, x, had[name].dtype)
    result = mask(valid, result) | {"valid": valid}
    if sample.occlusion is not None:
        result["occlusion"] = sample.occlusion[(..., *at.nearest)]
    return result


def _average(at: Footprint, x: jax.Array, known: jax.Array, weight: jax.Array) -> jax.Array:
    """Averages vectors with the weights of the footprint times a weight of each pixel."""
    weight = mask(known, weight)
    total = at.mean(weight)
    total = jnp.where(at.valid, total, 1)
    means = [at.mean(weight * mask(known, c)) / total for c in channels(x)]
    return jnp.stack(means, axis=-1)
