"""Finite differences without cancellation: a value together with its change.

A `Step` is a number that changes from x to x + dx. Arithmetic on steps computes the change
of a formula from the changes of its inputs, never as f(x + dx) - f(x):

    d(xy) = dx (y + dy) + x dy,    d(x / y) = (dx - (x / y) dy) / (y + dy).

So a lens model written once for arrays also gives the exact difference between two pixels, two
rays or two calibrations, however close they are.
"""

import dataclasses
from typing import TypeAlias

import jax


@dataclasses.dataclass(frozen=True)
class Step:
    """A value and its change."""

    value: jax.Array | float
    change: jax.Array | float

    # Makes NumPy arrays defer mixed operations to the methods below.
    __array_ufunc__ = None

    @property
    def after(self) -> jax.Array | float:
        """The value after the change."""
        return self.value + self.change

    def __add__(self, other: "Term") -> "Step":
        """The sum; a plain number has no change."""
        if not isinstance(other, Step):
            return Step(self.value + other, self.change)
        return Step(self.value + other.value, self.change + other.change)

    def __mul__(self, other: "Term") -> "Step":
        """The product."""
        if not isinstance(other, Step):
            return Step(self.value * other, self.change * other)
        change = self.change * other.after + self.value * other.change
        return Step(self.value * other.value, change)

    def __truediv__(self, other: "Term") -> "Step":
        """The quotient."""
        if not isinstance(other, Step):
            return Step(self.value / other, self.change / other)
        quotient = self.value / other.value
        return Step(quotient, (self.change - quotient * other.change) / other.after)

    __radd__ = __add__
    __rmul__ = __mul__


Term: TypeAlias = Step | jax.Array | float


def step(x: Term) -> Step:
    """Wraps a plain number as a step without change; returns a step as it is."""
    return x if isinstance(x, Step) else Step(x, 0.0)
