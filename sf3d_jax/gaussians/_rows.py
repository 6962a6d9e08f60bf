"""The numbers of a Gaussian, and those of a pixel, by name.

Compositing reads a table with D numbers for every Gaussian and sums up images. Which number stands
where is known to `pack` and `unpack` alone, which follow the order of the fields; everything else
reads fields. A number that a Gaussian is to have besides is a field of `Row`, with its place in
`_fill_row`; an image is one of `Images`, with its place in `_fill_images`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import Leaf
from sf3d_jax._numerics.vectors import Vector


class PeakTerms(NamedTuple):
    """Where the rays around the mean are densest: l = l1 x + l2 y, q = q1 x^2 + q2 x y + q3 y^2."""

    l1: jax.Array
    l2: jax.Array
    q1: jax.Array
    q2: jax.Array
    q3: jax.Array


class Path(NamedTuple):
    """How the points of a Gaussian move: X' - X = start + tau (x along + y aside) - s centre.

    Attributes:
      start: dmu.
      along: the first column of P.
      aside: the second column of P.
      centre: Q.
    """

    start: Vector
    along: Vector
    aside: Vector
    centre: Vector


class Row(NamedTuple):
    """A Gaussian as compositing reads it; also the type of the cotangent of one.

    Every field holds scalar maps of one shape, or of shapes that broadcast against one another.

    Attributes:
      u: the column of the pixel where the mean is seen.
      v: the row of that pixel.
      p: of the exponent, as are q and r.
      q: see p.
      r: see p.
      opacity: o.
      colors: C of them.
      depth: mu_z.
      peak: the terms of l and q.
      path: where its points go; None if nothing moves.
    """

    u: jax.Array
    v: jax.Array
    p: jax.Array
    q: jax.Array
    r: jax.Array
    opacity: jax.Array
    colors: Vector
    depth: jax.Array
    peak: PeakTerms
    path: Path | None


class Images(NamedTuple):
    """What is summed at a pixel; also what one Gaussian shows there, and the type of cotangents.

    Attributes:
      colors: C of them.
      alpha: how much is hidden.
      depth: mu_z tau.
      square: the square of the depth, which is read to find edges; None if nothing moves.
      motion: X' - X; None if nothing moves.
      motion_depth: the depth of X where it is not the blended one; None otherwise.
    """

    colors: Vector
    alpha: jax.Array
    depth: jax.Array
    square: jax.Array | None
    motion: Vector | None
    motion_depth: jax.Array | None


# Those that say where X and X' are.
MOTION_IMAGES = ("motion", "motion_depth")


class Layout(NamedTuple):
    """Which numbers rows and images have, static.

    Attributes:
      colors: the number of channels C.
      motion: None, "mean" or "median".
    """

    colors: int
    motion: str | None = None

    @property
    def columns(self) -> int:
        """The number of columns D of the table."""
        return len(jax.tree.leaves(_fill_row(0, self)))

    @property
    def images(self) -> int:
        """The number of images."""
        return len(jax.tree.leaves(_fill_images(0, self)))

    @property
    def is_median(self) -> bool:
        """Whether the motion is that of one Gaussian, and not blended."""
        return self.motion == "median"


def _fill_row(number: Leaf, layout: Layout) -> Row:
    """A row with a number in every place."""
    vector = (number,) * 3
    return Row(
        u=number,
        v=number,
        p=number,
        q=number,
        r=number,
        opacity=number,
        colors=(number,) * layout.colors,
        depth=number,
        peak=PeakTerms(number, number, number, number, number),
        path=None if layout.motion is None else Path(vector, vector, vector, vector),
    )


def _fill_images(number: Leaf, layout: Layout) -> Images:
    """Images with a number in every place."""
    moves = layout.motion is not None
    return Images(
        colors=(number,) * layout.colors,
        alpha=number,
        depth=number,
        square=number if moves else None,
        motion=(number,) * 3 if moves else None,
        motion_depth=number if layout.is_median else None,
    )


def pack(row: Row) -> jax.Array:
    """Rows as one array.

    Args:
      row: arrays whose last axis is 1. Numbers of a field that are neighbours may be one array with
        as many columns, as `colors=(array,)`.

    Returns:
      (..., D).
    """
    return jnp.concatenate(jax.tree.leaves(row), axis=-1)


def unpack(columns: Sequence[jax.Array], layout: Layout) -> Row:
    """The row that has these D columns, in the order in which `pack` writes them."""
    row: Row = jax.tree.unflatten(jax.tree.structure(_fill_row(0, layout)), columns)
    return row


def pack_images(images: Images) -> list[jax.Array]:
    """The images, one after the other."""
    return jax.tree.leaves(images)


def unpack_images(maps: Sequence[jax.Array], layout: Layout) -> Images:
    """The images that `pack_images` lists in this order."""
    images: Images = jax.tree.unflatten(jax.tree.structure(_fill_images(0, layout)), maps)
    return images
