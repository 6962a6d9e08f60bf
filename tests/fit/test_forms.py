"""The forms of the fit for GPUs, on the CPU: the same numbers, in few kernels."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.fitted_pairs import CAMERA, SHIFT, affine_pair, patch_pair, wall_pair
from helpers.platforms import count_loops, gpu_forms, lower_for_gpu
from helpers.support import length

from sf3d_jax import fit
from sf3d_jax.fit._pyramid import matching
from sf3d_jax.fit._pyramid.maps import fill_unknown, resize
from sf3d_jax.fit._pyramid.plan import make_arrays, make_plan
from sf3d_jax.fit._pyramid.solver import solve
from sf3d_jax.fit._pyramid.windows import sample_other_smoothly, weigh

SIZE = (5, 6)
RADII = (1, 2)


def on_both(function, *arguments):
    """The results on a CPU and in the form of GPUs."""
    with gpu_forms():
        elsewhere = jax.jit(lambda *x: function(*x))(*arguments)
    return function(*arguments), elsewhere


def has_conditions(function, *arguments):
    """Whether the form of GPUs has branches, which the host decides."""
    with gpu_forms():
        text = str(jax.make_jaxpr(lambda *x: function(*x))(*arguments))
    return "cond[" in text


def equations(seed):
    """A symmetric positive system of two channels: matrix, right-hand side and links, float64."""
    rng = np.random.default_rng(seed)
    slopes = rng.normal(size=(2, 2, 2, *SIZE))
    matrix = np.einsum("knfhw,kmfhw->nmfhw", slopes, slopes)
    links = rng.uniform(0.1, 1, (2, 2, 2, *SIZE))
    links[:, 0, ..., -1] = links[:, 1, :, -1] = 0
    return matrix, rng.normal(size=(2, 2, *SIZE)), links


def image_of(x, matrix, links):
    """A x by its definition: data, and the differences over each link from both its ends."""
    result = np.einsum("nmfhw,mfhw->nfhw", matrix, x)
    along = links[:, 0, ..., :-1] * np.diff(x, axis=-1)
    down = links[:, 1, :, :-1] * np.diff(x, axis=-2)
    result[..., 1:] += along
    result[..., :-1] -= along
    result[..., 1:, :] += down
    result[..., :-1, :] -= down
    return result


def test_conjugate_gradients_with_joint_sums_solve_the_system():
    matrix, right, links = equations(0)
    single = lambda x: jnp.asarray(x, jnp.float32)
    maps = [[single(x) for x in row] for row in matrix], [single(x) for x in right]
    pairs = [tuple(single(x) for x in pair) for pair in links]
    # More steps than the frame's 60 unknowns, whose number ends an exact descent.
    with gpu_forms():
        x = jax.jit(lambda *a: solve(*a, 71))(maps[0], tuple(maps[1]), pairs)
    missed = image_of(np.float64(x), matrix, links) - right
    assert np.abs(missed).max() < 1e-4


def test_joint_sums_take_the_steps_of_conjugate_gradients():
    matrix, right, links = equations(1)
    single = lambda x: jnp.asarray(x, jnp.float32)
    maps = [[single(x) for x in row] for row in matrix], tuple(single(x) for x in right)
    pairs = [tuple(single(x) for x in pair) for pair in links]
    one, other = on_both(functools.partial(solve, count=6), *maps, pairs)
    np.testing.assert_allclose(other, one, atol=2e-5)
    assert np.abs(image_of(np.float64(one), matrix, links) - right).max() > 1e-3


def test_a_solved_system_takes_no_step():
    matrix, right, links = (jnp.asarray(x, jnp.float32) for x in equations(2))
    for scale in (0, 1e-30):
        with gpu_forms():
            x = jax.jit(lambda *a: solve(*a, 6))(
                [list(row) for row in matrix], tuple(scale * right), [tuple(x) for x in links]
            )
        assert np.isfinite(x).all() and np.abs(x).max() <= scale * 100


def path_costs():
    costs = np.random.default_rng(0).uniform(size=(*SIZE, 3, 5)).astype(np.float32)
    costs[:, :, 0, 1] = np.inf
    costs[1, 2] = 0
    return costs


def paths_defined(costs):
    """L over the four directions, one pixel and one displacement at a time."""
    total = np.zeros(costs.shape)
    for axis, flip in ((0, 1), (0, -1), (1, 1), (1, -1)):
        lines = np.moveaxis(costs, axis, 0)[::flip]
        sums = np.zeros(lines.shape)
        before = np.zeros(lines.shape[1:])
        for i, cost in enumerate(lines):
            wide = np.pad(before, ((0, 0), (1, 1), (1, 1)), constant_values=np.inf)
            beside = [wide[:, 2:, 1:-1], wide[:, :-2, 1:-1], wide[:, 1:-1, 2:], wide[:, 1:-1, :-2]]
            least = before.min((1, 2), keepdims=True)
            best = np.minimum(before, np.minimum.reduce(beside) + 0.2)
            before = sums[i] = cost + np.minimum(best, least + 2.0) - least
        total += np.moveaxis(sums[::flip], 0, axis)
    return total


def test_paths_followed_together_have_the_sums_of_each():
    one, other = on_both(matching._add_up_paths, path_costs())
    np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(one, paths_defined(path_costs()), rtol=1e-6)


def winners_defined(costs):
    """The cheapest displacement from and to each pixel; the first among equal ones."""
    there, back = np.zeros((2, *SIZE), int), np.zeros((2, *SIZE), int)
    least = np.full(SIZE, np.inf)
    moves = [(v, u) for v in (-1, 0, 1) for u in (-2, -1, 0, 1, 2)]
    for y, x in np.ndindex(*SIZE):
        there[:, y, x] = moves[np.argmin(costs[y, x])][::-1]
    for i, (v, u) in enumerate(moves):
        for y, x in np.ndindex(*SIZE):
            end = y + v, x + u
            inside = 0 <= end[0] < SIZE[0] and 0 <= end[1] < SIZE[1]
            if inside and costs[y, x].ravel()[i] < least[end]:
                least[end] = costs[y, x].ravel()[i]
                back[:, end[0], end[1]] = u, v
    return there, back


def test_winners_are_the_same_to_the_bit():
    costs = np.round(8 * path_costs())
    # No displacement ends at this pixel.
    for v, u in np.ndindex(3, 5):
        start = 4 - (v - 1), 5 - (u - 2)
        if 0 <= start[0] < SIZE[0] and 0 <= start[1] < SIZE[1]:
            costs[start[0], start[1], v, u] = np.inf
    for found in on_both(lambda x: matching._find_winners(x, *RADII), costs):
        for one, other in zip(found, winners_defined(costs), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.thorough
def test_windows_read_at_indices_are_those_of_shifts():
    rng = np.random.default_rng(0)
    x = jnp.asarray(rng.normal(size=(4, 3, *SIZE)), jnp.float32)
    u, v = jnp.asarray(rng.uniform(-1, 6, (2, 4, *SIZE)), jnp.float32)
    size = jnp.asarray(4), jnp.asarray(5)

    def windows(x, u, v):
        weights = (0.5, 0.25, -1.0, 2.0, 0.125)
        sums = [weigh(x, weights, axis, size)[..., :4, :5] for axis in (-2, -1)]
        grown = resize(x, size, (7, 3), (8, 9))[..., :7, :3]
        filled = fill_unknown(x, x > -0.5, size)[..., :4, :5]
        return *sums, grown, filled, sample_other_smoothly(x, u, v, size)

    for one, other in zip(*on_both(windows, x, u, v), strict=True):
        np.testing.assert_allclose(other, one, atol=5e-6)


def test_the_matching_waits_for_nothing_and_loops_over_paths_and_scales_only():
    size = 9, 16
    maps = jax.ShapeDtypeStruct((2, *size), jnp.float32), jax.ShapeDtypeStruct((2, *size), bool)
    match = lambda images, known: matching.match(images, known, images, size, RADII, RADII)
    assert count_loops(lower_for_gpu(match, *maps)) == 2 and not has_conditions(match, *maps)
    maps = ((jax.ShapeDtypeStruct((2, *SIZE), jnp.float32),) * 2,) * 2
    assert count_loops(lower_for_gpu(lambda a: solve(a, a[0], a, 15), maps)) == 0


def test_no_size_of_a_program_has_more_levels_than_it_has_room_for():
    for least, most in (((300, 164), (468, 255)), ((353, 481), (384, 512)), ((9, 300), (11, 320))):
        for reach in (0.3, 0.5):
            numbers = make_arrays(least, most, reach).numbers
            sizes = np.random.default_rng(0).integers(least, np.add(most, 1), (40, 2))
            for size in [*sizes, (np.array(most) - (0, 1)).clip(least)]:
                plan = make_plan(tuple(map(int, size)), reach)
                assert plan.rest.number <= numbers[0] and plan.between.number <= numbers[1]
    exact = make_arrays((384, 512), (384, 512), 0.3).numbers
    plan = make_plan((384, 512), 0.3)
    assert exact == (plan.rest.number, plan.between.number) == (4, 3)


def check_forms(function, errors, *arguments):
    one, other = on_both(function, *arguments)
    np.testing.assert_allclose(other.flow, one.flow, atol=2e-3)
    np.testing.assert_allclose(other.confidence, one.confidence, atol=1e-3)
    assert abs(errors(other.flow) / errors(one.flow) - 1) < 0.01


@pytest.mark.thorough
@pytest.mark.parametrize("which", range(3))
def test_a_fit_is_the_same(which):
    pairs = [affine_pair(np.zeros((2, 2)), SHIFT), patch_pair()]
    pairs.append(affine_pair(np.array([[0.05, 0], [0, 0.05]]), [0.4, 0.3], (60, 90)))
    image, next_image, truth = pairs[which][:3]
    check_forms(fit.flow, lambda flow: length(flow - truth).mean(), image, next_image)


@pytest.mark.thorough
def test_a_fit_with_depth_is_the_same():
    maps, _, truth, _ = wall_pair()
    errors = lambda flow: length(flow - truth).mean()
    check_forms(lambda *maps: fit.scene_flow(*maps, CAMERA), errors, *maps)


@pytest.mark.thorough
def test_pairs_side_by_side_are_those_of_their_own():
    pairs = [affine_pair(np.zeros((2, 2)), SHIFT), patch_pair()]
    pairs += [pair[1::-1] for pair in pairs]
    image, next_image = (np.stack([pair[i] for pair in pairs]) for i in (0, 1))
    # The smoothness of a pair does not depend on the contrast of another.
    image[1], next_image[1] = 40 * image[1], 40 * next_image[1]
    with gpu_forms():
        together = jax.jit(fit.flow)(image, next_image)
        alone = [jax.jit(fit.flow)(image[i], next_image[i]) for i in range(4)]
    for i, one in enumerate(alone):
        np.testing.assert_allclose(together.flow[i], one.flow, atol=1e-3)
        np.testing.assert_allclose(together.backward_flow[i], one.backward_flow, atol=1e-3)
        np.testing.assert_allclose(together.confidence[i], one.confidence, atol=1e-4)


@pytest.mark.thorough
def test_a_fit_waits_for_nothing_on_a_gpu():
    image = jax.ShapeDtypeStruct((48, 64, 3), jnp.float32)
    assert not has_conditions(fit.flow, image, image)
    # Levels, and warps at each; paths of the matching; scales; warps at the last level.
    assert count_loops(lower_for_gpu(fit.flow, image, image)) == 5
