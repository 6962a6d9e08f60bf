"""Double-float arithmetic: a number as the unevaluated sum of two floats of one type.

Where large terms cancel to a small difference (a camera that turns about what it looks at,
a zoom on a still scene), the rounding of the terms is larger than the answer. These
operations carry twice the digits on any device.

Every product that must be exact is one of half-width factors, so a compiler that fuses a
multiplication with an addition changes nothing. The derivative of an operation is that of
the same operation on plain floats.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.lax import bitcast_convert_type

from sf3d_jax._numerics import Tree


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Double:
    """The number hi + lo, with lo below the last digit of hi."""

    hi: jax.Array
    lo: jax.Array

    # Makes NumPy arrays defer mixed operations to the methods below.
    __array_ufunc__ = None

    @classmethod
    def of(cls, x: jax.Array) -> "Double":
        """A float as a double-float."""
        return cls(x, jnp.zeros_like(x))

    @classmethod
    def constant(cls, x: np.ndarray | float, dtype: np.dtype) -> "Double":
        """Converts NumPy float64 numbers to double-floats of the given type."""
        hi = np.asarray(x, dtype)
        return cls(jnp.asarray(hi), jnp.asarray(np.float64(x) - hi, dtype))

    @property
    def rounded(self) -> jax.Array:
        """The nearest float."""
        return self.hi + self.lo

    def __getitem__(self, index: Any) -> "Double":
        """The same entries of both parts."""
        return Double(self.hi[index], self.lo[index])

    def __neg__(self) -> "Double":
        """The negative."""
        return Double(-self.hi, -self.lo)

    def __add__(self, other: "Number") -> "Double":
        """The sum."""
        return _add(self, self._double(other))

    def __sub__(self, other: "Number") -> "Double":
        """The difference."""
        return _add(self, -self._double(other))

    def __mul__(self, other: "Number") -> "Double":
        """The product."""
        if isinstance(other, Double):
            return _multiply(self, other)
        return _scale(self, jnp.asarray(other, self.hi.dtype))

    def __truediv__(self, other: "Number") -> "Double":
        """The quotient."""
        return _divide(self, self._double(other))

    __radd__ = __add__
    __rmul__ = __mul__

    def _double(self, x: "Number") -> "Double":
        return x if isinstance(x, Double) else Double.of(jnp.asarray(x, self.hi.dtype))


Number: TypeAlias = Double | jax.Array | float
Operand = TypeVar("Operand", Double, jax.Array)
T = TypeVar("T")
Operation: TypeAlias = Callable[[Double, Operand], Double]


# Newer releases have it outside of `experimental`.
_enable_x64: Any = (jax if hasattr(jax, "enable_x64") else jax.experimental).enable_x64


def call_in_float64(function: Callable[..., T], *trees: Tree) -> T:
    """Calls a function with the floats and double-floats of trees as float64 numbers.

    One operation in place of the twenty of a double-float, where the device has float64. Works
    where the user has not switched it on. Not differentiable.

    Args:
      function: a function of trees of arrays that returns a tree of floats.
      *trees: its arguments, with floats and double-floats of float32.

    Returns:
      What it returns, rounded to float32.
    """

    def widen(x: Double | jax.Array) -> jax.Array:
        if isinstance(x, Double):
            return x.hi.astype(np.float64) + x.lo.astype(np.float64)
        return x.astype(np.float64)

    with _enable_x64(True):
        wide = jax.tree.map(widen, trees, is_leaf=is_double)
        return jax.tree.map(lambda x: x.astype(np.float32), function(*wide))


def is_double(x: object) -> bool:
    """Whether a node of a tree is a double-float, for jax.tree's `is_leaf`."""
    return isinstance(x, Double)


def _with_derivative_of(
    plain: Callable[[jax.Array, jax.Array], jax.Array],
) -> Callable[[Operation[Operand]], Operation[Operand]]:
    def decorate(operation: Operation[Operand]) -> Operation[Operand]:
        differentiable = jax.custom_jvp(operation)

        @differentiable.defjvp
        def _(
            primals: tuple[Double, Operand], tangents: tuple[Double, Operand]
        ) -> tuple[Double, Double]:
            value = differentiable(*primals)
            high = lambda numbers: tuple(x.hi if isinstance(x, Double) else x for x in numbers)
            _, hi_dot = jax.jvp(plain, high(primals), high(tangents))
            return value, Double.of(hi_dot)

        return differentiable

    return decorate


def _two_sum(a: jax.Array, b: jax.Array) -> Double:
    """a + b without error (Knuth)."""
    total = a + b
    # Not total - a: if a is constant, XLA simplifies (a + b) - a to b.
    minus_b = a - total
    return Double(total, (a - (total + minus_b)) + (b + minus_b))


def _split_in_halves(x: jax.Array) -> Double:
    """Splits x into the sum of two numbers with half as many digits each."""
    upper = np.uint64(2**64 - 2**29) if x.dtype == jnp.float64 else np.uint32(2**32 - 2**12)
    hi = bitcast_convert_type(bitcast_convert_type(x, upper.dtype) & upper, x.dtype)
    return Double(hi, x - hi)


@_with_derivative_of(lambda a, b: a + b)
def _add(a: Double, b: Double) -> Double:
    total = _two_sum(a.hi, b.hi)
    return _two_sum(total.hi, total.lo + (a.lo + b.lo))


@_with_derivative_of(lambda a, b: a * b)
def _multiply(a: Double, b: Double) -> Double:
    return _product(a.hi, b.hi, a.hi * b.lo + a.lo * b.hi)


@_with_derivative_of(lambda a, b: a * b)
def _scale(a: Double, b: jax.Array) -> Double:
    return _product(a.hi, b, a.lo * b)


def _product(a: jax.Array, b: jax.Array, rest: jax.Array) -> Double:
    """a b + rest, where `rest` is below the last digit of the product."""
    p, q = _split_in_halves(a), _split_in_halves(b)
    middle = _two_sum(p.hi * q.lo, p.lo * q.hi)
    total = _two_sum(p.hi * q.hi, middle.hi)
    return _two_sum(total.hi, total.lo + ((middle.lo + p.lo * q.lo) + rest))


@_with_derivative_of(lambda a, b: a / b)
def _divide(a: Double, b: Double) -> Double:
    quotient = a.hi / b.hi
    rest = a - b * quotient
    return Double.of(quotient) + rest.hi / b.hi
