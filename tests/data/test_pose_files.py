"""Poses as plain numbers."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sf3d_jax import data

TURNS = Rotation.from_euler("xyz", [[9, -3, 5], [80, 2, -7], [1, 1, 1], [4, 0, 9]], degrees=True)
POSES = np.concatenate([TURNS.as_matrix(), np.arange(12.0).reshape(4, 3, 1)], axis=2)
SQUARE = np.concatenate([POSES, np.broadcast_to([0.0, 0, 0, 1], (4, 1, 4))], axis=1)


@pytest.mark.parametrize("array", [POSES, SQUARE, POSES[0], SQUARE[1], POSES.astype(">f4")])
def test_arrays_and_every_form_of_text_are_read(tmp_path, array):
    np.save(tmp_path / "a.npy", array)
    rows = array.reshape(-1, array.shape[-2] * 4)
    np.savetxt(tmp_path / "rows.txt", rows, header="R | t")
    np.savetxt(tmp_path / "matrix.csv", array.reshape(-1, 4), delimiter=",")
    expected = array.reshape(-1, *array.shape[-2:])[:, :3]
    for name in ("a.npy", "rows.txt", "matrix.csv"):
        poses = data.read_poses(tmp_path / name)
        assert poses.dtype == np.float64
        np.testing.assert_array_equal(poses, expected)


@pytest.mark.parametrize(
    "text, found",
    [
        ("", "rows of 4, 12 or 16 numbers, found none"),
        ("1 0 0\n", "found 3 words in the first row"),
        ("1 0 0 0\n0 1 0 0\n", "three or four rows of 4 numbers for a pose, found 2 rows"),
        ("1 0 0 0\n0 1 0 x\n0 0 1 0\n", "4 numbers in row 2"),
        ("2 0 0 0\n0 2 0 0\n0 0 2 0\n", "rotation .* in pose 1"),
        ("1 0 0 0 0 1 0 0 0 0 1 0 0 0 1 1\n", "0 0 0 1 as the last row of each pose"),
    ],
)
def test_what_are_no_poses_is_named(tmp_path, text, found):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(data.FormatError, match=rf"a\.txt: expected .*{found}"):
        data.read_poses(tmp_path / "a.txt")
    np.save(tmp_path / "a.npy", np.ones((3, 3)))
    with pytest.raises(data.FormatError, match=r"a\.npy: expected poses .* found \[3, 3\]"):
        data.read_poses(tmp_path / "a.npy")
