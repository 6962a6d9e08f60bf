"""What KITTI and Spring share: two disparities and a flow, each estimate paired with its truth.

D1 is the disparity of the first pair, D2 that of the second pair on the first image's grid, and Fl
the flow. A scene flow, SF, is all three.
"""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp

from sf3d_jax.metrics._maps import Map

QUANTITIES = ("D1", "D2", "Fl")

Estimate = TypeVar("Estimate")
Result = TypeVar("Result")


class Errors(NamedTuple):
    """The errors of an estimate.

    Attributes:
      error: (*b, H, W), in pixels.
      outlier: (*b, H, W), bool.
      use: (*b, H, W), bool, where the truth is known.
      found: (*b, H, W), bool, where there is an estimate.
    """

    error: jax.Array
    outlier: jax.Array
    use: jax.Array
    found: jax.Array


def pick(maps: Mapping[str, Map], disparity: str, next_disparity: str, flow: str) -> dict[str, Map]:
    """The maps with these names, by quantity; names without a map are left out."""
    names = dict(zip(QUANTITIES, (disparity, next_disparity, flow), strict=True))
    return {q: maps[name] for q, name in names.items() if name in maps}


def compare(
    estimates: Mapping[str, Estimate],
    truths: Mapping[str, Map],
    function: Callable[[Estimate, Map], Result],
) -> dict[str, Result]:
    """The results of a function for each quantity with an estimate and a truth."""
    return {
        q: function(estimates[q], truths[q]) for q in QUANTITIES if q in estimates.keys() & truths
    }


def combine(parts: Mapping[str, Errors]) -> Errors:
    """The scene flow's errors: the worst of the three, where all three truths are known.

    As in KITTI, an estimate counts as found where the first disparity is.
    """
    merge = lambda function, values: functools.reduce(function, values)
    return Errors(
        merge(jnp.maximum, [part.error for part in parts.values()]),
        merge(jnp.logical_or, [part.outlier for part in parts.values()]),
        merge(jnp.logical_and, [part.use for part in parts.values()]),
        parts["D1"].found,
    )
