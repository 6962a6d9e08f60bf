"""Annotations of moving Gaussians against the truth of the surface that they cover, by ray casting.

The bounds hold for surfaces that flat Gaussians cover closely; pixels within 3 of a silhouette are
left out, where the picture itself is a mixture.
"""

import functools
import itertools

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import gaussian_scenes as scenes
from helpers import thorough
from helpers.gaussian_scenes import (
    MIDDLE,
    RADIUS,
    WALL,
    errors,
    further,
    rigid,
    sphere,
    truth,
    waves,
)
from helpers.support import as_numpy, cast, grid, scene
from scipy.ndimage import map_coordinates

import sf3d_jax as sf3d
from sf3d_jax.gaussians import Gaussians, render_motion

# A draw of so many takes longer than LLVM takes to optimize it.
pytestmark = pytest.mark.optimized

COUNT = 20_000
# One program serves all tests of a method.
ROOM = 300_000
# Mean and 99th percentile within the sphere: flow in pixels, depth and 3D motion in metres.
BOUNDS = [(0.015, 0.05), (2e-4, 6e-4), (2e-5, 1e-4)]


def annotate(gaussians, next_gaussians, camera, next_camera, method="mean"):
    annotation = render_motion(
        *(gaussians, next_gaussians, camera, next_camera), method=method, max_intersections=ROOM
    )
    assert annotation.overflow == 0
    return as_numpy(annotation)


@functools.cache
def moving_sphere(motion, cameras, seed=0, method="mean"):
    """(annotation, truth, cameras)."""
    pair = cast(scenes.cameras(cameras), jnp.float32)
    motion = scenes.MOTIONS[motion]
    annotation = annotate(*sphere(COUNT, motion, seed=seed), *pair, method)
    return annotation, truth(*pair, motion), pair


@functools.cache
def moving_sphere_back(motion, cameras):
    """The annotation of the way back, from the second time to the first."""
    camera, next_camera = cast(scenes.cameras(cameras), jnp.float32)
    gaussians, next_gaussians = sphere(COUNT, scenes.MOTIONS[motion])
    return annotate(next_gaussians, gaussians, next_camera, camera)


@pytest.mark.parametrize("motion", scenes.MOTIONS)
def test_the_motion_of_the_sphere_has_the_derivative_that_it_says(motion):
    points = MIDDLE + RADIUS * np.random.default_rng(0).normal(size=(5, 3))
    f = lambda x: scenes.MOTIONS[motion](x, MIDDLE, RADIUS)[0]
    step = 1e-6 * np.eye(3)
    numeric = np.stack([(f(points + e) - f(points - e)) / 2e-6 for e in step], -1)
    given = scenes.MOTIONS[motion](points, MIDDLE, RADIUS)[1]
    np.testing.assert_allclose(given, numeric, atol=1e-8)


each_method = thorough.parametrize("method", ["mean", "median"], default=["mean"])


# Each motion and each pair of cameras.
SOME = [(motion, "moving") for motion in scenes.MOTIONS]
SOME += [("rigid", cameras) for cameras in scenes.CAMERAS if cameras != "moving"]


@each_method
@thorough.parametrize(
    "motion, cameras", itertools.product(scenes.MOTIONS, scenes.CAMERAS), default=SOME
)
def test_the_annotations_are_those_of_the_surface(motion, cameras, method):
    seed = list(scenes.MOTIONS).index(motion)
    annotation, true, _ = moving_sphere(motion, cameras, seed, method)
    assert annotation.valid.all()
    inside, outside = further(true.sphere, 3), further(~true.sphere, 3)
    assert annotation.edge[inside | outside].mean() < 0.01
    # The wall is flat, as its Gaussians are.
    for error, (mean, high), flat in zip(
        errors(annotation, true), BOUNDS, (1e-3, 1e-5, 1e-6), strict=True
    ):
        assert error[inside].mean() < mean
        assert np.percentile(error[inside], 99) < high
        assert error[outside].max() < flat


@pytest.mark.parametrize("cameras", scenes.CAMERAS)
def test_the_sphere_moves_by_pixels_and_centimetres(cameras):
    _, true, _ = moving_sphere("waves", cameras)
    assert np.linalg.norm(true.flow[true.sphere], axis=-1).mean() > 4
    assert np.linalg.norm(true.scene_flow[true.sphere], axis=-1).mean() > 0.015


def test_a_scene_ten_times_as_large_looks_the_same():
    annotation, true, pair = moving_sphere("waves", "still")
    large = sphere(COUNT, waves, middle=10 * MIDDLE, radius=10 * RADIUS, wall=10 * WALL)
    scaled = annotate(*large, *pair)
    inside = further(true.sphere, 3)
    np.testing.assert_array_equal(scaled.edge[inside], annotation.edge[inside])
    tolerances = ("flow", 1, 1e-3), ("inv_depth", 10, 1e-4), ("scene_flow", 0.1, 1e-5)
    for name, factor, atol in tolerances:
        one, other = (getattr(x, name)[inside] for x in (annotation, scaled))
        np.testing.assert_allclose(factor * other, one, atol=atol)


@pytest.mark.thorough
def test_the_median_does_not_see_what_shines_through():
    loose = dict(across=0.5, thickness=0.01, jitter=0.005, opacity=0.6)
    pair = cast(scenes.cameras("still"), jnp.float32)
    gaussians, true = sphere(COUNT, waves, **loose), truth(*pair, waves)
    inside = further(true.sphere, 3)
    mean, median = (
        [x[inside].mean() for x in errors(annotate(*gaussians, *pair, method), true)]
        for method in ("mean", "median")
    )
    assert median[0] < 0.05 and median[1] < 1.5e-3 and median[2] < 1.5e-4
    assert all(10 * b < a for a, b in zip(mean, median, strict=True))


@pytest.mark.parametrize("motion", ["rigid", "waves"])
@pytest.mark.parametrize("cameras", scenes.CAMERAS)
def test_large_errors_are_at_edges(motion, cameras):
    annotation, true, _ = moving_sphere(motion, cameras)
    flow, depth, _ = errors(annotation, true)
    wrong = (flow > 0.5) | (depth > 5e-3)
    assert wrong.sum() > 100 and not (wrong & ~annotation.edge).any()
    # Of the silhouette, a circle of about 300 pixels, at most so many on each side are marked.
    assert annotation.edge.sum() < 6 * 300


def by_hand(annotation, camera, next_camera):
    """Flow and inverse-depth change of the points, in float64."""
    numbers = lambda c: (np.float64(x) for x in (c.focal, c.principal_point, c.world_to_camera))
    focal, point, start = numbers(camera)
    next_focal, next_point, end = numbers(next_camera)
    pixels, inv_depth = grid(camera.size), np.float64(annotation.inv_depth)[..., None]
    rays = np.concatenate([(pixels - point) / focal, np.ones_like(inv_depth)], -1)
    # From the axes of the first camera to the second's.
    turn = end[:, :3] @ start[:, :3].T
    shift = end[:, 3] - turn @ start[:, 3]
    moved = (rays / inv_depth + annotation.scene_flow) @ turn.T + shift
    flow = next_focal * moved[..., :2] / moved[..., 2:] + next_point - pixels
    return flow, 1 / moved[..., 2] - inv_depth[..., 0]


def assert_agree(annotation, camera, next_camera, flow_atol, atol):
    """That each annotation follows from the others."""
    use = annotation.valid
    assert use.any()
    maps = annotation.flow, annotation.inv_depth, annotation.inv_depth_change
    lifted = sf3d.scene_flow(*maps, camera, next_camera)
    np.testing.assert_array_equal(lifted.valid, use)
    np.testing.assert_allclose(lifted.vectors, annotation.scene_flow, atol=atol)
    seen = sf3d.image_motion(annotation.scene_flow, maps[1], camera, next_camera)
    np.testing.assert_allclose(seen.flow, annotation.flow, atol=flow_atol)
    np.testing.assert_allclose(seen.inv_depth_change, annotation.inv_depth_change, atol=atol)
    with np.errstate(divide="ignore", invalid="ignore"):
        flow, change = by_hand(annotation, camera, next_camera)
    np.testing.assert_allclose(annotation.flow[use], flow[use], atol=flow_atol)
    np.testing.assert_allclose(annotation.inv_depth_change[use], change[use], atol=atol)


@each_method
@pytest.mark.parametrize("cameras", scenes.CAMERAS)
def test_the_annotations_agree_with_one_another(cameras, method):
    annotation, _, pair = moving_sphere("waves", cameras, method=method)
    assert_agree(annotation, *pair, flow_atol=1e-4, atol=1e-6)


def at(image, places):
    """The image between its pixels, linearly."""
    rows_columns = np.moveaxis(places, -1, 0)[::-1]
    channels = np.moveaxis(np.float64(image), -1, 0)
    return np.stack([map_coordinates(x, rows_columns, order=1) for x in channels], -1)


@pytest.mark.parametrize("cameras", ["moving", "zoom"])
def test_swapping_the_times_gives_the_way_back(cameras):
    annotation, true, (camera, next_camera) = moving_sphere("rigid", cameras)
    back = moving_sphere_back("rigid", cameras)
    ends = grid(camera.size) + annotation.flow
    # Where both images see the sphere well within its silhouette.
    here = further(true.sphere, 3)
    there = at(further(moved_sphere_seen(next_camera), 3)[..., None], ends)[..., 0] == 1
    visible = here & there & ~hidden_by_moved_sphere(true, camera, next_camera)
    assert visible.sum() > 3000
    missed = np.linalg.norm(annotation.flow + at(back.flow, ends), axis=-1)[visible]
    assert missed.mean() < 0.03 and np.percentile(missed, 99) < 0.1
    turn = np.float64(next_camera.world_to_camera)[:, :3]
    returned = at(back.scene_flow, ends) @ turn
    missed = np.linalg.norm(annotation.scene_flow + returned, axis=-1)[visible]
    assert missed.mean() < 5e-5 and np.percentile(missed, 99) < 2e-4


def moved_sphere_seen(camera):
    """Where a camera sees the sphere after its rigid motion, which leaves it a sphere."""
    middle = rigid(MIDDLE, MIDDLE, RADIUS)[0]
    return truth(camera, None, rigid, middle=middle).sphere


def hidden_by_moved_sphere(true, camera, next_camera):
    """Which points the sphere hides from the next camera: the wall's, and those of its far side."""
    middle = rigid(MIDDLE, MIDDLE, RADIUS)[0]
    start, end = (np.float64(c.world_to_camera) for c in (camera, next_camera))
    numbers = [np.float64(x) for x in (camera.focal, camera.principal_point)]
    slopes = (grid(camera.size) - numbers[1]) / numbers[0]
    points = np.concatenate([slopes, np.ones_like(slopes[..., :1])], -1)
    points = points / true.inv_depth[..., None] + true.scene_flow
    points = (points - start[:, 3]) @ start[:, :3]
    eye = -end[:, 3] @ end[:, :3]
    # Points of the way to the eye, at which it comes nearest to the middle of the sphere.
    way = eye - points
    share = ((middle - points) * way).sum(-1) / (way * way).sum(-1)
    nearest = np.linalg.norm(points + share[..., None] * way - middle, axis=-1)
    return (share > 0) & (nearest < RADIUS)


@pytest.mark.parametrize("cameras", ["still", "moving", "zoom"])
def test_the_depth_of_the_next_image_tells_what_it_hides(cameras):
    annotation, true, (camera, next_camera) = moving_sphere("rigid", cameras)
    following = moving_sphere_back("rigid", cameras).inv_depth
    maps = annotation.flow, annotation.inv_depth, annotation.inv_depth_change
    found, inside = as_numpy(sf3d.occlusion_from_depth(*maps, following))
    hidden = hidden_by_moved_sphere(true, camera, next_camera)
    # Neither at the silhouette of the sphere, nor where it goes at the next silhouette.
    outlines = true.sphere, moved_sphere_seen(next_camera)
    here, there = (further(x, 2) | further(~x, 2) for x in outlines)
    clear = inside & here & (at(there[..., None], grid(camera.size) + annotation.flow)[..., 0] == 1)
    assert (clear & hidden).sum() > 50 and clear.sum() > 0.85 * inside.sum()
    np.testing.assert_array_equal((found > 0)[clear], hidden[clear])


@pytest.mark.parametrize("cameras", ["moving", "posed", "zoom"])
def test_what_is_still_moves_with_the_camera_alone(cameras):
    pair = cast(scenes.cameras(cameras), jnp.float32)
    gaussians, _ = sphere(COUNT, rigid)
    annotation = annotate(gaussians, gaussians, *pair)
    np.testing.assert_array_equal(annotation.scene_flow, 0)
    expected = sf3d.rigid_motion(annotation.inv_depth, *pair)
    np.testing.assert_allclose(annotation.flow, expected.flow, atol=1e-5)
    np.testing.assert_allclose(annotation.inv_depth_change, expected.inv_depth_change, atol=1e-7)


@each_method
def test_what_is_behind_the_camera_leaves_everything_zero_and_invalid(method):
    pair = cast(scenes.cameras("still"), jnp.float32)
    behind = sphere(COUNT, rigid, middle=-MIDDLE, wall=-WALL)
    for image in jax.tree.leaves(annotate(*behind, *pair, method)):
        assert not image.any()


def head_gaussians(data, camera):
    """A flat Gaussian at every second pixel of the surface, with what the truth says of each."""
    depth, size = np.float64(data["depth0"]), camera.size
    slopes = (grid(size) - np.float64(camera.principal_point)) / np.float64(camera.focal)
    points = np.concatenate([slopes, np.ones((*size, 1))], -1) * depth[..., None]
    moved = points + data["scene_flow"]
    smooth = cv2.erode(
        (data["valid"] & data["interior0"]).astype(np.uint8), np.ones((3, 3)), borderValue=0
    )
    smooth = smooth > 0
    use = smooth.copy()
    use[1::2], use[:, 1::2] = False, False

    def disc(x):
        along, down = np.gradient(x, axis=1), np.gradient(x, axis=0)
        normal = np.cross(along, down)
        normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-30)
        return np.stack([along, down, 1e-5 * normal], -1)[use]

    opacities, colors = np.full(use.sum(), 0.99), data["rgb0"][use] / 255
    of = lambda x: Gaussians(*(np.float32(p) for p in (x[use], disc(x), opacities, colors)))
    return of(points), of(moved), smooth


@pytest.mark.thorough
def test_a_head_of_gaussians_moves_as_the_head():
    data, _, camera, _ = scene("head")
    gaussians, next_gaussians, smooth = head_gaussians(data, camera)
    camera = cast(camera, jnp.float32)
    annotation = annotate(gaussians, next_gaussians, camera, camera)
    depth = np.where(data["valid"], np.float64(data["depth0"]), 1)
    maps = 1 / depth, data["flow_fw"], data["inv_depth_change_fw"], data["scene_flow"]
    inside = further(smooth, 3)
    assert annotation.valid[inside].all()
    found = errors(annotation, scenes.Truth(*maps, data["valid"]))
    for error, (mean, high) in zip(found, [(0.01, 0.1), (1e-4, 1e-3), (1e-5, 1e-4)], strict=True):
        assert error[inside].mean() < mean and np.percentile(error[inside], 99) < high
