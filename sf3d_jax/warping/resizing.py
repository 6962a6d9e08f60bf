"""Resizing images, flows, inverse depths and masks, each without mixing what must stay separate.

Pixels are areas, as in `Camera.resize`: the centre of the new pixel u' is at
u = (u' + 0.5) W / W' - 0.5. So the resized maps belong to `camera.resize(size)`.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._checks import check_array, check_choice, check_flow, check_image, check_mask
from sf3d_jax._numerics import (
    align_ranks,
    and_valid,
    is_in_range,
    is_positive_finite,
    jit,
    mask,
    narrow,
    widen,
)
from sf3d_jax.camera import check_size
from sf3d_jax.warping._surfaces import is_one_surface, rise
from sf3d_jax.warping.sampling import bilinear_taps, sample_at

# A total weight of invalid pixels below this is rounding error.
_NO_WEIGHT = 1e-6


class Resized(NamedTuple):
    """A map on another grid.

    Attributes:
      values: the map on the new grid, (*b, *size) or (*b, *size, C); 0 where not valid.
      valid: (*b, *size), bool.
    """

    values: jax.Array
    valid: jax.Array


Method = Literal["linear", "area"]


def resize_image(image: jax.Array, size: tuple[int, int], *, method: Method = "linear") -> Resized:
    """Resizes an image without aliasing.

    The new pixel u' is at u = (u' + 0.5) W / W' - 0.5. "linear" weights old pixels by
    max(0, 1 - |distance|), measured in pixels of the coarser grid: bilinear where the image grows,
    and a mean over twice the new pixel's width where it shrinks. "area" is the mean over the area
    of the new pixel, with old pixels weighted by overlap: OpenCV's INTER_AREA for shrinking.

    Args:
      image: (*b, H, W, C).
      size: (H', W').
      method: "linear" or "area".

    Returns:
      (*b, H', W', C) in the image's dtype, valid where all pixels with a nonzero weight are finite.
      Invalid pixels are 0 and pass no gradient.

    Raises:
      ValueError: the size is not two positive integers, or the method is unknown.
    """
    check_image("image", image)
    check_choice("method", method, get_args(Method))
    return (_image if method == "linear" else _area)(image, None, size=check_size(size))


def resize_flow(
    flow: jax.Array, size: tuple[int, int], *, valid: jax.Array | None = None
) -> Resized:
    """Resizes a dense flow field: F'(u', v') = (W'/W, H'/H) F(u, v), bilinear at the new centres.

    u = (u' + 0.5) W / W' - 0.5, and v in the same way. Exact for affine flow.

    Args:
      flow: (*b, H, W, 2), in pixels.
      size: (H', W').
      valid: (*b, H, W), bool; all if None.

    Returns:
      (*b, H', W', 2), in pixels of the new grid, in the flow's dtype; valid where all vectors with
      a nonzero weight are valid and finite. Invalid pixels are 0 and pass no gradient.

    Raises:
      ValueError: the size is not two positive integers.
    """
    check_flow(flow, valid)
    return _flow(flow, valid, size=check_size(size))


def resize_sparse_flow(flow: jax.Array, size: tuple[int, int], *, valid: jax.Array) -> Resized:
    """Resizes a sparse flow field such as KITTI's: each vector moves to the new pixel it falls in.

    Vectors are scaled by (W'/W, H'/H) but not interpolated. If several fall in one pixel, the one
    nearest to its centre is kept, or the mean of those that are equally near.

    Args:
      flow: (*b, H, W, 2), in pixels.
      size: (H', W').
      valid: (*b, H, W), bool.

    Returns:
      (*b, H', W', 2), in pixels of the new grid, in the flow's dtype; valid where a valid and
      finite vector fell. Invalid pixels are 0 and pass no gradient.

    Raises:
      ValueError: the size is not two positive integers.
    """
    check_flow(flow, valid)
    return _sparse(flow, valid, size=check_size(size))


def resize_inv_depth(inv_depth: jax.Array, size: tuple[int, int]) -> Resized:
    """Resizes an inverse depth map without inventing values between two surfaces.

    Bilinear at u = (u' + 0.5) W / W' - 0.5 (exact for planes) where the four pixels around belong
    to one surface: they differ by no more than twice the local slope per pixel. Elsewhere the
    result is the nearest pixel's value.

    Args:
      inv_depth: (*b, H, W), per metre.
      size: (H', W').

    Returns:
      (*b, H', W') in the same dtype, valid where the nearest pixel has a surface. Invalid pixels
      are 0 and pass no gradient.

    Raises:
      ValueError: the size is not two positive integers.
    """
    check_array("inv_depth", inv_depth)
    if inv_depth.ndim < 2:
        raise ValueError(f"inv_depth: expected shape (..., H, W), got {inv_depth.shape}")
    return _inv_depth(inv_depth, size=check_size(size))


def resize_mask(mask: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Resizes a validity mask: True if all pixels with a nonzero weight in the new one are True.

    Args:
      mask: (*b, H, W), bool.
      size: (H', W').

    Returns:
      (*b, H', W'), bool: the validity that `resize_image` gives if False pixels are not finite.

    Raises:
      ValueError: the size is not two positive integers.
    """
    check_mask("mask", mask)
    if mask.ndim < 2:
        raise ValueError(f"mask: expected shape (..., H, W), got {mask.shape}")
    return _mask(mask, size=check_size(size))


def pyramid(image: jax.Array, levels: int) -> tuple[Resized, ...]:
    """Makes an image pyramid: level k + 1 is level k resized to half its size, rounded up.

    Args:
      image: (*b, H, W, C).
      levels: number of levels, at least 1.

    Returns:
      The levels, full size first; each is a `Resized` in the image's dtype.

    Raises:
      ValueError: levels is below 1.
    """
    check_image("image", image)
    return halve(image, None, levels)


def halve(image: jax.Array, valid: jax.Array | None, levels: int) -> tuple[Resized, ...]:
    """Makes the pyramid of an image whose valid pixels are given; all are valid if None."""
    if levels < 1:
        raise ValueError(f"levels: expected at least 1, got {levels}")
    height, width = image.shape[-3:-1]
    result = [_image(image, valid, size=(height, width))]
    for _ in range(levels - 1):
        values, known = result[-1]
        height, width = known.shape[-2:]
        half = (height + 1) // 2, (width + 1) // 2
        result.append(_image(values, known, size=half))
    return tuple(result)


def _find_factors(flow: jax.Array, size: tuple[int, int]) -> jax.Array:
    """Computes (W'/W, H'/H) in the dtype and the rank of the flow."""
    height, width = flow.shape[-3:-1]
    factors = jnp.array([size[1] / width, size[0] / height], flow.dtype)
    return align_ranks(factors, rank=flow.ndim)[0]


def resample(
    x: jax.Array,
    valid: jax.Array | None,
    size: tuple[int, int],
    move: Callable[[jax.Array, tuple[int, ...]], jax.Array],
) -> Resized:
    """Moves an image (*b, H, W, C) onto another grid; valid where all pixels used are valid.

    `move(image, shape)` must be linear and map ones to ones.
    """
    dtype = x.dtype
    (x,) = widen(x)
    usable = and_valid(is_in_range(x).all(-1), valid)
    x = mask(usable, jnp.broadcast_to(x, (*usable.shape, x.shape[-1])))
    moved = lambda a: move(a, (*usable.shape[:-2], *size, a.shape[-1]))
    whole = moved((~usable).astype(x.dtype)[..., None])[..., 0] < _NO_WEIGHT
    values, whole = narrow(whole, mask(whole, moved(x)), dtype)
    return Resized(values, whole)


def _resize_image(x: jax.Array, valid: jax.Array | None, size: tuple[int, int]) -> Resized:
    return resample(x, valid, size, lambda a, shape: jax.image.resize(a, shape, "linear"))


_image = jit(_resize_image, static=("size",))


def _resize_by_area(x: jax.Array, valid: jax.Array | None, size: tuple[int, int]) -> Resized:
    def move(a: jax.Array, shape: tuple[int, ...]) -> jax.Array:
        rows, columns = (
            jnp.asarray(_find_overlaps(length, target), a.dtype)
            for length, target in zip(a.shape[-3:-1], shape[-3:-1], strict=True)
        )
        return jnp.einsum("ih,jw,...hwc->...ijc", rows, columns, a, precision=lax.Precision.HIGHEST)

    return resample(x, valid, size, move)


def _find_overlaps(length: int, target: int) -> np.ndarray:
    """Computes the share of each old pixel in the area of each new one, (target, length)."""
    edges = np.arange(target + 1) * (length / target)
    inside = np.clip(edges[:, None] - np.arange(length), 0, 1)
    return np.diff(inside, axis=0) * (target / length)


_area = jit(_resize_by_area, static=("size",))


def _resize_mask(mask: jax.Array, size: tuple[int, int]) -> jax.Array:
    return _resize_image(jnp.zeros((*mask.shape, 1)), mask, size).valid


_mask = jit(_resize_mask, static=("size",))


def _resize_flow(flow: jax.Array, valid: jax.Array | None, size: tuple[int, int]) -> Resized:
    dtype = flow.dtype
    (flow,) = widen(flow)
    if valid is not None:
        flow = jnp.where(valid[..., None], flow, jnp.inf)  # unknown
    v, u = (
        _find_positions(length, target, flow.dtype)
        for length, target in zip(flow.shape[-3:-1], size, strict=True)
    )
    u, v = jnp.broadcast_arrays(u[None], v[:, None])
    values, whole = sample_at("flow", flow, u, v, "bilinear", "clamp")
    return Resized(*narrow(whole, values * _find_factors(flow, size), dtype))


_flow = jit(_resize_flow, static=("size",))


def _resize_sparse(flow: jax.Array, valid: jax.Array, size: tuple[int, int]) -> Resized:
    dtype = flow.dtype
    (flow,) = widen(flow)
    usable = and_valid(is_in_range(flow).all(-1), valid)
    flow = mask(usable, jnp.broadcast_to(flow, (*usable.shape, 2)))
    flow = flow * _find_factors(flow, size)
    places, offsets = [], []
    for length, target in zip(usable.shape[-2:], size, strict=True):
        position = (np.arange(length) + 0.5) * (target / length) - 0.5
        place = np.clip(np.round(position), 0, target - 1)
        places.append(place.astype(int))
        offsets.append(position - place)
    row, column = places[0][:, None], places[1]
    squared = jnp.asarray(offsets[0][:, None] ** 2 + offsets[1] ** 2, flow.dtype)

    def of_one(flow: jax.Array, usable: jax.Array) -> tuple[jax.Array, jax.Array]:
        distance = jnp.where(usable, squared, jnp.inf)
        nearest = jnp.full(size, jnp.inf, flow.dtype).at[row, column].min(distance)
        kept = (usable & (distance == nearest[row, column])).astype(flow.dtype)
        count = jnp.zeros(size, flow.dtype).at[row, column].add(kept)
        total = jnp.zeros((*size, 2), flow.dtype).at[row, column].add(flow * kept[..., None])
        return total / jnp.maximum(count, 1)[..., None], count > 0

    values, filled = jnp.vectorize(of_one, signature="(m,n,c),(m,n)->(h,w,c),(h,w)")(flow, usable)
    return Resized(*narrow(filled, values, dtype))


_sparse = jit(_resize_sparse, static=("size",))


class Footprint(NamedTuple):
    """The old pixels that make up each pixel of a new grid: up to four, all of one surface.

    Attributes:
      corners: four pairs of rows (h, 1) and columns (w).
      weights: weight of each corner, (*b, h, w); they sum to 1.
      nearest: rows and columns of the nearest old pixel.
      valid: (*b, h, w), bool, whether the nearest old pixel is known.
    """

    corners: list[tuple[jax.Array, jax.Array]]
    weights: list[jax.Array]
    nearest: tuple[jax.Array, jax.Array]
    valid: jax.Array

    def mean(self, x: jax.Array) -> jax.Array:
        """Computes the weighted mean of a map (*b, H, W), which must be finite everywhere."""
        total = jnp.zeros((), x.dtype)
        for weight, (row, column) in zip(self.weights, self.corners, strict=True):
            total = total + weight * x[..., row, column]
        return total


def find_footprint(x: jax.Array, known: jax.Array, v: jax.Array, u: jax.Array) -> Footprint:
    """Finds the footprint of new pixels at rows v, (h), and columns u, (w), of inverse depths x.

    Bilinear where all corners with a nonzero weight are known and differ by no more than twice the
    local slope per pixel; elsewhere the nearest pixel alone.
    """
    height, width = x.shape[-2:]
    x = mask(known, x)
    (row, across), (column, along) = bilinear_taps(v, height), bilinear_taps(u, width)
    rows = [jnp.minimum(row + i, height - 1)[:, None] for i in (0, 1)]
    columns = [jnp.minimum(column + j, width - 1)[None] for j in (0, 1)]
    corners = [(r, c) for r in rows for c in columns]
    weights = [a[:, None] * b[None] for a in across for b in along]
    lower, right = (across[1] > across[0])[:, None], (along[1] > along[0])[None]
    nearest = jnp.where(lower, rows[1], rows[0]), jnp.where(right, columns[1], columns[0])

    slope = rise(x, known)[(..., *nearest)]
    # Corners without weight must not influence the test, so they get the nearest value.
    at_nearest = x[(..., *nearest)]
    taps = [x[..., r, c] for r, c in corners]
    seen = jnp.stack(
        [jnp.where(w > 0, tap, at_nearest) for w, tap in zip(weights, taps, strict=True)]
    )
    low, high = (lax.stop_gradient(end(seen, 0)) for end in (jnp.min, jnp.max))
    together = (low > 0) & is_one_surface(low, high, slope)
    chosen = [(lower == i) & (right == j) for i in (False, True) for j in (False, True)]
    weights = [
        jnp.where(together, w, one.astype(w.dtype)) for w, one in zip(weights, chosen, strict=True)
    ]
    return Footprint(corners, weights, nearest, known[(..., *nearest)])


def _resize_inv_depth(inv_depth: jax.Array, size: tuple[int, int]) -> Resized:
    dtype = inv_depth.dtype
    (x,) = widen(inv_depth)
    known = is_positive_finite(x)
    v, u = (
        _find_positions(length, target, x.dtype)
        for length, target in zip(x.shape[-2:], size, strict=True)
    )
    at = find_footprint(x, known, v, u)
    return Resized(*narrow(at.valid, at.mean(mask(known, x)), dtype))


_inv_depth = jit(_resize_inv_depth, static=("size",))


def _find_positions(length: int, target: int, dtype: jnp.dtype) -> jax.Array:
    """Finds the new pixels' centres on the old grid, clipped to its outermost centres."""
    position = (np.arange(target) + 0.5) * (length / target) - 0.5
    return jnp.asarray(np.clip(position, 0, length - 1), dtype)
