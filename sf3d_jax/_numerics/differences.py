"""Finite differences without cancellation: a value together with its change.

A `Step` is a number that goes from x to x + dx. Arithmetic on steps yields the change
of a formula as products of the changes of its inputs, never as f(x + dx) - f(x):

    d(xy) = dx (y + dy) + x dy,    d(x / y) = (dx - (x / y) dy) / (y + dy).

A lens model written once for arrays thus also gives the exact difference of two
pixels, of two rays or of two calibrations, however close they are.
"""

import dataclasses
from typing import TypeAlias

import jax


@dataclasses.dataclass(frozen=True)
class Step:
    """A value and its change."""

    value: jax.Array | float
    change: jax.Array | float

    # Arrays leave mixed operations to the methods below.
    __array_ufunc__ = None

    @property
    def after(self) -> jax.Array | float:
        """What the value changes to."""
        return self.value + self.change

    def __add__(self, other: "Term") -> "Step":
        """The sum; of a number that does not move, only the value's."""
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
    """A number as a step that does not move."""
    return x if isinstance(x, Step) else Step(x, 0.0)
