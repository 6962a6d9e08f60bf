"""Spring's match maps."""

import cv2
import numpy as np
import pytest

from sf3d_jax.data import FormatError
from sf3d_jax.data.sets.spring.files import read_match_map


def test_red_and_green_have_no_match(tmp_path):
    red_green_blue = np.zeros((2, 2, 3), np.uint8)
    red_green_blue[0, 0, 0] = red_green_blue[0, 1, 1] = red_green_blue[1, 0, 2] = 255
    path = tmp_path / "match.png"
    assert cv2.imwrite(str(path), red_green_blue[..., ::-1])
    assert read_match_map(path).tolist() == [[True, True], [False, False]]


def test_a_grey_picture_is_white_without_a_match(tmp_path):
    path = tmp_path / "match.png"
    assert cv2.imwrite(str(path), np.uint8([[0, 255]]))
    assert read_match_map(path).tolist() == [[False, True]]


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "match.png"
    path.write_bytes(b"no picture")
    with pytest.raises(FormatError, match=r"match\.png"):
        read_match_map(path)
