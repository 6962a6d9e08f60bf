"""Plans the sizes of a pyramid's levels, and the arrays that hold the levels of several sizes.

A program is compiled for array shapes and takes the sizes of the levels as arguments, so it serves
every image that fits into the arrays.
"""

import math
from typing import NamedTuple

import jax
import numpy as np

from sf3d_jax.fit._pyramid.matching import find_matching_scale, find_matching_size

_FACTOR = 0.6
# The coarsest level, at which the motion starts at rest, has a shorter side of at most this.
_SMALLEST = 12
# The coarsest level between is not smaller than this, relative to the coarse size.
_LEAST_STEP = 0.9
# More than any image needs: a pixel of this level would stand for 100,000 along each axis.
_MOST_LEVELS = 24

Shape = tuple[int, int]


class Levels(NamedTuple):
    """Sizes from coarse to fine.

    Attributes:
      sizes: (n, 2), (rows, columns); entries after the first `number` are meaningless.
      number: number of levels.
    """

    sizes: jax.typing.ArrayLike
    number: jax.typing.ArrayLike


class Plan(NamedTuple):
    """The sizes for images of one size; all are integers.

    Attributes:
      whole: (2,), size of the images.
      radii: (2,), longest displacement (down, along) of the matching, at the coarse size.
      rest: levels up to the coarse size, at which the images are matched.
      between: levels between the coarse and the whole size.
    """

    whole: jax.typing.ArrayLike
    radii: jax.typing.ArrayLike
    rest: Levels
    between: Levels


class Arrays(NamedTuple):
    """The shapes of the arrays that hold all images from a smallest to a largest size.

    Attributes:
      whole: shape for the images.
      coarse: shape for the matching.
      radii: longest displacement (down, along) of the matching.
      between: shape for the levels between them; None without such levels.
      numbers: upper limits of the numbers of levels, up to the coarse size and between.
    """

    whole: Shape
    coarse: Shape
    radii: Shape
    between: Shape | None
    numbers: tuple[int, int]


def make_plan(size: Shape, reach: float) -> Plan:
    """Plans the sizes of the levels for images of one size.

    Args:
      size: (height, width).
      reach: longest motion to search for, as a fraction of height and width.

    Returns:
      The plan.
    """
    coarse = find_matching_size(size, reach)
    rest = _list_rest(coarse)
    scales = _list_scales(_find_least_ratio(size, size, reach))
    between = [_scale(size, scale) for scale in scales]
    radii = np.array(find_radii(coarse, reach))
    return Plan(np.array(size), radii, _list_levels(rest), _list_levels(between))


def make_arrays(least: Shape, most: Shape, reach: float) -> Arrays:
    """Finds the shapes that hold all images from a smallest to a largest size.

    Args:
      least: smallest (height, width).
      most: largest (height, width).
      reach: longest motion to search for, as a fraction of height and width.

    Returns:
      The shapes.
    """
    # The fewer columns an image has, the more rows the matching can use.
    rows, _ = find_matching_size((most[0], least[1]), reach)
    _, columns = find_matching_size((least[0], most[1]), reach)
    coarse = rows, columns
    # If the largest image is matched at full size, all are.
    is_matched_whole = find_matching_size(most, reach) == most
    between = None if is_matched_whole else _scale(most, _FACTOR)
    numbers = len(_list_rest(coarse)), len(_list_scales(_find_least_ratio(least, most, reach)))
    return Arrays(most, coarse, find_radii(coarse, reach), between, numbers)


def find_radii(coarse: Shape, reach: float) -> Shape:
    """Computes the longest displacement (down, along) of the matching."""
    down, along = (math.ceil(reach * n) for n in coarse)
    return down, along


def _find_least_ratio(least: Shape, most: Shape, reach: float) -> float:
    """Finds the greater ratio of the coarse to the whole sides, or a lower limit for many sizes."""
    if least == most:
        coarse = find_matching_size(most, reach)
        return max(a / b for a, b in zip(coarse, most, strict=True))
    # A larger image is scaled by less; rounding takes at most half a pixel of the longer side.
    return find_matching_scale(most, reach) - 0.5 / max(least)


def _list_rest(coarse: Shape) -> list[Shape]:
    """Lists the levels up to the coarse size, from fine to coarse."""
    sizes = [coarse]
    while min(sizes[-1]) > _SMALLEST:
        sizes.append(_scale(sizes[-1], _FACTOR))
    return sizes


def _list_scales(coarse: float) -> list[float]:
    """Lists the scales between those of the coarse and of the whole size, from fine to coarse."""
    scales = [_FACTOR]
    while scales[-1] >= _LEAST_STEP * coarse:
        scales.append(scales[-1] * _FACTOR)
    return scales[:-1]


def _scale(size: Shape, factor: float) -> Shape:
    height, width = (max(1, round(factor * n)) for n in size)
    return height, width


def _list_levels(fine_to_coarse: list[Shape]) -> Levels:
    sizes = np.ones((_MOST_LEVELS, 2), np.int64)
    count = len(fine_to_coarse)
    sizes[:count] = np.array(fine_to_coarse[::-1]).reshape(-1, 2)
    return Levels(sizes, np.array(count))
