"""How much one Gaussian weighs at one pixel, and what it shows there; shared by all back ends.

Front to back, with alpha_k of the k-th Gaussian at the pixel and T_k = prod_{j < k} (1 - alpha_j),

    w_k = alpha_k T_k   while T_{k+1} > 1e-4, then 0,

and an image is sum_k w_k value_k. `_splats` has the formulas of alpha and of the depths.
"""

import functools
import operator
from collections.abc import Iterable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import Tree
from sf3d_jax._numerics.vectors import Vector
from sf3d_jax.gaussians._rows import MOTION_IMAGES, Images, Layout, Path, PeakTerms, Row
from sf3d_jax.gaussians._splats import CUT

CAP = 0.99
STOP = 1e-4
HALF = 0.5


def weigh(alpha: jax.Array, clear: jax.Array, after: jax.Array) -> jax.Array:
    """w of a Gaussian with T = `clear` in front of it and T = `after` behind it."""
    return jnp.where(after > STOP, alpha * clear, 0)


def weigh_motion(
    weight: jax.Array, clear: jax.Array, after: jax.Array, layout: Layout
) -> jax.Array:
    """The weight of the motion: w; or, for the median, 1 where T first falls to a half or below."""
    if not layout.is_median:
        return weight
    return ((clear > HALF) & (after <= HALF)).astype(clear.dtype)


def blend(
    sums: Images, clear: jax.Array, alpha: jax.Array, values: Images, layout: Layout
) -> tuple[jax.Array, Images]:
    """T behind a Gaussian, and the sums of all images including it."""
    after = clear * (1 - alpha)
    weight = weigh(alpha, clear, after)
    moving = weigh_motion(weight, clear, after, layout)

    def add(name: str) -> Tree:
        share = moving if name in MOTION_IMAGES else weight
        one_more = lambda total, value: total + share * value
        return jax.tree.map(one_more, getattr(sums, name), getattr(values, name))

    return after, Images(*map(add, Images._fields))


def list_channels(images: Images, layout: Layout) -> list[jax.Array]:
    """The images whose cotangents reach the weights.

    The median's motion is not weighted, and squared depth is only used to find edges.
    """
    motion = None if layout.is_median else images.motion
    return [*images.colors, images.alpha, images.depth, *(motion or ())]


def sum_products(a: Iterable[jax.Array], b: Iterable[jax.Array]) -> jax.Array:
    """The sum of a_i b_i, without the initial 0 of Python's sum."""
    return functools.reduce(operator.add, map(operator.mul, a, b))


class Shares(NamedTuple):
    """How much Gaussians count at pixels, for the derivative.

    Attributes:
      weight: w.
      motion: weight of the motion.
      fall: alpha times its cotangent, which is minus the cotangent of the exponent.
    """

    weight: jax.Array
    motion: jax.Array
    fall: jax.Array


class Peak(NamedTuple):
    """The point of a pixel's ray where a Gaussian is densest.

    Attributes:
      tau: its depth, relative to that of the mean.
      s: 1 - tau, with all its digits.
      inverse: 1 / (1 + 2 l + q). Both this and tau are 0 if the point is behind the camera.
    """

    tau: jax.Array
    s: jax.Array
    inverse: jax.Array


def alpha_at(x: jax.Array, y: jax.Array, row: Row, opacity: jax.Array) -> jax.Array:
    """alpha at the offset (x, y) from the mean; 0 below the cut."""
    raw = opacity * jnp.exp(-0.5 * ((row.p * x + row.q * y) ** 2 + (row.r * y) ** 2))
    return jnp.where(raw >= CUT, jnp.minimum(raw, CAP), 0)


def peak_at(x: jax.Array, y: jax.Array, terms: PeakTerms) -> Peak:
    """The densest point of the ray at the offset (x, y) from the mean."""
    linear = terms.l1 * x + terms.l2 * y
    squares = terms.q1 * x * x + terms.q2 * x * y + terms.q3 * y * y
    # |a|^2 / |a0|^2 is positive, but its terms cancel for a flat Gaussian seen edge-on.
    length = jnp.maximum(1 + 2 * linear + squares, 4 * jnp.finfo(x.dtype).eps)
    ahead = 1 + linear > 0
    # Select before dividing: XLA computes a quotient once, but a select for every image.
    s = jnp.where(ahead, squares + linear, length) / length
    return Peak(1 - s, s, ahead.astype(x.dtype) / length)


def values_at(x: jax.Array, y: jax.Array, peak: Peak, row: Row, layout: Layout) -> Images:
    """What a Gaussian shows at the offset (x, y) from the mean, for every image."""
    depth = row.depth * peak.tau
    return Images(
        colors=row.colors,
        alpha=jnp.ones_like(row.u),
        depth=depth,
        square=None if row.path is None else depth * depth,
        motion=None if row.path is None else motion_at(x, y, peak, row.path),
        motion_depth=depth if layout.is_median else None,
    )


def motion_at(x: jax.Array, y: jax.Array, peak: Peak, path: Path) -> Vector:
    """X' - X of the densest point: dmu + tau P (x, y) - s Q."""
    x, y = peak.tau * x, peak.tau * y
    columns = zip(*path, strict=True)
    return tuple(
        start + along * x + aside * y - centre * peak.s for start, along, aside, centre in columns
    )
