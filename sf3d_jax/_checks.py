"""Checks of arguments at trace time. Errors name the argument, what was expected, and what came."""

import os
from collections.abc import Collection
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

# RGBA. A last axis longer than this is probably the columns of a grey image.
_MOST_CHANNELS = 4
# Enough for two twists or a pose at every pixel.
_MOST_COMPONENTS = 16

# {part of an argument's name: function in sf3d_jax.data that reads such a file}.
_READERS = {"flow": "read_flow", "image": "read_image", "camera": "read_json_cameras"}

# The axes after (*b, H, W) of each kind of map; an image has any number of channels.
_KINDS: dict[str, tuple[int, ...]] = {"map": (), "mask": (), "flow": (2,), "vectors": (3,)}


def check_array(name: str, x: object, trailing: tuple[int, ...] = ()) -> None:
    """Checks that an argument is a floating-point array with the given last axes.

    Args:
      name: argument name used in error messages.
      x: argument to check.
      trailing: expected sizes of the last axes.
    """
    check_no_path(name, x)
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        raise TypeError(f"{name}: expected an array, got {type(x).__name__}")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        hint = _suggest_conversion(name, x.dtype)
        raise TypeError(f"{name}: expected a floating-point array, got {x.dtype}{hint}")
    _check_trailing(name, x, trailing)


def name_type(x: object) -> str:
    """Names the type of an argument for an error message; every array is "an array".

    Args:
      x: argument of any type.
    """
    return "an array" if isinstance(x, jax.Array | np.ndarray) else type(x).__name__


def check_no_path(name: str, x: object) -> None:
    """Refuses a path where an array or a camera is expected; the error names the reader to call.

    Args:
      name: argument name used in error messages.
      x: argument to check.
    """
    if isinstance(x, str | os.PathLike):
        reader = next((_READERS[part] for part in _READERS if part in name), "read_map")
        expected = "a Camera" if "camera" in name else "an array"
        got = f"{type(x).__name__} {os.fspath(x)!r}"
        raise TypeError(
            f"{name}: expected {expected}, got {got}; read the file first, e.g. with data.{reader}"
        ) from None


def _suggest_conversion(name: str, dtype: Any) -> str:
    is_image = "image" in name or name == "other"
    if not is_image or dtype not in (np.uint8, np.uint16):
        return ""
    largest = np.iinfo(dtype).max
    return f"; divide by {largest}: np.float32({name}) / {largest}"


def check_mask(name: str, x: object, trailing: tuple[int, ...] = (), advice: str = "") -> None:
    """Checks that an argument is an array of bool with the given last axes.

    Args:
      name: argument name used in error messages.
      x: argument to check.
      trailing: expected sizes of the last axes.
      advice: expression that turns numbers into a mask; `name > 0.5` if empty.
    """
    dtype = getattr(x, "dtype", type(x).__name__)
    if dtype != np.bool_:
        hint = f"; pass {advice or f'{name} > 0.5'}" if hasattr(x, "dtype") else ""
        raise TypeError(f"{name}: expected an array of bool, got {dtype}{hint}")
    _check_trailing(name, x, trailing)


def list_choices(choices: Collection[object]) -> str:
    """Lists the choices of an option for an error message, as 'a', 'b' or 'c'.

    Args:
      choices: allowed values.
    """
    *others, last = map(repr, choices)
    return f"{', '.join(others)} or {last}" if others else last


def check_choice(name: str, value: object, choices: Collection[object], advice: str = "") -> None:
    """Checks that an option has one of its allowed values.

    Args:
      name: argument name used in error messages.
      value: given value.
      choices: allowed values.
      advice: text to append to the error message.

    Raises:
      ValueError: the value is not allowed.
    """
    if value not in choices:
        raise ValueError(f"{name}: expected {list_choices(choices)}, got {value!r}{advice}")


def check_key(key: Any) -> None:
    """Checks that `key`, the first argument of a random function, is a single key of jax.random.

    Args:
      key: argument to check.
    """
    if not hasattr(key, "dtype"):
        got = type(key).__name__
        raise TypeError(
            f"key: expected jax.random.key(seed), got {got}; the key comes first and the sample "
            "second, as in the transform(key, sample) that data.loader calls"
        )
    is_typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not is_typed and (key.dtype != np.uint32 or not key.ndim):
        got = f"{key.dtype} of shape {key.shape}"
        raise TypeError(f"key: expected jax.random.key(seed), got {got}")
    if (batch := key.shape if is_typed else key.shape[:-1]) != ():
        raise ValueError(f"key: expected one key, got {batch}; map the function with jax.vmap")


def check_image(name: str, x: Any) -> None:
    """Checks that an argument is an image, (*b, H, W, C).

    Args:
      name: argument name used in error messages.
      x: argument to check.
    """
    check_array(name, x)
    if x.ndim < 3:
        hint = f"; add a channel axis: {name}[..., None]" if x.ndim == 2 else ""
        raise ValueError(f"{name}: expected shape (..., H, W, C), got {x.shape}{hint}")


def check_channels(**images: Any) -> None:
    """Checks that images have at most four channels: a longer last axis is not one of channels.

    Args:
      **images: arrays (*b, H, W, C) by argument name.
    """
    for name, x in images.items():
        if x.shape[-1] > _MOST_CHANNELS:
            raise ValueError(
                f"{name}: expected shape (..., H, W, C) with at most {_MOST_CHANNELS} channels, "
                f"got {x.shape}; for a grey image add a channel axis: {name}[..., None]; pass "
                f"features as one image per channel: jnp.moveaxis({name}, -1, 0)[..., None]"
            )


def check_components(**maps: Any) -> None:
    """Checks that maps have at most 16 components: a longer last axis is probably the columns.

    Args:
      **maps: arrays (*b, H, W, C) by argument name.
    """
    for name, x in maps.items():
        if x.shape[-1] > _MOST_COMPONENTS:
            raise ValueError(
                f"{name}: expected shape (..., H, W, C) with C at most {_MOST_COMPONENTS}, got "
                f"{x.shape}; for a scalar map add a last axis: {name}[..., None]"
            )


def check_flow(flow: Any, valid: Any = None) -> None:
    """Checks a flow field, (*b, H, W, 2), and its mask, (*b, H, W), if there is one.

    Args:
      flow: argument to check.
      valid: the mask, or None.
    """
    check_array("flow", flow, (2,))
    if flow.ndim < 3:
        raise ValueError(f"flow: expected shape (..., H, W, 2), got {flow.shape}")
    if valid is not None:
        check_mask("valid", valid, flow.shape[-3:-1])
        check_batch(flow=flow.shape[:-3], valid=valid.shape[:-2])


def check_maps(**maps: tuple[Any, str]) -> None:
    """Checks the kinds of maps, and that all have the size of the first.

    Args:
      **maps: (argument, kind) by argument name. The argument may be None; the kind is "map",
        "mask", "image", "flow" or "vectors".
    """
    size: tuple[int, ...] = ()
    batches = {}
    for name, (x, kind) in maps.items():
        if x is None:
            continue
        if kind == "image":
            check_image(name, x)
            if not x.shape[-1]:
                raise ValueError(f"{name}: expected at least one channel, got {x.shape}")
        behind = x.shape[-1:] if kind == "image" else _KINDS[kind]
        check = check_mask if kind == "mask" else check_array
        check(name, x, (*size, *behind))
        rank = 2 + len(behind)
        if x.ndim < rank:
            wanted = ", ".join(["...", "H", "W", *map(str, behind)])
            raise ValueError(f"{name}: expected shape ({wanted}), got {x.shape}")
        size = size or x.shape[x.ndim - rank : x.ndim - len(behind)]
        batches[name] = x.shape[: x.ndim - rank]
    check_batch(**batches)


def _check_trailing(name: str, x: Any, trailing: tuple[int, ...]) -> None:
    try:
        chex.assert_shape(x, (..., *trailing))
    except AssertionError:
        wanted = ", ".join(["...", *map(str, trailing)])
        raise ValueError(f"{name}: expected shape ({wanted}), got {x.shape}") from None


def check_batch(**shapes: tuple[int, ...]) -> tuple[int, ...]:
    """Checks that batch axes broadcast, and returns their common shape.

    Args:
      **shapes: shape of the batch axes by argument name.

    Returns:
      The shape that they broadcast to.
    """
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"batch axes do not broadcast: {listed}") from None
