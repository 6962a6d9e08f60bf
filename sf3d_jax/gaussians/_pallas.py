"""Compositing and its derivative as GPU kernels; `_blending` has the formulas.

Each program draws one tile. It walks along the tile's list, one Gaussian per step, with the tile's
pixels as one vector, and stops at the end of the list or when no light is left. No tile waits for
another, and a Gaussian's values at the pixels never leave the registers.

In the derivative, each list entry has its own row, written once by its program: what the Gaussian
gains from this tile. So the kernel has no atomic additions, and the rows are reproducible. XLA sums
them afterwards; on a GPU the order varies unless XLA is told to be deterministic.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias, TypeVar

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import triton as plgpu

from sf3d_jax.camera import Size
from sf3d_jax.gaussians._blending import (
    CAP,
    STOP,
    Peak,
    Shares,
    alpha_at,
    blend,
    list_channels,
    peak_at,
    sum_products,
    values_at,
    weigh,
    weigh_motion,
)
from sf3d_jax.gaussians._rows import (
    Images,
    Layout,
    Path,
    PeakTerms,
    Row,
    pack_images,
    unpack,
    unpack_images,
)
from sf3d_jax.gaussians._tiles import PIXELS, SIDE, Tiles, tile_grid

# With one warp, a sum over the pixels needs no shared memory and no barrier.
_WARPS = 1

# Memory that a kernel reads and writes by index; Pallas has no public type for it.
Reference: TypeAlias = Any
State = TypeVar("State")
# The place in the list, the next Gaussian, the current row, clear and the state.
Walk: TypeAlias = tuple[jax.Array, jax.Array, Row, jax.Array, State]
# A function of (place in the list, row, clear, state) to the next (clear, state).
Step: TypeAlias = Callable[[jax.Array, Row, jax.Array, State], tuple[jax.Array, State]]


def composite_sums(
    table: jax.Array, tiles: Tiles, *, layout: Layout, size: Size, interpret: bool = False
) -> jax.Array:
    """The sums of the layout's images, weighted front to back.

    Args:
      table: (N, D), packed rows.
      tiles: tile lists.
      layout: which fields rows and images have.
      size: (H, W).
      interpret: run the kernel interpreted, on any device; slow, for tests.

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
        out_specs=_tile_block(layout),
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
      tiles: tile lists.
      sums: (T, images, P), the drawn images.
      cotangents: (T, images, P).
      layout: which fields rows and images have.
      size: (H, W).
      interpret: run the kernel interpreted, on any device; slow, for tests.

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
        in_specs=[pl.no_block_spec] * 3 + [_tile_block(layout)] * 2 + [pl.no_block_spec],
        # Rows of Gaussians that no light reaches keep their initial zeros.
        input_output_aliases={5: 0},
        compiler_params=plgpu.CompilerParams(num_warps=_WARPS),
        interpret=interpret,
        name="composite_derivative",
    )
    rows = pull(table, tiles.ids, tiles.starts, sums, cotangents, rows)
    return jnp.zeros_like(table).at[tiles.ids].add(rows)


def _tile_block(layout: Layout) -> pl.BlockSpec:
    return pl.BlockSpec((None, layout.images, PIXELS), lambda tile: (tile, 0, 0))


def _draw(
    table: Reference,
    ids: Reference,
    starts: Reference,
    sums: Reference,
    *,
    layout: Layout,
    size: Size,
) -> None:
    """The kernel of `composite_sums`."""
    tile = _find_tile(size, table.dtype)

    def step(
        place: jax.Array, row: Row, clear: jax.Array, totals: Images
    ) -> tuple[jax.Array, Images]:
        shown = _show(row, tile, layout)
        return blend(totals, clear, shown.alpha, shown.values, layout)

    nothing = unpack_images([jnp.zeros_like(tile.inside)] * layout.images, layout)
    totals = _walk(table, ids, starts, tile.inside, nothing, step, layout)
    for i, total in enumerate(pack_images(totals)):
        sums[i, :] = total


def _pull(
    table: Reference,
    ids: Reference,
    starts: Reference,
    sums: Reference,
    cotangents: Reference,
    _: Reference,
    rows: Reference,
    *,
    layout: Layout,
    size: Size,
) -> None:
    """The kernel of `derivative`."""
    tile = _find_tile(size, table.dtype)
    given, drawn = (
        unpack_images([reference[i, :] for i in range(layout.images)], layout)
        for reference in (cotangents, sums)
    )

    def step(
        place: jax.Array, row: Row, clear: jax.Array, rest: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        shown = _show(row, tile, layout)
        after = clear * (1 - shown.alpha)
        weight = weigh(shown.alpha, clear, after)
        gain = weight * sum_products(
            list_channels(given, layout), list_channels(shown.values, layout)
        )
        rest = rest - gain
        fall = gain - rest * shown.alpha / (1 - shown.alpha)
        fall = jnp.where((weight > 0) & (shown.alpha < CAP), fall, 0)
        shares = Shares(weight, weigh_motion(weight, clear, after, layout), fall)
        for i, gained in enumerate(jax.tree.leaves(_pull_back(row, shown, shares, given))):
            rows[place, i] = gained.sum()
        return after, rest

    rest = sum_products(list_channels(drawn, layout), list_channels(given, layout))
    _walk(table, ids, starts, tile.inside, rest, step, layout)


def _walk(
    table: Reference,
    ids: Reference,
    starts: Reference,
    clear: jax.Array,
    state: State,
    step: Step[State],
    layout: Layout,
) -> State:
    """The state after all steps along the list of the program's tile.

    Args:
      table: (N, D).
      ids: (M).
      starts: (T + 1).
      clear: (P), T in front of the first Gaussian.
      state: initial state, any pytree.
      step: function that makes the next state.
      layout: which fields rows and images have.

    Returns:
      The last state.
    """
    tile = pl.program_id(0)
    first, end = starts[tile], starts[tile + 1]
    last = ids.shape[0] - 1
    id_at = lambda place: ids[jnp.minimum(place, last)]
    row_of = lambda gaussian: unpack([table[gaussian, i] for i in range(layout.columns)], layout)

    def is_unfinished(walk: Walk[State]) -> jax.Array:
        place, _, _, clear, _ = walk
        return (place < end) & (clear.max() > STOP)

    def advance(walk: Walk[State]) -> Walk[State]:
        place, following, row, clear, state = walk
        # Loaded one step ahead, so that memory latency overlaps with this step.
        ahead = id_at(place + 2), row_of(following)
        clear, state = step(place, row, clear, state)
        return place + 1, *ahead, clear, state

    walk = first, id_at(first + 1), row_of(id_at(first)), clear, state
    result: State = jax.lax.while_loop(is_unfinished, advance, walk)[-1]
    return result


class _Tile(NamedTuple):
    """The tile of a program.

    Attributes:
      middle: () twice, its middle, in pixels.
      offset: (P) twice, offsets of its pixels from the middle.
      inside: (P), 1 at pixels of the image, 0 beyond it.
    """

    middle: tuple[jax.Array, jax.Array]
    offset: tuple[jax.Array, jax.Array]
    inside: jax.Array


class _Shown(NamedTuple):
    """A Gaussian at the pixels of a tile.

    Attributes:
      x: (P), horizontal offsets of the pixels from the mean.
      y: (P), vertical offsets.
      alpha: (P).
      peak: (P), the densest points of the rays.
      values: what the Gaussian shows, () or (P).
    """

    x: jax.Array
    y: jax.Array
    alpha: jax.Array
    peak: Peak
    values: Images


def _find_tile(size: Size, dtype: jnp.dtype) -> _Tile:
    tile, columns = pl.program_id(0), jnp.int32(tile_grid(size)[1])
    pixel, side = jax.lax.iota(jnp.int32, PIXELS), jnp.int32(SIDE)
    half = (SIDE - 1) / 2
    middle = [(f(tile, columns) * side).astype(dtype) + half for f in (jax.lax.rem, jax.lax.div)]
    offset = [f(pixel, side).astype(dtype) - half for f in (jax.lax.rem, jax.lax.div)]
    u, v = (a + b for a, b in zip(middle, offset, strict=True))
    inside = (u < size[1]) & (v < size[0])
    return _Tile((middle[0], middle[1]), (offset[0], offset[1]), inside.astype(dtype))


def _show(row: Row, tile: _Tile, layout: Layout) -> _Shown:
    # Subtract the two large numbers first, which is exact, then the pixel's offset.
    x, y = (tile.offset[i] - (mean - tile.middle[i]) for i, mean in enumerate((row.u, row.v)))
    alpha = alpha_at(x, y, row, row.opacity)
    peak = peak_at(x, y, row.peak)
    return _Shown(x, y, alpha, peak, values_at(x, y, peak, row, layout))


def _pull_back(row: Row, shown: _Shown, shares: Shares, given: Images) -> Row:
    """What the Gaussian's row gains from each pixel, maps (P)."""
    x, y = shown.x, shown.y
    tau, _, inverse = shown.peak
    p, q, r = row.p, row.q, row.r
    l1, l2, q1, q2, q3 = row.peak
    weight, moving, fall = shares
    depth = weight * given.depth
    if given.motion_depth is not None:
        depth = depth + moving * given.motion_depth
    by_tau = depth * row.depth
    slope = p * x + q * y
    u, v = fall * p * slope, fall * (q * slope + r * r * y)
    path = None
    if row.path is not None:
        motion = [moving * cotangent for cotangent in given.motion or ()]
        path = _pull_path(shown, motion)
        along, aside, centre = (
            sum_products(motion, part) for part in (row.path.along, row.path.aside, row.path.centre)
        )
        by_tau = by_tau + along * x + aside * y + centre
        u, v = u - tau * along, v - tau * aside
    # The cotangent of l, and minus that of q.
    minus_by_q = by_tau * tau * inverse
    by_l = by_tau * inverse - 2 * minus_by_q
    return Row(
        u=u - l1 * by_l + (2 * q1 * x + q2 * y) * minus_by_q,
        v=v - l2 * by_l + (q2 * x + 2 * q3 * y) * minus_by_q,
        p=-fall * slope * x,
        q=-fall * slope * y,
        r=-fall * r * y * y,
        opacity=fall / jnp.where(row.opacity > 0, row.opacity, 1),
        colors=tuple(weight * cotangent for cotangent in given.colors),
        depth=depth * tau,
        peak=PeakTerms(
            by_l * x, by_l * y, -minus_by_q * x * x, -minus_by_q * x * y, -minus_by_q * y * y
        ),
        path=path,
    )


def _pull_path(shown: _Shown, motion: list[jax.Array]) -> Path:
    """The cotangents of dmu, P and Q, given the weighted cotangents of X' - X."""
    tau, s, _ = shown.peak
    times = lambda factor: tuple(m * factor for m in motion)
    return Path(tuple(motion), times(tau * shown.x), times(tau * shown.y), times(-s))
