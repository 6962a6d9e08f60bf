"""Sampling images at real positions, and warping one image back onto another's grid.

The value at the pixel (u, v) is the sum over the taps i of a row and j of a column of
image[i, j] k(v - i) k(u - j), with the kernel k of the method:

    nearest    the one tap that (u, v) rounds to
    bilinear   k(t) = 1 - |t| for |t| < 1
    bicubic    Keys' kernel with a = -3/4, as in PyTorch and OpenCV, |t| < 2

A position on a pixel's centre is that pixel, to the bit. There a bilinear surface has a kink,
and the derivative is the slope towards the next pixel (at the last one, that of the pixel
before), so that a flow of zeros learns.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import (
    bounded,
    channels,
    channels_last,
    computed_once,
    jit,
    mask,
    narrow,
    widen,
)

Method = Literal["nearest", "bilinear", "bicubic"]
Border = Literal["zeros", "clamp", "reflect"]


class Sampled(NamedTuple):
    """Values of an image at real positions.

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
    """Values of an image at real positions; the formulas are those of this module.

    Args:
      image: (*b, H, W, C).
      pixels: (*b, h, w, 2), (u, v) in pixels of the image, integers at pixel centres.
      method: "nearest", "bilinear" or "bicubic".
      border: what the image continues as: "zeros", its outermost pixels ("clamp"), or its
        mirror image about their centres ("reflect").

    Returns:
      Values in the image's dtype, and validity: the position lies between the centres of the
      image's outermost pixels, these included, and every pixel that has a weight there is
      finite. Positions outside have the values of the border; where the position or a value
      is not finite, values are 0 and pass no gradient. A pixel without weight has no say.

    Raises:
      TypeError: an argument is no floating array.
      ValueError: shapes do not fit, or method or border is none of these.
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
    """The second image as the first one's pixels see it: sampled at p + flow(p).

    Bilinear, with zeros outside, it is the transpose of `forward_splat` in mode "sum".

    Args:
      image: (*b, H, W, C), the second image.
      flow: (*b, h, w, 2), from the first image to the second, in pixels.
      method: "nearest", "bilinear" or "bicubic".
      border: "zeros", "clamp" or "reflect"; see `sample`.

    Returns:
      As `sample`: values on the grid of the flow, valid where the flow stays in the image.

    Raises:
      TypeError: an argument is no floating array.
      ValueError: shapes do not fit, or method or border is none of these.
    """
    check_array("flow", flow, (2,))
    u, v = positions(*widen(*channels(flow)))
    return sample_at("flow", image, u, v, method, border)


def positions(fu: jax.Array, fv: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The pixel (u, v) to which every pixel of a grid moves."""
    height, width = fu.shape[-2:]
    columns, rows = (jnp.arange(n, dtype=fu.dtype) for n in (width, height))
    return columns + fu, rows[:, None] + fv


def sample_at(
    name: str, image: jax.Array, u: jax.Array, v: jax.Array, method: Method, border: Border
) -> Sampled:
    """Sampling at maps of columns and rows; `name` is that of the argument they come from."""
    for option, value, known in (("method", method, Method), ("border", border, Border)):
        if value not in get_args(known):
            raise ValueError(f"{option}: expected one of {get_args(known)}, got {value!r}")
    check_array("image", image)
    if image.ndim < 3 or 0 in image.shape[-3:-1]:
        raise ValueError(f"image: expected shape (..., H, W, C), got {image.shape}")
    if u.ndim < 2:
        raise ValueError(f"{name}: expected shape (..., h, w, 2), got {(*u.shape, 2)}")
    check_batch(**{"image": image.shape[:-3], name: u.shape[:-2]})

    dtype = image.dtype
    height, width = image.shape[-3:-1]
    image, u, v = widen(image, u, v)
    finite = bounded(u) & bounded(v)
    inside = finite & (u >= 0) & (u <= width - 1) & (v >= 0) & (v <= height - 1)
    u, v = mask(finite, (u, v))
    kernel = _KERNELS[method]
    u, v = (_continued(x, n, border, kernel) for x, n in ((u, width), (v, height)))
    image = _padded(image, border, kernel)
    of_one = jnp.vectorize(partial(_interpolate, kernel), signature="(a,b,c),(m,n),(m,n)->(m,n,c)")
    values = of_one(image, u + kernel.margin, v + kernel.margin)
    # Kept, or XLA on CPU would keep every gather for the values and the validity instead.
    greatest = jnp.abs(lax.stop_gradient(values)).max(-1, initial=0)
    finite = bounded(computed_once(jnp.where(finite, greatest, jnp.inf)))
    values, finite = narrow(finite, mask(finite, values), dtype)
    return Sampled(values, inside & finite)


class _Kernel(NamedTuple):
    """How a method weighs the pixels of a row around a position.

    Attributes:
      start: of a position and the length of the padded row, the index of the first tap.
      weights: of the position relative to that tap, the weight of each.
      margin: how many pixels the image is padded by on every side.
    """

    start: Callable[[jax.Array, int], jax.Array]
    weights: Callable[[jax.Array], tuple[jax.Array, ...]]
    margin: int


def _bilinear_weights(f: jax.Array) -> tuple[jax.Array, ...]:
    # Beyond the first and the last pixel, where f leaves [0, 1], the image fades to zero.
    before, after = (f > -1) & (f < 0), (f > 1) & (f < 2)
    between = (f >= 0) & (f <= 1)
    first = jnp.where(between, 1 - f, jnp.where(before, 1 + f, 0))
    second = jnp.where(between, f, jnp.where(after, 2 - f, 0))
    return first, second


def _bicubic_weights(f: jax.Array) -> tuple[jax.Array, ...]:
    a = -0.75
    near = lambda t: ((a + 2) * t - (a + 3)) * t * t + 1
    far = lambda t: ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return far(f), near(f - 1), near(2 - f), far(3 - f)


_KERNELS = {
    "nearest": _Kernel(
        lambda u, n: jnp.clip(jnp.round(u), 0, n - 1),
        lambda f: (jnp.where(jnp.abs(lax.stop_gradient(f)) <= 0.5, 1.0, 0.0).astype(f.dtype),),
        0,
    ),
    # The last pixel takes its slope from the one before.
    "bilinear": _Kernel(lambda u, n: jnp.clip(jnp.floor(u), 0, n - 2), _bilinear_weights, 0),
    "bicubic": _Kernel(lambda u, n: jnp.clip(jnp.floor(u) - 1, 0, n - 4), _bicubic_weights, 3),
}


def _continued(u: jax.Array, size: int, border: Border, kernel: _Kernel) -> jax.Array:
    """Where in the padded image the value at u is found."""
    last = size - 1
    if border == "reflect" and last > 0:
        phase = jnp.mod(u, 2 * last)
        mirrored = jnp.where(phase > last, 2 * last - phase, phase)
        return jnp.where((u >= 0) & (u <= last), u, mirrored)
    if border == "zeros" and kernel.margin == 0:
        return u
    # From so far outside on, all taps are those of the border.
    beyond = max(0, kernel.margin - 1) if border != "reflect" else 0
    low, high = jnp.asarray(-beyond, u.dtype), jnp.asarray(last + beyond, u.dtype)
    return jnp.where(u < low, low, jnp.where(u > high, high, u))


def _padded(image: jax.Array, border: Border, kernel: _Kernel) -> jax.Array:
    """The image continued by as many pixels as the taps reach beyond it."""
    height, width, _ = image.shape[-3:]
    taps = len(kernel.weights(jnp.zeros(())))
    modes = {"zeros": "constant", "clamp": "edge", "reflect": "reflect"}
    for axis, size in ((-3, height), (-2, width)):
        # A row of one pixel has no second tap; it has no weight either.
        lacking = max(0, taps - (size + 2 * kernel.margin))
        padding = [(0, 0)] * image.ndim
        padding[axis] = (kernel.margin, kernel.margin + lacking)
        if any(padding[axis]):
            mode = "edge" if size == 1 and border == "reflect" else modes[border]
            image = jnp.pad(image, padding, mode=mode)
    return image


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _interpolate(kernel: _Kernel, image: jax.Array, u: jax.Array, v: jax.Array) -> jax.Array:
    """The image (H, W, C) at columns u and rows v, (h, w) each."""
    total: Any = 0
    columns = _weighed(*_taps(kernel, u, image.shape[1]))
    for row, across in _weighed(*_taps(kernel, v, image.shape[0])):
        for column, along in columns:
            total = total + _pixels(image, row, column) * (across * along)[..., None]
    return total


@_interpolate.defjvp
def _interpolate_jvp(kernel: _Kernel, primals: Any, tangents: Any) -> Any:
    """The tangent, in forms whose transposes are fast too.

    That of the image gathers windows, which transposes to one scatter of windows. That of the
    position goes channel by channel: a sum over the short axis of channels is slow.
    """
    (image, u, v), (image_dot, u_dot, v_dot) = primals, tangents
    (row, across), (column, along) = (
        _taps(kernel, v, image.shape[0]),
        _taps(kernel, u, image.shape[1]),
    )
    weights = channels_last(*(a * b for a in across for b in along))
    moved = pixel_windows(image_dot, row, column, len(along)).reshape(*u.shape, -1, image.shape[-1])
    moved = (moved * weights[..., None]).sum(-2)

    across_slope, along_slope = (_slopes(kernel, x - first) for x, first in ((v, row), (u, column)))
    taps = [
        [_pixels(image, row + i, column + j) for j in range(len(along))] for i in range(len(across))
    ]

    def slope(channel: int, across: Any, along: Any) -> jax.Array:
        total = sum(
            a * b * taps[i][j][..., channel]
            for i, a in enumerate(across)
            for j, b in enumerate(along)
        )
        # A pixel that is not finite has no slope; where it has a weight, no value either.
        return jnp.where(bounded(total), total, 0)

    shifted = [
        u_dot * slope(c, across, along_slope) + v_dot * slope(c, across_slope, along)
        for c in range(image.shape[-1])
    ]
    return _interpolate(kernel, image, u, v), moved + jnp.stack(shifted, axis=-1)


def _taps(kernel: _Kernel, u: jax.Array, size: int) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """The index of the first tap of each position along an axis, and the weights of all."""
    first = lax.stop_gradient(kernel.start(u, size))
    return first.astype(jnp.int32), kernel.weights(u - first)


def _slopes(kernel: _Kernel, f: jax.Array) -> tuple[jax.Array, ...]:
    return jax.jvp(kernel.weights, (f,), (jnp.ones_like(f),))[1]


def _weighed(first: jax.Array, weights: tuple[jax.Array, ...]) -> list[tuple[jax.Array, jax.Array]]:
    """Index and weight of each tap; one without weight stands on another: 0 times NaN is NaN."""
    centre: Any = (len(weights) - 1) // 2
    if len(weights) > 1:
        centre = jnp.where(weights[centre] != 0, centre, centre + 1)
    return [(first + jnp.where(w != 0, i, centre), w) for i, w in enumerate(weights)]


def _pixels(image: jax.Array, row: jax.Array, column: jax.Array) -> jax.Array:
    """The pixels at maps of indices, as one gather of whole pixels."""
    flat = image.reshape(-1, image.shape[-1])
    return flat.at[row * image.shape[1] + column].get(mode="promise_in_bounds")


def bilinear_taps(u: jax.Array, size: int) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    """Of positions along an axis the index of the first of two pixels, and both weights."""
    first, (before, after) = _taps(_KERNELS["bilinear"], u, max(size, 2))
    return first, (before, after)


def pixel_windows(image: jax.Array, row: jax.Array, column: jax.Array, taps: int) -> jax.Array:
    """The windows (taps, taps, C) whose first pixels are given."""
    numbers = lax.GatherDimensionNumbers(
        offset_dims=(row.ndim, row.ndim + 1, row.ndim + 2),
        collapsed_slice_dims=(),
        start_index_map=(0, 1),
    )
    return lax.gather(
        image,
        jnp.stack([row, column], axis=-1),
        numbers,
        (taps, taps, image.shape[-1]),
        mode=lax.GatherScatterMode.PROMISE_IN_BOUNDS,
    )
