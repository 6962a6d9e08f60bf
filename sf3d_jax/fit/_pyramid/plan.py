"""Which sizes a pyramid has, and the arrays that hold those of several images.

A program is compiled for the shapes of arrays. The sizes of the levels are arguments of it, so that
it serves every image that fits into them.
"""

import math
from typing import NamedTuple

import jax
import numpy as np

from sf3d_jax.fit._pyramid.matching import matching_size

_FACTOR = 0.6
# Of the side of the level at which a motion starts at rest.
_SMALLEST = 12
# More than any image has: at this one a pixel stands for 100,000.
_MOST_LEVELS = 24

Shape = tuple[int, int]


class Levels(NamedTuple):
    """Sizes from coarse to fine.

    Attributes:
      sizes: (n, 2), (rows, columns); those behind the first `number` mean nothing.
      number: how many.
    """

    sizes: jax.typing.ArrayLike
    number: jax.typing.ArrayLike


class Plan(NamedTuple):
    """The sizes for images of one size; all are whole numbers.

    Attributes:
      whole: (2,), of the images.
      radii: (2,), how far the matching looks down and along, at the coarse size.
      rest: the levels up to the coarse size, that of the matching.
      between: the levels between that and the whole.
    """

    whole: jax.typing.ArrayLike
    radii: jax.typing.ArrayLike
    rest: Levels
    between: Levels


class Arrays(NamedTuple):
    """The shapes of the arrays that hold all images from a least to a largest size.

    Attributes:
      whole: of the images.
      coarse: of the matching.
      radii: the most that it looks down and along.
      between: of the levels between them; None if there are none.
    """

    whole: Shape
    coarse: Shape
    radii: Shape
    between: Shape | None


def make_plan(size: Shape, reach: float) -> Plan:
    """The sizes for images of one size.

    Args:
      size: (height, width).
      reach: the longest motion looked for, as a share of height and width.

    Returns:
      The plan.
    """
    coarse = matching_size(size, reach)
    rest = [coarse]
    while min(rest[-1]) > _SMALLEST:
        rest.append(_scale(rest[-1], _FACTOR))
    between = []
    scale = _FACTOR
    least = 0.9 * max(a / b for a, b in zip(coarse, size, strict=True))
    while scale >= least:
        between.append(_scale(size, scale))
        scale *= _FACTOR
    radii = np.array(find_radii(coarse, reach))
    return Plan(np.array(size), radii, _list_levels(rest), _list_levels(between))


def make_arrays(least: Shape, most: Shape, reach: float) -> Arrays:
    """The shapes that hold all images from a least to a largest size.

    Args:
      least: (height, width), not larger than the other.
      most: (height, width).
      reach: as for `make_plan`.

    Returns:
      The shapes.
    """
    # An image is matched at the more rows, the fewer columns it has.
    rows, _ = matching_size((most[0], least[1]), reach)
    _, columns = matching_size((least[0], most[1]), reach)
    coarse = rows, columns
    # Where the largest is matched as it is, so are the others.
    is_matched_whole = matching_size(most, reach) == most
    between = None if is_matched_whole else _scale(most, _FACTOR)
    return Arrays(most, coarse, find_radii(coarse, reach), between)


def find_radii(coarse: Shape, reach: float) -> Shape:
    """How far the matching looks down and along."""
    down, along = (math.ceil(reach * n) for n in coarse)
    return down, along


def _scale(size: Shape, factor: float) -> Shape:
    height, width = (max(1, round(factor * n)) for n in size)
    return height, width


def _list_levels(fine_to_coarse: list[Shape]) -> Levels:
    sizes = np.ones((_MOST_LEVELS, 2), np.int64)
    count = len(fine_to_coarse)
    sizes[:count] = np.array(fine_to_coarse[::-1]).reshape(-1, 2)
    return Levels(sizes, np.array(count))
