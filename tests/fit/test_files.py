"""A fit of a pair in files as others write them: PNGs with filters, a flow unknown in places."""

import struct

import cv2
import numpy as np
import pytest
from helpers.files import written
from helpers.png import write_png
from helpers.support import length

from sf3d_jax import data, fit
from sf3d_jax.data.closed_form import deforming_scene, next_image

UNKNOWN = 1.6666668e9  # in Middlebury's files


def write_pair(folder, size=(96, 128)):
    """Writes frame10.png, frame11.png and flow10.flo, whose flow is unknown in a tenth."""
    scene = deforming_scene(size)
    for number, image in ((10, scene.image), (11, next_image(scene))):
        write_png(folder / f"frame{number}.png", image, filters=(1, 3, 4))
    flow = scene.flow.astype("<f4")
    flow[np.random.default_rng(0).random(size) < 0.1] = UNKNOWN
    content = struct.pack("<4sii", b"PIEH", *size[::-1]) + flow.tobytes()
    written(folder / "flow10.flo", content)


# Its size has a program of its own.
@pytest.mark.thorough
def test_a_pair_in_files_has_half_the_error_of_dis(tmp_path):
    write_pair(tmp_path)
    images = [data.read_image(tmp_path / f"frame{number}.png") for number in (10, 11)]
    truth, valid = data.read_flow(tmp_path / "flow10.flo")
    assert 0.85 < valid.mean() < 0.95
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    usual = dis.calc(*(cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in images), None)
    fitted = fit.flow(*(np.float32(x) / 255 for x in images)).flow
    error = lambda flow: length(flow - truth)[valid].mean()
    assert error(np.asarray(fitted)) < 0.5 * error(usual)
