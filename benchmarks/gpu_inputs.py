"""What the paths of gpu_paths.py are called with: shapes to compile for, and real maps to time."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from rasterizer import head

Fill = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Drawn:
    """An array that is known by its shape until it is drawn.

    Attributes:
      shape: of the array.
      fill: makes the numbers, from a generator and the shape.
      dtype: of the array.
    """

    shape: tuple[int, ...]
    fill: Fill
    dtype: str = "float32"


def shapes_of(arguments: Any) -> Any:
    """The arguments as jax.ShapeDtypeStructs."""
    dtype = lambda x: jax.dtypes.canonicalize_dtype(x.dtype)
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, dtype(x)), arguments)


def draw(arguments: Any) -> Any:
    """The arguments as arrays of the default device, the same each time."""

    def one(x: Any) -> Any:
        if not isinstance(x, Drawn):
            return x
        return x.fill(np.random.default_rng(0), x.shape).astype(x.dtype)

    return jax.device_put(jax.tree.map(one, arguments))


def image(size: tuple[int, ...], channels: int = 3, dtype: str = "float32") -> Drawn:
    """Texture of all sizes from a few pixels to the image, between 0 and 1."""

    def fill(rng, shape):
        total = sum(_smooth_noise(rng, shape, step) / len(_STEPS) for step in _STEPS)
        return np.clip(0.5 + 0.5 * total, 0, 1)

    return Drawn((*size, channels), fill, dtype)


def flow(size: tuple[int, ...]) -> Drawn:
    """A smooth flow of a few pixels that leaves the image here and there."""

    def fill(rng, shape):
        v, u = np.meshgrid(*map(np.arange, shape[-3:-1]), indexing="ij")
        waves = np.stack([6 * np.sin(u / 61 + v / 37), 5 * np.cos(u / 43 - v / 59)], -1)
        return waves + 0.1 * rng.normal(size=shape)

    return Drawn((*size, 2), fill)


def scalar(size: tuple[int, ...], middle: float, spread: float) -> Drawn:
    """A smooth map of one channel, within spread of the middle."""
    return Drawn(size, lambda rng, shape: middle + spread * _waves(rng, shape))


def inv_depth(size: tuple[int, ...]) -> Drawn:
    """Surfaces at 5 to 20 m."""
    return scalar(size, 0.125, 0.075)


def change(size: tuple[int, ...]) -> Drawn:
    """Inverse-depth change of a few per cent."""
    return scalar(size, 0.0, 0.004)


def vectors(size: tuple[int, ...]) -> Drawn:
    """Scene flow of a few centimetres."""
    return Drawn((*size, 3), lambda rng, shape: 0.05 * rng.normal(size=shape))


def pixels(shape: tuple[int, ...], size: tuple[int, int]) -> Drawn:
    """Places in an image."""
    far = np.array([size[1] - 1, size[0] - 1])
    return Drawn((*shape, 2), lambda rng, shape: rng.uniform(0, far, shape))


def rigid_motions(size: tuple[int, int]) -> Drawn:
    """Small shifts without a turn."""
    still = np.eye(3, 4)
    return Drawn((*size, 3, 4), lambda rng, shape: still + 0.05 * rng.normal(size=shape) * _SHIFT)


def positive(size: tuple[int, ...], *channels: int) -> Drawn:
    """Numbers between 1 and 2, such as variances."""
    return Drawn((*size, *channels), lambda rng, shape: rng.uniform(1, 2, shape))


def mask(size: tuple[int, ...]) -> Drawn:
    """True in blobs that cover most of the map."""
    return Drawn(size, lambda rng, shape: _waves(rng, shape) > -0.8, "bool")


def key() -> Drawn:
    """A raw key of jax.random."""
    return Drawn((2,), lambda rng, shape: rng.integers(0, 2**32, shape), "uint32")


def gaussians(count: int, time: int = 0):
    """The head of rasterizer.py: now (0), after its motion (1) or before (2)."""
    from sf3d_jax.gaussians import Gaussians

    part = lambda name, *shape: Drawn(
        (count, *shape), lambda rng, shape: getattr(_head(count)[time], name)
    )
    return Gaussians(part("means", 3), part("factors", 3, 3), part("opacities"), part("colors", 3))


# The entries of [R | t] that are t.
_SHIFT = np.array([0, 0, 0, 1])
# Sizes of the texture's parts, in pixels.
_STEPS = (4, 16, 64)


@functools.cache
def _head(count: int):
    """The Gaussians of a head at its three times."""
    from sf3d_jax.gaussians import Gaussians

    now, *others = head(count)
    _, scales, _, *looks = now
    states = [now, *((means, scales, rotations, *looks) for means, rotations in others)]
    return [Gaussians.from_scales_rotations(*state) for state in states]


def _smooth_noise(rng: np.random.Generator, shape: tuple[int, ...], step: int) -> np.ndarray:
    """Linear between random numbers from -1 to 1 that are `step` pixels apart."""
    *batch, height, width, channels = shape
    coarse = rng.uniform(-1, 1, (*batch, height // step + 2, width // step + 2, channels))
    for axis, length in ((-3, height), (-2, width)):
        place = np.arange(length) / step
        first = place.astype(int)
        share = (place - first).reshape(-1, *[1] * (-1 - axis))
        low, high = (np.take(coarse, first + k, axis) for k in (0, 1))
        coarse = (1 - share) * low + share * high
    return coarse


def _waves(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """A smooth map from -1 to 1."""
    return _smooth_noise(rng, (*shape, 1), 64)[..., 0]
