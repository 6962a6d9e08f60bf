"""Fits of real and rendered pairs against OpenCV and the truth, with one setting for all."""

import cv2
import numpy as np
import pytest
from helpers.support import length, scene

import sf3d_jax as sf3d
from sf3d_jax import data, fit

# The closed forms of test_fit ask the same in any run.
pytestmark = pytest.mark.thorough


def peers(image, next_image):
    """The flows of OpenCV: DIS of medium quality, and Farneback."""
    grey = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (image, next_image)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return dis.calc(*grey, None), cv2.calcOpticalFlowFarneback(
        *grey, None, 0.5, 5, 15, 3, 5, 1.2, 0
    )


def check_against_peers(image, next_image, truth, use, share):
    floats = [np.float32(x) / 255 for x in (image, next_image)]
    error = lambda flow: length(np.asarray(flow) - truth)[use].mean()
    ours = error(fit.flow(*floats).flow)
    dis, farneback = map(error, peers(image, next_image))
    assert ours <= share * dis and ours < farneback, (ours, dis, farneback)


def test_rubber_whale_has_half_the_error_of_dis(real):
    images = [data.read_image(real(f"middlebury/frame{i}.png")) for i in (10, 11)]
    truth, valid = data.read_flow(real("middlebury/RubberWhale_flow10.flo"))
    check_against_peers(*images, truth, valid, 0.55)


def test_an_affine_motion_of_many_pixels_is_no_worse_than_dis():
    maps, *_ = scene("objects")
    height, width = maps["valid"].shape
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    turn = cv2.getRotationMatrix2D(tuple(middle), angle=-2.9, scale=1.1)
    turn[:, 2] += (24, 10)
    following = cv2.warpAffine(maps["rgb0"], turn, (width, height), flags=cv2.INTER_CUBIC)
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(float)
    moved = pixels @ turn[:, :2].T + turn[:, 2]
    use = maps["valid"] & ((moved >= 0) & (moved <= 2 * middle)).all(-1)
    assert np.median(length(moved - pixels)[use]) > 20
    check_against_peers(maps["rgb0"], following, moved - pixels, use, 1.0)


def test_motions_of_many_pixels_are_no_worse_than_dis(real):
    images = [data.read_image(real(f"kitti2015/000000_{i}.png")) for i in (10, 11)]
    truth, valid = data.read_flow(real("kitti2015/000000_10_flow_occ.png"))
    check_against_peers(*images, truth, valid, 1.0)


@pytest.mark.parametrize("name, share", [("head", 0.65), ("objects", 0.7)])
def test_rendered_scenes_are_better_than_dis(name, share):
    maps, (truth, _, _), *_ = scene(name)
    use = maps["valid"] & ~maps["occlusion_fw"]
    check_against_peers(maps["rgb0"], maps["rgb1"], truth, use, share)


def test_with_depth_the_motion_in_space_has_half_the_error_of_dis():
    maps, (_, inv_depth, _), camera, next_camera = scene("objects")
    use = maps["valid"] & ~maps["occlusion_fw"]
    images = maps["rgb0"], maps["rgb1"]
    seen = maps["valid1"]
    following = np.where(seen, 1 / np.where(seen, maps["depth1"], 1), 0).astype(np.float32)
    floats = [np.float32(x) / 255 for x in images]
    fitted = fit.scene_flow(*floats, inv_depth, following, camera, next_camera)
    dis = peers(*images)[0]
    there = sf3d.backward_warp(following[..., None], dis, border="clamp").values[..., 0]
    usual = sf3d.scene_flow(dis, inv_depth, there - inv_depth, camera, next_camera)
    error = lambda x: length(np.asarray(x.vectors) - maps["scene_flow"])[use].mean()
    assert error(fitted.scene_flow) <= 0.5 * error(usual)
    assert np.all(np.array(fitted.scene_flow.valid)[use])
