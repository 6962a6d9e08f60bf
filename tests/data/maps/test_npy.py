"""Plain .npy maps."""

import jax.numpy as jnp
import numpy as np
import pytest

from sf3d_jax import data


def saved(path, array, **options):
    np.save(path, array, **options)
    return path


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int16, np.uint8, ">f4"])
def test_any_real_dtype_becomes_float32(tmp_path, dtype):
    flow = np.arange(12).reshape(2, 3, 2)
    read = data.read_flow(saved(tmp_path / "a.npy", flow.astype(dtype)))
    assert read.flow.dtype == np.float32 and read.valid.all()
    np.testing.assert_array_equal(read.flow, flow)


def test_only_what_is_not_finite_is_invalid(tmp_path):
    values = np.array([[-1, 0, np.nan], [np.inf, 1e300, 2]])
    read = data.read_map(saved(tmp_path / "a.npy", values))
    np.testing.assert_array_equal(read.valid, [[True, True, False], [False, False, True]])
    np.testing.assert_array_equal(read.values, [[-1, 0, 0], [0, 0, 2]])


def test_a_disparity_of_zero_is_no_surface_and_its_sign_is_dropped(tmp_path):
    read = data.read_disparity(saved(tmp_path / "a.npy", np.array([[-1.5, 0, 2]])))
    np.testing.assert_array_equal(read.values, [[1.5, 0, 2]])
    np.testing.assert_array_equal(read.valid, [[True, False, True]])


def test_a_last_axis_of_one_is_a_scalar_map(tmp_path):
    values = np.arange(6.0).reshape(2, 3, 1)
    read = data.read_map(saved(tmp_path / "a.npy", values))
    np.testing.assert_array_equal(read.values, values[..., 0])


def test_fortran_order_is_read_right(tmp_path):
    values = np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(data.read_map(saved(tmp_path / "a.npy", values)).values, values)


def test_invalid_is_written_as_nan_in_flow_and_maps_and_as_zero_in_disparity(tmp_path):
    valid = np.array([[True, False]])
    data.write_flow(tmp_path / "flow.npy", np.ones((1, 2, 2)), valid)
    data.write_map(tmp_path / "map.npy", np.array([[-1, 1]]), valid)
    data.write_disparity(tmp_path / "disparity.npy", np.ones((1, 2)), valid)
    load = lambda name: np.load(tmp_path / f"{name}.npy")
    np.testing.assert_array_equal(load("flow"), [[[1, 1], [np.nan, np.nan]]])
    np.testing.assert_array_equal(load("map"), [[-1, np.nan]])
    np.testing.assert_array_equal(load("disparity"), [[1, 0]])
    assert load("flow").dtype == np.float32


def test_jax_arrays_are_written_bfloat16_too(tmp_path):
    data.write_map(tmp_path / "a.npy", jnp.array([[1.5, -2]], jnp.bfloat16))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), [[1.5, -2]])


@pytest.mark.parametrize("shape", [(2, 3), (2, 2, 3), (2, 3, 3), (1, 2, 3, 2), (0, 3, 2)])
def test_a_wrong_shape_of_flow_is_told(tmp_path, shape):
    with pytest.raises(data.FormatError) as error:
        data.read_flow(saved(tmp_path / "a.npy", np.zeros(shape)))
    assert f"expected an array of the shape [H, W, 2], found {list(shape)}" in str(error.value)


@pytest.mark.parametrize("shape", [(3,), (2, 3, 2), (1, 2, 3, 1), (0, 3)])
def test_a_wrong_shape_of_a_scalar_map_is_told(tmp_path, shape):
    with pytest.raises(data.FormatError) as error:
        data.read_map(saved(tmp_path / "a.npy", np.zeros(shape)))
    assert f"[H, W] or [H, W, 1], found {list(shape)}" in str(error.value)


def test_a_broken_file_is_named(tmp_path):
    path = saved(tmp_path / "broken.npy", np.zeros((2, 3)))
    whole = path.read_bytes()
    negative = whole.replace(b"(2, 3), ", b"(2, -3),")
    huge = whole.replace(b"(2, 3), }" + 14 * b" ", b"(99999999, 99999999), }")  # no memory
    assert len(whole) == len(negative) == len(huge) and len({whole, negative, huge}) == 3
    for content in (b"", b"no", whole[:6], whole[:40], whole[:-1], whole + b"x", negative, huge):
        path.write_bytes(content)
        with pytest.raises(data.FormatError, match=r"broken\.npy: expected"):
            data.read_map(path)


def test_headers_of_other_writers_are_read(tmp_path):
    numbers = np.arange(6, dtype="<f4").tobytes()
    path = tmp_path / "a.npy"
    for version, header in (
        (1, b"{'shape': (2L, 3L), 'fortran_order': False, 'descr': '<f4'}"),
        (1, b'{"descr":"<f4","fortran_order":False,"shape":(2,3)}\n'),
        (2, b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n"),
        (3, b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n"),
    ):
        length = len(header).to_bytes(2 if version == 1 else 4, "little")
        path.write_bytes(b"\x93NUMPY" + bytes([version, 0]) + length + header + numbers)
        np.testing.assert_array_equal(data.read_map(path).values, [[0, 1, 2], [3, 4, 5]])


def test_objects_and_complex_numbers_are_refused(tmp_path):
    objects = saved(tmp_path / "a.npy", np.array([[{}]], object), allow_pickle=True)
    with pytest.raises(data.FormatError, match=r"real numbers, found the dtype |O"):
        data.read_map(objects)
    with pytest.raises(data.FormatError, match="found the dtype complex128"):
        data.read_map(saved(tmp_path / "b.npy", np.zeros((2, 3), complex)))


def test_depth_with_a_short_header_and_a_far_sky_is_read_as_it_stands(tmp_path):
    depth = np.random.default_rng(0).uniform(0.6, 90, (12, 16)).astype("<f4")
    depth[:3] = 16288
    # NumPy once filled the header up to 16 bytes and not to 64.
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (12, 16), }".ljust(69) + b"\n"
    content = b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header + depth.tobytes()
    (tmp_path / "a.npy").write_bytes(content)
    values, valid = data.read_map(tmp_path / "a.npy")
    np.testing.assert_array_equal(values, depth)
    assert valid.all()


def test_tartanair_depth_is_read_as_it_stands(real):
    path = real("tartanair/000010_889036_depth.npy")
    values, valid = data.read_map(path)
    assert values.shape == (384, 512) and valid.all()
    np.testing.assert_array_equal(values, np.load(path))


def test_bfloat16_that_numpy_saved_is_refused_with_what_to_do(tmp_path):
    path = saved(tmp_path / "a.npy", np.array(jnp.ones((2, 3), jnp.bfloat16)))
    says = r"real numbers; save bfloat16 as float32, found the dtype [<|]V2"
    with pytest.raises(data.FormatError, match=says):
        data.read_map(path)
