"""How unlike two images are at every pixel: brightness, census, structure, correlation.

Images are floating, their brightness in [0, 1], with one to four channels; a grey one without an
axis of channels is `grey[..., None]`. `image` is the first one, `other` usually the next one warped
onto its grid; a pixel counts if it has numbers in both and is marked by `valid`, for which the
validity of the warp and what is not hidden are meant. The channels of features are images of one
channel each, in front as a batch: `jnp.moveaxis(features, -1, 0)[..., None]`.

The constants of ssim suppose that brightness. Outside of `jit`, `ssim` and `photometric` refuse an
image with numbers above 8, as bytes have; inside there are no numbers to look at. Images less their
mean over their deviation pass, as those normalised for ImageNet, but the constants of census and
ssim suppose a range of 1 and theirs is 4.4: give the losses images that are not normalised.

    brightness   mean over channels of penalty(I - J)
    census       mean over the neighbours q in a window that count of h / (0.1 + h), where
                 h = (t(I(q) - I(p)) - t(J(q) - J(p)))^2,  t(x) = x / sqrt(0.81 + x^2)
                 with grey values, the mean of the channels, times 255
    ssim         (1 - L S) / 2, mean over channels, with weighted moments of a window
                 L = (2 m_I m_J + 1e-4) / (m_I^2 + m_J^2 + 1e-4)
                 S = (2 cov + 9e-4) / (var_I + var_J + 9e-4)
    ncc          1 - cov / sqrt(var_I var_J), mean over channels
    photometric  a ssim + (1 - a) brightness
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_channels, check_maps
from sf3d_jax._numerics import channels, jit, widen
from sf3d_jax._numerics.brightness import expect_unit_range
from sf3d_jax.losses._census import unlike_neighbours
from sf3d_jax.losses._maps import (
    LossMap,
    check_alike,
    check_penalty,
    loss_map,
    mask_inputs,
    total,
    usable_pixels,
)
from sf3d_jax.losses._moments import decorrelation, dissimilarity, of_windows
from sf3d_jax.losses.penalties import l1

Window = Literal["uniform", "gaussian"]

_UNIFORM = (1 / 3,) * 3
# 11 x 11 with a standard deviation of 1.5.
_BELL = [math.exp(-(x**2) / 4.5) for x in range(-5, 6)]
_GAUSSIAN = tuple(w / sum(_BELL) for w in _BELL)


@partial(jit, static=("penalty",))
def brightness(
    image: jax.Array,
    other: jax.Array,
    *,
    valid: jax.Array | None = None,
    penalty: Callable[[jax.Array], jax.Array] = l1,
) -> LossMap:
    """The difference in brightness; the formulas are those of this module.

    Args:
      image: (*b, H, W, C).
      other: (*b, H, W, C).
      valid: (*b, H, W), bool, the pixels that count; all if None.
      penalty: `l1`, `charbonnier` or another one of this package, or a function like them; keep
        one and the same, each new one is compiled.

    Returns:
      LossMap in the image's dtype, valid where the pixel counts.

    Raises:
      TypeError: an image is no floating array, or valid none of bool.
      ValueError: shapes do not fit, or an image has more than four channels.
    """
    dtype = _check_pair(image, other, valid)
    check_penalty(penalty)
    known, (image, other) = mask_inputs(valid, *widen(image, other))
    parts = [penalty(a - b) for a, b in zip(channels(image), channels(other), strict=True)]
    return loss_map(total(parts) / len(parts), known, dtype)


@partial(jit, static=("radius",))
def census(
    image: jax.Array, other: jax.Array, *, radius: int = 3, valid: jax.Array | None = None
) -> LossMap:
    """The share of neighbours whose order in brightness differs, softly; see this module.

    Any change of brightness that keeps the order costs little. Hidden neighbours do not count, so
    give `valid` what both images see. SMURF's loss is `generalized_charbonnier` of 49 times this.

    Args:
      image: (*b, H, W, C).
      other: (*b, H, W, C).
      radius: of the window, 3 for 7 x 7.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap in the image's dtype, from 0 to 1, valid where the pixel and any neighbour count.
      Differentiable in reverse mode.

    Raises:
      TypeError: an image is no floating array, or valid none of bool.
      ValueError: shapes do not fit, an image has more than four channels, or the radius is
        below 1.
    """
    dtype = _check_pair(image, other, valid)
    _check_radius(radius)
    images = widen(image, other)
    known = usable_pixels(valid, *images)
    grey = lambda x: jnp.where(known, total(channels(x)) * (255 / x.shape[-1]), 0)
    values, count = unlike_neighbours(radius, *map(grey, images), known)
    return loss_map(values, known & (count > 0), dtype)


@expect_unit_range("image", "other")
@partial(jit, static=("window",))
def ssim(
    image: jax.Array,
    other: jax.Array,
    *,
    window: Window = "uniform",
    valid: jax.Array | None = None,
) -> LossMap:
    """Structural dissimilarity (Wang et al. 2004); see this module.

    Images of 0 to 255 are refused outside of `jit`; inside, they cannot be told.

    Args:
      image: (*b, H, W, C).
      other: (*b, H, W, C).
      window: "uniform", 3 x 3, as usual for training, or "gaussian", 11 x 11 with 1.5 pixels.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap in the image's dtype, from 0 to 1, valid where the window lies in the image and all
      its pixels count. Differentiable in reverse mode.

    Raises:
      TypeError: an image is no floating array, or valid none of bool.
      ValueError: shapes do not fit, an image has more than four channels or is of 0 to 255, or
        there is no such window.
    """
    dtype = _check_pair(image, other, valid)
    if window not in get_args(Window):
        raise ValueError(f"window: expected one of {get_args(Window)}, got {window!r}")
    weights = _UNIFORM if window == "uniform" else _GAUSSIAN
    images = widen(image, other)
    values, whole = of_windows(dissimilarity, weights, usable_pixels(valid, *images), *images)
    return loss_map(values, whole, dtype)


@partial(jit, static=("radius",))
def ncc(
    image: jax.Array, other: jax.Array, *, radius: int = 3, valid: jax.Array | None = None
) -> LossMap:
    """One less the normalised cross-correlation of windows; see this module.

    Gain and offset of the brightness, which may differ from window to window, do not matter.

    Args:
      image: (*b, H, W, C).
      other: (*b, H, W, C).
      radius: of the window, 3 for 7 x 7.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap in the image's dtype, from 0 to 2, valid where the window lies in the
      image, all its pixels count, and neither image is flat there (a variance below 3e-10) in
      every channel. Channels that are flat do not count. Differentiable in reverse mode.

    Raises:
      TypeError: an image is no floating array, or valid none of bool.
      ValueError: shapes do not fit, an image has more than four channels, or the radius is
        below 1.
    """
    dtype = _check_pair(image, other, valid)
    _check_radius(radius)
    count = 2 * radius + 1
    images = widen(image, other)
    weights = (1 / count,) * count
    values, whole = of_windows(decorrelation, weights, usable_pixels(valid, *images), *images)
    return loss_map(values, whole, dtype)


@expect_unit_range("image", "other")
@partial(jit, static=("penalty",))
def photometric(
    image: jax.Array,
    other: jax.Array,
    *,
    share: float = 0.85,
    valid: jax.Array | None = None,
    penalty: Callable[[jax.Array], jax.Array] = l1,
) -> LossMap:
    """The usual mix of structure and brightness (Godard et al. 2017); see this module.

    Images of 0 to 255 are refused outside of `jit`; inside, they cannot be told.

    Args:
      image: (*b, H, W, C).
      other: (*b, H, W, C).
      share: a, of the structural dissimilarity, with the uniform window.
      valid: (*b, H, W), bool, the pixels that count; all if None.
      penalty: of the brightness, as there.

    Returns:
      LossMap in the image's dtype, valid where `ssim` is. Differentiable in reverse mode.

    Raises:
      TypeError: an image is no floating array, or valid none of bool.
      ValueError: shapes do not fit, or an image has more than four channels or is of 0 to 255.
    """
    dtype = _check_pair(image, other, valid)
    image, other = widen(image, other)
    structure = ssim(image, other, valid=valid)
    difference = brightness(image, other, valid=valid, penalty=penalty)
    a = jnp.asarray(share, image.dtype)
    values = a * structure.values + (1 - a) * difference.values
    return loss_map(values, structure.valid, dtype)


def _check_pair(image: jax.Array, other: jax.Array, valid: jax.Array | None) -> jnp.dtype:
    check_maps(image=(image, "image"), other=(other, "image"), valid=(valid, "mask"))
    check_alike(image=image, other=other)
    check_channels(image=image)
    return image.dtype


def _check_radius(radius: int) -> None:
    if not isinstance(radius, int) or radius < 1:
        raise ValueError(f"radius: expected an integer, at least 1, got {radius}")
