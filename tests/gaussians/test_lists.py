"""The lists of tiles: in both forms against a definition in NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import platforms, support, thorough

from sf3d_jax.gaussians import _lists, _lists_on_cpu, _lists_on_gpu
from sf3d_jax.gaussians._splats import Outlines

# Neither side is a multiple of a tile's, and blocks of owners are not full.
SIZE = (67, 90)
ROWS, COLUMNS = 9, 12
COUNT = 100
ROOM = 4096
# By which an ellipse is larger than its numbers, against rounding.
MARGIN = 1e-3
FORMS = {"cpu": _lists_on_cpu, "gpu": _lists_on_gpu}


def scene(seed=0, dtype=np.float64):
    """Ellipses of all sizes in and beyond the image; some share a depth, some are not drawn."""
    rng = np.random.default_rng(seed)
    u, v = rng.uniform(-40, 130, COUNT), rng.uniform(-40, 110, COUNT)
    axes = np.exp(rng.normal(1.8, 0.8, (COUNT, 2)))
    angle = rng.uniform(0, np.pi, COUNT)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2)
    # The last one covers the image, and the one before has no place in it.
    u[-1], v[-1], axes[-1] = 40, 30, 500
    u[-2] = np.nan
    covariance = np.einsum("nij,nj,nkj->nik", turn, axes**2, turn)
    inverse = np.linalg.inv(covariance)
    # inverse = [p q; 0 r]^T [p q; 0 r].
    p = np.sqrt(inverse[:, 0, 0])
    q = inverse[:, 0, 1] / p
    power = rng.uniform(0.5, 9, COUNT)
    wide, high = np.sqrt(power[:, None] * np.diagonal(covariance, 0, 1, 2)).T
    depth = rng.integers(1, 30, COUNT) / 7
    is_drawn = rng.uniform(size=COUNT) < 0.9
    is_drawn[-2:] = True
    numbers = u, v, p, q, np.sqrt(inverse[:, 1, 1] - q * q), wide, high, power, depth
    return Outlines(*(x.astype(dtype) for x in numbers), is_drawn)


def hidden(outlines):
    return outlines._replace(is_drawn=np.zeros(COUNT, bool))


def met_tiles(outlines, k):
    """The tiles that ellipse k meets, by its points in 2001 lines of each row of tiles."""
    u, v, p, q, r, wide, high, power, _, is_drawn = (x[k] for x in outlines)
    across, down = ([x - y - MARGIN, x + y + MARGIN] for x, y in ((u, wide), (v, high)))
    limits = (0, SIZE[1] - 1), (0, SIZE[0] - 1)
    outside = [
        x[1] < side[0] or x[0] > side[1] for x, side in zip((across, down), limits, strict=True)
    ]
    if not is_drawn or np.isnan(u) or any(outside):
        return []
    first, last = np.clip([np.ceil(down[0]), np.floor(down[1])], *limits[1]).astype(int) // 8
    tiles = []
    for row in range(first, max(first, last) + 1):
        band = 8 * row - MARGIN - v, 8 * row + 7 + MARGIN - v
        y = np.linspace(*np.clip(band, -high, high), 2001)
        chord = np.sqrt(np.maximum(power - (r * y) ** 2, 0))
        left, right = (u + (-chord - q * y) / p).min(), (u + (chord - q * y) / p).max()
        ends = np.ceil(left - MARGIN), np.floor(right + MARGIN)
        ends = np.clip(ends, 0, 8 * COLUMNS - 1).astype(int) // 8
        tiles += [row * COLUMNS + x for x in range(ends[0], max(ends) + 1)]
    return tiles


@functools.cache
def defined(seed=0):
    """The list of each tile."""
    outlines = scene(seed)
    lists = [[] for _ in range(ROWS * COLUMNS)]
    for k in np.argsort(outlines.depth, kind="stable"):
        for tile in met_tiles(outlines, k):
            lists[tile].append(k)
    return lists


@functools.partial(jax.jit, static_argnames=("form", "room"))
def built(outlines, form, room=ROOM):
    return FORMS[form].build(outlines, SIZE, room)


@functools.partial(jax.jit, static_argnames="form")
def counted(outlines, form):
    return FORMS[form].count(outlines, SIZE)


def assert_lists(tiles, lists):
    np.testing.assert_array_equal(np.diff(tiles.starts), [len(x) for x in lists])
    total = int(tiles.starts[-1])
    np.testing.assert_array_equal(tiles.ids[:total], np.concatenate(lists))
    # The kernels read and add to rows of unused entries, too.
    assert (0 <= tiles.ids).all() and (tiles.ids < COUNT).all()
    assert tiles.starts[0] == 0 and tiles.overflow == 0


CASES = [(form, dtype) for dtype in (np.float64, np.float32) for form in FORMS]


@thorough.parametrize("form, dtype", CASES, default=CASES[:2])
def test_a_tile_lists_what_meets_it_front_to_back(form, dtype):
    lists = defined()
    assert min(map(len, lists)) >= 1 and max(map(len, lists)) > 9
    with support.float64():
        assert_lists(jax.device_get(built(scene(dtype=dtype), form)), lists)
        assert counted(scene(dtype=dtype), form) == sum(map(len, lists))
        nothing = built(hidden(scene(dtype=dtype)), form)
        assert not np.any(nothing.starts) and nothing.overflow == 0
        assert counted(hidden(scene(dtype=dtype)), form) == 0


@thorough.parametrize("lacking", ["some", "one", "none", "rows"], default=["some"])
def test_both_forms_lack_the_same_room(lacking):
    total = sum(map(len, defined()))
    room = {"some": total - 7, "one": total - 1, "none": total, "rows": 40}[lacking]
    with support.float64():
        on_cpu, on_gpu = (built(scene(), form, room).overflow for form in FORMS)
    assert on_cpu == on_gpu
    # If not even the rows of tiles fit, it is only known that too much lacks.
    assert on_gpu > 0 if lacking == "rows" else on_gpu == total - room


@pytest.mark.parametrize("most", [10**8, 50])
def test_sums_in_blocks_of_blocks_are_those_of_numpy(most, monkeypatch):
    monkeypatch.setattr(_lists_on_gpu, "_ADDITIONS", most)
    count = np.random.default_rng(0).integers(0, 9, 3000).astype(np.int32)
    # A new function each time, since the number above is no argument.
    ends = jax.device_get(jax.jit(lambda x: _lists_on_gpu._find_ends(x))(count))
    sums = (ends.within + ends.before[:, None]).reshape(-1)[:3000]
    np.testing.assert_array_equal(sums, np.cumsum(count))
    # Beyond the largest integer they stay there.
    ends = jax.device_get(jax.jit(lambda x: _lists_on_gpu._find_ends(x))(0 * count + 2**29))
    assert ends.before[-1] == 2**31 - 1 and (np.diff(ends.before) >= 0).all()


@thorough.parametrize("total", [1, 2, 31, 32, 33, 1023, 1024, 1500], default=[1, 33, 1500])
def test_a_search_is_that_of_numpy(total):
    rng = np.random.default_rng(0)
    ends = np.sort(rng.integers(0, 999, total)).astype(np.int32)
    number = rng.integers(-3, 1005, 10**6).astype(np.int32)
    found = jax.jit(_lists_on_gpu._count_up_to)(ends, number)
    np.testing.assert_array_equal(found, np.searchsorted(ends, number, "right"))


def test_on_gpus_lists_have_no_loop_and_two_sorts():
    outlines = scene(dtype=np.float32)
    text = platforms.lower_for_gpu(lambda x: _lists.build_tile_lists(x, SIZE, ROOM), outlines)
    assert platforms.count_loops(text) == 0
    # Pairs of a key and an index, which CUB sorts.
    sorts = [x for x in text.splitlines() if '"stablehlo.sort"' in x]
    assert len(sorts) == 2 and all(x.count("%") == 3 for x in sorts)
    text = platforms.lower_for_gpu(lambda x: _lists.count_intersections(x, SIZE), outlines)
    assert platforms.count_loops(text) == 0


@pytest.mark.thorough
def test_batches_and_devices_have_their_own_lists():
    with support.float64(), platforms.gpu_forms():
        outlines = jax.tree.map(lambda *x: jnp.stack(x), scene(0), scene(1))
        build = lambda x: _lists.build_tile_lists(x, SIZE, ROOM)
        tiles = jax.device_get(jax.jit(jax.vmap(build))(outlines))
        for k in range(2):
            assert_lists(jax.tree.map(lambda x, k=k: x[k], tiles), defined(k))
        mesh = jax.make_mesh((1,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
        spread = jax.sharding.PartitionSpec("x")

        def one(batch):
            alone = jax.tree.map(lambda x: x[0], batch)
            results = build(alone), _lists.count_intersections(alone, SIZE)
            return jax.tree.map(lambda x: x[None], results)

        shared = jax.shard_map(one, mesh=mesh, in_specs=(spread,), out_specs=spread)
        tiles, count = jax.device_get(jax.jit(shared)(jax.tree.map(lambda x: x[:1], outlines)))
        assert_lists(jax.tree.map(lambda x: x[0], tiles), defined(0))
        assert count[0] == sum(map(len, defined(0)))
