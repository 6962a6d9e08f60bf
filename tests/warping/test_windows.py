"""Sums over windows against loops, in every form, and their derivatives against each other."""

import contextlib
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.platforms import gpu_forms
from helpers.support import as_numpy, float64

from sf3d_jax.warping import _windows
from sf3d_jax.warping._windows import chunks

SIZE = (7, 9)
GRID = (6, 10)
CHANNELS = [1, 3, 11]
each_count = thorough.parametrize("count", CHANNELS, default=[3])
TAPS = 2


@pytest.fixture(params=[pytest.param("whole", marks=pytest.mark.thorough), "chunks", "gpu"])
def form(request, monkeypatch):
    """As on small images, which the tests of other files have, as on large ones, as on GPUs."""
    if request.param == "gpu":
        with gpu_forms():
            yield
        return
    if request.param == "chunks":
        monkeypatch.setattr(chunks, "_CHUNK_BYTES", 64)
        assert chunks._count_chunks(GRID, 1) == GRID[0]
    yield


def inputs(count, seed=0):
    rng = np.random.default_rng(seed)
    row, column = (rng.integers(0, n - TAPS + 1, size=GRID) for n in SIZE)
    weights = [[rng.normal(size=GRID) for _ in range(TAPS)] for _ in range(TAPS)]
    image, values = rng.normal(size=(*SIZE, count)), rng.normal(size=(*GRID, count))
    return image, values, row, column, row * SIZE[1] + column, weights


def factors(taps=TAPS, seed=0):
    """Weights of rows and of columns, and where the windows have weight."""
    rng = np.random.default_rng(seed)
    across, along = ([rng.normal(size=GRID) for _ in range(taps)] for _ in range(2))
    return across, along, rng.random(GRID) > 0.2


def multiply(across, along, valid):
    return [[np.where(valid, a * b, 0) for b in along] for a in across]


def sums(image, row, column, weights):
    result = np.zeros((*GRID, image.shape[-1]))
    for n in np.ndindex(GRID):
        for i, j in np.ndindex(len(weights), len(weights)):
            result[n] += weights[i][j][n] * image[row[n] + i, column[n] + j]
    return result


def splat(values, row, column, weights):
    values = np.concatenate([values, np.ones((*GRID, 1))], -1)
    result = np.zeros((*SIZE, values.shape[-1]))
    for n in np.ndindex(GRID):
        for i, j in np.ndindex(len(weights), len(weights)):
            result[row[n] + i, column[n] + j] += weights[i][j][n] * values[n]
    return result


@each_count
def test_sums_over_windows_are_loops(count, form):
    image, _, row, column, first, weights = inputs(count)
    separate = factors()
    with float64():
        for function in (_windows.window_sum, _windows.window_sum_for_weight_grad):
            got = as_numpy(jax.jit(lambda *a, f=function: f(*a))(image, first, weights))
            np.testing.assert_allclose(got, sums(image, row, column, weights), atol=1e-12)
        got = as_numpy(jax.jit(_windows.window_sum_for_image_grad)(image, first, *separate))
        expected = sums(image, row, column, multiply(*separate))
        np.testing.assert_allclose(got, expected, atol=1e-12)


@each_count
def test_splats_are_loops(count, form):
    _, values, row, column, first, weights = inputs(count)
    with float64():
        got = as_numpy(
            jax.jit(lambda *a: _windows.scatter_windows(SIZE, False, *a)[0])(values, first, weights)
        )
    np.testing.assert_allclose(got, splat(values, row, column, weights), atol=1e-12)


@thorough.parametrize(
    "dtype, more",
    [(np.float32, 1), (np.float32, 100), (np.float64, 1)],
    default=[(np.float32, 1)],
)
def test_a_sum_in_fixed_point_has_no_order_and_is_rounded_once(dtype, more):
    """Of numbers from 1e-9 to 1e9, up to thousands of them at one pixel."""
    rng = np.random.default_rng(4)
    shape = (GRID[0], GRID[1] * more)
    row, column = (rng.integers(0, 3, size=shape) for _ in range(2))
    first = np.int32(row * SIZE[1] + column)
    values = rng.normal(size=(*shape, 3)) * 10.0 ** rng.uniform(-9, 9, size=(*shape, 1))
    weights = [[rng.uniform(size=shape) for _ in range(TAPS)] for _ in range(TAPS)]
    areas = [[w / 3 for w in row] for row in weights]
    values, weights, areas = jax.tree.map(dtype, (values, weights, areas))
    forwards = values, first, weights, areas
    backwards = jax.tree.map(lambda x: x[::-1, ::-1], forwards)
    with gpu_forms(), float64() if dtype is np.float64 else contextlib.nullcontext():
        for deterministic in (False, True):
            run = jax.jit(partial(_windows.scatter_windows, SIZE, deterministic))
            got, turned = as_numpy((run(*forwards), run(*backwards)))
            assert np.array_equal(got[0], turned[0]) == deterministic
    # The products as the type rounds them, since only their sum is in question.
    exact, greatest = np.zeros((2, *SIZE, 5), np.longdouble)
    for n in np.ndindex(shape):
        for i, j in np.ndindex(TAPS, TAPS):
            w = weights[i][j][n]
            terms = np.array([*(w * values[n]), w, areas[i][j][n]], dtype)
            place = row[n] + i, column[n] + j
            exact[place] += terms
            greatest[place] = np.maximum(greatest[place], np.abs(terms))
    error = np.abs(np.concatenate([got[0], got[1][..., None]], -1) - exact)
    share = 1e-3 if more == 1 else 0.1
    assert (error <= np.finfo(dtype).eps * (np.abs(exact) + share * greatest)).all()


@each_count
def test_each_derivative_is_the_other_function(count, form):
    """The form is linear in image, weights and values, so all of them are loops again."""
    image, values, row, column, first, weights = inputs(count)
    dots = [
        [(values * image[row + i, column + j]).sum(-1) for j in range(TAPS)] for i in range(TAPS)
    ]
    separate = factors()
    with float64():
        for function in (_windows.window_sum, _windows.window_sum_for_weight_grad):
            loss = lambda image, weights, f=function: (f(image, first, weights) * values).sum()
            by_image, by_weights = as_numpy(jax.jit(jax.grad(loss, (0, 1)))(image, weights))
            expected = splat(values, row, column, weights)[..., :-1]
            np.testing.assert_allclose(by_image, expected, atol=1e-12)
            np.testing.assert_allclose(by_weights, dots, atol=1e-12)
        of_image = lambda x: (
            _windows.window_sum_for_image_grad(x, first, *separate) * values
        ).sum()
        by_image = as_numpy(jax.jit(jax.grad(of_image))(image))
        expected = splat(values, row, column, multiply(*separate))[..., :-1]
        np.testing.assert_allclose(by_image, expected, atol=1e-12)

        extended = np.concatenate([image, np.zeros((*SIZE, 1))], -1)
        loss = lambda *a: (
            _windows.scatter_windows(SIZE, False, a[0], first, a[1])[0] * extended
        ).sum()
        by_values, by_weights = as_numpy(jax.jit(jax.grad(loss, (0, 1)))(values, weights))
        np.testing.assert_allclose(by_values, sums(image, row, column, weights), atol=1e-12)
        np.testing.assert_allclose(by_weights, dots, atol=1e-12)
        tangents = jax.jvp(loss, (values, weights), (values, weights))[1]
        expected = 2 * (splat(values, row, column, weights)[..., :-1] * image).sum()
        np.testing.assert_allclose(tangents, expected, atol=1e-10)


def test_a_batch_in_chunks_is_a_loop(form):
    pairs = [inputs(3, seed) for seed in (0, 1)]
    image, values, _, _, first, weights = jax.tree.map(lambda *x: np.stack(x), *pairs)

    def both(image, values, first, weights):
        _, along, valid = factors()
        loss = lambda *a: (
            _windows.window_sum_for_image_grad(a[0], first, a[2][0], along, valid).sum()
            + (_windows.scatter_windows(SIZE, False, a[1], first, a[2])[0] ** 2).sum()
        )
        return jax.grad(loss, (0, 1, 2))(image, values, weights)

    with float64():
        together = as_numpy(jax.jit(jax.vmap(both))(image, values, first, weights))
        for i in range(2):
            x, v, _, _, f, w = pairs[i]
            alone = as_numpy(jax.jit(both)(x, v, f, w))
            for a, b in zip(jax.tree.leaves(together), jax.tree.leaves(alone), strict=True):
                np.testing.assert_allclose(a[i], b, atol=1e-12)


def test_the_greatest_and_the_marks_are_loops(form):
    _, values, row, column, first, weights = inputs(1)
    counts = jax.tree.map(lambda w: w > 0, weights)
    x = values[..., 0]
    expected = np.full(SIZE, -np.inf)
    for n in np.ndindex(GRID):
        for i, j in np.ndindex(TAPS, TAPS):
            if counts[i][j][n]:
                place = row[n] + i, column[n] + j
                expected[place] = max(expected[place], x[n])
    with float64():
        got = as_numpy(jax.jit(lambda *a: _windows.scatter_max(SIZE, *a))(x, first, counts))
    np.testing.assert_array_equal(got, expected)
    marks = np.random.default_rng(3).uniform(size=SIZE) > 0.5
    for taps in (1, 2, 4):
        row, column = (np.minimum(x, n - taps) for x, n in zip((row, column), SIZE, strict=True))
        got = _windows.window_marks(jnp.asarray(marks), row * SIZE[1] + column, taps)
        for i, j in np.ndindex(taps, taps):
            np.testing.assert_array_equal(got[i][j], marks[row + i, column + j])


def test_chunks_are_whole_rows_that_divide_the_map():
    assert chunks._count_chunks((540, 960), 4) == 9
    assert chunks._count_chunks((541, 960), 4) == 541
    assert chunks._count_chunks((4, 5), 3) == 1
    assert chunks._count_chunks((1, 100000), 32) == 1
