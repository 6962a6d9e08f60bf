"""Every way in which JAX transforms a function: derivatives, batches, devices, retracing."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.support import MATRIX, NEAR, SIZE, as_numpy, camera, cast, float64, motion, pose
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

import sf3d_jax as sf3d
from sf3d_jax.warping._windows import chunks

SMALL = (4, 5)
SMALL_MATRIX = MATRIX * [[0.2], [0.2], [1]]
NEXT_MATRIX = SMALL_MATRIX * [[1.2], [1.1], [1]]


def cameras(lens):
    return camera(lens, None, SMALL_MATRIX, SMALL), camera(lens, NEAR, NEXT_MATRIX, SMALL)


def lift_loss(flow, inv_depth, change, first, second):
    return jnp.sum(WEIGHTS * sf3d.scene_flow(flow, inv_depth, change, first, second).vectors ** 2)


def show_loss(vectors, inv_depth, first, second):
    seen = sf3d.image_motion(vectors, inv_depth, first, second)
    return jnp.sum(WEIGHTS[..., :2] * seen.flow**2) + 10 * jnp.sum(seen.inv_depth_change**2)


def still_loss(inv_depth, first, second):
    seen = sf3d.rigid_motion(inv_depth, first, second)
    return jnp.sum(WEIGHTS[..., :2] * seen.flow**2) + 10 * jnp.sum(seen.inv_depth_change**2)


def spread_loss(flow, inv_depth, change, covariance, first):
    spread = sf3d.scene_flow_covariance(flow, inv_depth, change, first, covariance)
    return jnp.sum(spread**2)


FUNCTIONS = ["scene_flow", "image_motion", "rigid_motion", "covariance"]
WEIGHTS = np.random.default_rng(3).normal(size=(*SMALL, 3))


def case(name, lens):
    first, second = cameras(lens)
    flow, inv_depth, change = motion(SMALL)
    vectors = np.random.default_rng(1).normal(size=(*SMALL, 3)) * 0.1
    return {
        "scene_flow": (lift_loss, (flow, inv_depth, change, first, second)),
        "image_motion": (show_loss, (vectors, inv_depth, first, second)),
        "rigid_motion": (still_loss, (inv_depth, first, second)),
        "covariance": (
            spread_loss,
            (flow, inv_depth, change, 0.01 + WEIGHTS[..., [0, 1, 2, 0]] ** 2, first),
        ),
    }[name]


# In reverse mode, in forward mode, and twice where that compiles fast.
DERIVATIVES = [
    *((name, "pinhole", "reverse") for name in FUNCTIONS),
    *((name, "pinhole", "forward") for name in FUNCTIONS),
    *((name, "pinhole", "twice") for name in ("scene_flow", "image_motion")),
    ("scene_flow", "opencv", "reverse"),
    ("scene_flow", "opencv", "forward"),
    ("image_motion", "fisheye", "reverse"),
]


@thorough.parametrize(
    "name, lens, mode",
    DERIVATIVES,
    default=[
        *((name, "pinhole", "reverse") for name in FUNCTIONS),
    ],
)
def test_derivatives_of_all_inputs_match_finite_differences(name, lens, mode):
    """Along random directions."""
    loss, inputs = case(name, lens)
    rng = np.random.default_rng(2)
    with float64():
        leaves, tree = jax.tree.flatten(as_numpy(cast(inputs, jnp.float64)))
        scale = lambda x: 0.3 * rng.normal(size=x.shape) * np.maximum(np.abs(x), 1e-2)
        directions = [scale(x) for x in leaves]
        at = lambda t: [x + t * d for x, d in zip(leaves, directions, strict=True)]
        plain = lambda leaves: loss(*tree.unflatten(leaves))
        along = lambda g: sum((a * b).sum() for a, b in zip(g, directions, strict=True))
        function = plain if mode != "twice" else lambda x: along(jax.grad(plain)(x))
        if mode == "reverse":
            both = lambda x: (lambda value, g: (value, along(g)))(*jax.value_and_grad(plain)(x))
        else:
            both = lambda x: jax.jvp(function, (x,), (directions,))
        both = jax.jit(both)
        slope = five_points(lambda t: both(at(t))[0])
        np.testing.assert_allclose(both(leaves)[1], slope, rtol=1e-6)


@thorough.parametrize("lens", ["opencv", "fisheye"], default=["opencv"])
def test_hessian_vector_products_pass_through_undistortion(lens):
    one = cameras(lens)[0]
    rng = np.random.default_rng(0)
    loss = lambda p: jnp.sum(jnp.sin(sf3d.unproject(p, jnp.ones(6), one).points))
    with float64():
        pixels, direction = (jnp.asarray(rng.uniform(0, 3, size=(6, 2))) for _ in range(2))
        along = jax.jit(lambda p: jax.jvp(jax.grad(loss), (p,), (direction,)))
        product = along(pixels)[1]
        numeric = five_points(lambda t: along(pixels + t * direction)[0])
    np.testing.assert_allclose(product, numeric, rtol=1e-6, atol=1e-9)


def five_points(f, h=1e-3):
    return (8 * (f(h) - f(-h)) - (f(2 * h) - f(-2 * h))) / (12 * h)


def test_jacfwd_and_jacrev_agree():
    first, second = cameras("pinhole")
    flow, inv_depth, change = motion(SMALL)
    f = lambda c: sf3d.scene_flow(flow, inv_depth, c, first, second).vectors
    forward, reverse = jax.jit(jax.jacfwd(f)), jax.jit(jax.jacrev(f))
    chex.assert_trees_all_close(forward(change), reverse(change), rtol=1e-5, atol=1e-5)


@thorough.parametrize("name", ["scene_flow", "image_motion"], default=["scene_flow"])
def test_a_batch_is_a_loop(name):
    first = camera()
    second = camera(pose=np.stack([NEAR, pose([0.01, 0.02, 0], [0.1, 0, 0])]))
    one = lambda i: jax.tree.map(lambda x: x[i] if x.shape == (2, 3, 4) else x, second)
    maps = flow, inv_depth, change = motion(batch=(3, 2))
    if name == "scene_flow":
        got = as_numpy(sf3d.scene_flow(*maps, first, second))
        for i in np.ndindex(3, 2):
            alone = sf3d.scene_flow(flow[i], inv_depth[i], change[i], first, one(i[1]))
            np.testing.assert_array_equal(got.valid[i], alone.valid)
            np.testing.assert_allclose(got.vectors[i], alone.vectors, rtol=1e-5, atol=1e-6)
    else:
        vectors = np.array(sf3d.scene_flow(*maps, first, second).vectors)
        got = as_numpy(sf3d.image_motion(vectors, inv_depth, first, second))
        for i in np.ndindex(3, 2):
            alone = sf3d.image_motion(vectors[i], inv_depth[i], first, one(i[1]))
            np.testing.assert_allclose(got.flow[i], alone.flow, rtol=1e-5, atol=1e-5)


def test_a_batch_of_lenses_is_a_loop():
    coefficients = np.array([[-0.3, 0.1, 0, 0], [0.1, -0.02, 1e-3, 1e-3]])
    batch = sf3d.Camera.from_matrix(MATRIX, SIZE, distortion=coefficients)
    maps = motion()
    got = sf3d.scene_flow(*maps, batch)
    for i in range(2):
        one = sf3d.Camera.from_matrix(MATRIX, SIZE, distortion=coefficients[i])
        expected = sf3d.scene_flow(*maps, one)
        np.testing.assert_array_equal(got.valid[i], expected.valid)
        np.testing.assert_allclose(got.vectors[i], expected.vectors, rtol=1e-5, atol=1e-6)


def test_cameras_may_be_vmapped_and_bring_their_own_batch():
    second = cast(camera(pose=np.stack([NEAR, 0.5 * NEAR + 0.5 * np.eye(3, 4)])), jnp.float32)
    first = cast(camera(), jnp.float32)
    maps = motion()
    got = sf3d.scene_flow(*maps, first, second).vectors
    assert got.shape == (2, *SIZE, 3)
    mapped = jax.vmap(
        lambda p: (
            sf3d.scene_flow(
                *maps, first, sf3d.Camera(first.focal, first.principal_point, p, size=SIZE)
            ).vectors
        )
    )(second.world_to_camera)
    np.testing.assert_allclose(mapped, got, rtol=1e-5, atol=1e-6)


def test_a_batch_is_sharded_over_eight_devices():
    assert jax.device_count() >= 8
    mesh = Mesh(np.array(jax.devices()[:8]), ("batch",))
    first, second = cast((camera(), camera(pose=NEAR)), jnp.float32)
    maps = motion(batch=(8,))

    def loss(maps, first, second):
        return jnp.square(sf3d.scene_flow(*maps, first, second).vectors).mean()

    @functools.partial(jax.shard_map, mesh=mesh, in_specs=(P("batch"), P(), P()), out_specs=P())
    def sharded(maps, first, second):
        value, gradient = jax.value_and_grad(loss)(maps, first, second)
        return jax.lax.pmean(value, "batch"), jax.tree.map(
            lambda g: jax.lax.psum(jnp.square(g).sum(), "batch"), gradient
        )

    placed = jax.device_put(maps, NamedSharding(mesh, P("batch")))
    value, squares = jax.jit(sharded)(placed, first, second)
    expected, gradient = jax.jit(jax.value_and_grad(loss))(maps, first, second)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    for a, b in zip(squares, gradient, strict=True):
        np.testing.assert_allclose(a, 64 * jnp.square(b).sum(), rtol=1e-4)
    by_jit = jax.jit(sf3d.scene_flow)(*placed, first, second).vectors
    assert len(by_jit.sharding.device_set) == 8


def moved(image, flow, inv_depth, change):
    """A number from all that moves pixels about, one for each of a batch."""
    warped = sf3d.backward_warp(image, flow).values
    carried = sf3d.forward_splat(image, flow, importance=inv_depth).values
    shown = sf3d.warp_inverse_depth(inv_depth, change, flow).inv_depth
    hidden = sf3d.occlusion_from_depth(flow, inv_depth, change, inv_depth, temperature=0.1).hidden
    total = lambda x: jnp.square(x).reshape(len(x), -1).sum(-1)
    return total(warped) + total(carried) + total(shown) + total(hidden)


def derive(function, mode):
    """The derivative of a function of one tree: of its sum in reverse, along the tree forwards."""
    if mode == "reverse":
        return jax.grad(lambda x: function(*x).sum())
    return lambda x: jax.jvp(function, x, x)[1]


@functools.cache
def images_to_move(mode):
    """Eight images, their motion, and the derivative on one device."""
    flow, inv_depth, change = motion((6, 8), batch=(8,))
    image = np.random.default_rng(1).normal(size=(8, 6, 8, 2)).astype(np.float32)
    inputs = image, flow, inv_depth, change
    return inputs, as_numpy(jax.jit(derive(moved, mode))(inputs))


@pytest.mark.parametrize("way", ["sharded", "checkpointed"])
@thorough.parametrize("mode", ["reverse", "forward"], default=["forward"])
def test_what_moves_pixels_is_sharded_and_checkpointed_too(mode, way, each_platform):
    inputs, expected = images_to_move(mode)
    if way == "sharded":
        mesh = Mesh(np.array(jax.devices()[:8]), ("batch",))
        sharded = jax.shard_map(
            derive(moved, mode), mesh=mesh, in_specs=(P("batch"),), out_specs=P("batch")
        )
        got = jax.jit(sharded)(jax.device_put(inputs, NamedSharding(mesh, P("batch"))))
    else:
        got = jax.jit(derive(jax.checkpoint(moved), mode))(inputs)
    chex.assert_trees_all_close(got, expected, rtol=1e-4, atol=1e-5)


def test_a_splat_in_chunks_is_sharded_too(monkeypatch):
    """Also where the flow is the same on all devices."""
    monkeypatch.setattr(chunks, "_CHUNK_BYTES", 256)
    mesh = Mesh(np.array(jax.devices()[:2]), ("batch",))
    rng = np.random.default_rng(5)
    values, flow, importance = (
        jnp.asarray(rng.normal(size=shape), jnp.float32)
        for shape in ((2, 13, 11, 3), (1, 13, 11, 2), (2, 13, 11))
    )

    def gradient(values, flow, importance):
        carry = lambda *x: sf3d.forward_splat(*x[:2], importance=x[2]).values
        return jax.grad(lambda *x: jnp.square(carry(*x)).sum(), (0, 2))(values, flow, importance)

    specs = P("batch"), P(), P("batch")
    sharded = jax.shard_map(gradient, mesh=mesh, in_specs=specs, out_specs=(P("batch"), P("batch")))
    got = jax.jit(sharded)(values, flow, importance)
    expected = jax.jit(gradient)(values, flow, importance)
    chex.assert_trees_all_close(got, expected, rtol=1e-4, atol=1e-5)


def test_nothing_comes_of_no_images():
    image, flow, mask = jnp.ones((0, 5, 6, 3)), jnp.ones((0, 5, 6, 2)), jnp.ones((0, 5, 6))
    assert sf3d.backward_warp(image, flow).values.shape == image.shape
    assert sf3d.backward_warp(image[..., :0], flow).values.shape == (0, 5, 6, 0)
    assert sf3d.forward_splat(image, flow, importance=mask).values.shape == image.shape
    assert sf3d.forward_splat(image[..., :0], flow, mode="average").values.shape == (0, 5, 6, 0)
    assert sf3d.warp_inverse_depth(mask, mask, flow).inv_depth.shape == mask.shape
    assert sf3d.occlusion_from_consistency(flow, flow).hidden.shape == mask.shape
    assert sf3d.resize_flow(flow, (3, 4)).values.shape == (0, 3, 4, 2)
    assert sf3d.backward_warp(jnp.ones((5, 6, 3)), jnp.ones((0, 4, 2))).values.shape == (0, 4, 3)


def test_the_same_shapes_are_traced_once():
    chex.clear_trace_counter()
    first, second = camera(), camera(pose=NEAR)

    @jax.jit
    @chex.assert_max_traces(n=1)
    def step(maps, first, second):
        vectors, _ = sf3d.scene_flow(*maps, first, second)
        return sf3d.image_motion(vectors, maps[1], first, second)

    for seed in range(3):
        step(motion(seed=seed), first, second)
    before = sf3d.scene_flow._cache_size()
    for seed in range(3):
        sf3d.scene_flow(*motion(seed=seed), camera(), camera(pose=NEAR + seed * np.eye(3, 4, k=3)))
    assert sf3d.scene_flow._cache_size() <= before + 1


# To the bit, which holds for the code that users run. Last, as it drops the programs before it.
@pytest.mark.optimized
def test_jit_checkpoint_and_vmap_change_nothing():
    first = cast(camera(), jnp.float32)
    inputs = motion(batch=(3,))
    f = lambda *maps: sf3d.scene_flow(*maps, first).vectors
    expected = f(*inputs)
    np.testing.assert_array_equal(jax.jit(f)(*inputs), expected)
    np.testing.assert_allclose(jax.jit(jax.vmap(f))(*inputs), expected, rtol=1e-6, atol=1e-7)
    with jax.disable_jit():
        np.testing.assert_allclose(f(*inputs), expected, rtol=1e-6, atol=1e-7)
    loss = lambda *maps: jnp.square(f(*maps)).sum()
    gradient = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(*inputs)
    again = jax.jit(jax.grad(jax.checkpoint(loss), argnums=(0, 1, 2)))(*inputs)
    chex.assert_trees_all_close(gradient, again, rtol=1e-5)
