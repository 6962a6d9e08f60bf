"""Weighted sums over windows of an image, the building blocks of warps, splats and derivatives.

With the first pixel (r, s) of the window of each n, and its weights w,

    window_sum[n, c] = sum over i, j of w[i][j][n] image[r[n] + i, s[n] + j, c]
    scatter_windows[r[n] + i, s[n] + j, c] += w[i][j][n] values[n, c], for all n, i, j

The result of the latter has one more channel, for values of 1. Both are linear in the image or the
values and in the weights, and each is the other's transpose. Windows lie in the image; `first` is
the index of their first pixel, r W + s. `fold_batch_into_rows` makes one tall image of a batch,
because XLA scatters three times as slowly under vmap.

CPUs and GPUs need other forms, which `chunks` and `whole` have. A GPU adds in any order; `fixed`
has a splat for which this makes no difference.
"""

import functools
import math
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jax import lax

from sf3d_jax._numerics import Array, mask
from sf3d_jax._numerics.platforms import choose_by_platform
from sf3d_jax.warping._windows import chunks, fixed, whole
from sf3d_jax.warping._windows.chunks import match_varying_axes as match_varying_axes
from sf3d_jax.warping._windows.taps import Maps as Maps
from sf3d_jax.warping._windows.taps import Totals, flatten, list_taps, pixels_at, zero_non_finite
from sf3d_jax.warping._windows.taps import products as products

T = TypeVar("T")
# Values, the first pixels of their windows, weights and areas of the windows' pixels.
_Splat: TypeAlias = tuple[jax.Array, jax.Array, Maps, Maps | None]


def fold_batch_into_rows(tree: T, axis: int) -> T:
    """Joins a batch into one tall array by merging the rows, at the negative `axis`, with it."""

    def join(x: jax.Array) -> jax.Array:
        rows, rest = math.prod(x.shape[: x.ndim + axis + 1]), x.shape[x.ndim + axis + 1 :]
        return x.reshape(rows, *rest)

    return jax.tree.map(join, tree)


def window_sum(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """Sums over windows with weights, in the form that is fastest without derivatives.

    Args:
      image: (H, W, C); non-finite values count as 0.
      first: (m, n), integers, first pixels of the windows.
      weights: rows of maps (m, n).

    Returns:
      (m, n, C).
    """
    width = image.shape[1]
    image = flatten(image)
    taps = list(list_taps(weights, width))
    # Redirect zero-weight taps to a pixel that has weight, so that 0 * x keeps the sign of zero.
    anchor: jax.Array | int = 0
    for i, w in taps:
        anchor = jnp.where(w != 0, i, anchor)
    at = lambda i, w: zero_non_finite(pixels_at(image, first + jnp.where(w != 0, i, anchor)))
    terms = (w[..., None] * at(i, w) for i, w in taps)
    return functools.reduce(jnp.add, terms)


def window_sum_for_image_grad(
    image: jax.Array,
    first: jax.Array,
    across: Sequence[jax.Array],
    along: Sequence[jax.Array],
    valid: jax.Array,
) -> jax.Array:
    """`window_sum` in the form whose transpose with respect to the image is fast.

    Args:
      image: (H, W, C).
      first: (m, n), integers, first pixels of the windows.
      across: weights of the windows' rows, maps (m, n).
      along: weights of the windows' columns, maps (m, n).
      valid: (m, n), bool; elsewhere, all weights are 0.

    Returns:
      (m, n, C).
    """
    on_cpu = lambda image, first, across, along, valid: chunks.sum_windows_for_image_grad(
        image, first, mask(valid, products(across, along))
    )
    elsewhere = whole.sum_windows_for_image_grad
    return choose_by_platform(on_cpu, elsewhere, image, first, across, along, valid)


def window_sum_for_weight_grad(image: jax.Array, first: jax.Array, weights: Maps) -> jax.Array:
    """`window_sum` in the form whose transpose with respect to the weights is fast."""
    on_cpu, elsewhere = (form.sum_windows_for_weight_grad for form in (chunks, whole))
    return choose_by_platform(on_cpu, elsewhere, image, first, weights)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def scatter_windows(
    size: tuple[int, int],
    deterministic: bool,
    values: jax.Array,
    first: jax.Array,
    weights: Maps,
    areas: Maps | None = None,
) -> Totals:
    """Adds values, with a 1 appended, to windows of an image with weights.

    Args:
      size: (H, W).
      deterministic: whether the sums must not depend on the order in which a GPU adds.
      values: (m, n, C); non-finite values count as 0.
      first: (m, n), integers, first pixels of the windows.
      weights: rows of maps (m, n).
      areas: other weights, of which only the sum is wanted; those of the values if None.

    Returns:
      (H, W, C + 1), whose last channel is the sum of the weights, and (H, W), the sum of the areas.
    """
    form = fixed.scatter if deterministic else whole.scatter
    on_cpu, elsewhere = partial(chunks.scatter, size), partial(form, size)
    return choose_by_platform(on_cpu, elsewhere, values, first, weights, areas)


@scatter_windows.defjvp
def _scatter_windows_jvp(
    size: tuple[int, int], deterministic: bool, primals: _Splat, tangents: _Splat
) -> tuple[Totals, Totals]:
    """Computes the tangent in forms whose transposes are fast, and deterministic."""
    values, first, weights, _ = primals
    values_dot, _, weights_dot, areas_dot = tangents
    on_cpu, elsewhere = (partial(form.scatter_tangents, size) for form in (chunks, whole))
    moved = choose_by_platform(
        on_cpu, elsewhere, values, first, weights, values_dot, weights_dot, areas_dot
    )
    return scatter_windows(size, deterministic, *primals), moved


def scatter_max(size: tuple[int, int], x: jax.Array, first: jax.Array, counts: Maps) -> jax.Array:
    """For each pixel of an image, the greatest x, (m, n), of windows that count there; or -inf.

    Passes no gradient: a small step does not change which x is the greatest.
    """
    x, counts = lax.stop_gradient((x, counts))
    on_cpu, elsewhere = (partial(form.scatter_max, size) for form in (chunks, whole))
    return choose_by_platform(on_cpu, elsewhere, x, first, counts)


def windows(x: jax.Array, first: jax.Array, taps: int) -> Maps:
    """Gathers the values of a map (H, W) in windows."""
    at = lambda i, j: pixels_at(x.reshape(-1), first + (i * x.shape[1] + j))
    return [[at(i, j) for j in range(taps)] for i in range(taps)]


def window_marks(marks: jax.Array, first: Array, taps: int) -> Maps:
    """Gathers the values of a boolean map (H, W) in windows.

    Packs the marks of the window that starts at each pixel into bits, so that one gather suffices.
    """
    dtype = jnp.uint8 if taps * taps <= 8 else jnp.uint16
    width, flat = marks.shape[1], marks.reshape(-1)
    places = [
        (i * width + j, jnp.asarray(1 << (i * taps + j), dtype))
        for i in range(taps)
        for j in range(taps)
    ]
    # Padding only: no window extends beyond the last row.
    padded = jnp.pad(flat, (0, (taps - 1) * (width + 1)))
    each = [jnp.where(padded[at : at + flat.size], bit, 0) for at, bit in places]
    bits = pixels_at(functools.reduce(jnp.bitwise_or, each), first)
    return [[(bits & places[i * taps + j][1]) > 0 for j in range(taps)] for i in range(taps)]
