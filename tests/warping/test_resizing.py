"""Resizing: exact for planes, apart where surfaces or validity end, and with the camera."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.support import MATRIX, as_numpy, camera, cast, float64, grid, scene

import sf3d_jax as sf3d

SIZE = (8, 12)
SIZES = [(8, 12), (4, 6), (4, 4), (16, 24), (5, 9), (1, 1)]


def centres(size):
    """Where the centres of the new pixels lie on the old grid, (u, v)."""
    scale = np.array([SIZE[1] / size[1], SIZE[0] / size[0]])
    return (grid(size) + 0.5) * scale - 0.5


def inner(size, kernel=1.0):
    """The new pixels whose kernel, of so many new or old pixels, stays inside the old image."""
    reach = kernel * np.maximum(1, [SIZE[1] / size[1], SIZE[0] / size[0]])
    at, last = centres(size), np.array([SIZE[1] - 1, SIZE[0] - 1])
    return ((at - reach >= -1e-9) & (at + reach <= last + 1e-9)).all(-1)


@thorough.parametrize("size", SIZES, default=[(4, 6), (5, 9)])
def test_planes_stay_planes(size):
    slopes = np.array([[0.3, -0.2], [0.1, 0.4]])
    flow = grid(SIZE) @ slopes.T + [1, -2]
    depth = 1 / (0.5 + grid(SIZE) @ [0.01, 0.02])
    with float64():
        image = as_numpy(sf3d.resize_image(flow, size))
        moved = as_numpy(sf3d.resize_flow(flow, size))
        inv_depth = as_numpy(sf3d.resize_inv_depth(1 / depth, size))
    expected = centres(size) @ slopes.T + [1, -2]
    among = inner(size)
    # Of other ratios the kernel of an image is the triangle's samples, and a little lopsided.
    whole = all(max(a, b) % min(a, b) == 0 for a, b in zip(size, SIZE, strict=True))
    np.testing.assert_allclose(image.values[among], expected[among], atol=1e-12 if whole else 0.05)
    scale = np.array([size[1] / SIZE[1], size[0] / SIZE[0]])
    clamped = np.clip(centres(size), 0, [SIZE[1] - 1, SIZE[0] - 1])
    linear = clamped @ slopes.T + [1, -2]
    np.testing.assert_allclose(moved.values, linear * scale, atol=1e-12)
    np.testing.assert_allclose(inv_depth.values, 0.5 + clamped @ [0.01, 0.02], atol=1e-12)
    assert image.valid.all() and moved.valid.all() and inv_depth.valid.all()


@pytest.mark.parametrize("size", [(4, 6), (5, 9), (8, 12), (1, 1)])
def test_areas_are_those_of_opencv_and_end_at_their_border(size):
    image = np.random.default_rng(0).random((*SIZE, 3), np.float32)
    expected = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    values, valid = sf3d.resize_image(image, size, method="area")
    np.testing.assert_allclose(values, expected, atol=2e-6)
    assert valid.all()
    image[3, 7] = np.nan
    bad = np.zeros(SIZE, np.float32)
    bad[3, 7] = 1
    touched = cv2.resize(bad, size[::-1], interpolation=cv2.INTER_AREA) > 1e-6
    got = as_numpy(sf3d.resize_image(image, size, method="area"))
    np.testing.assert_array_equal(got.valid, ~touched)
    np.testing.assert_allclose(got.values[~touched], expected[~touched], atol=2e-6)
    assert not got.values[touched].any()


def test_areas_of_a_finer_grid_keep_the_sum_and_the_gradient():
    image = np.random.default_rng(1).random((*SIZE, 1), np.float32)
    grown = as_numpy(sf3d.resize_image(image, (16, 18), method="area").values)
    np.testing.assert_allclose(grown[::2, ::3, 0], image[:, ::2, 0], rtol=1e-6)
    np.testing.assert_allclose(grown[1::2, 1::3, 0], image.reshape(8, 6, 2).mean(-1), rtol=1e-6)
    area = lambda x: sf3d.resize_image(x, (4, 6), method="area").values.sum()
    np.testing.assert_allclose(jax.grad(area)(image), 0.25, rtol=1e-6)


@thorough.parametrize("size", [(4, 6), (16, 24), (5, 9)], default=[(5, 9)])
def test_resize_then_convert_is_convert_then_resize(size):
    """Of a plane that moves as a whole, with the resized camera."""
    first = camera(matrix=MATRIX * [[0.4], [0.4], [1]], size=SIZE)
    with float64():
        inv_depth = jnp.asarray(0.5 + grid(SIZE) @ [0.004, 0.003])
        vectors = jnp.broadcast_to(jnp.array([0.03, -0.02, 0.0]), (*SIZE, 3))
        seen = sf3d.image_motion(vectors, inv_depth, first)
        flow = sf3d.resize_flow(seen.flow, size)
        smaller = sf3d.resize_inv_depth(inv_depth, size)
        got = as_numpy(
            sf3d.scene_flow(flow.values, smaller.values, jnp.zeros(size), first.resize(size))
        )
    among = inner(size, 0)
    assert among.any()
    np.testing.assert_allclose(got.vectors[among], [[0.03, -0.02, 0]] * among.sum(), atol=1e-12)


@thorough.parametrize("size", SIZES, default=[(4, 6), (5, 9)])
def test_no_inverse_depth_is_invented_between_surfaces(size):
    inv_depth = np.full(SIZE, 0.2, np.float32)
    inv_depth[2:7, 3:8] = 0.7
    inv_depth[:, 10:] = 0
    values, valid = sf3d.resize_inv_depth(inv_depth, size)
    apart = np.abs(np.array(values)[..., None] - [0, 0.2, 0.7]).min(-1)
    assert (apart < 1e-6).all()
    np.testing.assert_array_equal(valid, values > 0)
    assert valid.any()


def test_a_rendered_depth_keeps_its_surfaces():
    _, (_, inv_depth, _), _, _ = scene("objects")
    values, valid = (np.array(x) for x in sf3d.resize_inv_depth(inv_depth, (120, 160)))
    # Every value lies within what the four pixels around the new centre show.
    around = np.stack([inv_depth[i::2, j::2] for i in (0, 1) for j in (0, 1)])
    assert valid.mean() > 0.7
    assert (values <= around.max(0) * (1 + 1e-6))[valid].all()
    assert (values >= np.where(around > 0, around, np.inf).min(0) * (1 - 1e-6))[valid].all()
    # And near to one of them, where they differ by a surface.
    apart = valid & (np.ptp(around, axis=0) > 0.2 * around.max(0))
    nearest = np.abs(around - values).min(0) / np.maximum(values, 1e-9)
    assert apart.sum() > 100 and (nearest[apart] < 1e-6).all()


@thorough.parametrize("size", [(4, 6), (16, 24), (5, 9)], default=[(5, 9)])
def test_what_touches_an_invalid_pixel_is_invalid(size):
    image = np.random.default_rng(0).normal(size=(*SIZE, 3)).astype(np.float32)
    valid = np.ones(SIZE, bool)
    valid[3, 4] = False
    broken = image.copy()
    broken[3, 4, 1] = np.nan
    got = as_numpy(sf3d.resize_image(broken, size))
    reach = np.maximum(1, [SIZE[1] / size[1], SIZE[0] / size[0]])
    touched = (np.abs(centres(size) - [4, 3]) < reach - 1e-6).all(-1)
    assert touched.any() and not touched.all()
    np.testing.assert_array_equal(got.valid, ~touched)
    np.testing.assert_array_equal(sf3d.resize_mask(valid, size), ~touched)
    clean = as_numpy(sf3d.resize_image(image, size))
    np.testing.assert_allclose(got.values[~touched], clean.values[~touched], atol=1e-6)
    assert not got.values[touched].any()
    flow = sf3d.resize_flow(image[..., :2], size, valid=valid)
    at = np.clip(centres(size), 0, [SIZE[1] - 1, SIZE[0] - 1])
    np.testing.assert_array_equal(flow.valid, ~(np.abs(at - [4, 3]) < 1 - 1e-6).all(-1))
    gradient = jax.grad(lambda x: sf3d.resize_image(x, size).values.sum())(broken)
    assert np.isfinite(gradient).all() and not gradient[3, 4].any()


def test_sparse_vectors_go_to_the_pixel_they_fall_in():
    flow = np.zeros((*SIZE, 2), np.float32)
    valid = np.zeros(SIZE, bool)
    # Corners, row 0 and column 0 among them; two that fall in one pixel.
    for place, vector in {
        (0, 0): (4, 2),
        (0, 11): (6, 0),
        (7, 0): (0, 8),
        (4, 4): (2, 2),
        (5, 5): (4, 6),
    }.items():
        flow[place], valid[place] = vector, True
    values, kept = as_numpy(sf3d.resize_sparse_flow(flow, (4, 6), valid=valid))
    expected = {(0, 0): (2, 1), (0, 5): (3, 0), (3, 0): (0, 4), (2, 2): (1.5, 2)}
    assert {tuple(map(int, p)) for p in np.argwhere(kept)} == set(expected)
    for place, vector in expected.items():
        np.testing.assert_allclose(values[place], vector)
    large, kept = as_numpy(sf3d.resize_sparse_flow(flow, (16, 24), valid=valid))
    assert kept.sum() == 5 and (np.sort(large[kept].sum(-1)) == [8, 12, 12, 16, 20]).all()


def test_a_pyramid_halves_and_batches_are_loops():
    image = np.random.default_rng(0).normal(size=(2, 7, 10, 3)).astype(np.float32)
    levels = sf3d.pyramid(image, 3)
    assert [x.values.shape for x in levels] == [(2, 7, 10, 3), (2, 4, 5, 3), (2, 2, 3, 3)]
    np.testing.assert_array_equal(levels[0].values, image)
    for i in range(2):
        for together, alone in zip(levels, sf3d.pyramid(image[i], 3), strict=True):
            np.testing.assert_allclose(together.values[i], alone.values, atol=1e-6)
    depth = 0.1 + np.abs(image[..., 0])
    together = sf3d.resize_inv_depth(depth, (4, 4)).values
    for i in range(2):
        np.testing.assert_allclose(together[i], sf3d.resize_inv_depth(depth[i], (4, 4)).values)


def test_a_level_weighs_four_pixels_of_the_one_below_along_each_axis():
    image = np.random.default_rng(0).normal(size=(*SIZE, 3))
    with float64():
        _, level = as_numpy(sf3d.pyramid(image, 2))
    kernel = np.array([1, 3, 3, 1]) / 8
    along = lambda x: sum(k * x[i : i + len(x) - 3 : 2] for i, k in enumerate(kernel))
    expected = along(along(image[1:-1, 1:-1]).swapaxes(0, 1)).swapaxes(0, 1)
    np.testing.assert_allclose(level.values[1:-1, 1:-1], expected, atol=1e-12)


def test_half_precision_comes_back_rounded_once():
    image = cast(np.random.default_rng(0).normal(size=(*SIZE, 2)), jnp.bfloat16)
    got = sf3d.resize_flow(image, (4, 6)).values
    exact = sf3d.resize_flow(image.astype(jnp.float32), (4, 6)).values
    assert got.dtype == jnp.bfloat16
    one_ulp = np.abs(exact) * float(jnp.finfo(jnp.bfloat16).eps) + 1e-6
    assert (np.abs(np.float32(got) - exact) <= one_ulp).all()


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"method: expected .*'area'.*, got 'cubic'"):
        sf3d.resize_image(np.zeros((4, 5, 3)), (2, 2), method="cubic")
    image = np.zeros((*SIZE, 3))
    with pytest.raises(ValueError, match="size: expected"):
        sf3d.resize_image(image, (0, 4))
    with pytest.raises(ValueError, match=r"flow: expected shape \(..., 2\)"):
        sf3d.resize_flow(image, (4, 4))
    with pytest.raises(TypeError, match="mask: expected an array of bool"):
        sf3d.resize_mask(image[..., 0], (4, 4))
    with pytest.raises(TypeError, match="valid: expected an array of bool"):
        sf3d.resize_sparse_flow(image[..., :2], (4, 4), valid=image[..., 0])
    with pytest.raises(ValueError, match="levels: expected at least 1"):
        sf3d.pyramid(image, 0)
