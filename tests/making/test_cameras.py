"""Cameras always look at the head, at their distance and upright."""

import numpy as np
import pytest

import sf3d_jax as sf3d
from sf3d_jax.making.cameras import draw_spiral, look_at

SIZE = (40, 60)


@pytest.mark.parametrize("seed", range(5))
def test_the_target_stays_in_the_middle_and_the_head_fills_the_image(seed):
    target, extent = np.array([0.1, -0.2, 0.05]), 0.3
    spiral = draw_spiral(np.random.default_rng(seed), target, extent, SIZE)
    for time in np.linspace(0, 20, 9):
        camera = spiral.camera(time)
        pixels, inv_depth, valid = sf3d.project(np.float32(target), camera)
        assert valid
        np.testing.assert_allclose(pixels, [29.5, 19.5], atol=1e-3)
        assert 0.85 < 1 / inv_depth < 1.35
        # The shorter side shows the extent, but for the change of distance.
        shown = min(SIZE) / (np.asarray(camera.focal)[0] * inv_depth)
        assert abs(shown / extent - 1) < 0.05


def test_a_camera_is_rigid_and_upright():
    for azimuth, elevation in [(0, 0), (0.5, 0.2), (-1, -0.3)]:
        pose = look_at(np.array([0.1, 0.2, 0.3]), azimuth, elevation, 2.0)
        rotation = pose[:, :3]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) == pytest.approx(1)
        assert rotation[0, 1] == 0 and rotation[1, 1] < 0  # x is horizontal, y points down
        center = -rotation.T @ pose[:, 3]
        where = [np.sin(azimuth) * np.cos(elevation), np.sin(elevation)]
        where += [np.cos(azimuth) * np.cos(elevation)]
        np.testing.assert_allclose(center, [0.1, 0.2, 0.3] + 2.0 * np.array(where), atol=1e-12)


def test_before_the_face_the_subjects_left_is_at_the_right():
    pose = look_at(np.zeros(3), 0, 0, 1.0)
    np.testing.assert_allclose(pose @ [0.1, 0, 0, 1], [0.1, 0, 1], atol=1e-12)
    np.testing.assert_allclose(pose @ [0, 0.1, 0.2, 1], [0, -0.1, 0.8], atol=1e-12)


def test_the_path_is_smooth():
    spiral = draw_spiral(np.random.default_rng(0), np.zeros(3), 0.3, SIZE)
    poses = np.array([spiral.camera(t).world_to_camera for t in np.arange(0, 18, 0.04)])
    # At 25 frames per second a camera moves by centimetres, and never jumps.
    assert np.abs(np.diff(poses, axis=0)).max() < 0.03
    assert np.abs(np.diff(poses, 2, axis=0)).max() < 0.002
