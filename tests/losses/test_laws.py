"""What holds for all losses: perfect predictions, masks, batches, types, shapes, devices."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers import thorough
from helpers.losses_cases import (
    CASES,
    CHANGE,
    CHANGES,
    FIRST,
    FLOW,
    FLOWS,
    IMAGE,
    INV_DEPTH,
    OTHER,
    RUNS,
    SIZE,
    TARGET,
    VALID,
    VECTORS,
)
from helpers.support import as_numpy, float64, grid, opencv_rays, require_float16
from jax.sharding import Mesh, PartitionSpec

import sf3d_jax as sf3d
from sf3d_jax import losses
from sf3d_jax.losses import masked_mean

# One of each kind of code.
SOME = ["census masked", "ssim", "ncc", "second_order_smoothness", "gradient_difference sobel"]
SOME += ["point_reconstruction", "forward_backward_error 3D", "gaussian_nll", "rigidity"]


def gradients(function, *maps):
    loss = lambda *x: masked_mean(*function(*x))
    return jax.jit(jax.value_and_grad(loss, argnums=tuple(range(len(maps)))))(*maps)


PERFECT = {
    "census": (losses.census, IMAGE, IMAGE),
    "ssim": (losses.ssim, IMAGE, IMAGE),
    "ncc": (losses.ncc, IMAGE, IMAGE),
    "photometric": (losses.photometric, IMAGE, IMAGE),
    "smoothness": (losses.second_order_smoothness, np.zeros_like(FLOW), IMAGE),
    "total_variation": (losses.total_variation, np.zeros_like(FLOW)),
    "gradient_difference": (losses.gradient_difference, FLOW, FLOW),
    "end_point_error": (losses.end_point_error, FLOW, FLOW),
    "log_motion_in_depth_error": (losses.log_motion_in_depth_error, CHANGE, CHANGE, INV_DEPTH),
    "depth_consistency": (losses.depth_consistency, 0 * FLOW, INV_DEPTH, 0 * CHANGE, INV_DEPTH),
    "forward_backward_error": (losses.forward_backward_error, 0 * FLOW, 0 * FLOW),
    "rigidity": (lambda x, d: losses.rigidity(x, d, FIRST), 0 * VECTORS, INV_DEPTH),
    "raft": (losses.raft, np.stack([TARGET, TARGET]), TARGET),
    "point_reconstruction": (
        lambda x, d, n: losses.point_reconstruction(x, d, n, FIRST),
        0 * VECTORS,
        INV_DEPTH,
        INV_DEPTH,
    ),
}


# At rest a root and a quotient of windows: where a derivative would be infinite first.
@thorough.parametrize("name", PERFECT, default=["ncc", "ssim", "census", "end_point_error"])
def test_a_perfect_prediction_costs_nothing_and_stays_put(name):
    function, *maps = PERFECT[name]
    value, found = gradients(function, *maps)
    assert 0 <= value < 1e-6
    for gradient in found:
        np.testing.assert_allclose(gradient, 0, atol=2e-6)


def image_pairs(dtype):
    """Images of many contrasts and offsets, every eighth flat, beside others, like them or not."""
    rng = np.random.default_rng(6)
    noise = rng.uniform(size=(48, 12, 13, 2))
    contrast = np.logspace(-4, 2, 48) * (np.arange(48) % 8 > 0)
    contrast, offset = (x[:, None, None, None] for x in (contrast, rng.choice([0, 0.5, 30], 48)))
    image = offset + contrast * noise
    others = [image, image * (1 + 1e-6 * noise), 0.7 * image + 0.1, offset - image, image[::-1]]
    as_type = lambda x: jnp.asarray(np.concatenate(x), dtype)
    return as_type([image] * len(others)), as_type(others), len(image)


MOST = {"brightness": np.inf, "census": 1, "ssim": 1, "ncc": 2, "photometric": np.inf}


@thorough.parametrize(
    "name, dtype",
    [
        *((name, "float32") for name in MOST),
        *((name, dtype) for name in ("census", "ssim", "ncc") for dtype in ("bfloat16", "float64")),
    ],
    default=[("census", "float32"), ("ncc", "float32"), ("ssim", "float32")],
)
def test_no_loss_of_images_leaves_its_range(name, dtype):
    """On any processor, however it rounds; and images that are the same stay put."""
    with float64():
        image, other, count = image_pairs(dtype)

        @jax.jit
        def loss(image, other):
            values, valid = getattr(losses, name)(image, other)
            return values.astype(float).sum(), (values, valid)

        both = jax.value_and_grad(loss, argnums=(0, 1), has_aux=True)
        (_, (values, valid)), found = as_numpy(both(image, other))
    assert valid.any() and (values >= 0).all() and (values <= MOST[name]).all()
    assert all(np.isfinite(np.float64(x)).all() for x in found)
    rounding = float(jnp.finfo(dtype).eps)
    assert np.float64(values[:count]).max() < 8 * rounding
    # The slope, by what the contrast of an image is, to the rounding of bright and flat ones.
    same = np.float64(image[:count])
    contrast = np.ptp(same, axis=(1, 2, 3), keepdims=True)
    bright = np.abs(same).max(axis=(1, 2, 3), keepdims=True)
    for x in found:
        slope = np.abs(np.float64(x[:count])) * contrast
        assert (slope * contrast <= 16 * rounding * (contrast + bright)).all()


@thorough.parametrize(
    "name",
    [*SOME, "general_robust 0.5", "census", "raft3d"],
    default=["ssim", "gaussian_nll", "general_robust 0.5", "raft3d"],
)
def test_no_mask_no_loss_and_no_gradient(name):
    case = CASES[name]
    loss = lambda *x: masked_mean(case.function(*x).values, jnp.zeros(SIZE, bool))
    maps = tuple(np.full_like(x, np.nan) if i == 0 else x for i, x in enumerate(case.maps))
    argnums = tuple(range(len(maps)))
    value, found = jax.jit(jax.value_and_grad(loss, argnums=argnums))(*maps)
    assert value == 0
    assert not any(np.any(x) for x in found)


@thorough.parametrize("name", SOME, default=["census masked", "gaussian_nll"])
def test_a_batch_is_a_loop(name):
    case = CASES[name]
    flipped = lambda x: np.stack([x, x[::-1].copy()])
    batch = tuple(map(flipped, case.maps))
    function = lambda *x: case.function(*x)
    values, valid = as_numpy(jax.jit(function)(*batch))
    mapped = as_numpy(jax.jit(jax.vmap(function))(*batch))
    for i in (0, 1):
        one = RUNS[name](*(x[i] for x in batch))
        np.testing.assert_array_equal(valid[i], one.valid)
        np.testing.assert_allclose(values[i], one.values, rtol=2e-6, atol=2e-6)
        np.testing.assert_allclose(mapped.values[i], one.values, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", [n for n in CASES if not n.startswith("raft")])
def test_a_batch_of_one_map_is_a_batch_of_all(name):
    """Without computing: shapes broadcast with ranks that differ, which users may forbid to JAX."""
    case = CASES[name]
    for i, x in enumerate(case.maps):
        maps = [*case.maps[:i], np.stack([x, x]), *case.maps[i + 1 :]]
        values, valid = jax.eval_shape(case.function, *maps)
        assert values.shape == (2, *SIZE) and valid.shape in (SIZE, values.shape)


def test_one_image_is_compared_with_a_batch():
    others, masks = np.stack([OTHER, IMAGE]), np.stack([VALID, ~VALID])
    values, valid = losses.ssim(IMAGE, others, valid=masks)
    for i in (0, 1):
        one = losses.ssim(IMAGE, others[i], valid=masks[i])
        np.testing.assert_array_equal(valid[i], one.valid)
        np.testing.assert_allclose(values[i], one.values, atol=1e-6)


@thorough.parametrize("name", SOME, default=["census masked", "gaussian_nll"])
def test_bfloat16_is_computed_in_float32(name):
    maps = [jnp.asarray(x, jnp.bfloat16) for x in CASES[name].maps]
    values, valid = RUNS[name](*maps)
    wanted = RUNS[name](*(np.float32(x) for x in maps))
    assert values.dtype == jnp.bfloat16
    np.testing.assert_array_equal(valid, wanted.valid)
    np.testing.assert_allclose(np.float32(values), wanted.values, rtol=2**-7)


def test_iterations_are_not_mixed_with_the_batch():
    targets, masks = np.stack([TARGET, 2 * TARGET]), np.stack([VALID, ~VALID])
    for flows in (FLOWS[:2], np.stack([FLOWS[:2]] * 2, axis=1)):
        values, valid = losses.raft(flows, targets, valid=masks)
        assert values.shape == (2, *SIZE)
        for i in (0, 1):
            own = flows if flows.ndim == 4 else flows[:, i]
            wanted = losses.raft(own, targets[i], valid=masks[i])
            np.testing.assert_array_equal(valid[i], wanted.valid)
            np.testing.assert_allclose(values[i], wanted.values, rtol=1e-6)


def test_a_batch_of_cameras_needs_no_batch_of_maps():
    batch = jax.tree.map(lambda x: np.stack([x] * 2), FIRST)
    values = losses.rigidity(VECTORS, INV_DEPTH, batch).values
    one = losses.rigidity(VECTORS, INV_DEPTH, FIRST).values
    np.testing.assert_allclose(values, np.stack([one, one]), rtol=1e-5, atol=1e-6)


def test_likelihoods_know_any_scale_of_an_axis():
    covariance = np.broadcast_to(np.diag(np.float32([1e-6, 1e-6, 9])), (1, 1, 3, 3)).copy()
    covariance[..., 0, 2] = np.nan  # of the upper triangle, which is not read
    x = np.float32([[[1e-3, 0, 3]]])
    value, valid = losses.gaussian_nll(x, 0 * x, covariance)
    wanted = 0.5 * (1 + 1 + np.log(9e-12) + 3 * np.log(2 * np.pi))
    assert valid.all()
    np.testing.assert_allclose(value, wanted, rtol=1e-6)
    covariance[..., 1, 0] = 1e-6
    assert not losses.gaussian_nll(x, 0 * x, covariance).valid.any()
    off = losses.mixture_of_laplace(x, np.float32([0, -np.inf]), np.float32([0, 3]))
    np.testing.assert_allclose(off, np.abs(x) + np.log(2), rtol=1e-6)


def test_parameters_at_their_limits_give_no_nan():
    zero = jnp.zeros(3)
    for loss in (
        lambda x: losses.charbonnier(x, scale=0.0),
        lambda x: losses.generalized_charbonnier(x, epsilon=0.0),
        lambda x: losses.general_robust(x + 2.9e9, alpha=4.0),
    ):
        assert np.isfinite(jax.grad(lambda x, loss=loss: loss(x).sum())(zero)).all()
    slope = jax.grad(lambda a: losses.general_robust(jnp.float32(2.9e9), alpha=a))(4.0)
    assert np.isfinite(slope)
    assert not losses.consistency_weight(0 * FLOW, 0 * FLOW, sigma=0.0).any()


def test_a_narrow_type_holds_its_largest_number():
    require_float16()
    assert losses.l2(jnp.float16([1000.0]))[0] == jnp.finfo(jnp.float16).max
    values, valid = losses.end_point_error(
        jnp.full((1, 2, 2), 6e4, jnp.float16), jnp.zeros((1, 2, 2))
    )
    assert not valid.any() and not values.any()


NAMES = ["gradient_difference sobel", "general_robust 0.5"]


@thorough.parametrize("name", NAMES, default=["general_robust 0.5"])
def test_jit_is_no_jit(name):
    with jax.disable_jit():
        values, _ = CASES[name].function(*map(jnp.asarray, CASES[name].maps))
    np.testing.assert_allclose(values, RUNS[name](*CASES[name].maps).values, atol=2e-6)


@thorough.parametrize("name", ["census masked", "ssim"], default=["census masked"])
def test_devices_share_a_batch(name):
    case = CASES[name]
    batch = tuple(np.stack([x] * 8) for x in case.maps)
    mesh = Mesh(np.array(jax.devices()[:8]), "b")
    spec = PartitionSpec("b")
    loss = lambda *x: masked_mean(*case.function(*x))[None]
    total = lambda *x: jax.shard_map(loss, mesh=mesh, in_specs=spec, out_specs=spec)(*x).mean()
    value, found = jax.jit(jax.value_and_grad(total, argnums=(0, 1)))(*batch)
    one, wanted = gradients(case.function, *case.maps)
    np.testing.assert_allclose(value, one, rtol=1e-6)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a[5] * 8, b, atol=1e-6)


BAD_SHAPES = [
    (lambda: losses.census(IMAGE, OTHER[:-1]), "other: expected shape"),
    (lambda: losses.ssim(IMAGE, OTHER[..., :1]), "other: expected 3 channels as image, got 1"),
    (
        lambda: losses.ssim(IMAGE, OTHER, window="round"),
        "window: expected 'uniform' or 'gaussian', got 'round'",
    ),
    (lambda: losses.ncc(IMAGE, OTHER, radius=0), "radius: expected an integer"),
    (lambda: losses.brightness(IMAGE, OTHER, valid=VALID[1:]), "valid: expected shape"),
    (lambda: losses.brightness(IMAGE[0], OTHER), "image: expected shape"),
    (lambda: losses.total_variation(INV_DEPTH), "x: expected shape"),
    (lambda: losses.gradient_difference(FLOW, TARGET, operator="scharr"), "operator: expected"),
    (lambda: losses.raft(FLOW, TARGET), "flows: expected shape"),
    (lambda: losses.raft3d(FLOWS, CHANGES[0], TARGET, CHANGE), "inv_depth_changes: expected"),
    (lambda: losses.gaussian_nll(VECTORS, VECTORS, VECTORS), "covariance: expected"),
    (lambda: losses.forward_backward_error(VECTORS, VECTORS), "flow: required with scene flow"),
    (lambda: losses.forward_backward_error(FLOW, FLOW, camera=FIRST), "camera: expected both"),
    (lambda: losses.multi_scale_flow([], TARGET), "flows: expected at least one"),
    (lambda: losses.compose({}), "terms: expected at least one"),
    (lambda: losses.compose({"a": 3.0}), "terms\\['a'\\]: expected \\(weight, value\\)"),
    (lambda: losses.compose({"a": jnp.ones(())}), "expected \\(weight, value\\), got an array$"),
    (lambda: losses.compose({"a": (1.0, FLOW)}), "terms\\['a'\\]: value: expected a scalar"),
    (lambda: losses.compose({"a": (None, 1.0)}), "terms\\['a'\\]: weight: expected a scalar"),
    (lambda: losses.compose({"a": (1.0, losses.ssim(IMAGE, OTHER))}), "give masked_mean"),
    (lambda: losses.raft(FLOWS[:0], TARGET), "flows: expected shape \\(N, .* N at least 1"),
    (lambda: losses.raft3d(FLOWS, CHANGES[:1], TARGET, CHANGE), "inv_depth_changes: expected 3"),
    (lambda: losses.general_robust(FLOW, alpha=np.ones(5)), "alpha"),
    (lambda: losses.mixture_of_laplace(CHANGE, FLOW[..., :0], FLOW), "logits: expected shape"),
    (lambda: losses.end_point_error(FLOW[..., :0], FLOW[..., :0]), "x: expected at least one"),
    (lambda: losses.balance({"a": FLOW}), "values\\['a'\\]: expected a scalar"),
    (lambda: masked_mean(INV_DEPTH, VALID[1:]), "do not broadcast"),
]


@pytest.mark.parametrize("index", range(len(BAD_SHAPES)))
def test_what_does_not_fit_is_named(index):
    call, message = BAD_SHAPES[index]
    with pytest.raises(ValueError, match=message):
        call()


def test_integers_are_refused():
    with pytest.raises(TypeError, match="penalty: expected a function"):
        losses.brightness(IMAGE, OTHER, penalty="l1")
    with pytest.raises(TypeError, match="camera: expected a Camera"):
        losses.rigidity(VECTORS, INV_DEPTH, None)
    with pytest.raises(TypeError, match="image: expected a floating-point array, got uint8"):
        losses.census(np.uint8(255 * IMAGE), OTHER)
    with pytest.raises(TypeError, match="x: expected a floating-point array"):
        losses.l1(np.arange(3))
    for dtype in (int, np.uint8):
        with pytest.raises(TypeError, match=r"mask: expected an array of bool, .* mask > 0\.5"):
            masked_mean(INV_DEPTH, np.ones(SIZE, dtype))


def test_images_smaller_than_the_window_have_no_loss():
    tiny = IMAGE[:2, :1]
    for loss in (losses.ssim, losses.ncc, losses.photometric):
        values, valid = loss(tiny, OTHER[:2, :1])
        assert values.shape == (2, 1) and not valid.any()
    assert losses.census(tiny, OTHER[:2, :1]).valid.all()
    assert not losses.second_order_smoothness(tiny, tiny).valid.any()


def test_the_mean_counts_what_the_mask_marks():
    values = np.where(VALID, INV_DEPTH, np.nan)
    mean, gradient = jax.value_and_grad(masked_mean)(values, VALID)
    np.testing.assert_allclose(mean, np.float64(INV_DEPTH)[VALID].mean(), rtol=1e-6)
    np.testing.assert_allclose(gradient, VALID / VALID.sum(), rtol=1e-6)
    weighted = masked_mean(INV_DEPTH, np.float32(CHANGE**2))
    wanted = np.average(np.float64(INV_DEPTH), weights=np.float64(CHANGE**2))
    np.testing.assert_allclose(weighted, wanted, rtol=1e-6)
    broken = np.where(VALID, values, 1.0)
    broken[0, 0] = np.inf
    assert np.isfinite(masked_mean(broken, np.ones(SIZE, bool)))


def test_the_mean_of_a_loss_map_takes_it_as_it_is():
    loss = losses.LossMap(np.where(VALID, INV_DEPTH, np.nan), VALID)
    mean = masked_mean(loss)
    assert mean == masked_mean(*loss)
    half = np.arange(SIZE[1]) < 7
    few = VALID & half
    np.testing.assert_allclose(
        masked_mean(loss, half), np.float64(INV_DEPTH)[few].mean(), rtol=1e-6
    )
    weighted = masked_mean(loss, np.float32(CHANGE**2))
    wanted = np.average(np.float64(INV_DEPTH)[VALID], weights=np.float64(CHANGE**2)[VALID])
    np.testing.assert_allclose(weighted, wanted, rtol=1e-6)
    with pytest.raises(
        ValueError,
        match=r"mask: required when the first argument is an array; .* masked_mean\(loss_map\)",
    ):
        masked_mean(INV_DEPTH)


def test_means_and_totals_have_the_digits_of_float32_and_no_more():
    narrow = losses.LossMap(jnp.asarray(INV_DEPTH, jnp.bfloat16), VALID)
    mean = masked_mean(narrow)
    assert mean.dtype == jnp.float32
    wanted = np.float64(narrow.values.astype(jnp.float32))[VALID].mean()
    np.testing.assert_allclose(mean, wanted, rtol=1e-6)
    narrow_term = {"a": (3.0, jnp.asarray(1.375, jnp.bfloat16)), "b": (1e-3, jnp.float32(1))}
    total, values = losses.compose(narrow_term)
    assert total.dtype == jnp.float32 and values["a"].dtype == jnp.bfloat16
    np.testing.assert_allclose(total, 4.126, rtol=1e-6)
    with float64():
        term = jnp.float32(2)
        for weight in (0.5, np.float64(0.5), np.float32(0.5), 2, 0):
            total, _ = losses.compose({"a": (weight, term), "b": (1, term)})
            assert total.dtype == jnp.float32 and float(total) == weight * 2 + 2
        total, _ = losses.compose({"a": (0.5, jnp.float64(2)), "b": (1, term)})
        assert total.dtype == jnp.float64


def test_composed_terms_are_weighted_and_kept():
    off = np.float32(0)
    terms = lambda x: {"a": (2.0, x), "b": (jnp.float32(3.0), x**2), "off": (off, x / 0)}
    (total, values), gradient = jax.value_and_grad(
        lambda x: losses.compose(terms(x)), has_aux=True
    )(jnp.float32(2.0))
    assert total == 16 and gradient == 14
    assert values["a"] == 2 and values["b"] == 4 and set(values) == {"a", "b", "off"}


def test_balanced_terms_are_alike_and_their_weights_constant():
    def loss(x):
        values = {"a": x, "b": 10 * x, "none": 0 * x, "broken": x * jnp.inf}
        weights = losses.balance(values)
        finite = {name: (weights[name], values[name]) for name in ("a", "b", "none")}
        return losses.compose(finite)[0], weights

    (total, weights), gradient = jax.value_and_grad(loss, has_aux=True)(jnp.float32(0.5))
    assert total == 10 and gradient == 10 + 10
    assert weights == {"a": 10, "b": 1, "none": 1, "broken": 1}
    assert losses.balance({"a": 1, "b": 2e9, "tiny": 1e-34}) == {"a": 2e9, "b": 1, "tiny": 1}


def rotated(angle, inv_depth=INV_DEPTH):
    """The motion of all points by one rotation about an axis off the camera, and a shift."""
    points = opencv_rays(grid(SIZE), FIRST) / np.float64(inv_depth)[..., None]
    turn = cv2.Rodrigues(np.array([0.3, -0.5, 0.8]) / np.linalg.norm([0.3, -0.5, 0.8]) * angle)[0]
    return (points - [0.1, 0.2, 1.0]) @ turn.T + [0.3, 0.2, 1.1] - points


@thorough.parametrize("angle", [0.01, 2.5], default=[2.5])
def test_a_rigid_motion_costs_nothing(angle):
    vectors = rotated(angle)
    bent = vectors + 0.05 * np.sin(np.arange(SIZE[1]))[:, None]
    with float64():
        loss = lambda x: losses.rigidity(x, np.float64(INV_DEPTH), FIRST, spread=10.0)
        values, valid = as_numpy(loss(vectors))
        # At half a turn k is infinite; at 2.5 it multiplies rounding by its square, 36.
        assert valid.all() and values.max() < 1e-11
        assert np.array(loss(bent).values).mean() > 5e-3
    small = losses.rigidity(np.float32(rotated(0.01)), INV_DEPTH, FIRST, spread=10.0)
    assert small.values.max() < 1e-6


def test_neighbours_in_a_row_turn_freely():
    alone = np.zeros(SIZE, bool)
    alone[3] = True
    even = np.full(SIZE, 0.5)  # so that they lie on a line
    with float64():
        vectors = rotated(1.0, even)
        values, valid = as_numpy(losses.rigidity(vectors, even, FIRST, valid=alone))
    np.testing.assert_array_equal(valid, alone)
    assert values.max() < 1e-9


def test_a_bright_flat_window_keeps_its_digits():
    rng = np.random.default_rng(5)
    a, b = (np.float32(0.9 + 0.004 * rng.integers(0, 3, (*SIZE, 1))) for _ in range(2))
    with float64():
        exact = np.array(losses.ssim(np.float64(a), np.float64(b)).values)
    np.testing.assert_allclose(losses.ssim(a, b).values, exact, atol=3e-7)


def test_brightness_and_contrast_do_not_matter_to_correlation_nor_offsets_to_census():
    np.testing.assert_allclose(losses.ncc(IMAGE, 0.3 * IMAGE + 0.2).values, 0, atol=2e-6)
    np.testing.assert_allclose(losses.census(IMAGE, IMAGE + 0.25).values, 0, atol=1e-6)
    assert not losses.ncc(np.full((*SIZE, 1), 0.3, np.float32), IMAGE[..., :1]).valid.any()


def test_a_learned_alpha_has_the_slope_of_finite_differences():
    with float64():
        x = np.linspace(-4, 4, 9)
        loss = lambda alpha: losses.general_robust(x, alpha=alpha).sum()
        both = jax.jit(jax.value_and_grad(loss))
        for alpha in (-3.0, -1e-4, 0.0, 0.004, 0.9, 1.0, 1.3, 2.5):
            slope = float(both(alpha)[1])
            numeric = (both(alpha + 1e-5)[0] - both(alpha - 1e-5)[0]) / 2e-5
            assert abs(slope - float(numeric)) < 1e-6 * max(1, abs(slope))
    near = [float(losses.general_robust(jnp.float32(1.5), alpha=2 + t)) for t in (-1e-6, 0, 1e-6)]
    np.testing.assert_allclose(near, 1.125, rtol=1e-4)
    slope = jax.grad(lambda a: losses.general_robust(jnp.ones(3), alpha=a).sum())
    # It is infinite at 2, as the logarithm of the distance.
    beside, at = slope(2 - 1e-6), slope(2.0)
    assert 0 < beside < at < 1.3 * beside
    assert np.isfinite(losses.general_robust(jnp.float32([1e9, -1e9]), alpha=np.inf)).all()


def test_levels_have_the_loss_of_their_images():
    maps = losses.multi_scale(losses.census, IMAGE, OTHER, levels=2, valid=VALID)
    assert [x.values.shape for x in maps] == [SIZE, (7, 8)]
    np.testing.assert_allclose(maps[0].values, losses.census(IMAGE, OTHER, valid=VALID).values)
    small = [sf3d.pyramid(x, 2)[1].values for x in (IMAGE, OTHER)]
    halves = sf3d.resize_mask(VALID, (7, 8))
    np.testing.assert_allclose(
        maps[1].values[halves], losses.census(*small, valid=halves).values[halves], atol=1e-6
    )
    flows = [TARGET, sf3d.resize_flow(TARGET, (7, 8)).values + 1]
    same, off = losses.multi_scale_flow(flows, TARGET)
    assert not same.values.any()
    np.testing.assert_allclose(off.values, np.sqrt(2), rtol=1e-5)


def test_the_srflow_terms_divide_the_image_by_the_mask():
    terms = losses.srflow_terms(FLOW, TARGET, VALID)
    length = np.linalg.norm(np.float64(FLOW), axis=-1)
    np.testing.assert_allclose(terms.mask.values, np.where(VALID, 0, length), atol=1e-6)
    np.testing.assert_array_equal(terms.mask.valid, ~VALID)
    error = np.linalg.norm(np.float64(FLOW) - TARGET, axis=-1)
    np.testing.assert_allclose(terms.flow_difference.values, np.where(VALID, error, 0), atol=1e-6)
    inside = losses.total_variation(FLOW, valid=VALID)
    np.testing.assert_array_equal(terms.total_variation.values, inside.values)
    assert not terms.gradient.valid[~VALID].any()


def test_training_with_optax_moves_a_flow_to_its_image():
    u = np.arange(24.0)
    scene = np.float32(0.5 + 0.3 * np.sin(u / 3)[:, None, None] * np.cos(u / 4)[:, None])
    scene = np.repeat(scene, 3, -1)
    moved = sf3d.backward_warp(scene, np.full((24, 24, 2), 0.7, np.float32), border="clamp").values
    optimizer = optax.adam(0.1)

    def loss(flow):
        warped, valid = sf3d.backward_warp(moved, flow)
        return losses.compose(
            {
                "photometric": (1.0, masked_mean(*losses.photometric(scene, warped, valid=valid))),
                "smoothness": (0.1, masked_mean(*losses.first_order_smoothness(flow, scene))),
            }
        )

    @jax.jit
    def step(flow, state):
        (total, _), gradient = jax.value_and_grad(loss, has_aux=True)(flow)
        # optax itself mixes types.
        with jax.numpy_dtype_promotion("standard"):
            updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(flow, updates), state, total

    flow = jnp.zeros((24, 24, 2))
    state, totals = optimizer.init(flow), []
    for _ in range(40):
        flow, state, total = step(flow, state)
        totals.append(total)
    assert totals[-1] < 0.3 * totals[0]
    np.testing.assert_allclose(np.median(flow), -0.7, atol=0.15)
