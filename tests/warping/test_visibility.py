"""Which pixels are hidden: on scenes whose truth is known by ray casting, and by hand."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.support import as_numpy, cast, scene

import sf3d_jax as sf3d

SIZE = (10, 16)


def square():
    """A square, (3:7, 3:7) at twice the inverse depth, moves by 3 before a wall: all maps."""
    inv_depth, flow = np.full(SIZE, 0.2, np.float32), np.zeros((*SIZE, 2), np.float32)
    inv_depth[3:7, 3:7] = 0.4
    flow[3:7, 3:7, 0] = 3
    following, back = np.full(SIZE, 0.2, np.float32), np.zeros((*SIZE, 2), np.float32)
    following[3:7, 6:10] = 0.4
    back[3:7, 6:10, 0] = -3
    # The wall that the square comes to stand before; what the square uncovers is not asked here.
    hidden = np.zeros(SIZE, bool)
    hidden[3:7, 7:10] = True
    return flow, back, inv_depth, following, hidden


def ways(temperature=None):
    flow, back, inv_depth, following, _ = square()
    no_change = np.zeros_like(inv_depth)
    return as_numpy(
        {
            "consistency": sf3d.occlusion_from_consistency(flow, back, temperature=temperature),
            "range map": sf3d.occlusion_from_range_map(back, flow=flow, temperature=temperature),
            "depth": sf3d.occlusion_from_depth(
                flow, inv_depth, no_change, following, temperature=temperature
            ),
        }
    )


each_way = pytest.mark.parametrize("name", ["consistency", "range map", "depth"])


@each_way
def test_what_a_square_comes_to_cover_is_hidden(name):
    hidden, inside = ways()[name]
    np.testing.assert_array_equal(hidden, square()[-1])
    assert inside.all() and hidden.dtype == jnp.float32


@each_way
def test_the_soft_answer_becomes_the_hard_one(name):
    soft = ways(1e-5)[name].hidden
    np.testing.assert_allclose(soft, ways()[name].hidden, atol=1e-6)
    softer = np.array(ways(5.0)[name].hidden)
    assert ((softer > 0) & (softer < 1)).all()


def test_what_leaves_the_image_is_not_hidden_but_outside():
    flow, back, inv_depth, following, _ = square()
    flow = flow + np.float32([7, 0])
    back = back - np.float32([7, 0])
    depth = sf3d.occlusion_from_depth(flow, inv_depth, 0 * inv_depth, following)
    consistency = sf3d.occlusion_from_consistency(flow, back)
    ranges = sf3d.occlusion_from_range_map(back, flow=flow)
    outside = np.arange(SIZE[1]) + flow[..., 0] > SIZE[1] - 0.5
    for hidden, inside in as_numpy((depth, consistency, ranges)):
        np.testing.assert_array_equal(inside, ~outside)
        assert not hidden[outside].any()


def test_a_slanted_surface_does_not_hide_itself():
    columns = np.arange(SIZE[1], dtype=np.float32)
    inv_depth = np.broadcast_to(0.2 + 0.02 * columns, SIZE)
    flow = np.full((*SIZE, 2), 0.45, np.float32)
    change = np.full(SIZE, 0.009, np.float32)
    hidden, inside = sf3d.occlusion_from_depth(flow, inv_depth, change, inv_depth)
    assert not hidden.any() and inside[:, :-1].all()


def test_soft_answers_have_the_gradient_of_finite_differences():
    flow, back, inv_depth, following, _ = square()
    rng = np.random.default_rng(0)
    flow, back = (x + 0.1 * rng.uniform(0.2, 0.8, size=x.shape) for x in (flow, back))
    change = 0.02 * rng.normal(size=SIZE)
    functions = {
        "consistency": (sf3d.occlusion_from_consistency, (flow, back), (0, 1)),
        "range map": (sf3d.occlusion_from_range_map, (back,), (0,)),
        "depth": (sf3d.occlusion_from_depth, (flow, inv_depth, change, following), (1, 2)),
    }
    for function, arguments, which in functions.values():
        arguments = [jnp.asarray(x, jnp.float32) for x in arguments]
        weights = jnp.asarray(rng.normal(size=SIZE), jnp.float32)
        loss = lambda *a, f=function, w=weights: (f(*a, temperature=0.5).hidden * w).sum()
        tangents = [
            rng.normal(size=x.shape) if i in which else np.zeros(x.shape)
            for i, x in enumerate(arguments)
        ]
        tangents = [jnp.asarray(x, jnp.float32) for x in tangents]
        run = jax.jit(
            lambda *x, f=loss, d=tangents: (
                *jax.jvp(f, x, tuple(d)),
                jax.grad(f, range(len(x)))(*x),
            )
        )
        _, forward, gradient = run(*arguments)
        move = lambda t, a=arguments, d=tangents, run=run: run(
            *(x + t * y for x, y in zip(a, d, strict=True))
        )[0]
        assert float(forward) == pytest.approx(float((move(1e-3) - move(-1e-3)) / 2e-3), rel=0.02)
        reverse = sum((g * d).sum() for g, d in zip(gradient, tangents, strict=True))
        assert float(reverse) == pytest.approx(float(forward), rel=1e-4)


def test_half_precision_and_batches():
    flow, back, _, _, hidden = square()
    flow, back = cast((np.stack([flow, 0 * flow]), back), jnp.bfloat16)
    got = sf3d.occlusion_from_consistency(flow, back)
    assert got.hidden.shape == got.inside.shape == (2, *SIZE) and got.hidden.dtype == jnp.bfloat16
    np.testing.assert_array_equal(np.float32(got.hidden[0]), hidden)
    one = sf3d.occlusion_from_consistency(flow[0], jnp.stack([back, back]))
    assert one.hidden.shape == one.inside.shape == (2, *SIZE)


def test_wrong_arguments_are_named():
    flow, back, inv_depth, following, _ = square()
    with pytest.raises(ValueError, match="backward_flow: expected shape"):
        sf3d.occlusion_from_consistency(flow, back[1:])
    with pytest.raises(ValueError, match="next_inv_depth: expected shape"):
        sf3d.occlusion_from_depth(flow, inv_depth, inv_depth, following[1:])
    with pytest.raises(ValueError, match="backward_flow: expected shape"):
        sf3d.occlusion_from_range_map(flow[0])


def f1(hidden, truth, among):
    hidden, truth = np.array(hidden)[among] > 0.5, truth[among]
    return 2 * (hidden & truth).sum() / (hidden.sum() + truth.sum())


@thorough.parametrize(
    "motions, least",
    [("small motions", (0.92, 0.78, 0.88)), ("large motions", (0.975, 0.94, 0.87))],
    default=[("small motions", (0.92, 0.78, 0.88))],
)
def test_balls_hide_as_ray_casting_says(motions, least, monkeypatch):
    path = pathlib.Path(__file__).resolve().parents[2] / "benchmarks"
    monkeypatch.syspath_prepend(path)
    balls = pytest.importorskip("visibility", reason="needs the benchmarks of a checkout")
    pooled = [balls.answers(balls.Scene(*balls.MOTIONS[motions], seed)) for seed in range(6)]
    among = np.stack([inside for _, _, inside, _ in pooled])
    truth = np.stack([hidden for _, hidden, _, _ in pooled])
    for i, bound in enumerate(least):
        assert f1(np.stack([found[i] for found, *_ in pooled]), truth, among) >= bound


def test_rigid_objects_hide_as_ray_casting_says():
    data, (flow, inv_depth, change), _, _ = scene("objects")
    following = np.divide(
        1, data["depth1"], out=np.zeros_like(data["depth1"]), where=data["depth1"] > 0
    )
    hidden, inside = sf3d.occlusion_from_depth(flow, inv_depth, change, following)
    among = data["valid"] & np.array(inside)
    truth = data["occlusion_fw"]
    assert f1(hidden, truth, among) >= 0.92
    back = np.where(data["valid1"][..., None], data["flow_bw"], np.nan)
    consistency = sf3d.occlusion_from_consistency(flow, back).hidden
    ranges = sf3d.occlusion_from_range_map(back, flow=flow).hidden
    assert f1(consistency, truth, among) >= 0.78
    assert f1(ranges, truth, among) >= 0.85
