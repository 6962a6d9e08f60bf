"""The numbers of a Gaussian, and those of a pixel, by name.

Compositing reads a table of D numbers per Gaussian and sums images. Only `pack` and `unpack` know
the order, which is that of the fields; all other code reads fields. To add a number per Gaussian,
add a field to `Row` and fill it in `_fill_row`; to add an image, do so with `Images` and
`_fill_images`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import Leaf
from sf3d_jax._numerics.vectors import Vector


class PeakTerms(NamedTuple):
    """Coefficients of l = l1 x + l2 y and q = q1 x^2 + q2 x y + q3 y^2, which locate the peak."""

    l1: jax.Array
    l2: jax.Array
    q1: jax.Array
    q2: jax.Array
    q3: jax.Array


class Path(NamedTuple):
    """The motion of a Gaussian's points: X' - X = start + tau (x along + y aside) - s centre.

    Each field has 3 numbers per motion, for one motion after the other.

    Attributes:
      start: dmu.
      along: first column of P.
      aside: second column of P.
      centre: Q.
    """

    start: Vector
    along: Vector
    aside: Vector
    centre: Vector


class Row(NamedTuple):
    """A Gaussian as compositing reads it; also the type of its cotangent.

    All fields are scalar maps of one shape, or of shapes that broadcast.

    Attributes:
      u: column of the mean's pixel.
      v: row of the mean's pixel.
      p: first coefficient of the exponent ((p x + q y)^2 + (r y)^2) / 2.
      q: second coefficient of the exponent.
      r: third coefficient of the exponent.
      opacity: o.
      colors: C maps, the features among them.
      depth: mu_z.
      peak: coefficients of l and q.
      path: motions of its points; None if nothing moves.
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
      colors: C maps, the features among them.
      alpha: coverage.
      depth: mu_z tau.
      square: squared depth, used to find edges; None if nothing moves.
      motion: X' - X, 3 maps per motion; None if nothing moves.
      motion_depth: depth of X if it is not the blended one; None otherwise.
    """

    colors: Vector
    alpha: jax.Array
    depth: jax.Array
    square: jax.Array | None
    motion: Vector | None
    motion_depth: jax.Array | None


# The images that define X and X'.
MOTION_IMAGES = ("motion", "motion_depth")


class Layout(NamedTuple):
    """Which fields rows and images have; static.

    Attributes:
      colors: number of channels C, the features among them.
      motion: None, "mean" or "median".
      motions: number of motions, if not None.
    """

    colors: int
    motion: str | None = None
    motions: int = 1

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
        """Whether the motion is that of one Gaussian instead of blended."""
        return self.motion == "median"


def _fill_row(number: Leaf, layout: Layout) -> Row:
    """A row with a number in every place."""
    vector = (number,) * 3 * layout.motions
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
        motion=(number,) * 3 * layout.motions if moves else None,
        motion_depth=number if layout.is_median else None,
    )


def pack(row: Row) -> jax.Array:
    """Rows as one array.

    Args:
      row: arrays whose last axis is 1. Consecutive numbers of a field may be one array with that
        many columns, such as `colors=(array,)`.

    Returns:
      (..., D).
    """
    return jnp.concatenate(jax.tree.leaves(row), axis=-1)


def unpack(columns: Sequence[jax.Array], layout: Layout) -> Row:
    """The row with these D columns, in the order of `pack`."""
    row: Row = jax.tree.unflatten(jax.tree.structure(_fill_row(0, layout)), columns)
    return row


def pack_images(images: Images) -> list[jax.Array]:
    """The images as a list."""
    return jax.tree.leaves(images)


def unpack_images(maps: Sequence[jax.Array], layout: Layout) -> Images:
    """The images from maps in the order of `pack_images`."""
    images: Images = jax.tree.unflatten(jax.tree.structure(_fill_images(0, layout)), maps)
    return images
