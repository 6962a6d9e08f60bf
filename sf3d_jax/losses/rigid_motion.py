"""How rigidly neighbouring pixels move.

A body moves rigidly exactly if one vector k fits all differences between its points. With
x = X0(q) - X0(p) and s the difference of their motions,

    s = k x (x + s / 2),    k = 2 tan(angle / 2) axis,

for any angle below half a turn (Cayley), and this is linear in k. So k is fitted to the eight
neighbours by linear least squares, and the loss is the residual: the root of the weighted mean of
|s - k x (x + s / 2)|^2, in metres, as in as-rigid-as-possible energies (Sorkine and Alexa 2007).
Neighbours on another surface get little weight: e^{-r^2 / spread^2}, where r is the relative
difference of inverse depths.
"""

import dataclasses

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._checks import check_batch, check_maps
from sf3d_jax._numerics import and_valid, channels, jit, mask, widen
from sf3d_jax._numerics.cholesky import decompose, solve
from sf3d_jax._numerics.vectors import Vector, add, cross, dot, scale, subtract
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.camera.projection import pixel_grid, unproject
from sf3d_jax.losses._maps import LossMap, loss_map, mask_inputs, root, total

_NEIGHBOURS = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1) if (i, j) != (0, 0)]
# The smallest pivot of the normal equations, in units of rounding.
_NOTHING = 16
# In squared metres: neighbours closer than its root are one point.
_SMALLEST = 1e-30


@jit
def rigidity(
    vectors: jax.Array,
    inv_depth: jax.Array,
    camera: Camera,
    *,
    spread: float = 0.02,
    valid: jax.Array | None = None,
) -> LossMap:
    """How far neighbours are from moving rigidly: sqrt(mean_q w |s - k x (x + s / 2)|^2).

    x is the vector from a pixel's point to a neighbour's, s the difference of their scene flows,
    and k = 2 tan(angle / 2) axis the rotation that fits the eight neighbours best. Their weights
    are w = e^{-r^2 / spread^2}, r the relative difference of inverse depths. An as-rigid-as-
    possible energy (Sorkine and Alexa 2007).

    Args:
      vectors: (*b, H, W, 3), scene flow in metres, in the axes of the camera.
      inv_depth: (*b, H, W), inverse depth of the first frame, per metre.
      camera: first camera.
      spread: relative difference of inverse depths at which a neighbour's weight falls to 1/e.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap in metres, in the dtype of the vectors; 0 for any rigid motion. It is valid where the
      pixel and a neighbour count. Derivatives treat the weights and k as constants. For k the
      first derivative is still exact, because k minimises the loss.
    """
    check_maps(vectors=(vectors, "vectors"), inv_depth=(inv_depth, "map"), valid=(valid, "mask"))
    batch = check_camera("camera", camera)
    batch = check_batch(inv_depth=inv_depth.shape[:-2], camera=batch)
    dtype = vectors.dtype
    vectors, inv_depth, camera = widen(vectors, inv_depth, camera)
    height, width = inv_depth.shape[-2:]
    inv_depth = jnp.broadcast_to(inv_depth, (*batch, height, width))
    # Points are needed in the camera's own axes, so its pose is dropped.
    still = jnp.eye(3, 4, dtype=vectors.dtype)
    camera = dataclasses.replace(camera, world_to_camera=still)
    grid = pixel_grid((height, width)).astype(inv_depth.dtype)
    points, seen = unproject(grid, inv_depth, camera)
    known, (vectors, points) = mask_inputs(and_valid(seen, valid), vectors, points)
    inv_depth = jnp.broadcast_to(jnp.where(known, inv_depth, 1), known.shape)

    maps = *channels(points), *channels(vectors)
    pairs = [
        _pair_with_neighbour(maps, inv_depth, known, at, jnp.asarray(spread, inv_depth.dtype))
        for at in _NEIGHBOURS
    ]
    turn = lax.stop_gradient(_fit_rotation(pairs))
    whole = total([weight for weight, _, _ in pairs])
    counts = whole > 0
    errors = [subtract(s, cross(turn, _midpoint(x, s))) for _, x, s in pairs]
    left = [weight * dot(e, e) for (weight, _, _), e in zip(pairs, errors, strict=True)]
    return loss_map(root(total(left) / jnp.where(counts, whole, 1)), known & counts, dtype)


def _pair_with_neighbour(
    maps: tuple[jax.Array, ...],
    inv_depth: jax.Array,
    known: jax.Array,
    at: tuple[int, int],
    spread: jax.Array,
) -> tuple[jax.Array, Vector, Vector]:
    """A neighbour's weight, and the differences of points and of motions to it."""
    shift = lambda x: _shift(x, at)
    differences = tuple(shift(x) - x for x in maps)
    other = lax.stop_gradient(jnp.where(shift(known), shift(inv_depth), 1))
    own = lax.stop_gradient(inv_depth)
    relative = 2 * (other - own) / (other + own)
    weight = mask(known & shift(known), jnp.exp(-jnp.square(relative / spread)))
    return weight, differences[:3], differences[3:]


def _shift(x: jax.Array, at: tuple[int, int]) -> jax.Array:
    """The map that holds each pixel's neighbour at offset `at`; 0 beyond the image."""
    size = x.shape[-2:]
    padded = jnp.pad(x, [(0, 0)] * (x.ndim - 2) + [(1, 1), (1, 1)])
    return padded[..., 1 + at[0] : 1 + at[0] + size[0], 1 + at[1] : 1 + at[1] + size[1]]


def _fit_rotation(pairs: list[tuple[jax.Array, Vector, Vector]]) -> Vector:
    """k of the best fit: A k = b, with A the sum of w (|m|^2 - m m^T) and b the sum of w m x s."""
    weighted = [(weight, _midpoint(x, s), s) for weight, x, s in pairs]
    size = total([w * dot(m, m) for w, m, _ in weighted])
    counts = size > _SMALLEST
    scale = 1 / jnp.where(counts, size, 1)
    moment = lambda i, j: scale * total([w * m[i] * m[j] for w, m, _ in weighted])
    xx, xy, xz, yy, yz, zz = (
        moment(i, j) for i, j in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
    )
    sides = [(w, cross(m, s)) for w, m, s in weighted]
    b = tuple(scale * total([w * side[i] for w, side in sides]) for i in range(3))
    # The trace is 2. If the neighbours lie on a line, k along it is arbitrary: a rotation about the
    # line moves none of them.
    rows = (yy + zz,), (-xy, xx + zz), (-xz, -yz, xx + yy)
    factor, _ = decompose(rows, _NOTHING * float(jnp.finfo(scale.dtype).eps))
    return mask(counts, tuple(solve(factor, b)))


def _midpoint(x: Vector, s: Vector) -> Vector:
    """x + s / 2, the mean of the difference of two points before and after."""
    return add(x, scale(0.5, s))
