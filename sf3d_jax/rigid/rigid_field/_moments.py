"""Moments of points and of their motions over windows, kept about the windows' own means.

A body moves rigidly exactly if s = k x m + tau for all its points, where s is the motion of a point
from x to x + s, m = x + s / 2 the middle, and k = 2 tan(angle / 2) axis (Cayley). This is linear, so
weights, means, and second moments about the means are all that a fit needs:

    n,  mean of m,  mean of s,  sum of w q q^T,  sum of w q x (s - mean of s),   q = m - mean of m.

Two sets are merged by Chan's formula, whose terms are moments about means and differences of means.
Moments about a common origin would lose the digits of a small window far from the camera.
"""

import jax
import jax.numpy as jnp

from sf3d_jax._numerics.vectors import Vector, add, cross, scale, subtract
from sf3d_jax.rigid.rigid_field._runs import State

# The entries of a symmetric matrix in the order in which they are kept.
_UPPER = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


def start(weight: jax.Array, middle: Vector, moved: Vector) -> State:
    """The state of single pixels: weight, two means (3 and 3), and second moments (6 and 3)."""
    return weight, *middle, *moved, *(jnp.zeros_like(weight),) * (len(_UPPER) + 3)


def merge(a: State, b: State, counts: jax.Array) -> State:
    """Merges two sets of pixels, by Chan's formula; the second counts where the mask is True."""
    keep = lambda x: jnp.where(counts, x, 0)
    weight = keep(b[0])
    total = a[0] + weight
    share = weight / jnp.where(total > 0, total, 1)
    between = a[0] * share
    apart = [share_of - own for own, share_of in zip(a[1:7], b[1:7], strict=True)]
    means = [own + share * gap for own, gap in zip(a[1:7], apart, strict=True)]
    products = *(apart[i] * apart[j] for i, j in _UPPER), *cross(apart[:3], apart[3:])
    seconds = [
        own + keep(other) + between * product
        for own, other, product in zip(a[7:], b[7:], products, strict=True)
    ]
    return total, *means, *seconds
