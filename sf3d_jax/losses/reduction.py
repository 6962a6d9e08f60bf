"""Reduction to one number: masked means and weighted sums of named terms."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from sf3d_jax._checks import check_array, check_batch, check_mask, name_type
from sf3d_jax._numerics import and_valid, is_in_range, is_positive_finite, jit, result_type
from sf3d_jax._numerics import mask as masked
from sf3d_jax.losses._maps import LossMap


@jit
def masked_mean(map: jax.Array | LossMap, mask: jax.Array | None = None) -> jax.Array:
    """The mean of a map over a mask, sum(m x) / sum(m).

    `masked_mean(loss_map)` is the mean of a `LossMap`. A mask restricts it further.

    Args:
      map: array of any shape, or a LossMap, which includes a mask.
      mask: bool, or non-negative weights; broadcasts against the map. Required with an array.

    Returns:
      A scalar in the map's dtype, at least float32. Masked-out and non-finite values do not count.
      If nothing counts, the mean and its gradient are 0.

    Raises:
      ValueError: an array comes without a mask.
    """
    valid = None
    if isinstance(map, LossMap):
        map, valid = map
        mask = valid if mask is None else mask
    check_array("map", map)
    if mask is None:
        raise ValueError(
            "mask: required when the first argument is an array; for a LossMap call "
            "masked_mean(loss_map)"
        )
    if not jnp.issubdtype(getattr(mask, "dtype", bool), jnp.floating):
        check_mask("mask", mask)
    shape = check_batch(map=map.shape, mask=mask.shape)
    wide = result_type(map.dtype, jnp.float32)
    map = jnp.broadcast_to(map.astype(wide), shape)
    weights = jnp.broadcast_to(mask.astype(wide), shape)
    counts = and_valid(is_in_range(map) & (weights > 0) & is_in_range(weights), valid)
    weights, map = masked(counts, (weights, map))
    whole = weights.sum()
    return (weights * map).sum() / jnp.where(whole > 0, whole, 1)


def compose(
    terms: Mapping[str, tuple[ArrayLike, ArrayLike]],
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """The weighted sum of named terms, sum_i w_i x_i, together with the terms to log.

        total, values = compose({
            "photometric": (1.0, masked_mean(census(image, warped))),
            "smoothness": (0.1, masked_mean(smoothness)),
        })

    A loss function can return this pair as it is; differentiate it with
    `jax.value_and_grad(loss, has_aux=True)`.

    Args:
      terms: {name: (weight, value)}, scalars. A term with weight 0 is left out of the total,
        whatever its value.

    Returns:
      (total, {name: value}): the weighted sum, in the dtype of the values, at least float32, and
      the unweighted values.

    Raises:
      ValueError: terms is empty, or the named term is not a pair of scalars.
    """
    if not isinstance(terms, Mapping) or not terms:
        raise ValueError(f"terms: expected at least one {{name: (weight, value)}}, got {terms!r}")
    weights, values = {}, {}
    for name, term in terms.items():
        where = f"terms[{name!r}]"
        if type(term) is not tuple or len(term) != 2:
            raise ValueError(f"{where}: expected (weight, value), got {name_type(term)}")
        weights[name] = _read_scalar(f"{where}: weight", term[0])
        values[name] = _read_scalar(f"{where}: value", term[1])
    # A term whose weight is the number 0 is left out of the derivative, too.
    used = [name for name, (x, _) in terms.items() if isinstance(x, jax.Array) or x != 0]
    parts = tuple((weights[name], values[name]) for name in used)
    return _add(parts, tuple(values.values())), values


@jit
def _add(
    parts: tuple[tuple[jax.Array, jax.Array], ...], values: tuple[jax.Array, ...]
) -> jax.Array:
    """The sum of weight times value, in the dtype of all values, at least float32."""
    dtype = result_type(jnp.float32, *values)
    total = jnp.zeros((), dtype)
    for weight, value in parts:
        total = total + weight.astype(dtype) * jnp.where(weight == 0, 0, value).astype(dtype)
    return total


def balance(values: Mapping[str, ArrayLike]) -> dict[str, jax.Array]:
    """Weights max_j x_j / x_i that make every term as large as the largest (self-mono-sf).

    The weights are constants: no gradient passes through them.

        weights = balance(values)
        total, _ = compose({name: (weights[name], value) for name, value in values.items()})

    Args:
      values: {name: value}, non-negative scalars.

    Returns:
      {name: weight}; 1 for values outside 3e-10 to 3e9, which are ignored in the maximum.

    Raises:
      ValueError: values is empty, or the named value is not a scalar.
    """
    if not isinstance(values, Mapping) or not values:
        raise ValueError(f"values: expected at least one {{name: value}}, got {values!r}")
    return _balance({name: _read_scalar(f"values[{name!r}]", x) for name, x in values.items()})


@jit
def _balance(values: dict[str, jax.Array]) -> dict[str, jax.Array]:
    fixed = {name: jax.lax.stop_gradient(x) for name, x in values.items()}
    counts = {name: is_positive_finite(x) for name, x in fixed.items()}
    dtype = result_type(*fixed.values())
    safe = {name: masked(counts[name], x, 1).astype(dtype) for name, x in fixed.items()}
    largest = jnp.stack([masked(counts[name], x) for name, x in safe.items()]).max()
    return {name: jnp.where(counts[name], largest / x, 1) for name, x in safe.items()}


def _read_scalar(name: str, x: object) -> jax.Array:
    """A number as a floating-point array without axes."""
    if isinstance(x, LossMap):
        raise ValueError(f"{name}: expected a scalar, got a LossMap; give masked_mean(loss_map)")
    if not isinstance(x, bool | int | float | np.generic | np.ndarray | jax.Array):
        raise ValueError(f"{name}: expected a scalar, got {type(x).__name__}")
    if jnp.shape(x):
        raise ValueError(f"{name}: expected a scalar, got shape {jnp.shape(x)}")
    x = float(x) if isinstance(x, bool | int) else x
    # An explicit transfer, which a transfer guard allows.
    number = x if isinstance(x, jax.Array) else jax.device_put(x)
    return number if jnp.issubdtype(number.dtype, jnp.floating) else number.astype(float)
