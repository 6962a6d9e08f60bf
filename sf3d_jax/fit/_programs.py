"""Which compiled program an image gets: the shapes of its arrays, and the way in and out."""

import itertools
import math
from collections.abc import Hashable
from typing import NamedTuple, TypeVar

import jax
import numpy as np

Shape = tuple[int, int]
T = TypeVar("T")

# Sizes within this factor of each other get two programs at most.
_SPREAD = 1.25


class Program(NamedTuple):
    """The sizes that a compiled program serves, (height, width).

    Attributes:
      least: the smallest.
      most: the largest, and the shape of its arrays.
    """

    least: Shape
    most: Shape

    def holds(self, size: Shape) -> bool:
        """Whether the program serves a size."""
        sides = zip(self.least, size, self.most, strict=True)
        return all(low <= n <= high for low, n, high in sides)


# Those that were chosen in this process, by what else a program is compiled for.
_chosen: dict[Hashable, list[Program]] = {}


def choose_program(size: Shape, kind: Hashable) -> Program:
    """The program for a size; of those that were chosen before, the smallest that serves it.

    Args:
      size: (height, width).
      kind: what else a program is compiled for.

    Returns:
      The program: at first that of the size and of what is slightly smaller, which does not depend
      on what was fitted before; beside such a program that for all sizes within 25 %.
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


def choose_own(size: Shape) -> Program:
    """The program of a size alone."""
    return Program(size, size)


def is_free(arrays: list[jax.Array | np.ndarray]) -> bool:
    """Whether arrays may be copied into larger ones: they are known, and on one device."""
    return not any(
        isinstance(x, jax.core.Tracer) or (isinstance(x, jax.Array) and len(x.devices()) > 1)
        for x in arrays
    )


def fill_up(x: jax.Array, axis: int, size: Shape) -> jax.Array:
    """An array with zeros behind its two axes from one on; on the host, which compiles nothing."""
    axis = axis % x.ndim
    more = [n - old for n, old in zip(size, x.shape[axis : axis + 2], strict=True)]
    if not any(more):
        return x
    margins = [(0, 0)] * axis + [(0, n) for n in more] + [(0, 0)] * (x.ndim - axis - 2)
    return jax.device_put(np.pad(jax.device_get(x), margins), _device_of(x))


def cut_out(tree: T, program: Program, size: Shape) -> T:
    """The arrays of a result, (..., h, w) or (..., h, w, C), without what lies beyond a size."""
    if program.most == size:
        return tree

    def cut(x: jax.Array) -> jax.Array:
        inside = (slice(size[0]), slice(size[1]))
        channels = () if x.shape[-2:] == program.most else (slice(None),)
        return jax.device_put(jax.device_get(x)[(..., *inside, *channels)], _device_of(x))

    return jax.tree.map(cut, tree)


def _device_of(x: jax.Array | np.ndarray) -> jax.sharding.Sharding | None:
    """Where an array has to stay; None if it may move."""
    return x.sharding if isinstance(x, jax.Array) and x.committed else None


def _round_up(n: int) -> tuple[int, int]:
    """The sides, from the least to the most, that are rounded up to one of eight per octave."""
    step = lambda n: 2 ** max(0, n.bit_length() - 4)
    most = -(-n // step(n)) * step(n)
    return most - step(most - 1) + 1, most


def _has_common(a: Program, b: Program) -> bool:
    """Whether two programs serve a common size."""
    sides = itertools.chain(zip(a.least, b.most, strict=True), zip(b.least, a.most, strict=True))
    return all(low <= high for low, high in sides)
