"""From maps to one number: means over what counts, and weighted sums of named terms."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import is_in_range, is_positive_finite, jit, result_type
from sf3d_jax._numerics import mask as masked
from sf3d_jax.losses._maps import LossMap


@jit
def masked_mean(map: jax.Array, mask: jax.Array) -> jax.Array:
    """The mean of a map where a mask is true: sum(m x) / sum(m).

    `masked_mean(*loss_map)` is the mean of a `LossMap`; for fewer pixels give its values and
    `loss_map.valid & mask`.

    Args:
      map: of any shape.
      mask: bool, or weights that are not negative; of the map's shape, or one that broadcasts.

    Returns:
      A scalar in the map's dtype. What is under the mask does not count, whatever it is, nor what
      is not finite where the mask is true. If nothing counts, the mean and its gradient are 0.

    Raises:
      TypeError: map is no floating array, or mask neither of bool nor floating.
      ValueError: shapes do not broadcast.
    """
    check_array("map", map)
    if getattr(mask, "dtype", None) != jnp.bool_:
        check_array("mask", mask)
    shape = check_batch(map=map.shape, mask=mask.shape)
    dtype = map.dtype
    wide = result_type(dtype, jnp.float32)
    map = jnp.broadcast_to(map.astype(wide), shape)
    weights = jnp.broadcast_to(mask.astype(wide), shape)
    counts = is_in_range(map) & (weights > 0) & is_in_range(weights)
    weights, map = masked(counts, (weights, map))
    whole = weights.sum()
    return ((weights * map).sum() / jnp.where(whole > 0, whole, 1)).astype(dtype)


def compose(
    terms: Mapping[str, tuple[ArrayLike, ArrayLike]],
) -> tuple[jax.Array, dict[str, jax.Array]]:
    """A weighted sum of named terms, with the terms to log.

        total, values = compose({
            "photometric": (1.0, masked_mean(*census(image, warped))),
            "smoothness": (0.1, masked_mean(*smoothness)),
        })

    As the loss of `jax.value_and_grad(..., has_aux=True)` it needs no more.

    Args:
      terms: {name: (weight, value)}, scalars. A term whose weight is 0 is not part of the total,
        whatever its value is.

    Returns:
      (total, {name: value}): the sum of weight times value, and the values without weights.

    Raises:
      ValueError: there is no term, or one is no pair of scalars; it is named.
    """
    if not isinstance(terms, Mapping) or not terms:
        raise ValueError(f"terms: expected at least one {{name: (weight, value)}}, got {terms!r}")
    total, values = jnp.zeros(()), {}
    for name, term in terms.items():
        where = f"terms[{name!r}]"
        if type(term) is not tuple or len(term) != 2:
            raise ValueError(f"{where}: expected (weight, value), got {type(term).__name__}")
        weight, value = _scalar(f"{where}: weight", term[0]), _scalar(f"{where}: value", term[1])
        values[name] = value
        # A term switched off by a number is not there at all, for the derivative either.
        if isinstance(term[0], jax.Array) or term[0] != 0:
            weight, value = _same_type(weight, jnp.where(weight == 0, 0, value))
            total, value = _same_type(total, weight * value)
            total = total + value
    return total, values


def balance(values: Mapping[str, ArrayLike]) -> dict[str, jax.Array]:
    """Weights that make all terms as large as the largest: max / value (self-mono-sf).

    They are constants: no gradient passes through them.

        weights = balance(values)
        total, _ = compose({name: (weights[name], value) for name, value in values.items()})

    Args:
      values: {name: value}, scalars that are not negative.

    Returns:
      {name: weight}; 1 for a value that is not between 3e-10 and 3e9, which then does not count.

    Raises:
      ValueError: there is no value, or one is no scalar; it is named.
    """
    if not isinstance(values, Mapping) or not values:
        raise ValueError(f"values: expected at least one {{name: value}}, got {values!r}")
    scalars = {name: _scalar(f"values[{name!r}]", x) for name, x in values.items()}
    fixed = {name: jax.lax.stop_gradient(x) for name, x in scalars.items()}
    counts = {name: is_positive_finite(x) for name, x in fixed.items()}
    dtype = result_type(*fixed.values())
    safe = {name: masked(counts[name], x, 1).astype(dtype) for name, x in fixed.items()}
    largest = jnp.stack([masked(counts[name], x) for name, x in safe.items()]).max()
    return {name: jnp.where(counts[name], largest / x, 1) for name, x in safe.items()}


def _same_type(a: jax.Array, b: jax.Array) -> tuple[jax.Array, jax.Array]:
    dtype = result_type(a, b)
    return a.astype(dtype), b.astype(dtype)


def _scalar(name: str, x: object) -> jax.Array:
    """A number as a floating array without axes."""
    if isinstance(x, LossMap):
        raise ValueError(f"{name}: expected a scalar, got a LossMap; give masked_mean(*loss_map)")
    if not isinstance(x, bool | int | float | np.generic | np.ndarray | jax.Array):
        raise ValueError(f"{name}: expected a scalar, got {type(x).__name__}")
    if jnp.shape(x):
        raise ValueError(f"{name}: expected a scalar, got shape {jnp.shape(x)}")
    x = jnp.asarray(x)
    return x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(float)
