"""Cameras: projection against OpenCV, edits, domains, and batches."""

import dataclasses
import pickle
import re

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import platforms, thorough
from helpers.support import (
    LENSES,
    MATRIX,
    NEAR,
    SIZE,
    camera,
    cast,
    float64,
    grid,
    opencv_matrix,
    pose,
)

import sf3d_jax as sf3d
from sf3d_jax.camera import _domain


def points(count=500, spread=0.5, seed=0):
    rng = np.random.default_rng(seed)
    rays = np.c_[rng.uniform(-spread, spread, (count, 2)), np.ones(count)]
    return rays * rng.uniform(0.3, 30, (count, 1))


def opencv_projection(world, camera):
    matrix = opencv_matrix(camera)
    rotation, _ = cv2.Rodrigues(np.float64(camera.world_to_camera[:, :3]))
    shift = np.float64(camera.world_to_camera[:, 3])
    coefficients = None if camera.distortion is None else np.float64(camera.distortion)
    project = cv2.fisheye.projectPoints if camera.model == "fisheye" else cv2.projectPoints
    return project(world[:, None], rotation, shift, matrix, coefficients)[0][:, 0]


@thorough.parametrize("lens", LENSES, default=["pinhole", "opencv", "fisheye"])
def test_projects_like_opencv(lens):
    one = camera(lens, NEAR)
    world = points()
    with float64():
        pixels, inv_depth, valid = sf3d.project(world, one)
    assert valid.all()
    np.testing.assert_allclose(pixels, opencv_projection(world, one), rtol=0, atol=1e-9)
    np.testing.assert_allclose(
        1 / np.array(inv_depth), (world @ NEAR[:, :3].T + NEAR[:, 3])[:, 2], rtol=1e-12
    )


@thorough.parametrize("count", [4, 5, 8, 12], default=[12])
def test_opencv_models_of_every_length(count):
    coefficients = np.array(LENSES["rational"][0][:count])
    one = sf3d.Camera.from_matrix(MATRIX, SIZE, distortion=coefficients)
    with float64():
        pixels = sf3d.project(points(), one).pixels
    np.testing.assert_allclose(pixels, opencv_projection(points(), one), rtol=0, atol=1e-9)


@thorough.parametrize("lens", LENSES, default=["pinhole", "opencv"])
def test_unproject_inverts_project(lens):
    one = camera(lens, NEAR)
    with float64():
        pixels, inv_depth, _ = sf3d.project(points(), one)
        back, valid = sf3d.unproject(pixels, inv_depth, one)
        again = sf3d.project(back, one).pixels
    assert valid.all()
    np.testing.assert_allclose(back, points(), rtol=0, atol=1e-11)
    np.testing.assert_allclose(again, pixels, rtol=0, atol=1e-9)


@thorough.parametrize("lens", ["opencv", "fisheye"], default=["opencv"])
def test_the_domain_ends_where_the_lens_folds(lens):
    """Against a dense search along the radius in float64."""
    coefficients, model = {
        "opencv": (np.array([-0.35, 0.02, 0, 0.0]), "opencv"),
        "fisheye": (np.array([-0.4, 0.01, 0, 0]), "fisheye"),
    }[lens]
    one = sf3d.Camera.from_matrix(MATRIX, SIZE, distortion=coefficients, model=model)
    radius = np.linspace(1e-6, 3, 300001)
    if model == "opencv":
        image = radius * (1 + coefficients[0] * radius**2 + coefficients[1] * radius**4)
    else:
        angle = np.arctan(radius)
        image = angle * (1 + coefficients[0] * angle**2 + coefficients[1] * angle**4)
    fold = np.argmax(np.diff(image) < 0)
    assert 0 < fold
    for factor in (0.99, 1.01):
        world = np.array([[radius[fold] * factor, 0, 1]])
        pixel = MATRIX[:2, 2] + [[MATRIX[0, 0] * image[fold] * factor, 0]]
        with float64():
            projected = sf3d.project(world, one)
            lifted = sf3d.unproject(pixel, np.ones(1), one)
        assert projected.valid.all() == lifted.valid.all() == (factor < 1)
        if factor > 1:
            assert not projected.pixels.any() and not lifted.points.any()


@pytest.mark.parametrize("model, scale", [("opencv", 1), ("opencv", 1e-3), ("fisheye", 1)])
def test_both_forms_find_where_the_radial_part_stops_growing(model, scale):
    """Against the root of its slope in float64, to the floats next to it; a batch of two lenses."""
    k = tuple(np.float32([[a], [0.0]]) for a in (-0.3 / scale, 0.01 / scale**2, 0.0, 0.0))
    root = np.roots([5 * np.float64(k[1][0, 0]), 3 * np.float64(k[0][0, 0]), 1]).min()
    expected = root if model == "opencv" else np.tan(np.sqrt(root)) ** 2
    limit = lambda k: _domain.domain_limit(model, k)
    on_cpu = jax.jit(limit)(k)
    with platforms.gpu_forms():
        on_gpu = jax.jit(limit)(k)
    for got in (on_cpu, on_gpu):
        assert np.isinf(got[1]).all()
        # The sign of a slope that rounds to 1e-7 of its terms is right but so close to the root.
        np.testing.assert_allclose(got[0], expected, rtol=2e-6)


@thorough.parametrize("lens", ["pinhole", "opencv", "fisheye"], default=["pinhole", "opencv"])
def test_a_point_behind_the_camera_is_never_mirrored(lens):
    behind = -points(50)
    pixels, inv_depth, valid = sf3d.project(np.float32(behind), camera(lens))
    assert not valid.any() and not pixels.any() and not inv_depth.any()


@thorough.parametrize("lens", ["opencv", "fisheye"], default=["opencv"])
def test_derivatives_of_undistortion_match_finite_differences(lens):
    one = camera(lens, NEAR)
    rng = np.random.default_rng(0)
    pixels = rng.uniform([2, 2], [SIZE[1] - 3, SIZE[0] - 3], size=(40, 2))
    weights = rng.normal(size=(40, 3))

    def loss(pixels, camera):
        return jnp.sum(weights * sf3d.unproject(pixels, jnp.ones(40), camera).points ** 2)

    with float64():
        inputs = cast((pixels, one), jnp.float64)
        leaves, tree = jax.tree.flatten(inputs)
        directions = [jnp.asarray(rng.normal(size=x.shape)) for x in leaves]
        moved = lambda t: tree.unflatten(
            [x + t * d for x, d in zip(leaves, directions, strict=True)]
        )

        @jax.jit
        def along(t):
            gradient = jax.grad(loss, argnums=(0, 1))(*moved(t))
            return *jax.jvp(lambda t: loss(*moved(t)), (t,), (1.0,)), jax.tree.leaves(gradient)

        _, forward, gradient = along(0.0)
        value = lambda t: along(t)[0]
        step = 1e-5
        numeric = (8 * (value(step) - value(-step)) - (value(2 * step) - value(-2 * step))) / (
            12 * step
        )
        reverse = sum((g * d).sum() for g, d in zip(gradient, directions, strict=True))
    np.testing.assert_allclose(forward, numeric, rtol=1e-6)
    np.testing.assert_allclose(reverse, numeric, rtol=1e-6)


def test_the_pixel_grid_counts_columns_then_rows():
    pixels = sf3d.pixel_grid((3, 4))
    assert pixels.shape == (3, 4, 2)
    np.testing.assert_array_equal(pixels, grid((3, 4)))


@thorough.parametrize(
    "shape, axis",
    [((3,), 0), ((3, 20), 0), ((3, 4, 5), 0), ((2, 3, 4, 5), 1)],
    default=[((3, 20), 0), ((2, 3, 4, 5), 1)],
)
def test_cameras_of_a_batch_see_their_own_points(shape, axis):
    poses = np.stack(
        [pose([0, 0, 0.1], shift) for shift in ([0, 0, 0], [0.1, 0, 0], [0, -0.2, 0.3])]
    )
    world = np.float32(np.resize(points(120), (*shape, 3)))
    pixels = np.array(sf3d.project(world, camera(pose=poses)).pixels)
    for i in range(3):
        expected = sf3d.project(np.take(world, i, axis), camera(pose=poses[i])).pixels
        np.testing.assert_allclose(np.take(pixels, i, axis), expected, rtol=1e-5, atol=1e-5)


def test_a_grid_of_pixels_serves_every_camera_of_a_batch():
    batch = camera(matrix=np.stack([MATRIX, MATRIX * [[2], [2], [1]]]))
    inv_depth = np.random.default_rng(0).uniform(0.5, 1, size=(2, *SIZE)).astype(np.float32)
    got = sf3d.unproject(sf3d.pixel_grid(SIZE), inv_depth, batch)
    for i in range(2):
        one = jax.tree.map(lambda x, i=i: x[i] if x.ndim > 1 and x.shape[0] == 2 else x, batch)
        expected = sf3d.unproject(sf3d.pixel_grid(SIZE), inv_depth[i], one).points
        np.testing.assert_allclose(got.points[i], expected, rtol=1e-6)


def test_edits_compose_and_undo():
    one = camera("opencv", NEAR)
    undone = one.crop(2, 3, (10, 12)).pad(2, 3, SIZE)
    np.testing.assert_allclose(undone.principal_point, one.principal_point)
    undone = one.flip().flip()
    for name in ("principal_point", "world_to_camera", "distortion"):
        np.testing.assert_allclose(getattr(undone, name), getattr(one, name), atol=1e-12)
    undone = one.resize((48, 96)).resize(SIZE)
    np.testing.assert_allclose(undone.focal, one.focal)
    np.testing.assert_allclose(undone.principal_point, one.principal_point)
    assert one.stride(8, 3).size == (3, 4)


def test_edits_keep_the_type_of_the_arrays_and_work_on_tracers():
    one = cast(camera(), jnp.float32)
    with float64():
        crops = jax.vmap(lambda top: one.crop(top, 0, (8, 8)).principal_point)(jnp.arange(4))
        assert crops.dtype == jnp.float32
        assert one.resize((12, 16)).flip().pad(1, 1, (20, 20)).focal.dtype == jnp.float32
    np.testing.assert_allclose(crops[:, 1], MATRIX[1, 2] - np.arange(4), rtol=1e-6)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: camera().crop(0, 20, (24, 32)), "crop: .* does not fit"),
        (lambda: camera().crop(-1, 0, (4, 4)), "crop: .* does not fit"),
        (lambda: camera().pad(1, 0, SIZE), "pad: .* does not fit"),
        (lambda: camera().stride(0), "stride"),
        (lambda: camera().resize((0, 4)), "size: expected"),
        (lambda: sf3d.Camera.from_matrix(np.eye(4), SIZE), "matrix: expected shape"),
        (lambda: sf3d.Camera.from_matrix(MATRIX + np.eye(3, k=1), SIZE), "skew"),
        (lambda: sf3d.Camera.from_matrix(MATRIX, SIZE, distortion=np.ones(3)), "coefficients"),
        (lambda: sf3d.Camera.from_matrix(MATRIX, SIZE, model="fisheye"), "coefficients"),
        (lambda: sf3d.Camera.from_matrix(MATRIX, SIZE, model="brown"), "model: expected"),
        (lambda: sf3d.Camera.pinhole(1, 1, 0, 0, SIZE, np.eye(3)), "world_to_camera: expected"),
        (lambda: sf3d.Camera.pinhole(1, 1, 0, 0, 24, 32), r"size: .*\(height, width\).* got 24"),
        (lambda: sf3d.pixel_grid((0, 4)), "size: expected"),
        (lambda: sf3d.project(np.ones((5, 2)), camera()), "points: expected shape"),
        (lambda: sf3d.unproject(np.ones((5, 2)), np.ones(4), camera()), "do not broadcast"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_a_camera_takes_a_four_by_four_pose_and_integers():
    square = np.r_[NEAR, [[0, 0, 0, 1]]]
    one = sf3d.Camera.pinhole(28, 27, 15, 11, SIZE, square)
    np.testing.assert_array_equal(one.world_to_camera, NEAR)
    assert np.issubdtype(one.focal.dtype, np.floating)
    quarter = [[0, -1, 0, 2], [1, 0, 0, 3], [0, 0, 1, 4]]
    one = sf3d.Camera.pinhole(28, 27, 15, 11, list(SIZE), quarter)
    np.testing.assert_array_equal(one.world_to_camera, quarter)
    assert np.issubdtype(one.world_to_camera.dtype, np.floating) and one.size == SIZE
    with pytest.raises(ValueError, match="world_to_camera: expected the last row 0 0 0 1"):
        sf3d.Camera.pinhole(28, 27, 15, 11, SIZE, square.T)


SHEARED = np.array([[1.0, 0.01, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])
# What is no rotation and translation, and what is said of it.
BAD_POSES = {
    "scaled": (2 * NEAR, "looks like 2 times a rotation"),
    "shrunk": (0.99 * NEAR, "looks like 0.99 times a rotation"),
    "mirrored": (NEAR * [[1], [-1], [1]], "mirrored rotation, of determinant -1"),
    "turned inside out": (-NEAR, "mirrored rotation, of determinant -1"),
    "unset": (np.zeros((3, 4)), "got zeros"),
    "sheared": (SHEARED, "rows are not perpendicular and of length 1"),
    "not a number": (NEAR + [[np.nan], [0], [0]] * np.eye(3, 4), "NaN or infinite"),
    "far": (np.c_[NEAR[:, :3], [0, np.inf, 0]], "NaN or infinite"),
    "huge": (1e200 * NEAR, r"1e\+200 times a rotation"),
    "second of two": (np.stack([NEAR, 2 * NEAR]), r"2 times a rotation at \[1\]"),
}


@pytest.mark.non_finite
@pytest.mark.parametrize("dtype", [np.float64, np.float32, jnp.float32])
@pytest.mark.parametrize("kind", BAD_POSES)
def test_a_pose_that_is_no_rotation_is_refused_where_a_camera_is_made(kind, dtype):
    pose, said = BAD_POSES[kind]
    with np.errstate(over="ignore"):
        pose = jnp.asarray(pose, dtype) if dtype is jnp.float32 else pose.astype(dtype)
    if kind == "huge" and dtype != np.float64:
        said = "NaN or infinite"
    one = camera()
    for make in (
        lambda: sf3d.Camera(one.focal, one.principal_point, pose, size=SIZE),
        lambda: sf3d.Camera.pinhole(28.0, 27.0, 15.0, 11.0, SIZE, pose),
        lambda: sf3d.Camera.from_matrix(MATRIX, SIZE, world_to_camera=pose),
        lambda: dataclasses.replace(one, world_to_camera=pose),
    ):
        with pytest.raises(ValueError, match=r"^world_to_camera: expected a rotation") as error:
            make()
        assert re.search(said, str(error.value))


@pytest.mark.parametrize(
    "dtype, error", [(np.float64, 2.5e-4), (np.float32, 2.5e-4), (np.float16, 0), (jnp.bfloat16, 0)]
)
def test_a_rotation_may_be_rounded(dtype, error):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 3))
    poses = np.stack([pose(v, rng.normal(size=3)) for v in vectors])
    poses[..., :3] += rng.uniform(-error, error, (200, 3, 3))
    rounded = poses.astype(dtype)
    assert sf3d.Camera.from_matrix(MATRIX, SIZE, world_to_camera=rounded).size == SIZE
    # By 1 %, which is more than a number of bfloat16 is off.
    with pytest.raises(ValueError, match=r"times a rotation at \[7\]"):
        rounded[7] *= dtype(1.01)
        sf3d.Camera.from_matrix(MATRIX, SIZE, world_to_camera=rounded)


@pytest.mark.parametrize(
    "change, error, message",
    [
        ({"focal": np.ones(3)}, ValueError, r"focal: expected shape \(..., 2\), got \(3,\)"),
        (
            {"focal": np.array([28, 27])},
            TypeError,
            "focal: expected a floating-point array, got int64",
        ),
        ({"focal": [28.0, 27.0]}, TypeError, "focal: expected an array, got list"),
        ({"focal": 28.0}, TypeError, "focal: expected an array, got float"),
        ({"focal": np.array([28.0, 0])}, ValueError, "focal: expected positive focal lengths"),
        ({"focal": jnp.array([[28.0, 27], [28, -27]])}, ValueError, "got .*, -27.0"),
        ({"focal": np.array([np.nan, 27])}, ValueError, "focal: expected finite numbers"),
        ({"principal_point": np.array([np.inf, 1])}, ValueError, "principal_point: expected fin"),
        ({"principal_point": np.ones((2, 1))}, ValueError, "principal_point: expected shape"),
        ({"world_to_camera": np.eye(4)}, ValueError, "remove the last row 0 0 0 1"),
        ({"world_to_camera": np.eye(3)}, ValueError, "world_to_camera: expected shape"),
        ({"distortion": np.full(4, np.nan), "model": "opencv"}, ValueError, "distortion: exp"),
        ({"distortion": np.zeros(3), "model": "opencv"}, ValueError, "coefficients, got 3"),
        ({"model": "fisheye"}, ValueError, "coefficients, got 0"),
        ({"model": "brown"}, ValueError, "model: expected"),
        ({"size": (24.0, 32)}, ValueError, "size: expected two integers"),
        ({"size": 24}, ValueError, "size: expected two integers"),
        ({"size": (24, 0)}, ValueError, "size: expected two integers"),
        ({"size": (24, 32, 3)}, ValueError, "size: expected two integers"),
    ],
)
def test_a_field_that_makes_no_sense_is_named_where_a_camera_is_made(change, error, message):
    with pytest.raises(error, match=message):
        dataclasses.replace(camera(), **change)
    fields = {**vars(camera()), **change}
    with pytest.raises(error, match=message):
        sf3d.Camera(**fields)


def test_what_jax_puts_into_a_camera_is_not_checked():
    one = cast(camera("opencv", NEAR), jnp.float32)
    leaves, tree = jax.tree.flatten(one)
    for content in (None, object(), 0, True, jax.sharding.PartitionSpec(), np.float32(-1)):
        assert jax.tree.unflatten(tree, [content] * len(leaves)).focal is content
    doubled = jax.jit(lambda c: jax.tree.map(lambda x: -2 * x, c))(one)
    np.testing.assert_array_equal(doubled.world_to_camera, -2 * one.world_to_camera)
    names = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(one)]
    assert names == [".focal", ".principal_point", ".world_to_camera", ".distortion"]
    copied = pickle.loads(pickle.dumps(doubled))
    np.testing.assert_array_equal(copied.focal, doubled.focal)


def test_a_tree_of_axes_or_shapes_is_no_camera_to_check():
    size, model = SIZE, "opencv"
    poses = jnp.stack([NEAR, NEAR]).astype(jnp.float32)
    many = dataclasses.replace(cast(camera("opencv"), jnp.float32), world_to_camera=poses)
    axes = sf3d.Camera(None, None, 0, None, size=size, model=model)
    moved = jax.vmap(lambda c: c.world_to_camera[:, 3], in_axes=(axes,))(many)
    np.testing.assert_array_equal(moved, poses[..., 3])
    shapes = jax.eval_shape(lambda c: dataclasses.replace(c, focal=2 * c.focal), many)
    assert shapes.focal.shape == (2,)
    assert dataclasses.replace(shapes, size=(3, 4)).size == (3, 4)


def test_traced_numbers_are_not_checked_but_their_shapes():
    make = lambda pose: sf3d.Camera(jnp.ones(2), jnp.ones(2), pose, size=SIZE)
    shape = lambda pose: jax.eval_shape(make, pose).world_to_camera.shape
    assert shape(np.zeros((3, 4), np.float32)) == (3, 4)
    with pytest.raises(ValueError, match="remove the last row"):
        shape(np.eye(4, dtype=np.float32))


def test_arrays_on_a_device_are_not_fetched_under_a_transfer_guard():
    one = cast(camera(), jnp.float32)
    doubled = 2 * one.world_to_camera
    for guard in ("disallow", "disallow_explicit", "log"):
        with jax.transfer_guard_device_to_host(guard):
            assert dataclasses.replace(one, world_to_camera=doubled).size == SIZE
    with pytest.raises(ValueError, match="2 times a rotation"):
        dataclasses.replace(one, world_to_camera=doubled)


@pytest.mark.parametrize("batch", [(), (3,)])
def test_edits_keep_a_rotation(batch):
    """A mirrored world is seen by a rotation, not by a mirrored one; edits are checked by none."""
    poses = np.broadcast_to(NEAR, (*batch, 3, 4))
    one = camera("opencv", poses)
    edits = [one.flip(), one.crop(1, 2, (8, 8)), one.pad(1, 2, (40, 40)), one.resize((12, 16))]
    for edited in [*edits, one.stride(2, 1)]:
        np.testing.assert_allclose(np.linalg.det(edited.world_to_camera[..., :3]), 1, atol=1e-12)
        sf3d.Camera(**vars(edited))
