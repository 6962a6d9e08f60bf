"""Calls of the kernels of `_kernels` for a batch of scenes, by either compiler of Pallas."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jax.core import ShapedArray

from sf3d_jax.camera import Size
from sf3d_jax.gaussians._kernels import draw, pull
from sf3d_jax.gaussians._rows import Layout
from sf3d_jax.gaussians._tiles import PIXELS

# GPUs add rows of four numbers at once, if a row's length is a multiple of that.
_VECTOR = 4

# A function of (kernel, its name, the type of what it writes, operands) to what it writes.
Call: TypeAlias = Callable[..., jax.Array]


def composite_sums(
    table: jax.Array,
    ids: jax.Array,
    starts: jax.Array,
    *,
    layout: Layout,
    size: Size,
    call: Call,
) -> jax.Array:
    """The sums of the layout's images, weighted front to back.

    Args:
      table: (B, N, D), packed rows.
      ids: (B, M), the tile lists.
      starts: (B, T + 1), where they start.
      layout: which fields rows and images have.
      size: (H, W).
      call: `call` of the compiler's module.

    Returns:
      (B, T images, P), 0 beyond the borders of the image.
    """
    shape = sums_shape(table, starts, layout)
    if not table.size:
        return jnp.zeros(shape.shape, shape.dtype)
    kernel = partial(draw, layout=layout, size=size)
    return call(kernel, "composite_sums", shape, table, ids, starts)


def derivative(
    table: jax.Array,
    ids: jax.Array,
    starts: jax.Array,
    sums: jax.Array,
    cotangents: jax.Array,
    *,
    layout: Layout,
    size: Size,
    call: Call,
) -> jax.Array:
    """The cotangent of the table.

    Args:
      table: (B, N, D).
      ids: (B, M), the tile lists.
      starts: (B, T + 1), where they start.
      sums: (B, T images, P), the drawn images.
      cotangents: (B, T images, P).
      layout: which fields rows and images have.
      size: (H, W).
      call: `call` of the compiler's module.

    Returns:
      (B, N, D).
    """
    if not table.size:
        return jnp.zeros_like(table)
    kernel = partial(pull, layout=layout, size=size)
    operands = table, ids, starts, sums, cotangents
    rows = call(kernel, "composite_derivative", _rows_shape(table, ids), *operands)
    return _sum_rows(rows, table, ids, starts)


def sums_shape(table: jax.Array, starts: jax.Array, layout: Layout) -> ShapedArray:
    """The shape of what `draw` writes."""
    tiles = starts.shape[1] - 1
    return ShapedArray((table.shape[0], tiles * layout.images, PIXELS), table.dtype)


def _rows_shape(table: jax.Array, ids: jax.Array) -> ShapedArray:
    """The shape of what `pull` writes."""
    columns = table.shape[-1] + -table.shape[-1] % _VECTOR
    return ShapedArray((*ids.shape, columns), table.dtype)


def _sum_rows(rows: jax.Array, table: jax.Array, ids: jax.Array, starts: jax.Array) -> jax.Array:
    """The cotangent of the table, (B, N, D), from what `pull` has written."""
    batch, count, columns = table.shape
    # Entries beyond the end of the last list have no row.
    used = jnp.arange(ids.shape[1], dtype=jnp.int32)[None] < starts[:, -1:]
    first = count * jnp.arange(batch, dtype=jnp.int32)[:, None]
    place = jnp.where(used, ids + first, batch * count)
    total = jnp.zeros((batch * count, rows.shape[-1]), table.dtype)
    total = total.at[place].add(rows, mode="drop")
    return total.reshape(batch, count, -1)[..., :columns]
