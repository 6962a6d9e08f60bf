"""Normals of planes, spheres and rendered depth, and which neighbours are of one surface."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.support import (
    LENSES,
    MATRIX,
    SIZE,
    as_numpy,
    camera,
    float64,
    grid,
    opencv_rays,
    scene,
)

import sf3d_jax as sf3d
from sf3d_jax.warping._surfaces import find_neighbours

TILTS = np.array([[0.3, -0.5, -1], [0, 0, -1], [0.4, 0.2, -0.8]])
TILTS /= np.linalg.norm(TILTS, axis=-1, keepdims=True)
# At 1 to 3 m, and seen from the front at every pixel.
OFFSETS = np.array([-2.0, -1.0, -0.9])


def show_plane(i, rays):
    """Inverse depth of the plane n . X = h."""
    return rays @ TILTS[i] / OFFSETS[i]


def find_angle(a, b):
    """Between unit vectors, in radians."""
    return np.linalg.norm(a - b, axis=-1)


@thorough.parametrize("lens", LENSES, default=["pinhole", "opencv"])
def test_normals_of_planes_are_exact(lens):
    one = camera(lens)
    rays = opencv_rays(grid(), one)
    for i in range(len(TILTS)):
        inv_depth = show_plane(i, rays)
        assert np.nanmin(inv_depth) > 0.1
        with float64():
            normals, valid = as_numpy(sf3d.normals(inv_depth, one))
        # OpenCV does not find some rays of the widest lens, nor are those of its corners.
        assert normals.dtype == np.float64 and valid.mean() > (0.9 if lens == "rational" else 0.999)
        assert find_angle(normals, TILTS[i])[valid].max() < 1e-12


@thorough.parametrize("lens", ["pinhole", "opencv"], default=["pinhole"])
def test_normals_keep_their_digits_in_float32(lens):
    """Against float64 on the same numbers, whose planes are rounded, with a long lens."""
    one = camera(lens, None, MATRIX * [[60], [60], [1]])
    inv_depth = np.float32(show_plane(0, opencv_rays(grid(), one)))
    got = sf3d.normals(inv_depth, one)
    with float64():
        exact = sf3d.normals(np.float64(inv_depth), one)
    both = np.asarray(got.valid) & np.asarray(exact.valid)
    assert both.mean() > 0.9
    error = find_angle(np.float64(got.normals), np.asarray(exact.normals))[both]
    assert error.max() < 1e-6, error.max()


def show_sphere(rays, centre, radius):
    """Inverse depth and outer normals of a sphere; 0 where a ray misses it."""
    squared = (rays**2).sum(-1)
    along = rays @ centre
    below = along**2 - squared * (centre @ centre - radius**2)
    hits = below > 0
    depth = (along - np.sqrt(np.where(hits, below, 0))) / squared
    normals = (rays * depth[..., None] - centre) / radius
    return np.where(hits, 1 / np.where(hits, depth, 1), 0), normals, hits


def test_normals_of_a_sphere_approach_its_own_with_the_square_of_the_step():
    centre = np.array([0.1, -0.05, 2.0])
    errors = []
    for focal in (30, 60):
        one = sf3d.Camera.pinhole(focal, focal, 15.5, 11.5, SIZE)
        inv_depth, normals, hits = show_sphere(opencv_rays(grid(), one), centre, 0.6)
        with float64():
            got, valid = as_numpy(sf3d.normals(inv_depth, one))
        assert not valid[~hits].any() and valid.sum() > 0.95 * hits.sum()
        facing = valid & (normals[..., 2] < -0.9)
        assert facing.sum() > 50
        errors.append(np.median(find_angle(got, normals)[facing]))
    assert errors[0] < 0.02 and errors[1] < 0.35 * errors[0], errors


def test_normals_are_never_of_two_surfaces():
    """A slanted square before a slanted wall, and holes: every normal is one of the two.

    Between the holes are strips of two pixels at least on each axis, three where they slant.
    """
    one = camera()
    rays = opencv_rays(grid(), one)
    inv_depth, near = show_plane(0, rays), 2 * show_plane(2, rays)
    which = np.zeros(SIZE, int)
    which[5:15, 8:20] = 2
    inv_depth = np.where(which == 2, near, inv_depth)
    inv_depth[10:12, 25:] = np.nan
    inv_depth[20, 3] = 9.0  # a pixel by itself
    inv_depth[:, 28] = 0.0
    inv_depth[2, :] = -1.0
    with float64():
        normals, valid = as_numpy(sf3d.normals(inv_depth, one))
    np.testing.assert_array_equal(normals[~valid], 0)
    assert find_angle(normals, TILTS[which])[valid].max() < 1e-11
    lost = np.zeros(SIZE, bool)
    lost[10:12, 25:] = lost[20, 3] = lost[:, 28] = lost[2, :] = True
    np.testing.assert_array_equal(valid, ~lost)


def test_a_strip_of_one_pixel_has_no_normal():
    one = camera(size=(1, 9))
    normals, valid = sf3d.normals(np.ones((1, 9), np.float32), one)
    assert not np.any(valid) and not np.any(normals)


def test_normals_of_a_rendered_depth_are_those_of_its_points():
    """The cross product of differences of points in float64, away from edges."""
    data, (_, inv_depth, _), first, _ = scene("objects")
    normals, valid = as_numpy(sf3d.normals(inv_depth, first))
    rays = opencv_rays(grid(inv_depth.shape), first)
    with np.errstate(divide="ignore", invalid="ignore"):
        points = rays / np.float64(inv_depth)[..., None]
        down, right = (np.gradient(points, axis=axis) for axis in (0, 1))
        crossed = np.cross(right, down)
        # To the camera, which is at the origin.
        crossed *= -np.sign((crossed * rays).sum(-1, keepdims=True))
        crossed /= np.linalg.norm(crossed, axis=-1, keepdims=True)
        error = find_angle(normals, crossed)[data["interior0"] & data["valid"]]
    assert valid[data["valid"]].mean() > 0.998
    np.testing.assert_allclose(np.linalg.norm(normals[valid], axis=-1), 1, rtol=1e-6)
    assert np.median(error) < 1e-6 and np.quantile(error, 0.95) < 1e-3
    facing = (normals * rays).sum(-1)[valid]
    assert (facing < 0).all()


# Values along a row, and to which neighbours of each pixel its surface goes on: < before, > after.
ROWS = [
    ([1, 2, 3, 9, 10, 11], "> <> < > <> <"),
    ([1, 1, 1, 5, 9, 9], "> <> < - > <"),  # the pixel between two surfaces is of neither
    ([1, 1, 1, 7, 1, 1], "> <> < - > <"),
    ([5, 5, 0, 5, 5, 5], "> < - > <> <"),
    ([0.09, 0.49, 2.89, 7.29, 13.69, 22.09], "> < > <> <> <"),  # a parabola from 0.3 on
    # Around its apex, at 1.8; the first pixel has too few beside it to tell a slope that doubles.
    ([3.24, 0.64, 0.04, 1.44, 4.84, 10.24], "- > < > > <"),
]


def test_neighbours_are_of_one_surface_by_the_slopes_of_both():
    x = jnp.asarray([[values] for values, _ in ROWS], jnp.float32)
    transposed = lambda masks: [a.mT for a in masks]
    run = jax.jit(
        lambda x: (
            find_neighbours(x, x > 0, -1),
            transposed(find_neighbours(x.mT, x.mT > 0, -2)),
        )
    )
    for before, after in as_numpy(run(x)):
        for i, (_, expected) in enumerate(ROWS):
            marks = zip(before[i, 0], after[i, 0], strict=True)
            assert " ".join(("<" * int(b) + ">" * int(a)) or "-" for b, a in marks) == expected


@thorough.parametrize("shift", [x / 10 for x in range(11)], default=[0.3, 0.8])
def test_the_ridge_of_a_cylinder_has_normals(shift):
    """One whose slope vanishes along a column, at any place between two pixels."""
    one = sf3d.Camera.pinhole(60, 60, 15 + shift, 11.5, SIZE)
    rays = opencv_rays(grid(), one)
    flat = rays * [1, 0, 1]
    inv_depth, normals, hits = show_sphere(flat, np.array([0, 0, 2.0]), 1.2)
    assert hits.all()
    with float64():
        got, valid = as_numpy(sf3d.normals(inv_depth, one))
    assert valid.all() and find_angle(got, normals).max() < 0.05


def test_wrong_arguments_are_named():
    one = camera()
    with pytest.raises(ValueError, match=r"^inv_depth: .* are the two swapped\?"):
        sf3d.normals(np.ones(SIZE[::-1], np.float32), one)
    with pytest.raises(TypeError, match=r"^inv_depth: expected a floating-point array, got int"):
        sf3d.normals(np.ones(SIZE, int), one)
