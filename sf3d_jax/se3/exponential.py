"""Twists and the transforms that they lead to."""

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import channels, channels_last, jit, result_type
from sf3d_jax._numerics.vectors import Vector, add, cross, dot, scale
from sf3d_jax.se3._elements import NUMBER, TRANSFORM, TWIST, read_elements, write_elements
from sf3d_jax.se3._turns import (
    combine,
    find_factors,
    find_inverse_factor,
    join,
    split,
    to_rotation_vector,
)
from sf3d_jax.se3.transforms import between, compose


@jit
def exp(twist: jax.Array) -> jax.Array:
    """The transform that a twist (u, w) leads to in one unit of time.

    R turns by |w| radians about w, and t = V u with [w] x = w x x, angle |w|, and

        V = I + (1 - cos |w|) / |w|^2 [w] + (|w| - sin |w|) / |w|^3 [w]^2.

    Args:
      twist: (*b, 6), (translation u, rotation w). It acts from the left: exp(x) T moves what T
        moved, about the origin of T's target.

    Returns:
      (*b, 3, 4), in the same dtype; 0 where the twist is not finite.
    """
    (twist,), good, dtype = read_elements(twist=(twist, TWIST))
    parts = channels(twist)
    u, w = parts[:3], parts[3:]
    a, b, c = find_factors(dot(w, w))
    around = cross(w, u)
    t = add(u, add(scale(b, around), scale(c, cross(w, around))))
    return write_elements(join(combine(a, b, w), t), good, dtype)


@jit
def log(transform: jax.Array) -> jax.Array:
    """The twist (u, w) of a transform, with |w| <= pi: the inverse of `exp`.

    Its derivatives are finite everywhere. At half a turn both axes are right; there, the
    largest component of w is positive, and the derivative is that of the side with |w| <= pi.

    Args:
      transform: (*b, 3, 4), [R | t]; R must be a rotation.

    Returns:
      (*b, 6), (translation u, rotation w in radians), in the same dtype; 0 where the transform is
      bad.
    """
    (transform,), good, dtype = read_elements(transform=(transform, TRANSFORM))
    turn, t = split(transform)
    w = to_rotation_vector(turn)
    return write_elements(channels_last(*_straighten(w, t), *w), good, dtype)


@jit
def interpolate(a: jax.Array, b: jax.Array, t: jax.Array) -> jax.Array:
    """The transform at a time between two, on the geodesic: exp(t log(b a^-1)) a.

    It moves and turns at constant speed, the shorter way around, as a screw. Other times than 0 to
    1 extrapolate.

    Args:
      a: (*b, 3, 4), transform at t = 0.
      b: (*b, 3, 4), transform at t = 1.
      t: (*b) or a number, time.

    Returns:
      (*b, 3, 4), in the dtype of a and b; 0 where an argument is bad.
    """
    t = jnp.asarray(t)
    if t.ndim == 0 and jnp.issubdtype(t.dtype, jnp.integer):
        t = t.astype(float)
    dtype = result_type(a, b)
    (a, b, t), good, _ = read_elements(a=(a, TRANSFORM), b=(b, TRANSFORM), t=(t, NUMBER))
    moved = compose(exp(t[..., None] * log(between(a, b))), a)
    return write_elements(moved, good, dtype)


def _straighten(w: Vector, t: Vector) -> Vector:
    """V^-1 t = t - w x t / 2 + e w x (w x t), e = (1 - a / (2 b)) / |w|^2, for |w| <= pi."""
    around = cross(w, t)
    e = find_inverse_factor(dot(w, w))
    return add(t, add(scale(-0.5, around), scale(e, cross(w, around))))
