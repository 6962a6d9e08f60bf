"""The scene in closed form against itself seen otherwise."""

import cv2
import numpy as np
import pytest
from helpers.support import opencv_matrix

from sf3d_jax.data.closed_form import deforming_scene, next_image


@pytest.fixture(scope="module", params=[1.0, 1.1])
def scene(request):
    return deforming_scene((60, 80), zoom=request.param)


def test_points_and_moved_points_project_to_the_pixels_and_the_flow(scene):
    grid = np.stack(np.meshgrid(np.arange(80.0), np.arange(60.0)), -1)
    for camera, points, pixels, inv_depth in (
        (scene.camera, scene.points, grid, scene.inv_depth),
        (
            scene.next_camera,
            scene.points + scene.vectors,
            grid + scene.flow,
            scene.inv_depth + scene.inv_depth_change,
        ),
    ):
        matrix = opencv_matrix(camera)
        rotation, _ = cv2.Rodrigues(np.array(camera.world_to_camera[:, :3]))
        shift = np.array(camera.world_to_camera[:, 3])
        seen, _ = cv2.projectPoints(points.reshape(-1, 1, 3), rotation, shift, matrix, None)
        np.testing.assert_allclose(
            seen.reshape(60, 80, 2)[scene.valid], pixels[scene.valid], atol=1e-9
        )
        depth = (points @ camera.world_to_camera[2, :3]) + shift[2]
        np.testing.assert_allclose(depth[scene.valid] * inv_depth[scene.valid], 1, rtol=1e-12)


def test_the_wall_rests_and_the_surface_deforms(scene):
    corner = scene.vectors[:5, :5]
    assert scene.valid[:5, :5].all() and not corner.any()
    assert np.abs(scene.flow[:5, :5]).max() > 0.1
    assert np.linalg.norm(scene.vectors[30, 40]) > 1e-3
    # The wall is a plane: inverse depth is affine in the pixel.
    second = np.diff(scene.inv_depth[:5, :30], 2, axis=1)
    assert np.abs(second).max() < 1e-12


def test_the_image_shows_something(scene):
    assert scene.image.dtype == np.uint8 and scene.image.std() > 10


def test_the_next_image_shows_each_point_where_the_flow_takes_it():
    scene = deforming_scene((360, 480))
    following = next_image(scene).astype(np.float32)
    there = np.stack(np.meshgrid(np.arange(480), np.arange(360)), -1) + scene.flow
    u, v = np.float32(there[..., 0]), np.float32(there[..., 1])
    warped = cv2.remap(following, u, v, cv2.INTER_LINEAR)
    inside = ((there >= 0) & (there <= [479, 359])).all(-1)
    missed = np.abs(warped - scene.image).mean(-1)
    # But for edges of tiles and of the ellipsoid, and what it hides of the wall.
    assert np.percentile(missed[inside], 90) < 4
    still = np.abs(following - scene.image).mean(-1)
    assert missed[inside].mean() < 0.4 * still[inside].mean()
