"""Division, roots and exponentials on the CPU as inexact as NVIDIA's, which XLA uses in float32.

    div.full.f32      2 units in the last place
    sqrt.approx.f32   relative error 2^-23
    rsqrt.approx.f32  relative error 2^-22.9
    exp, on ex2.approx.ftz.f32    2 units in the last place

Sums and products are rounded there as here. The results here are moved by that much, up or down
by the bits of the arguments, so that equal arguments have equal results, and so that the sign of
an argument changes no digit. What is exact on the cards stays so: the division by a power of two,
the root of one, and exp(0). Sources: NVIDIA, "PTX ISA", floating-point instructions; "CUDA C++
Programming Guide", mathematical functions.
"""

import functools

import numpy as np
from jax import lax
from jax.extend.core import Primitive, primitives
from jax.extend.mlir.dialects import stablehlo
from jax.interpreters import mlir

_SIGN, _MANTISSA = np.int32(-(2**31)), np.int32(2**23 - 1)
# Knuth's multiplier, which spreads the bits of a number to the highest one.
_SPREAD = np.int32(-1640531527)
_NORMAL, _LARGE = np.float32(2.0**-125), np.float32(2.0**126)


def install():
    """Lowers float32 for the CPU in this way, in all programs that JAX lowers from now on."""
    exact_divide = _replace(primitives.div_p, stablehlo.divide, divide)
    exact_root = _replace(primitives.sqrt_p, stablehlo.sqrt, nudge_result)
    _replace(primitives.exp_p, stablehlo.exponential, nudge_result)

    def reciprocal_root(exact, x):
        # The CPU's own is inexact already.
        return nudge(exact_divide(lax.full_like(x, 1), exact_root(x)), 1, x)

    _replace(primitives.rsqrt_p, stablehlo.rsqrt, reciprocal_root)


def divide(exact, x, y):
    """x / y, 2 units in the last place off, or exact if y is a power of two."""
    is_power = (lax.bitcast_convert_type(y, np.int32) & _MANTISSA) == 0
    quotient = exact(x, y)
    # One unit of rounding is left for what the exact quotient is itself off.
    return lax.select(is_power, quotient, nudge(quotient, 1, x, y))


def nudge_result(exact, x):
    """A function of x, 1 unit in the last place off."""
    return nudge(exact(x), 1, x)


def nudge(result, places, *arguments):
    """The result, some units off in its last place, by the bits of the arguments.

    Results of arguments without a mantissa, such as 0, 1 and infinity, are not changed, nor are
    those that are not normal numbers.
    """
    bits = [lax.bitcast_convert_type(x, np.int32) & ~_SIGN for x in arguments]
    mixed = functools.reduce(lambda a, b: a * _SPREAD + b, bits) * _SPREAD
    step = lax.full_like(mixed, places)
    moved = lax.bitcast_convert_type(result, np.int32) + lax.select(mixed < 0, step, -step)
    has_digits = functools.reduce(lambda a, b: a | b, [x & _MANTISSA for x in bits]) != 0
    size = lax.abs(result)
    changes = has_digits & (size > _NORMAL) & (size < _LARGE)
    return lax.select(changes, lax.bitcast_convert_type(moved, np.float32), result)


def _replace(primitive, operation, inexact):
    """Lowers a primitive by `inexact(exact, *arguments)` in float32; returns the exact one."""
    exact_p = Primitive(f"exact_{primitive.name}")
    exact_p.def_abstract_eval(lambda *avals: avals[0])
    mlir.register_lowering(exact_p, lambda context, *values: [operation(*values)])

    def run(function, *arguments):
        shape = np.broadcast_shapes(*(x.shape for x in arguments))
        return function(*(lax.broadcast_in_dim(x, shape, range(x.ndim)) for x in arguments))

    exactly = functools.partial(run, exact_p.bind)
    inexactly = functools.partial(run, functools.partial(inexact, exact_p.bind))

    def lower(context, *values, **options):
        is_float32 = context.avals_out[0].dtype == np.float32
        function = inexactly if is_float32 else exactly
        return mlir.lower_fun(function, multiple_results=False)(context, *values)

    mlir.register_lowering(primitive, lower, platform="cpu")
    return exact_p.bind
