"""Checks of arguments at trace time; each error names the argument, what fits and what came."""

import os
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

# Red, green, blue and alpha. A grey image without an axis of channels has its columns there.
_MOST_CHANNELS = 4
# Of a map of numbers at every pixel: two twists or a pose are no more.
_MOST_COMPONENTS = 16

# By a part of an argument's name, what reads a file of it.
_READERS = {"flow": "read_flow", "image": "read_image", "camera": "read_json_cameras"}

# The axes after (*b, H, W) of each kind of map; an image has any number of channels.
_KINDS: dict[str, tuple[int, ...]] = {"map": (), "mask": (), "flow": (2,), "vectors": (3,)}


def check_array(name: str, x: object, trailing: tuple[int, ...] = ()) -> None:
    """Checks a floating array whose last axes are given.

    Args:
      name: the argument's name, for the message.
      x: what was passed.
      trailing: the sizes of the last axes.

    Raises:
      TypeError: x is no array, or its numbers are not floating.
      ValueError: the last axes are others.
    """
    check_no_path(name, x)
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        raise TypeError(f"{name}: expected an array, got {type(x).__name__}")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        hint = _how_to_convert(name, x.dtype)
        raise TypeError(f"{name}: expected floating numbers, got {x.dtype}{hint}")
    _check_trailing(name, x, trailing)


def check_no_path(name: str, x: object) -> None:
    """Checks that an argument is not the path of a file, which nothing here reads.

    Args:
      name: the argument's name, for the message.
      x: what was passed.

    Raises:
      TypeError: x is a path.
    """
    if isinstance(x, str | os.PathLike):
        reader = next((_READERS[part] for part in _READERS if part in name), "read_map")
        expected = "a Camera" if "camera" in name else "an array"
        got = f"{type(x).__name__} {os.fspath(x)!r}"
        raise TypeError(
            f"{name}: expected {expected}, got {got}; read it, with data.{reader} for example"
        ) from None


def _how_to_convert(name: str, dtype: Any) -> str:
    if dtype not in (np.uint8, np.uint16):
        return ""
    largest = np.iinfo(dtype).max
    return f"; divide an image of 0 to {largest} by {largest}: np.float32({name}) / {largest}"


def check_mask(name: str, x: object, trailing: tuple[int, ...] = (), advice: str = "") -> None:
    """Checks an array of bool whose last axes are given.

    Args:
      name: the argument's name, for the message.
      x: what was passed.
      trailing: the sizes of the last axes.
      advice: how to give numbers as a mask; `name > 0.5` if empty.

    Raises:
      TypeError: x is no array of bool.
      ValueError: the last axes are others.
    """
    dtype = getattr(x, "dtype", type(x).__name__)
    if dtype != np.bool_:
        hint = f"; give {advice or f'{name} > 0.5'}" if hasattr(x, "dtype") else ""
        raise TypeError(f"{name}: expected an array of bool, got {dtype}{hint}")
    _check_trailing(name, x, trailing)


def check_key(key: Any) -> None:
    """Checks the key of a random function, which has it first and a sample second.

    Args:
      key: what was passed as `key`.

    Raises:
      TypeError: it is not a key of jax.random.
      ValueError: it is several.
    """
    if not hasattr(key, "dtype"):
        got = type(key).__name__
        raise TypeError(
            f"key: expected jax.random.key(seed), got {got}; the key comes first and the sample "
            "second, as in transform(key, sample) of data.loader"
        )
    is_typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not is_typed and (key.dtype != np.uint32 or not key.ndim):
        got = f"{key.dtype} of shape {key.shape}"
        raise TypeError(f"key: expected jax.random.key(seed), got {got}")
    if (batch := key.shape if is_typed else key.shape[:-1]) != ():
        raise ValueError(f"key: expected one key, got {batch}; map the function with jax.vmap")


def check_image(name: str, x: Any) -> None:
    """Checks an image, (*b, H, W, C).

    Args:
      name: the argument's name, for the message.
      x: what was passed.

    Raises:
      TypeError: x is no array, or its numbers are not floating.
      ValueError: it has fewer axes.
    """
    check_array(name, x)
    if x.ndim < 3:
        hint = f"; one number a pixel needs a last axis: {name}[..., None]" if x.ndim == 2 else ""
        raise ValueError(f"{name}: expected shape (..., H, W, C), got {x.shape}{hint}")


def check_channels(**images: Any) -> None:
    """Checks that images have the channels of images, so that no axis is taken for another.

    Args:
      **images: of each argument, by its name, an array (*b, H, W, C).

    Raises:
      ValueError: one has more than four channels.
    """
    for name, x in images.items():
        if x.shape[-1] > _MOST_CHANNELS:
            raise ValueError(
                f"{name}: expected shape (..., H, W, C) with at most {_MOST_CHANNELS} channels, "
                f"got {x.shape}; a grey image needs an axis for them: {name}[..., None]; of "
                f"features give each channel as an image: jnp.moveaxis({name}, -1, 0)[..., None]"
            )


def check_components(**maps: Any) -> None:
    """Checks that maps have a number of components that is not one of columns.

    Args:
      **maps: of each argument, by its name, an array (*b, H, W, C).

    Raises:
      ValueError: one has more than 16 components.
    """
    for name, x in maps.items():
        if x.shape[-1] > _MOST_COMPONENTS:
            raise ValueError(
                f"{name}: expected shape (..., H, W, C) with C at most {_MOST_COMPONENTS}, got "
                f"{x.shape}; a map of one number a pixel needs a last axis: {name}[..., None]"
            )


def check_flow(flow: Any, valid: Any = None) -> None:
    """Checks a flow field, (*b, H, W, 2), and, where there is one, its mask, (*b, H, W).

    Args:
      flow: what was passed.
      valid: the mask, or None.

    Raises:
      TypeError: flow is no floating array, or valid none of bool.
      ValueError: a shape does not fit.
    """
    check_array("flow", flow, (2,))
    if flow.ndim < 3:
        raise ValueError(f"flow: expected shape (..., H, W, 2), got {flow.shape}")
    if valid is not None:
        check_mask("valid", valid, flow.shape[-3:-1])
        check_batch(flow=flow.shape[:-3], valid=valid.shape[:-2])


def check_maps(**maps: tuple[Any, str]) -> None:
    """Checks maps of one size, that of the first.

    Args:
      **maps: of each argument, by its name, what was passed (None if nothing), and its kind: "map",
        "mask", "image", "flow" or "vectors".

    Raises:
      TypeError: one of them is no array of its kind.
      ValueError: a shape does not fit.
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
    """The common shape of leading axes that broadcast.

    Args:
      **shapes: the leading axes of each argument, by its name.

    Returns:
      The shape that they broadcast to.

    Raises:
      ValueError: they do not broadcast.
    """
    try:
        return np.broadcast_shapes(*shapes.values())
    except ValueError:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"leading axes do not broadcast: {listed}") from None
