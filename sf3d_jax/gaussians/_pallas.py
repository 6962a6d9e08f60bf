"""Compositing and its derivative once more, as kernels for GPUs; `_blending` has the rules.

Each program has one tile. It walks along the tile's own list, a Gaussian a step, with the pixels
of the tile as one vector, and ends where the list does or no light is left. No tile waits for
another, and what a Gaussian is at a pixel never leaves the registers.

In the derivative an entry of a list has a row of its own, which its program alone writes, once:
what the Gaussian gains from this tile. So the kernel has no atomic additions, and its rows are the
same each time. XLA adds them up afterwards, on a GPU in any order, unless told to be deterministic.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from sf3d_jax.gaussians._blending import (
    CAP,
    STOP,
    Layout,
    Peak,
    alpha_at,
    blend,
    crossing,
    peak_at,
    values_at,
    weigh,
)
from sf3d_jax.gaussians._tiles import PIXELS, SIDE, Tiles, grid_of

# So a sum over the pixels stays within a warp: no shared memory, no barrier.
_WARPS = 1

Size = tuple[int, int]
Columns = list[jax.Array]
Step = Callable[[jax.Array, Columns, jax.Array, Any], tuple[jax.Array, Any]]


def composite_sums(
    table: jax.Array, tiles: Tiles, *, layout: Layout, size: Size, interpret: bool = False
) -> jax.Array:
    """The sums of what the layout lists, weighted front to back.

    Args:
      table: (N, D), as `Splats.table` has it.
      tiles: the lists.
      layout: which numbers there are.
      size: (H, W).
      interpret: runs on any machine, slowly, for tests.

    Returns:
      (T, images, P), 0 beyond the borders of the image.
    """
    count = len(tiles.starts) - 1
    shape = jax.ShapeDtypeStruct((count, layout.images, PIXELS), table.dtype)
    if not len(table):
        return jnp.zeros(shape.shape, shape.dtype)
    draw = pl.pallas_call(
        partial(_draw, layout=layout, size=size),
        grid=(count,),
        out_shape=shape,
        in_specs=[pl.no_block_spec] * 3,
        out_specs=_of_tile(layout),
        compiler_params=plgpu.CompilerParams(num_warps=_WARPS),
        interpret=interpret,
        name="composite_sums",
    )
    result: jax.Array = draw(table, tiles.ids, tiles.starts)
    return result


def derivative(
    table: jax.Array,
    tiles: Tiles,
    sums: jax.Array,
    cotangents: jax.Array,
    *,
    layout: Layout,
    size: Size,
    interpret: bool = False,
) -> jax.Array:
    """The cotangent of the table.

    Args:
      table: (N, D).
      tiles: the lists.
      sums: (T, images, P), what was drawn.
      cotangents: (T, images, P).
      layout: which numbers there are.
      size: (H, W).
      interpret: runs on any machine, slowly, for tests.

    Returns:
      (N, D).
    """
    if not len(table):
        return jnp.zeros_like(table)
    rows = jnp.zeros((len(tiles.ids), table.shape[-1]), table.dtype)
    pull = pl.pallas_call(
        partial(_pull, layout=layout, size=size),
        grid=(len(tiles.starts) - 1,),
        out_shape=jax.ShapeDtypeStruct(rows.shape, rows.dtype),
        in_specs=[pl.no_block_spec] * 3 + [_of_tile(layout)] * 2 + [pl.no_block_spec],
        # Rows of Gaussians that no light reaches stay as they come.
        input_output_aliases={5: 0},
        compiler_params=plgpu.CompilerParams(num_warps=_WARPS),
        interpret=interpret,
        name="composite_derivative",
    )
    rows = pull(table, tiles.ids, tiles.starts, sums, cotangents, rows)
    return jnp.zeros_like(table).at[tiles.ids].add(rows)


def _of_tile(layout: Layout) -> pl.BlockSpec:
    return pl.BlockSpec((None, layout.images, PIXELS), lambda tile: (tile, 0, 0))


def _draw(table: Any, ids: Any, starts: Any, sums: Any, *, layout: Layout, size: Size) -> None:
    """The kernel of `composite_sums`; all but the options are references to memory."""
    tile = _tile(size, table.dtype)

    def step(
        place: jax.Array, columns: Columns, clear: jax.Array, totals: Any
    ) -> tuple[jax.Array, Any]:
        shown = _shown(columns, tile, layout)
        return blend(totals, clear, shown.alpha, shown.values, layout)

    nothing = (jnp.zeros_like(tile.inside),) * layout.images
    for i, total in enumerate(_walked(table, ids, starts, tile.inside, nothing, step)):
        sums[i, :] = total


def _pull(
    table: Any,
    ids: Any,
    starts: Any,
    sums: Any,
    cotangents: Any,
    _: Any,
    rows: Any,
    *,
    layout: Layout,
    size: Size,
) -> None:
    """The kernel of `derivative`; all but the options are references to memory."""
    tile = _tile(size, table.dtype)
    given = [cotangents[i, :] for i in range(layout.images)]

    def step(
        place: jax.Array, columns: Columns, clear: jax.Array, rest: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        shown = _shown(columns, tile, layout)
        after = clear * (1 - shown.alpha)
        weight = weigh(shown.alpha, clear, after)
        gain = weight * _sum([given[i] * shown.values[i] for i in layout.blended])
        rest = rest - gain
        fall = gain - rest * shown.alpha / (1 - shown.alpha)
        fall = jnp.where((weight > 0) & (shown.alpha < CAP), fall, 0)
        share = crossing(clear, after) if layout.motion == "median" else weight
        gains = _gains(columns, shown, _Shares(weight, share, fall), given, layout)
        for i, gained in enumerate(gains):
            rows[place, i] = gained.sum()
        return after, rest

    rest = _sum([sums[i, :] * given[i] for i in layout.blended])
    _walked(table, ids, starts, tile.inside, rest, step)


def _walked(table: Any, ids: Any, starts: Any, clear: jax.Array, state: Any, step: Step) -> Any:
    """The state after all steps along the list of the program's tile.

    Args:
      table: reference to (N, D).
      ids: reference to (M).
      starts: reference to (T + 1).
      clear: (P), the light T before the first Gaussian.
      state: anything.
      step: makes of (place in the lists, columns of the table, clear, state) the next (clear,
        state).

    Returns:
      The last state.
    """
    tile = pl.program_id(0)
    first, end = starts[tile], starts[tile + 1]
    last = ids.shape[0] - 1
    id_at = lambda place: ids[jnp.minimum(place, last)]
    row_of = lambda gaussian: [table[gaussian, i] for i in range(table.shape[-1])]

    def unfinished(walk: Any) -> jax.Array:
        place, _, _, clear, _ = walk
        return (place < end) & (clear.max() > STOP)

    def go_on(walk: Any) -> Any:
        place, following, columns, clear, state = walk
        # Asked for one step ahead: memory answers while this step is computed.
        ahead = id_at(place + 2), row_of(following)
        clear, state = step(place, columns, clear, state)
        return place + 1, *ahead, clear, state

    walk = first, id_at(first + 1), row_of(id_at(first)), clear, state
    return jax.lax.while_loop(unfinished, go_on, walk)[-1]


class _Tile(NamedTuple):
    """The tile of a program.

    Attributes:
      middle: () twice, its middle, in pixels.
      offset: (P) twice, its pixels from the middle.
      inside: (P), 1 at the pixels of the image, 0 beyond it.
    """

    middle: tuple[jax.Array, jax.Array]
    offset: tuple[jax.Array, jax.Array]
    inside: jax.Array


class _Shown(NamedTuple):
    """A Gaussian at the pixels of a tile.

    Attributes:
      x: (P), the pixels from the mean.
      y: likewise.
      alpha: (P).
      peak: (P), where the rays are densest.
      values: for every image () or (P), what the Gaussian shows.
    """

    x: jax.Array
    y: jax.Array
    alpha: jax.Array
    peak: Peak
    values: list[jax.Array]


class _Shares(NamedTuple):
    """Maps (P) of a step of the derivative.

    Attributes:
      weight: w.
      motion: the weight of the motion: w, or 1 where the Gaussian is the median.
      fall: alpha times the cotangent of alpha: minus that of the exponent.
    """

    weight: jax.Array
    motion: jax.Array
    fall: jax.Array


def _tile(size: Size, dtype: Any) -> _Tile:
    tile, columns = pl.program_id(0), jnp.int32(grid_of(size)[1])
    pixel, side = jax.lax.iota(jnp.int32, PIXELS), jnp.int32(SIDE)
    half = (SIDE - 1) / 2
    middle = [(f(tile, columns) * side).astype(dtype) + half for f in (jax.lax.rem, jax.lax.div)]
    offset = [f(pixel, side).astype(dtype) - half for f in (jax.lax.rem, jax.lax.div)]
    u, v = (a + b for a, b in zip(middle, offset, strict=True))
    inside = (u < size[1]) & (v < size[0])
    return _Tile((middle[0], middle[1]), (offset[0], offset[1]), inside.astype(dtype))


def _shown(columns: Columns, tile: _Tile, layout: Layout) -> _Shown:
    # First the difference of the two large numbers, which is exact, then the pixel.
    x, y = (tile.offset[i] - (columns[i] - tile.middle[i]) for i in range(2))
    alpha = alpha_at(x, y, columns[2:5], columns[5])
    depth = layout.depth_column
    peak = peak_at(x, y, columns[depth + 1 : depth + 6])
    return _Shown(x, y, alpha, peak, values_at(x, y, peak, columns, layout))


def _gains(
    columns: Columns, shown: _Shown, shares: _Shares, given: list[jax.Array], layout: Layout
) -> list[jax.Array]:
    """What the numbers of the Gaussian gain from each pixel, D maps (P)."""
    p, q, r, opacity = columns[2:6]
    l1, l2, q1, q2, q3 = columns[layout.depth_column + 1 : layout.depth_column + 6]
    x, y = shown.x, shown.y
    tau, s, inverse = shown.peak
    weight, share, fall = shares
    depth = weight * given[layout.depth_image]
    if layout.motion == "median":
        depth = depth + share * given[-1]
    lengthened = depth * columns[layout.depth_column]
    slope = p * x + q * y
    u, v = fall * p * slope, fall * (q * slope + r * r * y)
    motions = []
    if layout.motion is not None:
        _, along, aside, centre = (columns[layout.motion_column + i :][:3] for i in (0, 3, 6, 9))
        first = layout.motion_image
        moving = [share * cotangent for cotangent in given[first : first + 3]]
        kinds = [None, tau * x, tau * y, -s]
        motions = [m if kind is None else m * kind for kind in kinds for m in moving]
        pulled_along, pulled_aside, pulled_centre = (
            _sum([m * part for m, part in zip(moving, path, strict=True)])
            for path in (along, aside, centre)
        )
        lengthened = lengthened + pulled_along * x + pulled_aside * y + pulled_centre
        u, v = u - tau * pulled_along, v - tau * pulled_aside
    # The cotangents of l and, but for the sign, of q.
    bent = lengthened * tau * inverse
    slid = lengthened * inverse - 2 * bent
    u = u - l1 * slid + (2 * q1 * x + q2 * y) * bent
    v = v - l2 * slid + (q2 * x + 2 * q3 * y) * bent
    roots = [-fall * slope * x, -fall * slope * y, -fall * r * y * y]
    lifted = fall / jnp.where(opacity > 0, opacity, 1)
    colors = [weight * cotangent for cotangent in given[: layout.colors]]
    peaks = [slid * x, slid * y, -bent * x * x, -bent * x * y, -bent * y * y]
    return [u, v, *roots, lifted, *colors, depth * tau, *peaks, *motions]


def _sum(terms: list[jax.Array]) -> jax.Array:
    """Without the 0 that Python's own starts with."""
    total, *others = terms
    for term in others:
        total = total + term
    return total
