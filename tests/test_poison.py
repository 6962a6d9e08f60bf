"""Laws of every public function of pixels: each has its place in CASES.

A bad number in one pixel changes that pixel alone, in value and in gradient; the gradient is that
of finite differences; a map of another size is refused.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.support import MATRIX, NEAR, as_numpy, camera, motion
from hypothesis import given, settings
from hypothesis import strategies as st

import sf3d_jax as sf3d
from sf3d_jax import augment, depth_change, losses, rigid_field, tracks

SIZE = (6, 7)
FLOW, INV_DEPTH, CHANGE = motion(SIZE)
VECTORS = np.random.default_rng(1).normal(size=(*SIZE, 3)).astype(np.float32) * 0.1
ONES = np.ones(SIZE, np.float32)
SPREAD = np.random.default_rng(2).uniform(0.1, 1, size=(*SIZE, 4)).astype(np.float32)
IMAGE = np.random.default_rng(3).normal(size=(*SIZE, 2)).astype(np.float32)
SHIFT = np.random.default_rng(4).uniform(-0.4, 0.4, size=(*SIZE, 2)).astype(np.float32)
# A tilted plane that bends a little.
SMOOTH_INV_DEPTH = np.float32(np.add.outer(0.3 + 0.05 * np.arange(6), 0.02 * np.arange(7) ** 1.1))
SLANTED = np.float32(0.5 + np.add.outer(0.04 * np.arange(SIZE[0]), 0.05 * np.arange(SIZE[1])))
SLANTED_FLOW = np.stack([SLANTED, 2 - SLANTED], -1)
NEARLY_STILL = np.eye(3, 4, dtype=np.float32).ravel() + np.float32(0.05) * np.random.default_rng(
    5
).normal(size=(*SIZE, 12)).astype(np.float32)
SMALL = MATRIX * [[0.25], [0.25], [1]]


def pair(lens):
    first = camera(lens, None, SMALL, SIZE)
    return first, camera(lens, NEAR, SMALL, SIZE)


@dataclasses.dataclass(frozen=True)
class Case:
    """A function of maps; `reach`: how far in pixels a value may be used by others."""

    function: Callable
    maps: tuple
    reach: int = 0


def of_lens(lens):
    first, second = pair(lens)
    return {
        f"scene_flow {lens}": Case(
            lambda *x: sf3d.scene_flow(*x, first, second), (FLOW, INV_DEPTH, CHANGE)
        ),
        f"image_motion {lens}": Case(
            lambda *x: sf3d.image_motion(*x, first, second), (VECTORS, INV_DEPTH)
        ),
        f"rigid_motion {lens}": Case(lambda d: sf3d.rigid_motion(d, first, second), (INV_DEPTH,)),
        f"project {lens}": Case(
            lambda x: sf3d.project(x, first), (VECTORS + np.float32([0, 0, 1]),)
        ),
        f"unproject {lens}": Case(
            lambda *x: sf3d.unproject(*x, first),
            (np.array(sf3d.pixel_grid(SIZE)), INV_DEPTH),
        ),
    }


DOUBLE = (2 * SIZE[0], 2 * SIZE[1])


def quarters(resized):
    """The four new pixels that each old one became, as maps of the old size."""
    values, valid = resized
    values = values.reshape(*DOUBLE, -1)
    places = [(i, j) for i in (0, 1) for j in (0, 1)]
    return [values[i::2, j::2] for i, j in places], [valid[i::2, j::2] for i, j in places]


def sample_beside(image, shift, method):
    pixels = sf3d.pixel_grid(SIZE) + shift
    return sf3d.sample(image, pixels, method=method, border="clamp")


def scaled(**maps):
    """A sample on twice the grid."""
    sample = sf3d.Sample(**maps, camera=ALONE)
    key = jax.random.key(0)
    return augment.random_scale(key, sample, DOUBLE, log2_scale=(1.0, 1.0), log2_stretch=0.0)


def scaled_motion(flow, inv_depth, change):
    sample = scaled(flow=flow, inv_depth=inv_depth, inv_depth_change=change)
    motion = jnp.concatenate([sample.flow, sample.inv_depth_change[..., None]], axis=-1)
    return quarters((motion, sample.valid))


def scaled_image(image):
    return quarters((scaled(image=image).image, jnp.ones(DOUBLE, bool)))[0]


def recolored(image):
    sample = sf3d.Sample(image=jnp.concatenate([image, image[..., :1]], axis=-1))
    return augment.random_color(jax.random.key(0), sample).image


def stretched_normals(inv_depth):
    """Normals whose lengths are not all 1."""
    normals, valid = sf3d.normals(inv_depth, ALONE)
    return normals * np.float32([[[1, 2, 3]]]), valid


def refined(field, *maps):
    """The change of a field where it is refined; a pixel that is not keeps its transform."""
    *maps, confidence, affinity = maps
    field, valid = rigid_field.refine(
        field, *maps, ALONE, confidence=confidence, affinity=affinity, radius=1
    )
    return jnp.where(valid[..., None, None], field - FIELD, 0), valid


ALONE = pair("pinhole")[0]
# Turns and translations of a few tenths.
FIELD = np.float32(np.tile(NEAR, (*SIZE, 1, 1)))
FIELD[..., 3] += 0.1 * VECTORS


SMOOTH_DEPTH = np.linspace(0.5, 0.6, ONES.size, dtype=np.float32).reshape(SIZE)


def chain(flow, inv_depth, change, *second):
    """Two steps, of which the second's surface is where the first's is to be found."""
    first = tracks.Motion(0.3 * flow, SMOOTH_DEPTH + 0.01 * inv_depth, 0.1 * change)
    both = tracks.chain(first, tracks.Motion(*second), ALONE, tolerance=0.5)
    return both.flow, both.inv_depth_change, both.valid


# The weights and the mask of losses, one number each.
HALVES = np.full(SIZE, 0.5, np.float32)
AT_LEAST = 2 * np.eye(2, dtype=np.float32)[None, None]
LOSSES = {
    **{
        name: Case(lambda x, name=name: getattr(losses, name)(x), (VECTORS,))
        for name in ("l1", "l2", "charbonnier", "generalized_charbonnier", "huber")
    },
    "general_robust": Case(lambda x: losses.general_robust(x, alpha=-1.0), (VECTORS,)),
    "mixture_of_laplace": Case(losses.mixture_of_laplace, (INV_DEPTH, IMAGE, SHIFT)),
    "gaussian_nll": Case(
        lambda x, s: losses.gaussian_nll(x, FLOW, s.reshape(*SIZE, 2, 2) + AT_LEAST),
        (SHIFT, SPREAD),
    ),
    "brightness": Case(losses.brightness, (IMAGE, SHIFT)),
    "census": Case(lambda *x: losses.census(*x, radius=1), (IMAGE, SHIFT), reach=1),
    "ssim": Case(losses.ssim, (IMAGE, SHIFT), reach=1),
    "ncc": Case(lambda *x: losses.ncc(*x, radius=1), (IMAGE, SHIFT), reach=1),
    "photometric": Case(losses.photometric, (IMAGE, SHIFT), reach=1),
    "first_order_smoothness": Case(losses.first_order_smoothness, (SHIFT, IMAGE), reach=1),
    "second_order_smoothness": Case(losses.second_order_smoothness, (SHIFT, IMAGE), reach=1),
    "total_variation": Case(losses.total_variation, (SHIFT,), reach=1),
    "gradient_difference": Case(
        lambda *x: losses.gradient_difference(*x, operator="sobel"), (IMAGE, SHIFT), reach=1
    ),
    "srflow_terms": Case(
        lambda *x: [term.values for term in losses.srflow_terms(*x, ONES > 0)],
        (FLOW, SHIFT),
        reach=1,
    ),
    "end_point_error": Case(losses.end_point_error, (FLOW, SHIFT)),
    "inverse_depth_change_error": Case(losses.inverse_depth_change_error, (CHANGE, INV_DEPTH)),
    "log_motion_in_depth_error": Case(
        losses.log_motion_in_depth_error, (CHANGE, 0.5 * CHANGE, INV_DEPTH)
    ),
    "depth_consistency": Case(
        losses.depth_consistency, (SHIFT, INV_DEPTH, CHANGE, INV_DEPTH), reach=1
    ),
    "point_reconstruction": Case(
        lambda x, d, n: losses.point_reconstruction(0.01 * x, d, n, ALONE),
        (VECTORS, INV_DEPTH, INV_DEPTH),
        reach=1,
    ),
    "forward_backward_error": Case(losses.forward_backward_error, (SHIFT, IMAGE), reach=1),
    "rigidity": Case(lambda *x: losses.rigidity(*x, ALONE), (VECTORS, INV_DEPTH), reach=1),
    "temporal_smoothness": Case(
        lambda x: losses.temporal_smoothness(x, order=2), (VECTORS,), reach=1
    ),
    "raft": Case(lambda x, y: losses.raft(jnp.stack([x, 2 * x]), y), (FLOW, SHIFT)),
    "raft3d": Case(
        lambda f, c: losses.raft3d(jnp.stack([f, f]), jnp.stack([c, 2 * c]), FLOW, CHANGE),
        (SHIFT, INV_DEPTH),
    ),
    "self_supervision": Case(
        lambda f, t, w: losses.self_supervision(f, t, weight=w, teacher_weight=HALVES),
        (FLOW, SHIFT, HALVES),
    ),
    "consistency_weight": Case(losses.consistency_weight, (SHIFT, IMAGE), reach=1),
    "multi_scale": Case(
        lambda *x: losses.multi_scale(losses.brightness, *x, levels=1), (IMAGE, SHIFT)
    ),
    "multi_scale_flow": Case(lambda *x: losses.multi_scale_flow(x[:1], x[1]), (FLOW, SHIFT)),
}
CASES = {
    **LOSSES,
    **of_lens("pinhole"),
    **of_lens("opencv"),
    **of_lens("fisheye"),
    "scene_flow alone": Case(lambda *x: sf3d.scene_flow(*x, ALONE), (FLOW, INV_DEPTH, CHANGE)),
    "image_motion alone": Case(lambda *x: sf3d.image_motion(*x, ALONE), (VECTORS, INV_DEPTH)),
    "scene_flow_covariance": Case(
        lambda f, d, c, s: sf3d.scene_flow_covariance(f, d, c, ALONE, s),
        (FLOW, INV_DEPTH, CHANGE, SPREAD),
    ),
    "chain": Case(chain, (FLOW, INV_DEPTH, CHANGE, SHIFT, SMOOTH_DEPTH, CHANGE), reach=4),
    "point_map": Case(lambda d: sf3d.point_map(d, ALONE), (INV_DEPTH,)),
    "normals": Case(stretched_normals, (SMOOTH_INV_DEPTH,), reach=3),
    # Edges reach two pixels, to the link of a third; then a window of one.
    "rigid_field.local": Case(
        lambda *x: rigid_field.local(*x[:3], ALONE, radius=1, weights=x[3]),
        (SLANTED_FLOW, SLANTED, 0.1 * SLANTED**2, HALVES),
        reach=4,
    ),
    "rigid_field.motion": Case(
        lambda x, d: rigid_field.motion(x.reshape(*x.shape[:-1], 3, 4), d, ALONE),
        (NEARLY_STILL, INV_DEPTH),
    ),
    "rigid_field.refine": Case(
        refined, (FIELD, 0.2 * FLOW, INV_DEPTH, CHANGE, 10 + SPREAD[..., :3], IMAGE), reach=1
    ),
    "from_depths": Case(depth_change.from_depths, (ONES, 2 * ONES)),
    "to_depths": Case(depth_change.to_depths, (INV_DEPTH, CHANGE)),
    "from_disparities": Case(depth_change.from_disparities, (ONES, 2 * ONES, 3 * ONES)),
    "to_disparities": Case(depth_change.to_disparities, (INV_DEPTH, CHANGE, 3 * ONES)),
    "from_scaled": Case(depth_change.from_scaled, (INV_DEPTH, CHANGE, 3 * ONES)),
    "to_scaled": Case(depth_change.to_scaled, (INV_DEPTH, CHANGE, 3 * ONES)),
    "from_motion_in_depth": Case(depth_change.from_motion_in_depth, (0.9 * ONES, INV_DEPTH)),
    "to_motion_in_depth": Case(depth_change.to_motion_in_depth, (INV_DEPTH, CHANGE)),
    "from_log_motion_in_depth": Case(
        depth_change.from_log_motion_in_depth, (0.1 * ONES, INV_DEPTH)
    ),
    "to_log_motion_in_depth": Case(depth_change.to_log_motion_in_depth, (INV_DEPTH, CHANGE)),
    "from_time_to_contact": Case(depth_change.from_time_to_contact, (3 * ONES, INV_DEPTH, ONES)),
    "to_time_to_contact": Case(depth_change.to_time_to_contact, (INV_DEPTH, CHANGE, ONES)),
    "optical_expansion": Case(depth_change.optical_expansion, (FLOW * 0.1,), reach=1),
    **{
        f"{name} {method}": Case(
            lambda i, f, function=function, method=method: function(i, f, method=method).values,
            (IMAGE, SHIFT),
            reach=reach,
        )
        for method, reach in (("nearest", 1), ("bilinear", 1), ("bicubic", 2))
        for name, function in (("backward_warp", sf3d.backward_warp), ("sample", sample_beside))
    },
    **{
        f"forward_splat {mode}": Case(
            lambda i, f, mode=mode: sf3d.forward_splat(i, f, mode=mode), (IMAGE, SHIFT), reach=1
        )
        for mode in ("sum", "average")
    },
    **{
        f"forward_splat {mode}": Case(
            lambda i, f, m, mode=mode: sf3d.forward_splat(i, f, mode=mode, importance=m),
            (IMAGE, SHIFT, SPREAD[..., 0]),
            reach=1,
        )
        for mode in ("linear", "softmax")
    },
    "resize_image": Case(lambda x: quarters(sf3d.resize_image(x, DOUBLE)), (IMAGE,), reach=1),
    "resize_flow": Case(lambda x: quarters(sf3d.resize_flow(x, DOUBLE)), (SHIFT,), reach=1),
    "resize_sparse_flow": Case(
        lambda x: quarters(sf3d.resize_sparse_flow(x, DOUBLE, valid=ONES > 0))[0][:1], (SHIFT,)
    ),
    "resize_inv_depth": Case(
        lambda x: quarters(sf3d.resize_inv_depth(x, DOUBLE)), (INV_DEPTH,), reach=4
    ),
    "pyramid": Case(lambda x: sf3d.pyramid(x, 1), (IMAGE,)),
    "random_scale": Case(scaled_motion, (SHIFT, INV_DEPTH, CHANGE), reach=4),
    "random_scale image": Case(scaled_image, (IMAGE,), reach=1),
    "random_color": Case(recolored, (IMAGE,)),
    "warp_inverse_depth": Case(sf3d.warp_inverse_depth, (INV_DEPTH, CHANGE, SHIFT), reach=3),
    "occlusion_from_consistency": Case(
        lambda f, b: sf3d.occlusion_from_consistency(f, b, temperature=0.1), (SHIFT, SHIFT), reach=1
    ),
    "occlusion_from_range_map": Case(
        lambda b: sf3d.occlusion_from_range_map(b, temperature=0.1), (SHIFT,), reach=1
    ),
    "occlusion_from_depth": Case(
        lambda *x: sf3d.occlusion_from_depth(*x, temperature=0.1),
        (SHIFT, INV_DEPTH, CHANGE, INV_DEPTH),
        reach=3,
    ),
}

POISONS = [np.nan, np.inf, -np.inf, 0.0, -0.0, -1.0, 1e-40, -1e-40, 1e-30, 1e30, -1e38]


def run(case):
    """The function's results and its gradient, compiled once a case."""

    @jax.jit
    def both(maps):
        def loss(maps):
            leaves = jax.tree.leaves(case.function(*maps))
            return sum(jnp.square(x).sum() for x in leaves if x.dtype != bool), leaves

        return jax.value_and_grad(loss, has_aux=True)(maps)

    return both


# Further lenses, methods and modes of functions that other cases ask already.
FURTHER = [
    # It takes seconds to compile, and has tests of its own.
    "rigid_field.local",
    *(f"{name} {lens}" for name in ("scene_flow", "image_motion") for lens in ("alone", "opencv")),
    "rigid_motion opencv",
    *of_lens("fisheye"),
    *(
        f"{name} {method}"
        for name in ("sample", "backward_warp")
        for method in ("bicubic", "nearest")
    ),
    *(f"forward_splat {mode}" for mode in ("linear", "average")),
]
RUNS = {name: run(case) for name, case in CASES.items()}


each_case = thorough.parametrize("name", CASES, default=[x for x in CASES if x not in FURTHER])


@each_case
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_poison_stays_in_its_pixel(name, data):
    case = CASES[name]
    which = data.draw(st.integers(0, len(case.maps) - 1))
    row, column = data.draw(st.integers(0, SIZE[0] - 1)), data.draw(st.integers(0, SIZE[1] - 1))
    channel = data.draw(st.integers(0, np.prod(case.maps[which].shape[2:], dtype=int) - 1))
    poisoned = [x.copy() for x in case.maps]
    value = data.draw(st.sampled_from(POISONS))
    poisoned[which].reshape(*SIZE, -1)[row, column, channel] = value

    (_, clean), clean_gradient = as_numpy(RUNS[name](case.maps))
    (_, results), gradient = as_numpy(RUNS[name](tuple(poisoned)))
    reached = np.zeros(SIZE, bool)
    near = slice(max(0, row - case.reach), row + case.reach + 1)
    reached[near, max(0, column - case.reach) : column + case.reach + 1] = True
    # What reads a pixel passes its gradient to all that it reads.
    back = np.zeros(SIZE, bool)
    near = slice(max(0, row - 2 * case.reach), row + 2 * case.reach + 1)
    back[near, max(0, column - 2 * case.reach) : column + 2 * case.reach + 1] = True
    for x, expected in zip(results, clean, strict=True):
        assert np.isfinite(x).all()
        np.testing.assert_array_equal(x[~reached], expected[~reached])
    for x, expected in zip(gradient, clean_gradient, strict=True):
        assert np.isfinite(x).all()
        np.testing.assert_array_equal(x[~back], expected[~back])
    valid = [x for x in results if x.dtype == bool]
    if valid and not valid[0][row, column]:
        for x in results:
            assert not np.any(x[row, column])
        if case.reach == 0:
            for x in gradient:
                assert not np.any(x[row, column])


# These have tests of their own, in float64 or where no step crosses the border of a pixel.
ELSEWHERE = {*LOSSES} - {"srflow_terms", "multi_scale", "multi_scale_flow"}
ELSEWHERE |= {"sample", "backward_warp", "forward_splat", "warp_inverse_depth"}
ELSEWHERE |= {f"occlusion_from_{name}" for name in ("consistency", "range_map", "depth")}
SMOOTH = [name for name in CASES if name.split()[0] not in ELSEWHERE]


@thorough.parametrize("name", SMOOTH, default=[x for x in SMOOTH if x not in FURTHER])
def test_the_gradient_is_that_of_finite_differences(name):
    """Along a direction of all maps together, by the program of the test above."""
    case, rng = CASES[name], np.random.default_rng(7)
    directions = [np.float32(0.3 * rng.normal(size=x.shape) * np.abs(x)) for x in case.maps]
    moved = lambda t: tuple(
        x + np.float32(t) * d for x, d in zip(case.maps, directions, strict=True)
    )
    value = lambda t: np.float64(RUNS[name](moved(t))[0][0])
    gradient = as_numpy(RUNS[name](case.maps)[1])
    products = [np.float64(g) * d for g, d in zip(gradient, directions, strict=True)]
    along, scale = (
        sum(p.sum() for p in products),
        np.sqrt(sum(np.square(p).sum() for p in products)),
    )
    step = 2.0**-7
    numeric = (value(step) - value(-step)) / (2 * step)
    assert scale > 0
    assert abs(along - numeric) < 0.02 * scale, (along, numeric, scale)


# Penalties of any array, points and pixels of any shape, images and levels of any size.
ANY_SIZE = {"l1", "l2", "charbonnier", "generalized_charbonnier", "huber", "general_robust"}
ANY_SIZE |= {"gaussian_nll", "multi_scale_flow", "project", "sample", "backward_warp"}


@pytest.mark.parametrize("name", [name for name in CASES if name.split()[0] not in ANY_SIZE])
def test_a_map_of_another_size_is_refused(name):
    case = CASES[name]
    for i, x in enumerate(case.maps):
        # A lone map may have any size: it is refused without its rows or its channels.
        wrong = x[1:] if len(case.maps) > 1 else x[0, 0]
        maps = (*case.maps[:i], wrong, *case.maps[i + 1 :])
        with pytest.raises((ValueError, TypeError), match=r"expected|broadcast"):
            jax.eval_shape(case.function, *maps)


def test_every_public_function_of_pixels_is_here():
    covered = {name.split()[0] for name in CASES}
    public = {
        name
        for module in (sf3d, augment, losses)
        for name in module.__all__
        if name.islower() and callable(getattr(module, name))
    }
    public |= {
        name
        for name in dir(depth_change)
        if name[0] != "_" and hasattr(getattr(depth_change, name), "lower")
    }
    # No pixels, masks alone, and what moves numbers or writes over them, whatever they are.
    others = {"pixel_grid", "resize_mask", "random_crop", "random_flip", "random_eraser"}
    # Means and sums of whole images.
    others |= {"masked_mean", "compose", "balance"}
    # Estimates from all pixels.
    others |= {"ego_motion", "rigid_change", "fit_rigid", "rigid_bodies"}
    assert others <= public
    assert public - others - {"is_in_range", "is_positive_finite"} <= covered
    assert {"scene_flow", "project", "optical_expansion", "from_depths"} <= public
