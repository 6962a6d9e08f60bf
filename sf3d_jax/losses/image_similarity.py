"""Per-pixel differences of two images: brightness, census, structure, correlation.

Images are floating-point, with brightness in [0, 1] and one to four channels; a grey image without
a channel axis is passed as `grey[..., None]`. `image` is the first image, `other` usually the next
one warped onto its grid. A pixel counts if both images are finite there and `valid` is true; pass
the validity of the warp and the visible pixels as `valid`. Feature channels are passed as a batch
of one-channel images: `jnp.moveaxis(features, -1, 0)[..., None]`.

The constants of ssim and census assume a brightness range of 1. Outside `jit`, `ssim` and
`photometric` refuse images with values above 8, such as bytes; inside `jit`, values cannot be
checked. Images normalised for ImageNet pass, but their range is 4.4, so pass unnormalised images.

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

from sf3d_jax._checks import check_channels, check_choice, check_maps
from sf3d_jax._numerics import channels, jit, mask, widen
from sf3d_jax._numerics.brightness import expect_unit_range
from sf3d_jax.losses._census import compare_neighbours
from sf3d_jax.losses._maps import (
    LossMap,
    check_penalty,
    check_same_channels,
    find_usable_pixels,
    loss_map,
    total,
)
from sf3d_jax.losses._moments import decorrelation, dissimilarity
from sf3d_jax.losses._window_maps import map_windows
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
    """Difference in brightness: mean over channels of penalty(I - J).

    Args:
      image: (*b, H, W, C), first image.
      other: (*b, H, W, C), second image.
      valid: (*b, H, W), bool, the pixels that count; all if None.
      penalty: `l1`, `charbonnier`, or any such function. Reuse one function object: each new one
        is compiled.

    Returns:
      LossMap in the image's dtype, valid where the pixel counts.

    Raises:
      ValueError: an image has more than four channels.
    """
    dtype = _check_pair(image, other, valid)
    check_penalty(penalty)
    images = widen(image, other)
    known = find_usable_pixels(valid, *images)
    return loss_map(_brightness(known, *images, penalty), known, dtype)


@partial(jit, static=("radius",))
def census(
    image: jax.Array, other: jax.Array, *, radius: int = 3, valid: jax.Array | None = None
) -> LossMap:
    """Soft census: the share of neighbours whose order in brightness differs (Zach et al., SMURF).

        mean_q h / (0.1 + h),  h = (t(I(q) - I(p)) - t(J(q) - J(p)))^2,  t(x) = x / sqrt(0.81 + x^2)

    with the mean over the neighbours q that count. Pass images in [0, 1]; the formula uses the
    channel mean times 255. A change of brightness that keeps the order costs little. Exclude hidden
    pixels through `valid`, so that they do not count as neighbours. SMURF's loss is
    `generalized_charbonnier` of 49 times this.

    Args:
      image: (*b, H, W, C), first image.
      other: (*b, H, W, C), second image.
      radius: the window has 2 radius + 1 pixels a side; 3 for 7 x 7.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap in the image's dtype, from 0 to 1, valid where the pixel and a neighbour count.
      Differentiable in reverse mode.

    Raises:
      ValueError: an image has more than four channels, or radius is below 1.
    """
    dtype = _check_pair(image, other, valid)
    _check_radius(radius)
    images = widen(image, other)
    known = find_usable_pixels(valid, *images)
    grey = lambda x: jnp.where(known, total(channels(x)) * (255 / x.shape[-1]), 0)
    values, count = compare_neighbours(radius, *map(grey, images), known)
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
    """Structural dissimilarity (1 - L S) / 2, mean over channels (Wang et al. 2004).

        L = (2 m_I m_J + 1e-4) / (m_I^2 + m_J^2 + 1e-4)
        S = (2 cov + 9e-4) / (var_I + var_J + 9e-4)

    with the moments of a window around each pixel.
    Outside `jit`, images of 0 to 255 are refused; inside `jit`, values cannot be checked.

    Args:
      image: (*b, H, W, C), first image.
      other: (*b, H, W, C), second image.
      window: "uniform", 3 x 3, common in training, or "gaussian", 11 x 11 with sigma 1.5 pixels.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap in the image's dtype, from 0 to 1, valid where the window lies in the image and all
      its pixels count. Differentiable in reverse mode.

    Raises:
      ValueError: an image has more than four channels or values of 0 to 255, or window is not one
        of the two.
    """
    dtype = _check_pair(image, other, valid)
    check_choice("window", window, get_args(Window))
    weights = _UNIFORM if window == "uniform" else _GAUSSIAN
    images = widen(image, other)
    values, whole = map_windows(dissimilarity, weights, find_usable_pixels(valid, *images), *images)
    return loss_map(values, whole, dtype)


@partial(jit, static=("radius",))
def ncc(
    image: jax.Array, other: jax.Array, *, radius: int = 3, valid: jax.Array | None = None
) -> LossMap:
    """One minus the normalised cross-correlation of windows, 1 - cov / sqrt(var_I var_J).

    It ignores gain and offset of the brightness, which may differ from window to window. The loss
    is the mean over the channels that are not flat.

    Args:
      image: (*b, H, W, C), first image.
      other: (*b, H, W, C), second image.
      radius: the window has 2 radius + 1 pixels a side; 3 for 7 x 7.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap in the image's dtype, from 0 to 2; valid where the window lies in the image, all its
      pixels count, and at least one channel has a variance of 3e-10 or more in both images.
      Differentiable in reverse mode only.

    Raises:
      ValueError: an image has more than four channels, or radius is below 1.
    """
    dtype = _check_pair(image, other, valid)
    _check_radius(radius)
    count = 2 * radius + 1
    images = widen(image, other)
    weights = (1 / count,) * count
    values, whole = map_windows(decorrelation, weights, find_usable_pixels(valid, *images), *images)
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
    """The usual photometric loss, a ssim + (1 - a) brightness (Godard et al. 2017).

    ssim is (1 - SSIM) / 2 in 3 x 3 windows, brightness the mean over channels of
    penalty(I - J).
    Outside `jit`, images of 0 to 255 are refused; inside `jit`, values cannot be checked.

    Args:
      image: (*b, H, W, C), first image.
      other: (*b, H, W, C), second image.
      share: a, the weight of the structural term.
      valid: (*b, H, W), bool, the pixels that count; all if None.
      penalty: penalty of the brightness term; reuse one function object, each new one is compiled.

    Returns:
      LossMap in the image's dtype, valid where the 3 x 3 window lies in the image and all its
      pixels count. Differentiable in reverse mode.

    Raises:
      ValueError: an image has more than four channels or values of 0 to 255.
    """
    dtype = _check_pair(image, other, valid)
    image, other = widen(image, other)
    known = find_usable_pixels(valid, image, other)
    structure, whole = map_windows(dissimilarity, _UNIFORM, known, image, other)
    # Windows that are known have known pixels in their middle.
    difference = _brightness(whole, image, other, penalty)
    a = jnp.asarray(share, image.dtype)
    return loss_map(a * structure + (1 - a) * difference, whole, dtype)


def _brightness(
    known: jax.Array, image: jax.Array, other: jax.Array, penalty: Callable[[jax.Array], jax.Array]
) -> jax.Array:
    """The mean over channels of the penalty of the difference, where known."""
    shape = *known.shape, image.shape[-1]
    difference = jnp.broadcast_to(image, shape) - jnp.broadcast_to(other, shape)
    parts = [penalty(x) for x in channels(mask(known, difference))]
    return total(parts) / len(parts)


def _check_pair(image: jax.Array, other: jax.Array, valid: jax.Array | None) -> jnp.dtype:
    check_maps(image=(image, "image"), other=(other, "image"), valid=(valid, "mask"))
    check_same_channels(image=image, other=other)
    check_channels(image=image)
    return image.dtype


def _check_radius(radius: int) -> None:
    if not isinstance(radius, int) or radius < 1:
        raise ValueError(f"radius: expected an integer of at least 1, got {radius}")
