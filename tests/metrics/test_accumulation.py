"""What all metrics share: counts and sums that add up, on any device, in any order."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import platforms, support, thorough
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from sf3d_jax import metrics
from sf3d_jax._numerics.double import Double
from sf3d_jax.metrics import _sums

IMAGES, SIZE = 8, (6, 10)
ESTIMATES = {
    "DepthChange": ["inv_depth_change"],
    "FlyingThings3D": ["flow", "vectors"],
    "KittiSceneFlow": ["flow", "disparity"],
    "MotionInDepth": ["log_motion_in_depth"],
    "SRFlow3D": ["flow", "vectors"],
    "SintelFlow": ["flow"],
    "SpringSceneFlow": ["disparity"],
    "TapVid": ["pixels"],
    "TapVid3D": ["points"],
}
NAMES = list(ESTIMATES)
each_metric = pytest.mark.parametrize("name", NAMES)


def inputs(name, images=(IMAGES,), seed=0):
    """Arguments of an update of the metric of that name."""
    rng = np.random.default_rng(seed)
    draw = lambda *channels, scale=1.0: np.float32(
        scale * rng.normal(size=(*images, *SIZE, *channels))
    )
    mask, found = rng.random((2, *images, *SIZE)) < [[[[0.6]]], [[[0.9]]]]
    near = lambda x, scale: np.float32(x + scale * rng.normal(size=x.shape))
    flow, vectors = draw(2, scale=20), draw(3)
    inv_depth = np.float32(rng.uniform(0.1, 1, (*images, *SIZE)))
    change = draw(scale=0.05)
    disparity = 30 + draw(scale=5)
    return {
        "DepthChange": {
            "inv_depth_change": (near(change, 0.01), found),
            "true_inv_depth_change": (change, mask),
            "true_inv_depth": inv_depth,
        },
        "FlyingThings3D": {
            "flow": (near(flow, 1), found),
            "vectors": near(vectors, 0.1),
            "true_flow": flow,
            "true_vectors": (vectors, mask),
            "true_inv_depth": inv_depth,
        },
        "KittiSceneFlow": {
            "flow": (near(flow, 3), found),
            "disparity": near(disparity, 3),
            "flow_occ": flow,
            "disparity_occ": (disparity, mask),
        },
        "MotionInDepth": {
            "log_motion_in_depth": (near(change, 0.01), found),
            "true_log_motion_in_depth": (change, mask),
        },
        "SRFlow3D": {
            "flow": (near(flow, 1), found),
            "true_flow": flow,
            "vectors": near(vectors, 0.1),
            "true_vectors": vectors,
            "mask": mask,
        },
        "SintelFlow": {"flow": (near(flow, 1), found), "true_flow": flow, "occluded": mask},
        "SpringSceneFlow": {
            "disparity": (near(disparity, 3), found),
            "true_disparity": (disparity, mask),
        },
        "TapVid": {
            "pixels": (near(flow, 4), found),
            "visible": found,
            "true_pixels": (flow, mask),
            "true_visible": found,
        },
        "TapVid3D": {
            "points": (near(vectors, 0.2), found),
            "visible": found,
            "true_points": (vectors, mask),
            "true_visible": found,
        },
    }[name]


def updated(name, arguments, pool="pixels"):
    options = {"size": (256, 256)} if name == "TapVid" else {}
    return getattr(metrics, name).empty(pool=pool).update(**arguments, **options)


def at(tree, index):
    return jax.tree.map(lambda x: x[index], tree)


def assert_same(got, expected, rtol=1e-6):
    """The same counts to the bit, and the same means."""
    np.testing.assert_array_equal(got.counts, expected.counts)
    np.testing.assert_array_equal(got.hits, expected.hits)
    got, expected = got.compute(), expected.compute()
    assert got.keys() == expected.keys() and got
    np.testing.assert_allclose(list(got.values()), list(expected.values()), rtol=rtol)


# What a pool does with the maps of a metric is the same for all of them.
@thorough.parametrize(
    "name, pool",
    [
        *((name, "pixels") for name in NAMES),
        *((name, "image") for name in ("DepthChange", "MotionInDepth")),
    ],
    default=[("MotionInDepth", "pixels"), ("MotionInDepth", "image")],
)
def test_devices_and_orders_give_the_counts_of_one_batch(name, pool):
    arguments = inputs(name)
    expected = updated(name, arguments, pool)
    one = lambda x: updated(name, x, pool)

    mapped = jax.jit(jax.vmap(one))(arguments)
    parts = [at(mapped, i) for i in range(IMAGES)]
    forwards = backwards = getattr(metrics, name).empty(pool=pool)
    for i in range(IMAGES):
        forwards, backwards = forwards.merge(parts[i]), parts[-1 - i].merge(backwards)
    assert_same(forwards, expected)
    assert_same(backwards, expected)
    assert mapped.compute().keys() == expected.compute().keys()
    np.testing.assert_allclose(
        list(mapped.compute().values()), list(expected.compute().values()), rtol=1e-6
    )

    mesh = Mesh(np.array(jax.devices()), ("batch",))
    placed = jax.device_put(arguments, NamedSharding(mesh, P("batch")))
    everywhere = jax.shard_map(
        lambda x: one(x).psum("batch"), mesh=mesh, in_specs=P("batch"), out_specs=P()
    )
    assert_same(jax.jit(everywhere)(placed), expected)


def test_gpus_get_the_counts_and_the_means_of_cpus():
    """On one image, on a batch, and in shards."""
    arguments = inputs("MotionInDepth")
    one = lambda x: updated("MotionInDepth", x, "image")
    expected = updated("MotionInDepth", arguments, "image")
    mesh = Mesh(np.array(jax.devices()), ("batch",))
    everywhere = jax.shard_map(
        lambda x: one(x).psum("batch"), mesh=mesh, in_specs=P("batch"), out_specs=P()
    )
    with platforms.gpu_forms():
        assert_same(one(arguments), expected)
        assert_same(jax.jit(everywhere)(arguments), expected)
        mapped = jax.jit(jax.vmap(one))(arguments)
    total = metrics.MotionInDepth.empty(pool="image")
    for i in reversed(range(IMAGES)):
        total = total.merge(at(mapped, i))
    assert_same(total, expected)


@pytest.mark.thorough
@each_metric
@pytest.mark.parametrize("pool", ["pixels", "image"])
def test_gpus_get_the_counts_and_the_means_of_cpus_for_every_metric(name, pool):
    expected = updated(name, inputs(name), pool)
    with platforms.gpu_forms():
        assert_same(updated(name, inputs(name), pool), expected)


@each_metric
def test_on_a_gpu_an_update_has_no_loop(name):
    # No program of them is compiled, only lowered.
    for pool in ("pixels", "image"):
        update = lambda x, pool=pool: updated(name, x, pool)
        text = platforms.lower_for_gpu(update, inputs(name))
        assert "stablehlo.reduce" in text and platforms.count_loops(text) == 0


def make_large_and_small(count):
    """Terms of which a plain sum loses the small ones: 1e8 and many below its last digit."""
    rng = np.random.default_rng(0)
    values = np.float32(rng.uniform(0, 4, count))
    values[:: count // 4] = 1e8
    return values


def test_a_gpu_keeps_the_digits_of_small_terms_beside_large_ones():
    count = 10_000
    values = make_large_and_small(count)[None]
    use = np.random.default_rng(1).random(values.shape) < 0.7
    few = values > 2
    terms = [(values, use), (few, use), (-values[:, ::-1], use)]
    with platforms.gpu_forms():
        totals = jax.jit(lambda terms: _sums.sum_terms(terms, np.float32))(terms)
    exact = [values.sum(where=use, dtype=float), 0, -values[:, ::-1].sum(where=use, dtype=float)]
    sums = np.float64(totals.sums.hi[0]) + np.float64(totals.sums.lo[0])
    # 2^-45 of the sum for each of the additions that a term passes; without the low words the
    # error is 1e-7.
    np.testing.assert_allclose(sums, exact, rtol=count * 2.0**-45, atol=0)
    assert totals.counts[0].tolist() == [use.sum()] * 3
    assert totals.hits[0].tolist() == [0, (few & use).sum(), 0]


def test_a_gpu_adds_in_any_order_without_losing_digits():
    values = make_large_and_small(4096)
    exact = values.sum(dtype=float)
    rng = np.random.default_rng(2)
    with platforms.gpu_forms():
        total = jax.jit(lambda x: _sums.sum_first_axis(Double.of(x)))
        for _ in range(3):
            got = total(rng.permutation(values))
            np.testing.assert_allclose(float(got.hi) + float(got.lo), exact, rtol=1e-11)


@pytest.mark.thorough
def test_a_sum_has_the_derivative_of_a_sum_in_both_forms():
    estimate, truth = np.float32([[0.1, 0.3, -0.2]]), np.zeros((1, 3), np.float32)
    update = lambda x: metrics.MotionInDepth.empty().update(x, truth).sums.hi[0]
    np.testing.assert_array_equal(jax.grad(update)(estimate), [[1, 1, -1]])
    with platforms.gpu_forms():
        np.testing.assert_array_equal(jax.grad(update)(estimate), [[1, 1, -1]])


def test_psum_of_two_axes_is_that_of_one():
    arguments = inputs("MotionInDepth")
    mesh = Mesh(np.array(jax.devices()).reshape(2, 4), ("a", "b"))
    everywhere = jax.shard_map(
        lambda x: updated("MotionInDepth", x).psum(("a", "b")),
        mesh=mesh,
        in_specs=P(("a", "b")),
        out_specs=P(),
    )
    assert_same(jax.jit(everywhere)(arguments), updated("MotionInDepth", arguments))


def test_psum_carries_from_word_to_word():
    words = np.uint32([[0, 2**32 - 1], [3, 2**31 + 2**16 - 1]])
    empty = metrics.MotionInDepth.empty()
    each = jax.tree.map(lambda x: jnp.stack([x] * 8), empty)
    each = dataclasses.replace(each, counts=jnp.asarray(np.stack([words] * 8)))
    total = jax.vmap(lambda m: m.psum("i"), axis_name="i")(each)
    expected = [list(divmod(8 * (int(high) * 2**32 + int(low)), 2**32)) for high, low in words]
    for device in range(8):
        assert total.counts[device].tolist() == expected


def test_three_billion_pixels_agree_with_float64():
    # As many merges as batches, each of a million pixels, ten of them different.
    rng = np.random.default_rng(0)
    truths = np.float32(rng.uniform(-0.3, 0.3, (10, 1000, 1000)))
    estimates = np.float32(truths + rng.gamma(0.5, 0.01, truths.shape))
    one = metrics.MotionInDepth.empty().update
    batches = [one(estimates[i], truths[i]) for i in range(10)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *batches)

    @jax.jit
    def rounds(metric, stacked):
        add = lambda m, x: (m.merge(x), None)
        again = lambda m, _: (jax.lax.scan(add, m, stacked)[0], None)
        return jax.lax.scan(again, metric, None, length=300)[0]

    total = rounds(metrics.MotionInDepth.empty(), stacked)
    assert [int(x) for x in total.counts[0]] == list(divmod(3_000_000_000, 2**32))
    total = rounds(total, stacked)
    assert [int(x) for x in total.counts[0]] == list(divmod(6_000_000_000, 2**32))
    errors = np.abs(np.clip(estimates.astype(float), -np.log(2), np.log(2)) - truths)
    np.testing.assert_allclose(total.compute()["MID"], 1e4 * errors.mean(), rtol=1e-6)
    # The same numbers, so the rest is the error of the sum alone.
    exact = np.abs(np.clip(estimates, -np.float32(np.log(2)), np.float32(np.log(2))) - truths)
    np.testing.assert_allclose(total.compute()["MID"], 1e4 * exact.mean(dtype=float), rtol=1e-7)


def test_a_small_error_after_a_large_sum_is_not_lost():
    constant = lambda value: np.full((1, 4), value, np.float32)
    metric = metrics.DepthChange.empty().update(constant(2.0**26), constant(0))
    step = lambda m, _: (m.update(constant(1), constant(0)), None)
    metric = jax.lax.scan(step, metric, None, length=1000)[0]
    np.testing.assert_allclose(metric.compute()["MAE"], (2.0**26 + 1000) / 1001, rtol=1e-9)


def test_the_means_of_images_are_of_images_with_pixels():
    truth = np.zeros((3, 2, 4), np.float32)
    estimate = np.stack([np.full((2, 4), 0.1), np.full((2, 4), 0.5), np.full((2, 4), 9.0)])
    valid = np.zeros((3, 2, 4), bool)
    valid[0], valid[1, 0, 0] = True, True
    arguments = np.float32(estimate), (truth, valid)
    per_image = metrics.DepthChange.empty(pool="image").update(*arguments)
    per_pixel = metrics.DepthChange.empty().update(*arguments)
    np.testing.assert_allclose(per_image.compute()["MAE"], (0.1 + 0.5) / 2, rtol=1e-6)
    np.testing.assert_allclose(per_pixel.compute()["MAE"], (8 * 0.1 + 0.5) / 9, rtol=1e-6)
    assert per_image.counts[0].tolist() == [0, 2]


def test_a_batch_of_metrics_is_merged_with_one_of_its_shape_only():
    arguments = inputs("MotionInDepth")
    one = lambda x: updated("MotionInDepth", x)
    batch, again = jax.vmap(one)(arguments), jax.vmap(one)(inputs("MotionInDepth", seed=1))
    single, empty = one(at(arguments, 0)), metrics.MotionInDepth.empty()
    with pytest.raises(ValueError, match=r"other: expected metrics of the batch shape \(8,\), got"):
        batch.merge(single)
    with pytest.raises(ValueError, match=r"other: .* \(\), got \(8,\)"):
        single.merge(batch)
    with pytest.raises(ValueError, match=r"self: expected one metric, .* vmap; got a batch of the"):
        batch.update(**arguments)
    with pytest.raises(ValueError, match="self: expected one metric"):
        batch.update(**jax.tree.map(lambda x: x[:0], arguments))
    both, expected = batch.merge(again), empty
    for part in (batch, again):
        for i in range(IMAGES):
            expected = expected.merge(at(part, i))
    assert both.counts.shape == batch.counts.shape
    assert both.compute() == pytest.approx(expected.compute(), rel=1e-6)
    twice = jax.vmap(lambda m, x: m.update(**x))(batch, arguments)
    np.testing.assert_array_equal(twice.counts, batch.merge(batch).counts)


def test_compute_inside_jit_is_refused():
    with pytest.raises(TypeError, match="compute: works outside jit"):
        jax.jit(lambda m: m.compute())(metrics.MotionInDepth.empty())


@each_metric
def test_an_image_without_valid_pixels_adds_nothing(name):
    def blank(x, key):
        unknown = x.dtype != bool and ("true" in key or "occ" in key)
        return np.full_like(x, np.nan) if unknown else x

    arguments = {
        key: (blank(x[0], key), x[1]) if isinstance(x, tuple) else blank(x, key)
        for key, x in inputs(name).items()
    }
    empty = getattr(metrics, name).empty()
    after = updated(name, arguments, empty.pool)
    for got, expected in zip(jax.tree.leaves(after), jax.tree.leaves(empty), strict=True):
        np.testing.assert_array_equal(got, expected)
    assert after.compute() == {}


@each_metric
def test_no_images_add_nothing(name):
    arguments = jax.tree.map(lambda x: x[:0], inputs(name))
    assert updated(name, arguments).compute() == {}


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
@each_metric
def test_an_estimate_that_is_no_number_leaves_the_others_alone(name, bad):
    everywhere = np.ones((IMAGES, *SIZE), bool)
    valid = everywhere.copy()
    valid[2, 3, 4] = False
    arguments = inputs(name)
    values = {key: jax.tree.leaves(arguments[key])[0] for key in ESTIMATES[name]}
    arguments |= {key: (x, everywhere) for key, x in values.items()}
    for key, x in values.items():
        broken = x.copy()
        broken[2, 3, 4] = bad
        got = updated(name, arguments | {key: (broken, everywhere)}).compute()
        expected = updated(name, arguments | {key: (x, valid)}).compute()
        assert np.isfinite(list(got.values())).all()
        assert got == expected


# Of these more is better.
ACCURACIES = {
    "FlyingThings3D": ("1px", "5cm", "10cm", "Acc3DS", "Acc3DR"),
    "SpringSceneFlow": "WAUC",
    **{
        name: [x for x in getattr(metrics, name).units if x != "missing"]
        + ["average_jaccard", "average_pts_within_thresh"]
        for name in ("TapVid", "TapVid3D")
    },
}


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("share", [0.5, 1])
@each_metric
def test_an_estimate_without_numbers_is_no_better_than_a_wrong_one(name, bad, share):
    """Of almost still scenes, where what is not known must not pass for 0."""
    everywhere = np.ones((IMAGES, *SIZE), bool)
    broken = slice(0, int(share * IMAGES))
    small = lambda x: x if x.dtype == bool else np.float32(1e-3 * np.abs(x))
    arguments = {
        key: x if key == "true_inv_depth" else jax.tree.map(small, x)
        for key, x in inputs(name).items()
    }
    wrong = dict(arguments)
    for key in ESTIMATES[name]:
        x = jax.tree.leaves(arguments[key])[0]
        lost, far = x.copy(), x.copy()
        # A clipped motion in depth is wrong by log 2 at most.
        lost[broken], far[broken] = bad, 1e3
        arguments[key], wrong[key] = (lost, everywhere), (far, everywhere)
    got, expected = (updated(name, x).compute() for x in (arguments, wrong))
    accuracies = ACCURACIES.get(name, ())
    for key, value in got.items():
        if "result" in key:  # of pixels with an estimate alone
            continue
        if "missing" in key:
            assert value >= 20 and (share < 1 or value == 100)
        elif "density" in key:
            assert value <= 80 and (share < 1 or value == 0)
        elif key in accuracies:
            assert value <= expected[key] + 1e-4, key
        elif getattr(metrics, name).units[key] == 100:
            assert value >= expected[key] - 1e-4, key
        else:
            assert share < 1 or name == "KittiSceneFlow", f"{key}: a mean over no estimate"
    assert [key for key in got if "missing" in key or "density" in key]


@each_metric
def test_a_map_of_another_size_or_kind_is_refused(name):
    arguments = inputs(name)
    for key, x in arguments.items():
        smaller, integers = (jax.tree.map(f, x) for f in (lambda x: x[:, 1:], np.int32))
        with pytest.raises(ValueError, match=r"expected \(H, W\) of"):
            updated(name, arguments | {key: smaller})
        with pytest.raises(TypeError, match=f"{key}: .*expected "):
            updated(name, arguments | {key: integers})


def test_bfloat16_is_counted_in_float32():
    arguments = support.cast(inputs("MotionInDepth")["log_motion_in_depth"][0], jnp.bfloat16)
    truth = jnp.zeros_like(arguments)
    got = metrics.MotionInDepth.empty().update(arguments, truth).compute()["MID"]
    expected = 1e4 * np.abs(np.float64(arguments)).mean()
    np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_float64_is_counted_in_float64():
    with support.float64():
        truth = np.full((4, 4), 0.1)
        metric = metrics.MotionInDepth.empty().update(truth + 1e-12, truth)
        np.testing.assert_allclose(metric.compute()["MID"], 1e-8, rtol=1e-3)


def test_metrics_of_other_kinds_do_not_merge():
    motion = metrics.MotionInDepth.empty()
    with pytest.raises(TypeError, match="other: expected a MotionInDepth, got SintelFlow"):
        motion.merge(metrics.SintelFlow.empty())
    with pytest.raises(ValueError, match="other: expected pool='pixels', got 'image'"):
        motion.merge(metrics.MotionInDepth.empty(pool="image"))
    with pytest.raises(ValueError, match="pool: expected 'pixels' or 'image', got "):
        metrics.MotionInDepth.empty(pool="batch")


def test_wrong_maps_are_refused_by_name():
    flow, small = np.zeros((4, 5, 2), np.float32), np.zeros((4, 6, 2), np.float32)
    sintel = metrics.SintelFlow.empty()
    with pytest.raises(ValueError, match=r"true_flow: expected \(H, W\) of flow, \(4, 5\), got"):
        sintel.update(flow, small)
    with pytest.raises(ValueError, match="flow: expected shape"):
        sintel.update(flow[..., 0], flow)
    with pytest.raises(ValueError, match="flow: expected shape"):
        sintel.update(flow[0], flow[0])
    with pytest.raises(TypeError, match="occluded: expected an array of bool"):
        sintel.update(flow, flow, occluded=flow[..., 0])
    with pytest.raises(TypeError, match="flow: expected a floating-point array"):
        sintel.update(flow.astype(int), flow)
    with pytest.raises(TypeError, match=r"flow: valid: .*; pass flow=\(values, valid > 0\.5\)"):
        sintel.update((flow, flow[..., 0]), flow)
    with pytest.raises(ValueError, match="flow: expected an array or"):
        sintel.update((flow, flow, flow), flow)
    with pytest.raises(TypeError, match=r"flow: expected an array or \(values, valid\), got list"):
        sintel.update([flow, flow[..., 0] > 0], flow)
    with pytest.raises(TypeError, match="occluded: expected an array of bool, got tuple"):
        sintel.update(flow, flow, occluded=(flow[..., 0] > 0, flow[..., 0] > 0))
    with pytest.raises(ValueError, match="do not broadcast"):
        sintel.update(np.zeros((2, 4, 5, 2), np.float32), np.zeros((3, 4, 5, 2), np.float32))
    kitti, objects = metrics.KittiSceneFlow.empty(), np.zeros((4, 5), int)
    for given in ({}, {"objects": objects}):
        with pytest.raises(ValueError, match=r"expected at least one of flow, .*_noc, got none"):
            kitti.update(**given)
    with pytest.raises(TypeError, match="objects: expected an array of integers or bool, got flo"):
        kitti.update(flow=flow, objects=flow[..., 0])
    with pytest.raises(TypeError, match="objects: expected an array of integers or bool, got list"):
        kitti.update(flow=flow, objects=[0, 1])
    with pytest.raises(ValueError, match=r"objects: expected \(H, W\) of flow, \(4, 5\), got"):
        kitti.update(flow=flow, objects=objects[:, 1:])
    with pytest.raises(ValueError, match=r"do not broadcast: flow \(2,\), objects \(3,\)"):
        kitti.update(flow=np.stack([flow] * 2), objects=np.stack([objects] * 3))


@pytest.mark.parametrize("name", ["SintelFlow", "MotionInDepth", "DepthChange"])
def test_a_needed_map_that_is_none_is_named(name):
    first, second, *_ = inputs(name).items()
    for (key, _), (other, x) in ((first, second), (second, first)):
        with pytest.raises(TypeError, match=f"{key}: expected an array or .* got None"):
            updated(name, {key: None, other: x})


def test_one_truth_serves_a_batch_of_estimates():
    estimate, truth = inputs("MotionInDepth").values()
    one = at(truth, 0)
    got = metrics.MotionInDepth.empty().update(estimate, one)
    same = jax.tree.map(lambda x: np.broadcast_to(x, (IMAGES, *SIZE)), one)
    assert_same(got, metrics.MotionInDepth.empty().update(estimate, same))


@each_metric
def test_an_empty_metric_passes_a_transfer_guard(name):
    with jax.transfer_guard("disallow"):
        empty = getattr(metrics, name).empty()
    assert not np.any(empty.counts) and empty.compute() == {}
