"""Scene flow in an .npz, there and back, and files that are not such a result."""

import dataclasses
import zipfile

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.support import unchecked

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


NEXT = sf3d.Camera.pinhole(42.0, 43.0, 2.0, 1.0, SIZE, np.eye(3, 4, k=0) + 0.5 * np.eye(3, 4, k=3))


def test_the_camera_of_the_next_image_comes_back(tmp_path):
    path = tmp_path / "flow.npz"
    data.write_scene_flow_npz(path, maps(), CAMERA, next_camera=NEXT)
    camera = data.read_scene_flow_npz(path).next_camera
    for name in ("focal", "principal_point", "world_to_camera"):
        np.testing.assert_array_equal(getattr(camera, name), getattr(NEXT, name))
    with np.load(path) as file:
        arrays = dict(file)
    np.savez(path, **{k: x for k, x in arrays.items() if k != "next_camera_focal"})
    with pytest.raises(data.FormatError, match=r"flow\.npz: .* no array 'next_camera_focal'"):
        data.read_scene_flow_npz(path)
    np.savez(path, **arrays | {"next_camera_size": np.array([4, 5])})
    with pytest.raises(data.FormatError, match=r"flow\.npz: .* in next_camera_size"):
        data.read_scene_flow_npz(path)


def save(path, **changes):
    """Writes a whole result with other arrays; those that are None are left out."""
    data.write_scene_flow_npz(path, maps(), CAMERA, baseline=0.5)
    with np.load(path) as file:
        arrays = dict(file) | changes
    np.savez(path, **{name: x for name, x in arrays.items() if x is not None})


def test_a_file_that_is_another_one_is_named(tmp_path):
    path = tmp_path / "flow.npz"
    path.write_bytes(b"PK no archive")
    with pytest.raises(data.FormatError, match=r"flow\.npz.*a damaged archive"):
        data.read_scene_flow_npz(path)
    np.savez(path, vectors=np.ones(3))
    with pytest.raises(data.FormatError, match=r"flow\.npz.*no array"):
        data.read_scene_flow_npz(path)
    save(path, points=np.ones((2, 2, 3)))
    with pytest.raises(data.FormatError, match=r"flow\.npz: expected maps of the size"):
        data.read_scene_flow_npz(path)


def test_a_camera_with_a_lens_is_refused(tmp_path):
    matrix = np.array([[40.0, 0, 2.5], [0, 41, 1.5], [0, 0, 1]])
    lens = sf3d.Camera.from_matrix(matrix, SIZE, distortion=np.ones(4), model="opencv")
    with pytest.raises(ValueError, match="opencv"):
        data.write_scene_flow_npz(tmp_path / "flow.npz", maps(), lens)
    assert not list(tmp_path.iterdir())


NAN = float("nan")


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"vectors": np.ones((2, 2, 3))}, ValueError, r"maps\['vectors'\]: expected the shape"),
        ({"points": np.ones(SIZE)}, ValueError, r"maps\['points'\]: .*\[4, 6, 3\], got \[4, 6\]"),
        ({"points": [[1.0], [1.0, 2.0]]}, ValueError, r"maps\['points'\]: expected an array"),
        ({"valid": np.ones((*SIZE, 1), bool)}, ValueError, r"maps\['valid'\]: expected the shape"),
        ({"valid": np.ones(SIZE)}, TypeError, r"maps\['valid'\]: .* of bool, got float64"),
        ({"valid": np.full(SIZE, "yes")}, TypeError, r"maps\['valid'\]: .* of bool, got <U3"),
        ({"vectors": np.ones((*SIZE, 3), int)}, TypeError, r"maps\['vectors'\]: .* floating"),
        ({"more": np.array([{}])}, TypeError, r"maps\['more'\]: .* numbers, bool or text"),
        ({"more": jnp.ones(SIZE, jnp.bfloat16)}, TypeError, r"maps\['more'\]: .* bfloat16"),
        ({"camera_focal": np.ones(2)}, ValueError, "names that do not begin with 'camera_', got"),
        ({"next_camera_size": np.ones(2)}, ValueError, "do not begin with 'next_camera_', got"),
        ({3: np.ones(2)}, TypeError, "maps: expected names that are text, got 3"),
    ],
)
def test_maps_that_would_not_be_read_are_not_written(tmp_path, changes, error, message):
    with pytest.raises(error, match=message):
        data.write_scene_flow_npz(tmp_path / "flow.npz", maps() | changes, CAMERA)
    assert not list(tmp_path.iterdir())


def test_missing_maps_are_named(tmp_path):
    lacking = maps()
    del lacking["points"]
    with pytest.raises(ValueError, match="maps: expected vectors, points, valid; missing points"):
        data.write_scene_flow_npz(tmp_path / "a.npz", lacking, CAMERA)
    with pytest.raises(TypeError, match="maps: expected arrays by name, got list"):
        data.write_scene_flow_npz(tmp_path / "a.npz", [1], CAMERA)


@pytest.mark.parametrize(
    "camera, error, message",
    [
        (None, TypeError, "camera: expected a Camera, got NoneType"),
        (sf3d.Camera.pinhole(np.ones(2), 1.0, 0.0, 0.0, SIZE), ValueError, "camera: .* a batch"),
        (unchecked(CAMERA, focal=np.array([NAN, 1])), ValueError, "camera: expected positive"),
        (unchecked(CAMERA, size=(4.0, 6)), ValueError, r"camera\.size: expected two"),
        (dataclasses.replace(CAMERA, size=(1, 200_000)), ValueError, r"camera\.size: .* up to"),
        (unchecked(CAMERA, model="junk"), ValueError, r"camera\.model: expected"),
        (unchecked(CAMERA, focal=np.ones(3)), ValueError, r"camera\.focal: expected"),
        (
            unchecked(CAMERA, world_to_camera=np.ones((3, 4))),
            ValueError,
            r"camera\.world_to_camera: expected rotations",
        ),
    ],
)
def test_what_is_no_camera_is_not_written(tmp_path, camera, error, message):
    with pytest.raises(error, match=message):
        data.write_scene_flow_npz(tmp_path / "flow.npz", maps(), camera)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("baseline", [NAN, -0.5, 0, np.inf, True, "0.5", [0.5]])
def test_a_baseline_that_is_no_distance_is_not_written(tmp_path, baseline):
    error = ValueError if type(baseline) in (float, int) else TypeError
    with pytest.raises(error, match="baseline: expected a"):
        data.write_scene_flow_npz(tmp_path / "flow.npz", maps(), CAMERA, baseline=baseline)
    assert not list(tmp_path.iterdir())


def test_maps_may_have_any_other_name(tmp_path):
    path, names = tmp_path / "flow.npz", ("file", "allow_pickle", "args", "self")
    data.write_scene_flow_npz(path, maps() | {name: np.ones(SIZE) for name in names}, CAMERA)
    with np.load(path) as file:
        assert all(file[name].shape == SIZE for name in names)
    assert data.read_scene_flow_npz(path).camera.size == SIZE


def test_a_camera_of_bfloat16_comes_back(tmp_path):
    numbers = jnp.array([40.0, 41.0], jnp.bfloat16)
    path, camera = tmp_path / "flow.npz", dataclasses.replace(CAMERA, focal=numbers)
    data.write_scene_flow_npz(path, maps(), camera)
    assert data.read_scene_flow_npz(path).camera.focal.tolist() == [40, 41]


@pytest.mark.parametrize(
    "name, value, found",
    [
        ("camera_focal", np.ones(3), r"shape \[2\] of camera_focal, found \[3\]"),
        ("camera_focal", np.array([NAN, 1]), "in camera_focal, found nan"),
        ("camera_focal", np.array([1.0, -1]), r"positive focal lengths in camera_focal"),
        ("camera_focal", np.array(["1", "2"]), "floating-point numbers in camera_focal"),
        ("camera_principal_point", np.ones(()), "of camera_principal_point, found"),
        ("camera_principal_point", np.full(2, 1e12), "in camera_principal_point, found 1e"),
        ("camera_world_to_camera", np.eye(4), r"shape \[3, 4\] of camera_world_to_camera"),
        ("camera_world_to_camera", 2 * np.eye(3, 4), "rotation .* in camera_world_to_camera"),
        ("camera_model", np.array("junk"), "'pinhole' in camera_model, found 'junk'"),
        ("camera_model", np.array("fisheye"), "'pinhole' in camera_model, found 'fisheye'"),
        ("camera_model", np.array(3), "'pinhole' in camera_model, found 3"),
        ("camera_size", np.array([4.7, 6.2]), "integers in camera_size, found the dtype float64"),
        ("camera_size", np.array([4, 6, 3]), "of camera_size, found"),
        ("camera_size", np.array([0, 6]), "a width and a height of 1 to"),
        ("camera_baseline", np.array(NAN), "in camera_baseline, found nan"),
        ("camera_baseline", np.array(-1), "in camera_baseline, found -1"),
        ("camera_baseline", np.ones(2), "of camera_baseline, found"),
        ("camera_baseline", np.array("wide"), "a number in camera_baseline, found"),
        ("vectors", np.full((*SIZE, 3), "a"), "floating-point numbers in vectors, found"),
        ("points", np.ones((*SIZE, 3), int), "floating-point numbers in points, found"),
        ("valid", np.ones(SIZE), "bool in valid, found the dtype float64"),
        ("valid", np.ones((6, 4), bool), r"valid \[4, 6\], found \[6, 4\]"),
        ("valid", None, "no array 'valid'"),
        ("camera_model", None, "no array 'camera_model'"),
        ("points", np.array([{}]), "a damaged archive, or another file"),
    ],
)
def test_an_array_that_cannot_be_is_named_with_the_file(tmp_path, name, value, found):
    path = tmp_path / "flow.npz"
    save(path, **{name: value})
    with pytest.raises(data.FormatError, match=rf"flow\.npz: expected .*{found}"):
        data.read_scene_flow_npz(path)


def save_header(path, shape):
    """Writes an archive of one array that is nothing but a header."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".encode()
    with zipfile.ZipFile(path, "w") as archive:
        length = len(header).to_bytes(2, "little")
        archive.writestr("vectors.npy", b"\x93NUMPY\x01\0" + length + header)


@pytest.mark.parametrize("shape", ["(", "(-1,)", "(9999999999999999999999,)", "(2, 2)", "{[]: 1}"])
def test_a_header_that_is_none_is_a_broken_file(tmp_path, shape):
    path = tmp_path / "flow.npz"
    save_header(path, shape)
    with pytest.raises(data.FormatError, match=r"flow\.npz: .* a damaged archive"):
        data.read_scene_flow_npz(path)


def test_an_array_larger_than_the_memory_is_named(tmp_path):
    path = tmp_path / "flow.npz"
    save_header(path, "(999999999999999,)")
    with pytest.raises(data.FormatError, match=r"flow\.npz: .* larger than the memory"):
        data.read_scene_flow_npz(path)


def test_a_missing_file_stays_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"flow\.npz"):
        data.read_scene_flow_npz(tmp_path / "flow.npz")
