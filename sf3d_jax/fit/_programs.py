"""Chooses the compiled program for an image size; pads images to its arrays and crops results."""

import itertools
import math
from collections.abc import Hashable
from typing import NamedTuple, TypeVar

import jax
import numpy as np

Shape = tuple[int, int]
T = TypeVar("T")

# Sizes within this factor of each other share at most two programs.
_SPREAD = 1.25


class Program(NamedTuple):
    """The range of sizes (height, width) that a compiled program serves.

    Attributes:
      least: smallest size.
      most: largest size, which is the shape of the program's arrays.
    """

    least: Shape
    most: Shape

    def holds(self, size: Shape) -> bool:
        """Whether the program serves a size."""
        sides = zip(self.least, size, self.most, strict=True)
        return all(low <= n <= high for low, n, high in sides)


# The programs chosen so far in this process, by the other properties they are compiled for.
_chosen: dict[Hashable, list[Program]] = {}


def choose_program(size: Shape, kind: Hashable) -> Program:
    """Chooses the smallest known program that serves a size, or makes a new one.

    Args:
      size: (height, width).
      kind: other properties for which a program is compiled, such as dtypes.

    Returns:
      The program. A new one serves the size and slightly smaller ones, independent of previous
      fits; or all sizes within 25 % if a known program serves any of those.
    """
    chosen = _chosen.setdefault(kind, [])
    if there := [program for program in chosen if program.holds(size)]:
        return min(there, key=lambda program: math.prod(program.most))
    near = Program(
        (math.ceil(size[0] / _SPREAD), math.ceil(size[1] / _SPREAD)),
        (math.floor(size[0] * _SPREAD), math.floor(size[1] * _SPREAD)),
    )
    own = Program(*zip(*map(_round_up, size), strict=True))
    is_near = any(_has_common(program, near) for program in chosen)
    chosen.append(near if is_near else own)
    return chosen[-1]


def make_exact_program(size: Shape) -> Program:
    """Makes a program for one size."""
    return Program(size, size)


def is_copyable(arrays: list[jax.Array | np.ndarray]) -> bool:
    """Whether arrays may be copied into larger ones: not traced, and each on one device."""
    return not any(
        isinstance(x, jax.core.Tracer) or (isinstance(x, jax.Array) and len(x.devices()) > 1)
        for x in arrays
    )


def pad_to_size(x: jax.Array, axis: int, size: Shape) -> jax.Array:
    """Pads axes `axis` and `axis` + 1 with zeros at the end; on the host, to compile nothing."""
    axis = axis % x.ndim
    more = [n - old for n, old in zip(size, x.shape[axis : axis + 2], strict=True)]
    if not any(more):
        return x
    margins = [(0, 0)] * axis + [(0, n) for n in more] + [(0, 0)] * (x.ndim - axis - 2)
    return jax.device_put(np.pad(jax.device_get(x), margins), _device_of(x))


def crop_to_size(tree: T, program: Program, size: Shape) -> T:
    """Crops the arrays of a result, (..., h, w) or (..., h, w, C), to a size."""
    if program.most == size:
        return tree

    def cut(x: jax.Array) -> jax.Array:
        inside = (slice(size[0]), slice(size[1]))
        channels = () if x.shape[-2:] == program.most else (slice(None),)
        return jax.device_put(jax.device_get(x)[(..., *inside, *channels)], _device_of(x))

    return jax.tree.map(cut, tree)


def _device_of(x: jax.Array | np.ndarray) -> jax.sharding.Sharding | None:
    """Returns the sharding of an array that is committed to its devices; None if it may move."""
    return x.sharding if isinstance(x, jax.Array) and x.committed else None


def _round_up(n: int) -> tuple[int, int]:
    """Returns the range of sides that round up to the same of eight steps per octave as n."""
    step = lambda n: 2 ** max(0, n.bit_length() - 4)
    most = -(-n // step(n)) * step(n)
    return most - step(most - 1) + 1, most


def _has_common(a: Program, b: Program) -> bool:
    """Whether some size is served by both programs."""
    sides = itertools.chain(zip(a.least, b.most, strict=True), zip(b.least, a.most, strict=True))
    return all(low <= high for low, high in sides)
