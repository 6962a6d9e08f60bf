"""The camera of the flags."""

from pathlib import Path

import numpy as np
import pytest

import sf3d_jax as sf3d
from sf3d_jax.cli import conversion
from sf3d_jax.cli.inputs import CameraFlags
from sf3d_jax.cli.reading import read_camera


def test_the_camera_of_a_calibration_is_that_of_the_resized_images(tmp_path):
    path = tmp_path / "calib_cam_to_cam.txt"
    k = "721.5377 0 609.5593 {} 0 721.5377 172.854 0 0 0 1 0"
    rows = ["S_rect_02: 1242 375", f"P_rect_02: {k.format(45)}", f"P_rect_03: {k.format(-339)}"]
    path.write_text("\n".join(rows) + "\n")
    camera, baseline = read_camera(CameraFlags(calibration=Path(path)), (188, 621))
    np.testing.assert_allclose(camera.focal, [721.5377 / 2, 721.5377 * 188 / 375], rtol=1e-12)
    centre = [610.0593 / 2 - 0.5, 173.354 * 188 / 375 - 0.5]
    np.testing.assert_allclose(camera.principal_point, centre, rtol=1e-12)
    assert camera.size == (188, 621) and baseline == pytest.approx(384 / 721.5377)
    with pytest.raises(ValueError, match=r"500 x 188 pixels.* for P2, found 1242 x 375") as error:
        read_camera(CameraFlags(calibration=Path(path)), (188, 500))
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    "focal, shift, is_fixed", [(30.0, 0.0, True), (31.0, 0.0, True), (30.0, 0.1, False)]
)
def test_only_another_pose_is_a_motion_of_the_camera(focal, shift, is_fixed):
    camera = sf3d.Camera.pinhole(30.0, 30.0, 15.5, 11.5, (24, 32))
    pose = np.c_[np.eye(3), [shift, 0, 0]]
    after = sf3d.Camera.pinhole(focal, focal, 15.5, 11.5, (24, 32), world_to_camera=pose)
    assert conversion._is_fixed(camera, after) == is_fixed
    assert conversion._is_fixed(camera, None)
