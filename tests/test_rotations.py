"""What a matrix looks like that is no rotation, against SciPy's rotations."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sf3d_jax._rotations import find_pose_fault
from sf3d_jax.data.cameras import poses

RANDOM = np.concatenate(
    [Rotation.random(50, random_state=0).as_matrix(), np.ones((50, 3, 1))], axis=2
)


def test_rotations_have_no_fault():
    assert find_pose_fault(RANDOM) is None and poses.is_rigid(RANDOM)
    assert find_pose_fault(RANDOM[3]) is None and find_pose_fault(np.eye(4)) is None


@pytest.mark.parametrize(
    "matrix, said",
    [
        (3, "what looks like 3 times a rotation at [0]"),
        (-0.5, "what looks like a mirrored rotation, of determinant -1 at [0]"),
        (0, "zeros at [0]"),
        (np.nan, "NaN or infinite values"),
        (1e9, "what looks like 1e+09 times a rotation at [0]"),
        (1e-200, "what looks like 1e-200 times a rotation"),
        (1e300, "what looks like 1e+300 times a rotation"),
    ],
)
def test_a_fault_is_described(matrix, said):
    fault = find_pose_fault(matrix * RANDOM)
    assert fault.startswith(said) and not poses.is_rigid(matrix * RANDOM)


@pytest.mark.parametrize("size, fits", [(0.9e-3, True), (1.1e-3, False)])
def test_the_tolerance_is_that_of_the_product(size, fits):
    """One row longer, so that one entry of R R^T is off by a given size."""
    longer = RANDOM[0] * np.array([[np.sqrt(1 + size)], [1], [1]])
    gap = longer[:, :3] @ longer[:, :3].T - np.eye(3)
    assert np.isclose(np.abs(gap).max(), size)
    assert (find_pose_fault(longer) is None) == fits
    assert find_pose_fault(longer, 2e-3) is None


@pytest.mark.parametrize("scale, fits", [(1.0004, True), (0.9996, True), (1.0006, False)])
def test_a_scale_is_measured_by_the_product_alone(scale, fits):
    """Of a scaled rotation R R^T is off by s^2 - 1, det R by more: s^3 - 1."""
    scaled = scale * RANDOM
    gap = np.abs(scaled[:, :3, :3] @ scaled[:, :3, :3].swapaxes(-1, -2) - np.eye(3)).max()
    assert (gap <= 1e-3) == fits
    fault = find_pose_fault(scaled)
    assert fault is None if fits else f"what looks like {scale} times a rotation" in fault


def test_a_mirrored_rotation_is_none_by_any_tolerance():
    assert "mirrored" in find_pose_fault(np.diag([1.0, 1, -1]) @ np.eye(3, 4), 1e-2)


def test_a_skewed_matrix_is_shown():
    skewed = np.eye(3, 4)
    skewed[0, 1] = 0.5
    fault = "[1 0.5 0; 0 1 0; 0 0 1], whose rows are not perpendicular and of length 1"
    assert find_pose_fault(skewed) == fault
