"""What the metrics are given: maps of one size, each with the pixels that have a value."""

from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._checks import check_array, check_batch, check_mask
from sf3d_jax._numerics import bounded, channels, computed_once, mask

# An array, or (values, valid) as the readers of sf3d_jax.data return it.
MapLike: TypeAlias = Any

# In place of a number of channels.
SCALAR, MASK = 0, -1

# Of a whole number that a float holds exactly.
_BITS = 24


class Map(NamedTuple):
    """A map whose unknown pixels are 0.

    Attributes:
      parts: one array (*b, H, W) a channel.
      known: (*b, H, W), bool.
    """

    parts: tuple[jax.Array, ...]
    known: jax.Array

    @property
    def values(self) -> jax.Array:
        """The only channel."""
        (part,) = self.parts
        return part


def check_given(**maps: MapLike) -> None:
    """Refuses None in place of a map that is needed.

    Args:
      **maps: by argument name, what was passed.

    Raises:
      TypeError: one of them is None.
    """
    for name, x in maps.items():
        if x is None:
            raise TypeError(f"{name}: expected an array or (values, valid), got None")


def read_maps(**maps: tuple[MapLike, int]) -> dict[str, Map]:
    """Checks the maps that are given against each other.

    Args:
      **maps: by argument name, what was passed and its channels, or SCALAR or MASK. What is None
        is left out.

    Returns:
      By name, in float32 at least and of one batch shape. A number that is not finite, or 3e9
      and more, is unknown; of a mask all is known.

    Raises:
      TypeError: a map is no floating array, or a mask none of bool.
      ValueError: shapes do not fit, or nothing but masks was passed.
    """
    numbers = [name for name, (_, n) in maps.items() if n != MASK]
    if all(maps[name][0] is None for name in numbers):
        raise ValueError(f"expected at least one of {', '.join(numbers)}, got none")
    given: dict[str, tuple[Any, Any, int]] = {
        name: (x, None, n) if n == MASK else (*apart(name, x), n)
        for name, (x, n) in maps.items()
        if x is not None
    }
    shapes = {name: check_map(name, *x) for name, x in given.items()}
    first = next(iter(shapes))
    for name, shape in shapes.items():
        if shape[-2:] != shapes[first][-2:]:
            wanted = f"(H, W) of {first}, {shapes[first][-2:]}"
            raise ValueError(f"{name}: expected {wanted}, got {shape[-2:]}")
    batch = check_batch(**{name: shape[:-2] for name, shape in shapes.items()})
    return {name: _known(*x, (*batch, *shapes[first][-2:])) for name, x in given.items()}


def distance(a: Map, b: Map) -> jax.Array:
    """How far the numbers, or vectors, of two maps are apart."""
    return length(tuple(p - q for p, q in zip(a.parts, b.parts, strict=True)))


def length(parts: tuple[jax.Array, ...]) -> jax.Array:
    """The length of vectors."""
    if len(parts) == 1:
        return jnp.abs(parts[0])
    return jnp.sqrt(sum((p * p for p in parts[1:]), parts[0] * parts[0]))


def apart(name: str, x: MapLike) -> tuple[Any, Any]:
    """The values, and their mask or None."""
    if isinstance(x, tuple) and len(x) != 2:
        raise ValueError(f"{name}: expected an array or (values, valid), got {len(x)} arrays")
    values, valid = x if isinstance(x, tuple) else (x, None)
    if not hasattr(values, "shape"):
        got = type(values).__name__
        raise TypeError(f"{name}: expected an array or (values, valid), got {got}")
    return values, valid


def check_map(name: str, values: Any, valid: Any, count: int) -> tuple[int, ...]:
    """Checks one map; the shape of its pixels."""
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
    check_mask(f"{name}: valid", valid, shape[-2:])
    batch = check_batch(**{name: shape[:-2], "valid": valid.shape[:-2]})
    return (*batch, *shape[-2:])


def _known(values: Any, valid: Any, count: int, shape: tuple[int, ...]) -> Map:
    if count == MASK:
        values = jnp.broadcast_to(values, shape)
        return Map((values,), jnp.ones(shape, bool))
    values = jnp.asarray(values)
    values = values.astype(jnp.promote_types(values.dtype, jnp.float32))
    parts = channels(values) if count else (values,)
    known = jnp.broadcast_to(True if valid is None else valid, shape)
    for part in parts:
        known = known & bounded(part)
    parts = tuple(jnp.broadcast_to(part, shape) for part in parts)
    return Map(mask(known, parts), known)


def kept(tree: Any) -> Any:
    """A tree of maps unchanged, each computed once for all the sums over it.

    Masks travel as the bits of whole numbers, which are exact in a float.
    """
    leaves, structure = jax.tree.flatten(tree)
    masks = [i for i, x in enumerate(leaves) if x.dtype == np.bool_]
    for chosen in (masks[i : i + _BITS] for i in range(0, len(masks), _BITS)):
        words = (jnp.where(leaves[i], 2.0**bit, 0.0) for bit, i in enumerate(chosen))
        code = computed_once(sum(words, jnp.zeros(()))).astype(jnp.int32)
        for bit, i in enumerate(chosen):
            leaves[i] = (code >> bit) & 1 > 0
    numbers = (x if x.dtype == np.bool_ else computed_once(x) for x in leaves)
    return jax.tree.unflatten(structure, numbers)
