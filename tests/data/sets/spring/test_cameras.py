"""Spring's cameras, as NumPy writes and reads their tables."""

import numpy as np
import pytest
from helpers import support

from sf3d_jax import data
from sf3d_jax.data.sets.spring import cameras as spring_cameras

POSES = np.stack([np.eye(3, 4), support.NEAR, support.pose([1, 2, -0.5], [10, -20, 1 / 3])])
WHOLE = np.concatenate([POSES, np.broadcast_to([[[0.0, 0, 0, 1]]], (3, 1, 4))], axis=1)
INTRINSICS = np.array([[2000.5, 2000.5, 960, 540], [1 / 3, 2001, 960, 540]])


@pytest.mark.parametrize("shape", [(3, 16), (12, 4)])
def test_a_matrix_stands_in_one_row_or_in_four(tmp_path, shape):
    np.savetxt(tmp_path / "extrinsics.txt", WHOLE.reshape(shape), "%.17g")
    read = spring_cameras.read_spring_extrinsics(tmp_path / "extrinsics.txt")
    np.testing.assert_array_equal(read, POSES)
    assert read.dtype == np.float64


def test_a_matrix_may_lack_its_last_row(tmp_path):
    np.savetxt(tmp_path / "extrinsics.txt", POSES.reshape(3, 12), "%.17g")
    read = spring_cameras.read_spring_extrinsics(tmp_path / "extrinsics.txt")
    np.testing.assert_array_equal(read, POSES)


def test_what_is_written_numpy_reads(tmp_path):
    spring_cameras.write_spring_extrinsics(tmp_path / "extrinsics.txt", POSES)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "extrinsics.txt"), WHOLE.reshape(3, 16))
    spring_cameras.write_spring_extrinsics(tmp_path / "b.txt", WHOLE)
    again = spring_cameras.read_spring_extrinsics(tmp_path / "b.txt")
    np.testing.assert_array_equal(again, POSES)

    spring_cameras.write_spring_intrinsics(tmp_path / "intrinsics.txt", INTRINSICS)
    np.testing.assert_array_equal(np.loadtxt(tmp_path / "intrinsics.txt"), INTRINSICS)
    again = spring_cameras.read_spring_intrinsics(tmp_path / "intrinsics.txt")
    np.testing.assert_array_equal(again, INTRINSICS)


@pytest.mark.parametrize(
    "text, says",
    [
        ("", "rows of 16 or 12 or 4 numbers, found none"),
        ("1 2 3\n", "rows of 16 or 12 or 4 numbers, found 3 words in the first row"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n", "four rows of four numbers per frame, found 3 rows"),
        ("1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0\n", "4 numbers in row 4"),
        ("1 0 0 5 0 1 0 6 0 0 1 7\n1 0 0 5 0 1 0 6 0 0 2 7\n", "in frame 2"),
        ("1 0 0 5 0 1 0 6 0 0 1 7 0 0 1 1\n", "a rotation and a translation in frame 1"),
    ],
)
def test_what_is_no_pose_is_refused_by_name(tmp_path, text, says):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(data.FormatError, match=says) as error:
        spring_cameras.read_spring_extrinsics(tmp_path / "a.txt")
    assert str(error.value).startswith(str(tmp_path / "a.txt"))


@pytest.mark.parametrize(
    "text, says",
    [
        ("1 2 3\n", "rows of 4 numbers"),
        ("1 2 3 4\n1 2 3 x\n", "4 numbers in row 2, found '1 2 3 x'"),
        ("1 2 3 " + 500_000 * "4", "4 numbers in row 1, found '1 2 3 444"),
        ("1 2 3 4\n1 0 3 4\n", "positive focal lengths in row 2"),
        ("1 2 3 4\n1 1 3 1e20\n", "in row 2"),
    ],
)
def test_what_are_no_intrinsics_is_refused_by_name(tmp_path, text, says):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(data.FormatError, match=says) as error:
        spring_cameras.read_spring_intrinsics(tmp_path / "a.txt")
    assert str(error.value).startswith(str(tmp_path / "a.txt"))


def test_what_is_no_camera_is_not_written(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(ValueError, match="world_to_camera: expected rotations"):
        spring_cameras.write_spring_extrinsics(path, 2 * POSES)
    with pytest.raises(ValueError, match=r"intrinsics: expected the shape \[N, 4\]"):
        spring_cameras.write_spring_intrinsics(path, INTRINSICS[0])
    with pytest.raises(ValueError, match="intrinsics: expected positive focal lengths"):
        spring_cameras.write_spring_intrinsics(path, -INTRINSICS)
    assert not list(tmp_path.iterdir())
