"""The kernels for GPUs, interpreted on any machine, against plain JAX."""

import contextlib
import subprocess
import sys
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import support, thorough
from helpers.platforms import count_kernels, count_loops, name_card

import sf3d_jax as sf3d
from sf3d_jax.gaussians import _compositing as compositing
from sf3d_jax.gaussians import _kernel_calls, _triton
from sf3d_jax.gaussians._lists import build_tile_lists
from sf3d_jax.gaussians._rows import Layout, pack
from sf3d_jax.gaussians._splats import make_splats
from sf3d_jax.gaussians._tiles import PIXELS, SIDE, Tiles, tile_grid

# Neither side is a multiple of a tile's.
SIZE = (24, 37)
CAMERA = sf3d.Camera.pinhole(30.0, 31.0, 17.8, 12.1, SIZE)
COUNT, CHANNELS = 40, 3
ROOM = 512
MOTIONS = (None, "mean", "median")
TOLERANCE = {jnp.float32: 2e-5, jnp.float64: 1e-12}


def gaussians(seed=0):
    """Random ones; some are wide and so opaque that alpha is cut to .99."""
    rng = np.random.default_rng(seed)
    means = rng.uniform((-0.5, -0.35, 0.9), (0.5, 0.35, 1.6), (COUNT, 3))
    wide = np.arange(COUNT) % 8 == 0
    factors = np.where(wide, 0.15, 0.05)[:, None, None] * rng.normal(size=(COUNT, 3, 3))
    opacities = np.where(wide, 1, rng.uniform(0.3, 0.9, COUNT))
    colors = rng.uniform(size=(COUNT, CHANNELS))
    return sf3d.gaussians.Gaussians(means, factors, opacities, colors)


def moved(scene, seed):
    rng = np.random.default_rng(seed)
    means = scene.means + 0.02 * rng.normal(size=(COUNT, 3))
    factors = scene.factors + 0.01 * rng.normal(size=(COUNT, 3, 3))
    return sf3d.gaussians.Gaussians(means, factors, scene.opacities, scene.colors)


def prepared(motion, dtype, scene=None, motions=2):
    """The table, the lists and the layout of a scene."""
    scene = gaussians() if scene is None else scene
    with support.float64():
        others = [moved(scene, seed) for seed in range(9, 9 + motions)]
        table, tiles = jax.device_get(table_and_lists(scene, others))
    assert not tiles.overflow
    layout = Layout(CHANNELS, motion, motions)
    # The motions come last.
    return jnp.asarray(table[:, : layout.columns], dtype), jax.tree.map(jnp.asarray, tiles), layout


@jax.jit
def table_and_lists(now, others):
    seen = make_splats(now, CAMERA, others=[(x.means, x.factors) for x in others])
    return pack(seen.row), build_tile_lists(seen.outlines, SIZE, ROOM)


def cotangents_of(table, tiles, layout):
    shape = (len(tiles.starts) - 1, layout.images, PIXELS)
    return jnp.asarray(np.random.default_rng(3).normal(size=shape), table.dtype)


@partial(jax.jit, static_argnames="layout")
def plain(table, tiles, cotangents, layout):
    """As where a card has no kernels."""
    lists = tiles.ids, tiles.starts
    sums = compositing._sum_without_kernel(table, *lists, layout=layout, size=SIZE)
    given = cotangents.reshape(sums.shape)
    pulled = compositing._derive_without_kernel(
        table, *lists, sums, given, layout=layout, size=SIZE
    )
    return sums.reshape(cotangents.shape), pulled


@partial(jax.jit, static_argnames="layout")
def kernels(table, tiles, cotangents, layout):
    """Interpreted, on a CPU."""
    backend = compositing._BACKENDS["pallas"]
    sums = backend.sums(table, tiles, layout, SIZE)
    return sums, backend.derivative(table, tiles, sums, cotangents, layout, SIZE)


def assert_close(found, wanted, tolerance):
    """Each column, or image, next to its own largest number."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    assert np.isfinite(found).all()
    axes = (0, 2) if wanted.ndim == 3 else 0
    scale = np.abs(wanted).max(axes, keepdims=True)
    assert (scale > 0).all()
    np.testing.assert_allclose(found / scale, wanted / scale, rtol=0, atol=tolerance)


@pytest.fixture
def both():
    """Allows float64; float32 remains float32, and its programs are compiled once."""
    with support.float64():
        yield


CASES = [
    ("mean", jnp.float32, 2),
    *((motion, jnp.float64, motions) for motion in MOTIONS for motions in (1, 2)),
]


@thorough.parametrize("motion, dtype, motions", CASES, default=CASES[:1])
def test_the_kernels_are_the_plain_back_end(motion, dtype, motions, both):
    table, tiles, layout = prepared(motion, dtype, motions=motions)
    cotangents = cotangents_of(table, tiles, layout)
    found = kernels(table, tiles, cotangents, layout)
    wanted = plain(table, tiles, cotangents, layout)
    for a, b in zip(found, wanted, strict=True):
        assert_close(a, b, TOLERANCE[dtype])


@pytest.mark.non_finite
def test_the_walk_ends_where_no_light_is_left(both):
    scene = gaussians()
    front = np.arange(COUNT) < 4
    # The light behind each of the four is .05 of that before it, everywhere in the image.
    means = np.where(front[:, None], [0, 0, 0.5], scene.means)
    factors = np.where(front[:, None, None], 10 * np.eye(3), scene.factors)
    opacities = np.where(front, 0.95, scene.opacities)
    scene = sf3d.gaussians.Gaussians(means, factors, opacities, scene.colors)
    table, tiles, layout = prepared("mean", jnp.float32, scene)
    assert (np.diff(tiles.starts) > 4).any()
    cotangents = cotangents_of(table, tiles, layout)
    # Whoever draws the others, be it with a weight of 0, finds NaN.
    sums, gradient = kernels(table.at[4:].set(jnp.nan), tiles, cotangents, layout)
    wanted = plain(table, tiles, cotangents, layout)
    assert_close(sums, wanted[0], 2e-5)
    assert_close(gradient[:4], wanted[1][:4], 2e-5)
    assert not gradient[4:].any()


def test_an_empty_list_draws_nothing(both):
    scene = gaussians()
    left = np.where(np.arange(COUNT)[:, None] < 20, scene.means - [9, 0, 0], -scene.means)
    scene = sf3d.gaussians.Gaussians(left, scene.factors, scene.opacities, scene.colors)
    table, tiles, layout = prepared("mean", jnp.float32, scene)
    assert not tiles.starts.any()
    for result in kernels(table, tiles, cotangents_of(table, tiles, layout), layout):
        assert not result.any()


def test_nothing_is_drawn_beyond_the_borders(both):
    table, tiles, layout = prepared("mean", jnp.float32)
    cotangents = cotangents_of(table, tiles, layout)
    rows, columns = tile_grid(SIZE)
    u = SIDE * (np.arange(rows * columns) % columns)[:, None] + np.arange(SIDE * SIDE) % SIDE
    beyond = u[:, None] >= SIZE[1]
    assert beyond.any()
    sums, gradient = kernels(table, tiles, cotangents, layout)
    assert not np.asarray(sums)[np.broadcast_to(beyond, sums.shape)].any()
    other = kernels(table, tiles, jnp.where(beyond, 1e6, cotangents), layout)[1]
    np.testing.assert_array_equal(gradient, other)


def test_a_scene_of_no_gaussians_is_empty():
    table, layout = jnp.zeros((0, 6 + CHANNELS + 6)), Layout(CHANNELS)
    tiles = Tiles(jnp.zeros(ROOM, int), jnp.zeros(16, int), jnp.int32(0))
    sums, gradient = kernels(table, tiles, cotangents_of(table, tiles, layout), layout)
    assert not sums.any() and gradient.shape == table.shape


def test_a_batch_is_one_call(both):
    scenes = [prepared("mean", jnp.float32, gaussians(seed))[:2] for seed in range(2)]
    layout = Layout(CHANNELS, "mean", 2)
    cotangents = cotangents_of(*scenes[0], layout)
    table, tiles = jax.tree.map(lambda *x: jnp.stack(x), *scenes)
    flat = jnp.broadcast_to(cotangents.reshape(-1, PIXELS), (2, cotangents[..., 0].size, PIXELS))
    options = {"layout": layout, "size": SIZE, "call": partial(_triton.call, interpret=True)}
    # Compiled with what follows the kernel, which writes no rows beyond the end of the lists.
    draw, pull = (
        jax.jit(partial(kernel, **options))
        for kernel in (_kernel_calls.composite_sums, _kernel_calls.derivative)
    )
    sums = draw(table, tiles.ids, tiles.starts)
    gradient = pull(table, tiles.ids, tiles.starts, sums, flat)
    for i, scene in enumerate(scenes):
        one = kernels(*scene, cotangents, layout)
        for a, b in zip((sums[i].reshape(one[0].shape), gradient[i]), one, strict=True):
            assert_close(a, b, 2e-5)


# Lowering for a card

HAS_MOSAIC = jax.__version_info__ >= (0, 12)
SMALL = (8, 8)
# A scene of the smallest program.
SHAPES = sf3d.gaussians.Gaussians(
    *(jax.ShapeDtypeStruct(x, jnp.float32) for x in ((1, 3), (1, 3, 3), (1,), (1, 3)))
)


def lowered(function, *arguments, platform="cuda"):
    traced = jax.jit(function).trace(*arguments)
    return traced.lower(lowering_platforms=(platform,)).as_text()


def draw_image(gaussians):
    camera = sf3d.Camera.pinhole(9.0, 9.0, 3.5, 3.5, SMALL)
    return sf3d.gaussians.render(gaussians, camera, max_intersections=8).colors


def draw_all(gaussians):
    """With features and two motions."""
    camera = sf3d.Camera.pinhole(9.0, 9.0, 3.5, 3.5, SMALL)
    options = {"previous_gaussians": gaussians, "features": gaussians.colors}
    drawn = sf3d.gaussians.render_motion(
        gaussians, gaussians, camera, **options, max_intersections=8, method="median"
    )
    return jnp.concatenate([drawn.colors, drawn.flow, drawn.backward.flow, drawn.features], -1)


@thorough.parametrize("draw", [draw_image, draw_all], default=[draw_image])
def test_a_gpu_draws_by_one_kernel_and_pulls_back_by_another(draw):
    slope = jax.grad(lambda gaussians: draw(gaussians).sum())
    with name_card("NVIDIA H200"):
        texts = [lowered(function, SHAPES) for function in (draw, slope)]
    assert [count_kernels(text) for text in texts] == [1, 2]
    for text in texts:
        assert not count_loops(text) and "callback" not in text


def drawing(backend="auto"):
    """A function of the table and the lists of an image of one tile, and shapes of these."""
    layout = Layout(1)
    shapes = [((4, layout.columns), jnp.float32), ((8,), jnp.int32), ((2,), jnp.int32)]

    def draw(table, ids, starts):
        tiles = Tiles(ids, starts, jnp.int32(0))
        return compositing.composite(table, tiles, layout, SMALL, backend).alpha

    return draw, *(jax.ShapeDtypeStruct(*x) for x in shapes)


CARDS = {
    "NVIDIA A100-SXM4-80GB": "xla.gpu.triton",
    "NVIDIA GeForce RTX 4090": "xla.gpu.triton",
    "NVIDIA RTX PRO 6000 Blackwell Workstation Edition": "xla.gpu.triton",
    "NVIDIA H200": "mosaic_gpu_v2" if HAS_MOSAIC else "xla.gpu.triton",
    "NVIDIA B200": "mosaic_gpu_v2" if HAS_MOSAIC else "xla.gpu.triton",
    "NVIDIA A10G": "xla.gpu.triton",
    "NVIDIA L20": "xla.gpu.triton",
    "Tesla T4": None,
    "Quadro RTX 6000": None,
}


@thorough.parametrize("card", CARDS, default=["NVIDIA A100-SXM4-80GB", "NVIDIA H200", "Tesla T4"])
def test_the_card_decides_on_the_compiler(card):
    with name_card(card):
        text = lowered(*drawing())
    assert count_kernels(text) == (CARDS[card] is not None)
    assert bool(count_loops(text)) == (CARDS[card] is None)
    assert CARDS[card] is None or CARDS[card] in text


def hide(monkeypatch, *names):
    """Modules that cannot be imported."""
    for name in names:
        monkeypatch.setitem(sys.modules, f"sf3d_jax.gaussians.{name}", None)
        monkeypatch.delattr(f"sf3d_jax.gaussians.{name}", raising=False)


def test_a_card_without_a_compiler_draws_plainly(monkeypatch):
    hide(monkeypatch, "_triton")
    with name_card("NVIDIA A100"):
        text = lowered(*drawing())
        assert count_loops(text) and not count_kernels(text)
        with pytest.raises(ValueError, match='backend: expected "auto" or "xla", got "pallas"'):
            lowered(*drawing(backend="pallas"))


def test_a_program_that_is_exported_has_the_kernel():
    draw, *shapes = drawing()
    triton = jax.export.DisabledSafetyCheck.custom_call("__gpu$xla.gpu.triton")
    export = jax.export.export(
        jax.jit(draw), platforms=["cuda"], disabled_checks=() if HAS_MOSAIC else [triton]
    )
    assert count_kernels(export(*shapes).mlir_module()) == 1


@thorough.parametrize("platform", ["cpu", "rocm", "tpu"], default=["cpu", "rocm"])
def test_other_devices_draw_plainly_and_import_no_kernel(platform, monkeypatch):
    hide(monkeypatch, "_triton", "_mosaic")
    text = lowered(*drawing(), platform=platform)
    assert count_loops(text) == 2 and not count_kernels(text)


@pytest.mark.thorough
def test_a_renderer_is_imported_without_pallas():
    names = {"_triton", "_mosaic"}
    asked = f"{{'sf3d_jax.gaussians.' + x for x in {names}}} & set(sys.modules)"
    program = f"import sys, sf3d_jax; sf3d_jax.gaussians.render; print({asked})"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert result.stdout == b"set()\n"


@pytest.mark.thorough
def test_a_batch_and_a_mesh_have_one_kernel():
    draw, *shapes = drawing()
    batch = [jax.ShapeDtypeStruct((2, *x.shape), x.dtype) for x in shapes]
    assert count_kernels(lowered(jax.vmap(draw), *batch)) == 1
    mesh = jax.make_mesh((2,), ("x",), axis_types=(jax.sharding.AxisType.Auto,))
    spread = jax.sharding.PartitionSpec("x")
    one = lambda *x: draw(*(a[0] for a in x))[None]
    spread_out = jax.shard_map(one, mesh=mesh, in_specs=spread, out_specs=spread)
    slope = jax.grad(lambda *x: spread_out(*x).sum())
    assert [count_kernels(lowered(f, *batch)) for f in (spread_out, slope)] == [1, 2]


def few(layout):
    """The table and the lists of a few Gaussians on two tiles, and the size of their image."""
    rng = np.random.default_rng(5)
    table = rng.uniform(0.02, 0.06, (1, 4, layout.columns))
    table[..., :2] = rng.uniform((0, 0), (16, 8), (4, 2))
    table[..., 2:5], table[..., 5] = (0.3, 0.1, 0.4), 0.7
    table[..., 6:] += rng.normal(0, 0.02, table[..., 6:].shape)
    ids, starts = [[0, 1, 2, 1, 3, 2, 0, 0]], [[0, 3, 6]]
    return jnp.asarray(table, jnp.float32), jnp.array(ids), jnp.array(starts), (8, 16)


@pytest.mark.thorough
def test_a_kernel_runs_without_jit():
    table, ids, starts, size = few(Layout(1))
    tiles = Tiles(ids[0], starts[0], jnp.int32(0))
    draw = partial(compositing._BACKENDS["pallas"].sums, table[0], tiles, Layout(1), size)
    with jax.disable_jit():
        found = draw()
    np.testing.assert_array_equal(found, jax.jit(draw)())


LAYOUTS = [Layout(1), *(Layout(4, motion, 2) for motion in MOTIONS[1:])]


@pytest.mark.skipif(not HAS_MOSAIC, reason="this version of jax has another Mosaic GPU")
@thorough.parametrize("layout", LAYOUTS, default=LAYOUTS[:1])
def test_both_compilers_get_the_same_kernels(layout):
    from jax.experimental.pallas import mosaic_gpu

    from sf3d_jax.gaussians import _mosaic

    *operands, size = few(layout)
    interpreter = mosaic_gpu.force_gpu_interpret_mode(mosaic_gpu.InterpretGPUParams())
    compilers = (
        (partial(_triton.call, interpret=True), contextlib.nullcontext()),
        (_mosaic.call, interpreter),
    )
    results = []
    for call, interpreter in compilers:
        options = {"layout": layout, "size": size, "call": call}
        with interpreter:
            sums = jax.jit(partial(_kernel_calls.composite_sums, **options))(*operands)
            given = np.random.default_rng(3).normal(size=sums.shape).astype(np.float32)
            pulled = jax.jit(partial(_kernel_calls.derivative, **options))(*operands, sums, given)
        results.append((sums, pulled))
    for found, wanted in zip(*results, strict=True):
        assert np.abs(wanted).max() > 0.1
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
