"""Which format a file is in, and what the writers accept."""

import jax.numpy as jnp
import numpy as np
import pytest

from sf3d_jax import data

FLOW = np.arange(12.0).reshape(2, 3, 2)


@pytest.mark.parametrize(
    "ending, first",
    [
        ("flo", b"PIEH"),
        ("png", b"\x89PNG"),
        ("pfm", b"PF\n"),
        ("npy", b"\x93NUMPY"),
        ("flo5", b"\x89HDF"),
        ("FLO", b"P"),
    ],
)
def test_the_ending_chooses_the_format_of_flow(tmp_path, ending, first):
    path = tmp_path / f"a.{ending}"
    data.write_flow(path, FLOW)
    assert path.read_bytes().startswith(first)
    np.testing.assert_array_equal(data.read_flow(path).flow, FLOW)


@pytest.mark.parametrize("name", ["flo", "kitti", "pfm", "npy", "spring"])
def test_the_named_format_goes_before_the_ending(tmp_path, name):
    path = tmp_path / "a.dat"
    data.write_flow(path, FLOW, format=name)
    np.testing.assert_array_equal(data.read_flow(path, format=name).flow, FLOW)


@pytest.mark.parametrize("name", ["kitti", "pfm", "npy", "spring"])
def test_scalar_maps_go_there_and_back_in_every_format(tmp_path, name):
    values, valid = np.array([[1.5, 2.25, 9]]), np.array([[True, True, False]])
    path = tmp_path / "a.dat"
    data.write_disparity(path, values, valid, format=name)
    read = data.read_disparity(path, format=name)
    np.testing.assert_array_equal(read.values, [[1.5, 2.25, 0]])
    np.testing.assert_array_equal(read.valid, valid)

    scale = 4 if name == "kitti" else None
    data.write_map(path, values, valid, format=name, scale=scale)
    read = data.read_map(path, format=name, scale=scale)
    np.testing.assert_array_equal(read.values, [[1.5, 2.25, 0]])
    np.testing.assert_array_equal(read.valid, valid)


def test_a_format_without_an_ending_is_not_taken_for_a_name_without_one(tmp_path):
    with pytest.raises(data.FormatError, match="found the ending ''"):
        data.write_flow(tmp_path / "flow", FLOW)


def test_an_unknown_ending_lists_the_endings_and_the_formats(tmp_path):
    with pytest.raises(data.FormatError) as error:
        data.read_flow(tmp_path / "a.exr")
    assert str(error.value) == (
        f"{tmp_path / 'a.exr'}: expected the ending '.flo', '.png', '.pfm', '.npy', '.npz' "
        "or '.flo5', or format= with 'flo', 'kitti', 'pfm', 'npy', 'npz', 'spring', 'vkitti2' or "
        "'tartanair', found the ending '.exr'"
    )


def test_an_unknown_format_is_refused_even_with_a_known_ending(tmp_path):
    with pytest.raises(data.FormatError, match="found format='exr'"):
        data.write_flow(tmp_path / "a.flo", FLOW, format="exr")


def test_a_flo_file_holds_no_disparity(tmp_path):
    data.write_flow(tmp_path / "a.flo", FLOW)
    with pytest.raises(
        data.FormatError, match=r"ending '\.png', '\.pfm', '\.npy', '\.npz' or '\.dsp5', or"
    ):
        data.read_disparity(tmp_path / "a.flo")


@pytest.mark.parametrize(
    "name, scale, says",
    [
        ("a.png", None, "needs a scale; only the codes of a"),
        ("a.npy", 100, "takes no scale; only the codes of a"),
        ("a.png", 0, "positive number, got 0"),
        ("a.png", np.nan, "positive number, got nan"),
    ],
)
def test_a_scale_belongs_to_a_png_and_only_there(tmp_path, name, scale, says):
    with pytest.raises(ValueError, match=f"^scale: .*{says}"):
        data.write_map(tmp_path / name, [[1.0]], scale=scale)
    with pytest.raises(ValueError, match=f"^scale: .*{says}"):
        data.read_map(tmp_path / name, scale=scale)


def test_jax_arrays_are_written(tmp_path):
    flow, valid = jnp.asarray(FLOW, jnp.bfloat16), jnp.ones((2, 3), bool)
    data.write_flow(tmp_path / "a.flo", flow, valid)
    np.testing.assert_array_equal(data.read_flow(tmp_path / "a.flo").flow, FLOW)


@pytest.mark.parametrize(
    "flow, valid, says",
    [
        (FLOW[..., 0], None, r"flow: expected the shape \[H, W, 2\], got \[2, 3\]"),
        (FLOW[None], None, r"flow: .*got \[1, 2, 3, 2\]"),
        (FLOW[:0], None, r"flow: .*got \[0, 3, 2\]"),
        (FLOW + 1j, None, "flow: expected real numbers, got complex128"),
        (FLOW.astype(str), None, "flow: expected real numbers, got <U"),
        (
            FLOW,
            np.ones((3, 2), bool),
            r"valid: expected bool \[2, 3\] like the map, got bool \[3, 2\]",
        ),
        (FLOW, np.ones((2, 3)), "valid: expected bool .* got float64"),
    ],
)
def test_a_wrong_argument_is_named(tmp_path, flow, valid, says):
    with pytest.raises(ValueError, match=says):
        data.write_flow(tmp_path / "a.flo", flow, valid)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "write, name", [(data.write_disparity, "disparity"), (data.write_map, "values")]
)
def test_a_wrong_scalar_map_is_named(tmp_path, write, name):
    with pytest.raises(ValueError, match=rf"{name}: expected the shape \[H, W\], got \[2, 3, 2\]"):
        write(tmp_path / "a.npy", FLOW)
