"""From maps to one number: means over what counts, and weighted sums of named terms."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import bounded, jit
from sf3d_jax._numerics import mask as masked


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
    wide = jnp.promote_types(dtype, jnp.float32)
    map = jnp.broadcast_to(map.astype(wide), shape)
    weights = jnp.broadcast_to(mask.astype(wide), shape)
    counts = bounded(map) & (weights > 0) & bounded(weights)
    weights, map = masked(counts, (weights, map))
    whole = weights.sum()
    return ((weights * map).sum() / jnp.where(whole > 0, whole, 1)).astype(dtype)


def compose(terms: Mapping[str, tuple[Any, Any]]) -> tuple[jax.Array, dict[str, jax.Array]]:
    """A weighted sum of named terms, with the terms to log.

        total, values = compose({
            "photometric": (1.0, masked_mean(*census(image, warped))),
            "smoothness": (0.1, masked_mean(*smoothness)),
        })

    As the loss of `jax.value_and_grad(..., has_aux=True)` it needs no more.

    Args:
      terms: {name: (weight, value)}, scalars. A term whose weight is the number 0 is not part of
        the total, whatever its value is.

    Returns:
      (total, {name: value}): the sum of weight times value, and the values without weights.

    Raises:
      ValueError: there is no term, or one is no pair of scalars; it is named.
    """
    if not terms:
        raise ValueError("terms: expected at least one {name: (weight, value)}")
    total, values = jnp.zeros(()), {}
    for name, term in terms.items():
        if not isinstance(term, tuple) or len(term) != 2:
            raise ValueError(f"terms[{name!r}]: expected (weight, value), got {term!r}")
        weight, value = term
        for what, x in (("weight", weight), ("value", value)):
            if jnp.shape(x):
                raise ValueError(f"terms[{name!r}]: expected a scalar {what}, got {jnp.shape(x)}")
        values[name] = jnp.asarray(value)
        if not (isinstance(weight, int | float) and weight == 0):
            total = total + weight * values[name]
    return total, values


def balance(values: Mapping[str, Any]) -> dict[str, jax.Array]:
    """Weights that make all terms as large as the largest: max / value (self-mono-sf).

    They are constants: no gradient passes through them.

        weights = balance(values)
        total, _ = compose({name: (weights[name], value) for name, value in values.items()})

    Args:
      values: {name: value}, scalars that are not negative.

    Returns:
      {name: weight}; 1 for a value that is 0 or not finite, and so are those that have no weight.

    Raises:
      ValueError: there is no value, or one is no scalar; it is named.
    """
    if not values:
        raise ValueError("values: expected at least one {name: value}")
    for name, x in values.items():
        if jnp.shape(x):
            raise ValueError(f"values[{name!r}]: expected a scalar, got {jnp.shape(x)}")
    fixed = {name: jax.lax.stop_gradient(jnp.asarray(x)) for name, x in values.items()}
    counts = {name: bounded(x) & (x > 0) for name, x in fixed.items()}
    largest = jnp.stack([masked(counts[name], x) for name, x in fixed.items()]).max()
    return {
        name: jnp.where(counts[name], largest / jnp.where(counts[name], x, 1), 1)
        for name, x in fixed.items()
    }
