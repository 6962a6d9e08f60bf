"""The input maps of metrics: checked, of one size, with the pixels that have a value."""

from typing import NamedTuple, TypeAlias, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._checks import check_array, check_batch, check_mask
from sf3d_jax._numerics import and_valid, channels, compute_once, is_in_range, mask, result_type
from sf3d_jax._numerics.lengths import length

Array: TypeAlias = jax.Array | np.ndarray
# An array, or (values, valid) as returned by the readers of sf3d_jax.data.
MapLike: TypeAlias = Array | tuple[Array, Array]

# Given in place of a number of channels.
SCALAR, MASK = 0, -1

# Bits of the whole numbers that a float holds exactly.
_BITS = 24

T = TypeVar("T")


class Map(NamedTuple):
    """A map whose unknown pixels are 0.

    Attributes:
      parts: one array (*b, H, W) per channel.
      known: (*b, H, W), bool.
    """

    parts: tuple[jax.Array, ...]
    known: jax.Array

    @property
    def values(self) -> jax.Array:
        """The only channel."""
        (part,) = self.parts
        return part


def check_not_none(**maps: MapLike | None) -> None:
    """Checks that required maps are not None.

    Args:
      **maps: maps by argument name.

    Raises:
      TypeError: one of them is None.
    """
    for name, x in maps.items():
        if x is None:
            raise TypeError(f"{name}: expected an array or (values, valid), got None")


def read_maps(**maps: tuple[MapLike | None, int]) -> dict[str, Map]:
    """Checks the given maps against each other.

    Args:
      **maps: (map, number of channels, or SCALAR or MASK) by argument name. None is left out.

    Returns:
      {name: Map}, at least float32 and broadcast to one batch shape. Values that are non-finite or
      at least 3e9 are unknown; masks are known everywhere.

    Raises:
      TypeError: a map is not a floating-point array, or a mask is not an array of bool.
      ValueError: shapes do not fit, or all maps other than masks are None.
    """
    numbers = [name for name, (_, n) in maps.items() if n != MASK]
    if all(maps[name][0] is None for name in numbers):
        raise ValueError(f"expected at least one of {', '.join(numbers)}, got none")
    given: dict[str, tuple[Array, Array | None, int]] = {}
    for name, (x, n) in maps.items():
        if x is not None:
            values, valid = (cast(Array, x), None) if n == MASK else split_map(name, x)
            given[name] = values, valid, n
    shapes = {name: check_map(name, *x) for name, x in given.items()}
    first, (*_, height, width) = next(iter(shapes.items()))
    for name, shape in shapes.items():
        if shape[-2:] != (height, width):
            wanted = f"(H, W) of {first}, {(height, width)}"
            raise ValueError(f"{name}: expected {wanted}, got {shape[-2:]}")
    batch = check_batch(**{name: shape[:-2] for name, shape in shapes.items()})
    return {name: _mask_unknown(*x, (*batch, height, width)) for name, x in given.items()}


def distance(a: Map, b: Map) -> jax.Array:
    """The distance between the values, or vectors, of two maps."""
    return length(*(p - q for p, q in zip(a.parts, b.parts, strict=True)))


def split_map(name: str, x: MapLike) -> tuple[Array, Array | None]:
    """The values, and their mask or None."""
    if isinstance(x, tuple) and len(x) != 2:
        raise ValueError(f"{name}: expected an array or (values, valid), got {len(x)} arrays")
    values, valid = x if isinstance(x, tuple) else (x, None)
    if not hasattr(values, "shape"):
        got = type(values).__name__
        raise TypeError(f"{name}: expected an array or (values, valid), got {got}")
    return values, valid


def check_map(name: str, values: Array, valid: Array | None, count: int) -> tuple[int, ...]:
    """Checks one map and returns the shape of its pixels."""
    if count == MASK:
        check_mask(name, values)
    else:
        check_array(name, values, (count,) if count else ())
    axes = values.ndim - (count > 0)
    if axes < 2:
        wanted = f"(..., H, W, {count})" if count > 0 else "(..., H, W)"
        raise ValueError(f"{name}: expected shape {wanted}, got {values.shape}")
    shape = values.shape[:axes]
    if valid is None:
        return shape
    check_mask(f"{name}: valid", valid, shape[-2:], f"{name}=(values, valid > 0.5)")
    batch = check_batch(**{name: shape[:-2], "valid": valid.shape[:-2]})
    return (*batch, *shape[-2:])


def _mask_unknown(values: Array, valid: Array | None, count: int, shape: tuple[int, ...]) -> Map:
    if count == MASK:
        spread = jnp.broadcast_to(jnp.asarray(values), shape)
        return Map((spread,), jnp.ones(shape, bool))
    wide = jnp.asarray(values)
    wide = wide.astype(result_type(wide.dtype, jnp.float32))
    parts = channels(wide) if count else (wide,)
    known = jnp.broadcast_to(True if valid is None else jnp.asarray(valid), shape)
    for part in parts:
        known = and_valid(known, is_in_range(part))
    parts = tuple(jnp.broadcast_to(part, shape) for part in parts)
    return Map(mask(known, parts), known)


def compute_maps_once(tree: T) -> T:
    """Returns a tree of maps, each computed once for all the sums over it.

    Masks are packed as bits of whole numbers, which a float holds exactly.
    """
    leaves, structure = jax.tree.flatten(tree)
    masks = [i for i, x in enumerate(leaves) if x.dtype == np.bool_]
    for chosen in (masks[i : i + _BITS] for i in range(0, len(masks), _BITS)):
        words = (jnp.where(leaves[i], 2.0**bit, 0.0) for bit, i in enumerate(chosen))
        code = compute_once(sum(words, jnp.zeros(()))).astype(jnp.int32)
        for bit, i in enumerate(chosen):
            leaves[i] = (code >> bit) & 1 > 0
    numbers = (x if x.dtype == np.bool_ else compute_once(x) for x in leaves)
    return jax.tree.unflatten(structure, numbers)
