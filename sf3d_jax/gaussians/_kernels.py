"""Compositing and its derivative as GPU kernels; `_blending` has the formulas.

Each program draws one tile. It walks along the tile's list, one Gaussian per step, with the tile's
pixels as one vector, and stops at the end of the list or when no light is left. No tile waits for
another, and a Gaussian's values at the pixels never leave the registers. A batch of scenes is drawn
by one call, with a program for each tile of each image.

In the derivative, each list entry has its own row, written once by its program: what the Gaussian
gains from this tile. So the kernel has no atomic additions, and the rows are reproducible. XLA sums
them afterwards; on a GPU the order varies unless XLA is told to be deterministic.

`_kernel_calls` calls these kernels, by either of the two compilers of Pallas.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias, TypeVar

import jax
import jax.numpy as jnp

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
from sf3d_jax.gaussians._tiles import SIDE, tile_grid

# Memory that a kernel reads and writes by index; Pallas has no public type for it.
Reference: TypeAlias = Any
State = TypeVar("State")
# The place in the list, the next Gaussian, the current row, clear and the state.
Walk: TypeAlias = tuple[jax.Array, jax.Array, Row, jax.Array, State]
# A function of (place in the list, row, clear, state) to the next (clear, state).
Step: TypeAlias = Callable[[jax.Array, Row, jax.Array, State], tuple[jax.Array, State]]


class Program(NamedTuple):
    """Where a program draws.

    Attributes:
      tile: (), index of its tile.
      image: (), index in the batch.
      pixel: (P), indices of the tile's pixels, row by row.
      hold: function that keeps a vector (P) as the compiler wants it, or returns it.
    """

    tile: jax.Array
    image: jax.Array
    pixel: jax.Array
    hold: Callable[[jax.Array], jax.Array]

    def place(self, i: int, layout: Layout) -> tuple[jax.Array, jax.Array]:
        """Where the tile's pixels of the i-th image are."""
        return self.image, self.tile * layout.images + i

    def read(self, images: Reference, i: int, layout: Layout) -> jax.Array:
        """The tile's pixels of the i-th image, (P)."""
        return self.hold(images[self.place(i, layout)])


def draw(
    program: Program,
    table: Reference,
    ids: Reference,
    starts: Reference,
    sums: Reference,
    *,
    layout: Layout,
    size: Size,
) -> None:
    """Writes the sums of the layout's images, weighted front to back.

    Args:
      program: place of the program.
      table: (B, N, D), packed rows.
      ids: (B, M), the tile lists.
      starts: (B, T + 1), where they start.
      sums: (B, T images, P), what is written; 0 beyond the borders of the image.
      layout: which fields rows and images have.
      size: (H, W).
    """
    tile = _find_tile(program, size, table.dtype)

    def step(
        place: jax.Array, row: Row, clear: jax.Array, totals: Images
    ) -> tuple[jax.Array, Images]:
        shown = _show(row, tile, layout)
        return blend(totals, clear, shown.alpha, shown.values, layout)

    nothing = unpack_images([jnp.zeros_like(tile.inside)] * layout.images, layout)
    totals = _walk(program, table, ids, starts, tile.inside, nothing, step, layout)[-1]
    for i, total in enumerate(pack_images(totals)):
        sums[program.place(i, layout)] = total


def pull(
    program: Program,
    table: Reference,
    ids: Reference,
    starts: Reference,
    sums: Reference,
    cotangents: Reference,
    rows: Reference,
    *,
    layout: Layout,
    size: Size,
) -> None:
    """Writes what each Gaussian of each list gains from the tile.

    Args:
      program: place of the program.
      table: (B, N, D).
      ids: (B, M), the tile lists.
      starts: (B, T + 1), where they start.
      sums: (B, T images, P), the drawn images.
      cotangents: (B, T images, P).
      rows: (B, M, D or more), the first D columns of which are written, up to the end of the lists.
      layout: which fields rows and images have.
      size: (H, W).
    """
    tile = _find_tile(program, size, table.dtype)
    image = program.image
    given, drawn = (
        unpack_images([program.read(reference, i, layout) for i in range(layout.images)], layout)
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
            rows[image, place, i] = gained.sum()
        return after, rest

    rest = sum_products(list_channels(drawn, layout), list_channels(given, layout))
    place, *_ = _walk(program, table, ids, starts, tile.inside, rest, step, layout)

    # Gaussians that no light reaches gain nothing.
    def clear_row(place: jax.Array, _: None) -> None:
        for i in range(layout.columns):
            rows[image, place, i] = jnp.zeros((), table.dtype)

    jax.lax.fori_loop(place, starts[image, program.tile + 1], clear_row, None)


def _walk(
    program: Program,
    table: Reference,
    ids: Reference,
    starts: Reference,
    clear: jax.Array,
    state: State,
    step: Step[State],
    layout: Layout,
) -> Walk[State]:
    """Walks along the list of the program's tile.

    Args:
      program: place of the program.
      table: (B, N, D).
      ids: (B, M).
      starts: (B, T + 1).
      clear: (P), T in front of the first Gaussian.
      state: initial state, any pytree.
      step: function that makes the next state.
      layout: which fields rows and images have.

    Returns:
      The walk where the list ends, or no light is left.
    """
    tile, image = program.tile, program.image
    first, end = starts[image, tile], starts[image, tile + 1]
    last = ids.shape[1] - 1
    id_at = lambda place: ids[image, jnp.minimum(place, last)]
    row_of = lambda gaussian: unpack(
        [table[image, gaussian, i] for i in range(layout.columns)], layout
    )

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
    result: Walk[State] = jax.lax.while_loop(is_unfinished, advance, walk)
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


def _find_tile(program: Program, size: Size, dtype: jnp.dtype) -> _Tile:
    tile, pixel = program.tile, program.pixel
    columns, side = jnp.int32(tile_grid(size)[1]), jnp.int32(SIDE)
    half = (SIDE - 1) / 2
    corner = [f(tile, columns) * side for f in (jax.lax.rem, jax.lax.div)]
    inner = [f(pixel, side) for f in (jax.lax.rem, jax.lax.div)]
    middle = [x.astype(dtype) + half for x in corner]
    offset = [x.astype(dtype) - half for x in inner]
    u, v = (a + b for a, b in zip(corner, inner, strict=True))
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
