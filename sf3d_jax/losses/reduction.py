"""From maps to one number: means over what counts, and weighted sums of named terms."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

from sf3d_jax._checks import check_array, check_batch, check_mask
from sf3d_jax._numerics import and_valid, is_in_range, is_positive_finite, jit, result_type
from sf3d_jax._numerics import mask as masked
from sf3d_jax.losses._maps import LossMap


@jit
def masked_mean(map: jax.Array | LossMap, mask: jax.Array | None = None) -> jax.Array:
    """The mean of a map where a mask is true: sum(m x) / sum(m).

    `masked_mean(loss_map)`, or `masked_mean(*loss_map)`, is the mean of a `LossMap`; with a mask it
    is that of fewer of its pixels.

    Args:
      map: of any shape; or a LossMap, which brings a mask along.
      mask: bool, or weights that are not negative; of the map's shape, or one that broadcasts.
        Only a LossMap needs none.

    Returns:
      A scalar in the map's dtype, float32 at least. What is under the mask does not count, whatever
      it is, nor what is not finite where the mask is true. If nothing counts, the mean and its
      gradient are 0.

    Raises:
      TypeError: map is no floating array, or mask neither of bool nor floating.
      ValueError: shapes do not broadcast, or an array comes without a mask.
    """
    valid = None
    if isinstance(map, LossMap):
        map, valid = map
        mask = valid if mask is None else mask
    check_array("map", map)
    if mask is None:
        raise ValueError("mask: needed with an array; a LossMap brings its own: masked_mean(*x)")
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
      (total, {name: value}): the sum of weight times value, in the dtype of the values, float32 at
      least, and the values without weights.

    Raises:
      ValueError: there is no term, or one is no pair of scalars; it is named.
    """
    if not isinstance(terms, Mapping) or not terms:
        raise ValueError(f"terms: expected at least one {{name: (weight, value)}}, got {terms!r}")
    weights, values = {}, {}
    for name, term in terms.items():
        where = f"terms[{name!r}]"
        if type(term) is not tuple or len(term) != 2:
            raise ValueError(f"{where}: expected (weight, value), got {type(term).__name__}")
        weights[name] = _scalar(f"{where}: weight", term[0])
        values[name] = _scalar(f"{where}: value", term[1])
    # A term switched off by a number is not there at all, for the derivative either.
    used = [name for name, (x, _) in terms.items() if isinstance(x, jax.Array) or x != 0]
    parts = tuple((weights[name], values[name]) for name in used)
    return _add(parts, tuple(values.values())), values


@jit
def _add(
    parts: tuple[tuple[jax.Array, jax.Array], ...], values: tuple[jax.Array, ...]
) -> jax.Array:
    """The sum of weight times value, in the type of all values, float32 at least."""
    dtype = result_type(jnp.float32, *values)
    total = jnp.zeros((), dtype)
    for weight, value in parts:
        total = total + weight.astype(dtype) * jnp.where(weight == 0, 0, value).astype(dtype)
    return total


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
    return _balance({name: _scalar(f"values[{name!r}]", x) for name, x in values.items()})


@jit
def _balance(values: dict[str, jax.Array]) -> dict[str, jax.Array]:
    fixed = {name: jax.lax.stop_gradient(x) for name, x in values.items()}
    counts = {name: is_positive_finite(x) for name, x in fixed.items()}
    dtype = result_type(*fixed.values())
    safe = {name: masked(counts[name], x, 1).astype(dtype) for name, x in fixed.items()}
    largest = jnp.stack([masked(counts[name], x) for name, x in safe.items()]).max()
    return {name: jnp.where(counts[name], largest / x, 1) for name, x in safe.items()}


def _scalar(name: str, x: object) -> jax.Array:
    """A number as a floating array without axes."""
    if isinstance(x, LossMap):
        raise ValueError(f"{name}: expected a scalar, got a LossMap; give masked_mean(loss_map)")
    if not isinstance(x, bool | int | float | np.generic | np.ndarray | jax.Array):
        raise ValueError(f"{name}: expected a scalar, got {type(x).__name__}")
    if jnp.shape(x):
        raise ValueError(f"{name}: expected a scalar, got shape {jnp.shape(x)}")
    x = float(x) if isinstance(x, bool | int) else x
    # Sent by name, which a transfer guard lets pass.
    number = x if isinstance(x, jax.Array) else jax.device_put(x)
    return number if jnp.issubdtype(number.dtype, jnp.floating) else number.astype(float)
