"""Sampling images at real-valued positions, and warping one image back onto another's grid.

The value at (u, v) is the sum over rows i and columns j of image[i, j] k(v - i) k(u - j), with the
kernel k of the method:

    nearest    the one pixel that (u, v) rounds to
    bilinear   k(t) = 1 - |t| for |t| < 1
    bicubic    Keys' kernel with a = -3/4, as in PyTorch and OpenCV, |t| < 2

At a pixel centre, the value is that of the pixel, bit for bit. A bilinear surface has a kink there;
its derivative is defined as the slope towards the next pixel (at the last pixel, the slope from the
one before), so that zero flow still has a useful gradient.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._checks import check_array, check_batch, check_choice
from sf3d_jax._numerics import (
    align_ranks,
    and_valid,
    channels,
    compute_once,
    is_in_range,
    jit,
    mask,
    narrow,
    store,
    widen,
)
from sf3d_jax.warping._windows import (
    Maps,
    fold_batch_into_rows,
    products,
    window_marks,
    window_sum,
    window_sum_for_image_grad,
    window_sum_for_weight_grad,
)

Method = Literal["nearest", "bilinear", "bicubic"]
Border = Literal["zeros", "clamp", "reflect"]


class Sampled(NamedTuple):
    """Values of an image at real-valued positions.

    Attributes:
      values: (*b, h, w, C).
      valid: (*b, h, w), bool.
    """

    values: jax.Array
    valid: jax.Array


@partial(jit, static=("method", "border"))
def sample(
    image: jax.Array,
    pixels: jax.Array,
    *,
    method: Method = "bilinear",
    border: Border = "zeros",
) -> Sampled:
    """Samples an image at real-valued positions: sum over i, j of image[i, j] k(v - i) k(u - j).

    k is the kernel of the method: the rounded position for "nearest", 1 - |t| for "bilinear", Keys'
    kernel with a = -3/4, as in PyTorch and OpenCV, for "bicubic".

    Args:
      image: (*b, H, W, C).
      pixels: (*b, h, w, 2), (u, v) in pixels of the image, integers at pixel centres.
      method: "nearest", "bilinear" or "bicubic".
      border: how the image continues outside: "zeros", its outermost pixels ("clamp"), or
        mirrored about the centres of these ("reflect").

    Returns:
      Values in the image's dtype, and validity. A position is valid if it is in [0, W - 1] x
      [0, H - 1] and all pixels with a nonzero weight are finite. Positions outside get values of
      the border. Where the position or a pixel with weight is not finite, values are 0 and pass no
      gradient.

    Raises:
      ValueError: unknown method or border.
    """
    check_array("pixels", pixels, (2,))
    u, v = channels(pixels)
    return sample_at("pixels", image, u, v, method, border)


@partial(jit, static=("method", "border"))
def backward_warp(
    image: jax.Array,
    flow: jax.Array,
    *,
    method: Method = "bilinear",
    border: Border = "zeros",
) -> Sampled:
    """Warps the second image back onto the grid of the first: result(p) = image(p + flow(p)).

    With bilinear sampling and zeros outside, it is the transpose of `forward_splat` in mode "sum".

    Args:
      image: (*b, H, W, C), the second image.
      flow: (*b, h, w, 2), from the first image to the second, in pixels.
      method: "nearest", "bilinear" or "bicubic", the kernels of `sample`.
      border: how the image continues outside: "zeros", its outermost pixels ("clamp"), or
        mirrored about the centres of these ("reflect").

    Returns:
      Values on the grid of the flow, in the image's dtype, and validity. A pixel is valid if it
      moves to a position in [0, W - 1] x [0, H - 1] and all pixels with a nonzero weight there are
      finite. Where the flow or a pixel with weight is not finite, values are 0 and pass no
      gradient.

    Raises:
      ValueError: unknown method or border.
    """
    check_array("flow", flow, (2,))
    check_array("image", image)
    if image.shape == flow.shape[:-1]:
        wanted = f"shape (..., H, W, C), got that of the flow's pixels, {flow.shape[:-1]}"
        raise ValueError(f"image: expected {wanted}; pass a grey image as image[..., None]")
    u, v = positions(*widen(*channels(flow)))
    return sample_at("flow", image, u, v, method, border)


def positions(fu: jax.Array, fv: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The position (u, v) to which each pixel of a grid moves."""
    height, width = fu.shape[-2:]
    columns, rows = (jnp.arange(n, dtype=fu.dtype) for n in (width, height))
    columns, rows = align_ranks(columns, rows[:, None], rank=fu.ndim)
    return columns + fu, rows + fv


def is_within(u: jax.Array, v: jax.Array, size: tuple[int, ...]) -> jax.Array:
    """Whether positions lie in an image (H, W), counting the whole area of its pixels."""
    height, width = size
    return (u >= -0.5) & (u <= width - 0.5) & (v >= -0.5) & (v <= height - 0.5)


def sample_at(
    name: str, image: jax.Array, u: jax.Array, v: jax.Array, method: Method, border: Border
) -> Sampled:
    """Samples at columns u and rows v; `name` is their argument name for error messages."""
    for option, value, known in (("method", method, Method), ("border", border, Border)):
        check_choice(option, value, get_args(known))
    check_array("image", image)
    if image.ndim < 3 or 0 in image.shape[-3:-1]:
        raise ValueError(f"image: expected shape (..., H, W, C), got {image.shape}")
    if u.ndim < 2:
        raise ValueError(f"{name}: expected shape (..., h, w, 2), got {(*u.shape, 2)}")
    check_batch(**{"image": image.shape[:-3], name: u.shape[:-2]})

    dtype = image.dtype
    height, width = image.shape[-3:-1]
    image, u, v = widen(image, u, v)
    finite = is_in_range(u) & is_in_range(v)
    inside = finite & (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    u, v = mask(finite, (u, v))
    kernel = _KERNELS[method]
    u, v = (_continue_border(x, n, border, kernel) for x, n in ((u, width), (v, height)))
    image = _pad_border(image, border, kernel)
    values, finite = _sample_padded(kernel, image, u + kernel.margin, v + kernel.margin, finite)
    values, finite = narrow(finite, values, dtype)
    return Sampled(store(values), and_valid(finite, inside))


def _sample_padded(
    kernel: "_Kernel", image: jax.Array, u: jax.Array, v: jax.Array, finite: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Samples at positions inside the image; returns values, and where all taps are finite."""
    *images, height, width, _ = image.shape
    batch = np.broadcast_shapes(tuple(images), u.shape[:-2])
    u, v, finite = (jnp.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (u, v, finite))
    row, column = (lax.stop_gradient(kernel.start(x, n)) for x, n in ((v, height), (u, width)))
    number = np.arange(math.prod(images), dtype=np.int32).reshape(images)
    number = np.broadcast_to(number, batch)[..., None, None]
    first = (number * height + row.astype(jnp.int32)) * width + column.astype(jnp.int32)

    image = fold_batch_into_rows(image, -3)
    first, dv, du, finite = fold_batch_into_rows((first, v - row, u - column, finite), -2)
    weights = _find_weights(kernel, dv, du, finite)
    broken = window_marks(~is_in_range(image).all(-1), first, len(weights))
    counts = jax.tree.map(lambda broken, w: broken & (w != 0), broken, weights)
    finite = finite & ~jax.tree.reduce(jnp.logical_or, counts)
    # Next to a non-finite pixel, the derivative by the position is 0.
    smooth = finite & ~jax.tree.reduce(jnp.logical_or, broken)
    values = _interpolate(kernel, image, first, dv, du, finite, smooth)
    return values.reshape(*u.shape, image.shape[-1]), finite.reshape(u.shape)


class _Kernel(NamedTuple):
    """The weights that a method gives to the pixels of a row around a position.

    Attributes:
      start: function (position, length of the padded row) -> index of the first tap.
      weights: function (position minus that index) -> weight of each tap.
      margin: number of pixels by which the image is padded on every side.
    """

    start: Callable[[jax.Array, int], jax.Array]
    weights: Callable[[jax.Array], tuple[jax.Array, ...]]
    margin: int


def _bilinear_weights(f: jax.Array) -> tuple[jax.Array, ...]:
    # Outside the first and the last pixel f leaves [0, 1]; there the image fades to zero.
    before, after = (f > -1) & (f < 0), (f > 1) & (f < 2)
    between = (f >= 0) & (f <= 1)
    first = jnp.where(between, 1 - f, jnp.where(before, 1 + f, 0))
    second = jnp.where(between, f, jnp.where(after, 2 - f, 0))
    return first, second


def _bicubic_weights(f: jax.Array) -> tuple[jax.Array, ...]:
    a = -0.75
    near = lambda t: ((a + 2) * t - (a + 3)) * t * t + 1
    # a (t - 1) (t - 2)^2 in a form that keeps its digits and is +0 at both ends.
    far = lambda t: (2 - t) * ((3 * a - a * t) * t - 2 * a)
    return far(f), near(f - 1), near(2 - f), far(3 - f)


_KERNELS = {
    "nearest": _Kernel(
        lambda u, n: jnp.clip(jnp.round(u), 0, n - 1),
        lambda f: (jnp.where(jnp.abs(lax.stop_gradient(f)) <= 0.5, 1.0, 0.0).astype(f.dtype),),
        0,
    ),
    # At the last pixel the window starts one earlier, so the slope is that from the pixel before.
    "bilinear": _Kernel(lambda u, n: jnp.clip(jnp.floor(u), 0, n - 2), _bilinear_weights, 0),
    "bicubic": _Kernel(lambda u, n: jnp.clip(jnp.floor(u) - 1, 0, n - 4), _bicubic_weights, 3),
}


def _continue_border(u: jax.Array, size: int, border: Border, kernel: _Kernel) -> jax.Array:
    """Maps a position to one inside the padded image that has the same value."""
    last = size - 1
    if border == "reflect" and last > 0:
        phase = jnp.mod(u, 2 * last)
        mirrored = jnp.where(phase > last, 2 * last - phase, phase)
        return jnp.where((u >= 0) & (u <= last), u, mirrored)
    if border == "zeros" and kernel.margin == 0:
        return u
    # Farther outside than this, all taps are in the border and the value is constant.
    beyond = max(0, kernel.margin - 1) if border != "reflect" else 0
    low, high = jnp.asarray(-beyond, u.dtype), jnp.asarray(last + beyond, u.dtype)
    return jnp.where(u < low, low, jnp.where(u > high, high, u))


def _pad_border(image: jax.Array, border: Border, kernel: _Kernel) -> jax.Array:
    """Pads the image by the number of pixels that the taps reach beyond it."""
    height, width, _ = image.shape[-3:]
    taps = len(kernel.weights(jnp.zeros(())))
    modes = {"zeros": "constant", "clamp": "edge", "reflect": "reflect"}
    for axis, size in ((-3, height), (-2, width)):
        # A row of one pixel gets a second one, with zero weight, to fill the window.
        lacking = max(0, taps - (size + 2 * kernel.margin))
        padding = [(0, 0)] * image.ndim
        padding[axis] = (kernel.margin, kernel.margin + lacking)
        if any(padding[axis]):
            mode = "edge" if size == 1 and border == "reflect" else modes[border]
            image = jnp.pad(image, padding, mode=mode)
    return image


def _find_weights(kernel: _Kernel, dv: jax.Array, du: jax.Array, valid: jax.Array) -> Maps:
    """Computes the weights of a window's pixels; 0 where not valid."""
    return mask(valid, products(kernel.weights(dv), kernel.weights(du)))


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _interpolate(
    kernel: _Kernel,
    image: jax.Array,
    first: jax.Array,
    dv: jax.Array,
    du: jax.Array,
    valid: jax.Array,
    smooth: jax.Array,
) -> jax.Array:
    """Interpolates an image (H, W, C) at offsets from first pixels of windows; 0 if not valid.

    Where `smooth` is False, the derivative by the offsets is 0.
    """
    del smooth
    # Without this, XLA on CPU would store every tap for each use of the values.
    return compute_once(window_sum(image, first, _find_weights(kernel, dv, du, valid)))


@_interpolate.defjvp
def _interpolate_jvp(
    kernel: _Kernel, primals: tuple[jax.Array, ...], tangents: tuple[jax.Array, ...]
) -> tuple[jax.Array, jax.Array]:
    image, first, dv, du, valid, smooth = primals
    image_dot, _, dv_dot, du_dot, _, _ = tangents
    slopes = lambda f: jax.jvp(kernel.weights, (f,), (jnp.ones_like(f),))
    (across, across_slope), (along, along_slope) = slopes(dv), slopes(du)
    moved = window_sum_for_image_grad(image_dot, first, across, along, valid)
    dv_dot, du_dot = mask(smooth, (dv_dot, du_dot))
    change = jax.tree.map(
        lambda by_u, by_v: du_dot * by_u + dv_dot * by_v,
        products(across, along_slope),
        products(across_slope, along),
    )
    return _interpolate(kernel, *primals), moved + window_sum_for_weight_grad(image, first, change)


def bilinear_taps(u: jax.Array, size: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """For positions along an axis, the index of the lower neighbour and both bilinear weights."""
    kernel = _KERNELS["bilinear"]
    first = lax.stop_gradient(kernel.start(u, max(size, 2)))
    before, after = kernel.weights(u - first)
    return first.astype(jnp.int32), (before, after)
