"""The kernels for GPUs, interpreted on any machine, against plain JAX."""

import contextlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import support, thorough

import sf3d_jax as sf3d
from sf3d_jax.gaussians import _compositing as compositing
from sf3d_jax.gaussians import _pallas
from sf3d_jax.gaussians._lists import build_tile_lists
from sf3d_jax.gaussians._rows import Layout, pack, pack_images, unpack_images
from sf3d_jax.gaussians._splats import make_splats
from sf3d_jax.gaussians._tiles import Tiles, whole_tiles

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


def cotangents_of(table, layout):
    shape = (layout.images, *SIZE)
    return jnp.asarray(np.random.default_rng(3).normal(size=shape), table.dtype)


def drawn_and_pulled(draw, pull, table, tiles, cotangents, layout):
    """The images, (images, H, W), and the cotangent of the table."""
    images, sums = draw(table, tiles, layout, SIZE)
    given = unpack_images(list(cotangents), layout)
    return jnp.stack(pack_images(images)), pull(table, tiles, sums, given, layout, SIZE)


@partial(jax.jit, static_argnames="layout")
def plain(*arguments, layout):
    forms = compositing._draw_plainly, compositing._pull_plainly
    return drawn_and_pulled(*forms, *arguments, layout)


@partial(jax.jit, static_argnames="layout")
def kernels(*arguments, layout):
    """Interpreted, on a CPU."""
    forms = compositing._draw_by_pallas, compositing._pull_by_pallas
    return drawn_and_pulled(*forms, *arguments, layout)


def assert_close(found, wanted, tolerance):
    """Each column, or image, next to its own largest number."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.shape == wanted.shape and found.dtype == wanted.dtype
    assert np.isfinite(found).all()
    axes = (1, 2) if wanted.ndim == 3 else 0
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
    cotangents = cotangents_of(table, layout)
    found = kernels(table, tiles, cotangents, layout=layout)
    wanted = plain(table, tiles, cotangents, layout=layout)
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
    cotangents = cotangents_of(table, layout)
    # Whoever draws the others, be it with a weight of 0, finds NaN.
    images, gradient = kernels(table.at[4:].set(jnp.nan), tiles, cotangents, layout=layout)
    wanted = plain(table, tiles, cotangents, layout=layout)
    assert_close(images, wanted[0], 2e-5)
    assert_close(gradient[:4], wanted[1][:4], 2e-5)
    assert not gradient[4:].any()


def test_an_empty_list_draws_nothing(both):
    scene = gaussians()
    left = np.where(np.arange(COUNT)[:, None] < 20, scene.means - [9, 0, 0], -scene.means)
    scene = sf3d.gaussians.Gaussians(left, scene.factors, scene.opacities, scene.colors)
    table, tiles, layout = prepared("mean", jnp.float32, scene)
    assert not tiles.starts.any()
    for result in kernels(table, tiles, cotangents_of(table, layout), layout):
        assert not result.any()


def test_nothing_is_drawn_beyond_the_borders(both):
    table, tiles, layout = prepared("mean", jnp.float32)
    height, width = whole_tiles(SIZE)
    inside = np.zeros((height, width), bool)
    inside[: SIZE[0], : SIZE[1]] = True
    assert not inside.all()
    operands = [x[None] for x in (table, tiles.ids, tiles.starts)]
    options = {"layout": layout, "size": SIZE, "interpret": True}
    sums = _pallas.composite_sums(*operands, **options)
    assert not np.asarray(sums).reshape(-1, height, width)[:, ~inside].any()
    cotangents = np.random.default_rng(3).normal(size=(layout.images, height, width))
    gradients = [
        _pallas.derivative(
            *operands, sums, jnp.asarray(x, sums.dtype).reshape(sums.shape), **options
        )
        for x in (cotangents, np.where(inside, cotangents, 1e6))
    ]
    np.testing.assert_array_equal(*gradients)


def test_a_scene_of_no_gaussians_is_empty():
    table, layout = jnp.zeros((0, 6 + CHANNELS + 6)), Layout(CHANNELS)
    tiles = Tiles(jnp.zeros(ROOM, int), jnp.zeros(16, int), jnp.int32(0))
    images, gradient = kernels(table, tiles, cotangents_of(table, layout), layout=layout)
    assert not images.any() and gradient.shape == table.shape


def test_a_batch_is_one_call():
    layout = Layout(CHANNELS, "mean", 2)
    scenes = [prepared("mean", jnp.float32, gaussians(seed))[:2] for seed in range(2)]
    cotangents = cotangents_of(scenes[0][0], layout)
    batch = jax.tree.map(lambda *x: jnp.stack(x), *scenes)
    options = {"layout": layout, "size": SIZE, "interpret": True}
    operands = batch[0], batch[1].ids, batch[1].starts
    height, width = whole_tiles(SIZE)
    given = jnp.pad(
        cotangents,
        [
            (0, n - m)
            for n, m in zip((len(cotangents), height, width), cotangents.shape, strict=True)
        ],
    )
    given = jnp.broadcast_to(given.reshape(1, -1, width), (2, layout.images * height, width))
    sums = _pallas.composite_sums(*operands, **options)
    gradient = _pallas.derivative(*operands, sums, given, **options)
    for i, scene in enumerate(scenes):
        one = kernels(*scene, cotangents, layout=layout)
        images = sums[i].reshape(-1, height, width)[:, : SIZE[0], : SIZE[1]]
        for a, b in zip((images, gradient[i]), one, strict=True):
            assert_close(a, b, 2e-5)


def gpu():
    """Where there is none, jax 0.12 and newer want to know for which GPU to lower."""
    if not hasattr(jax.sharding, "AbstractDevice"):
        return contextlib.nullcontext()
    device = jax.sharding.AbstractDevice("NVIDIA H100", num_cores=None, platform="gpu")
    mesh = jax.sharding.AbstractMesh((1,), ("x",), abstract_device=device)
    return jax.sharding.use_abstract_mesh(mesh)


# jax 0.12 and newer warn; the kernels stay in Triton until they move to another back end.
@pytest.mark.filterwarnings("ignore:The Pallas Triton backend is deprecated:DeprecationWarning")
@pytest.mark.parametrize("motion", MOTIONS)
def test_the_kernels_are_lowered_for_a_gpu(motion):
    table, tiles, layout = prepared(motion, jnp.float32)
    arguments = table, tiles, cotangents_of(table, layout), layout
    with gpu():
        lowered = kernels.trace(*arguments, interpret=False).lower(lowering_platforms=("cuda",))
    assert lowered.as_text().count("triton") >= 2
