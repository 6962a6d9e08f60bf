"""Scene flow in an .npz, there and back, and files that are not such a result."""

import numpy as np
import pytest

import sf3d_jax as sf3d
from sf3d_jax import data

SIZE = (4, 6)
CAMERA = sf3d.Camera.pinhole(40.0, 41.0, 2.5, 1.5, SIZE)


def maps():
    rng = np.random.default_rng(0)
    vectors, points = rng.normal(size=(2, *SIZE, 3)).astype(np.float32)
    return {"vectors": vectors, "points": points, "valid": rng.uniform(size=SIZE) > 0.5}


@pytest.mark.parametrize("baseline", [None, 0.54])
def test_maps_and_their_camera_come_back(tmp_path, baseline):
    path, wanted = tmp_path / "flow.npz", maps()
    data.write_scene_flow_npz(path, {**wanted, "extra": np.ones(3)}, CAMERA, baseline=baseline)
    result = data.read_scene_flow_npz(path)
    for name, values in wanted.items():
        np.testing.assert_array_equal(getattr(result, name), values)
    assert result.baseline == baseline
    assert result.camera.size == SIZE and result.camera.model == "pinhole"
    for name in ("focal", "principal_point", "world_to_camera"):
        np.testing.assert_array_equal(getattr(result.camera, name), getattr(CAMERA, name))
    with np.load(path) as file:
        assert file["extra"].tolist() == [1, 1, 1]


def test_a_file_that_is_another_one_is_named(tmp_path):
    path = tmp_path / "flow.npz"
    path.write_bytes(b"PK no archive")
    with pytest.raises(data.FormatError, match=r"flow\.npz.*no whole archive"):
        data.read_scene_flow_npz(path)
    np.savez(path, vectors=np.ones(3))
    with pytest.raises(data.FormatError, match=r"flow\.npz.*no array"):
        data.read_scene_flow_npz(path)
    data.write_scene_flow_npz(path, {**maps(), "points": np.ones((2, 2, 3))}, CAMERA)
    with pytest.raises(data.FormatError, match=r"flow\.npz: expected maps of the shapes"):
        data.read_scene_flow_npz(path)


def test_a_camera_with_a_lens_is_refused(tmp_path):
    matrix = np.array([[40.0, 0, 2.5], [0, 41, 1.5], [0, 0, 1]])
    lens = sf3d.Camera.from_matrix(matrix, SIZE, distortion=np.ones(4), model="opencv")
    with pytest.raises(ValueError, match="opencv"):
        data.write_scene_flow_npz(tmp_path / "flow.npz", maps(), lens)
    assert not list(tmp_path.iterdir())
