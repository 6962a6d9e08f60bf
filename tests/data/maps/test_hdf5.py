"""Spring's HDF5 files, against h5py alone."""

import h5py
import numpy as np
import pytest

from sf3d_jax import data

FLOW = np.float32(np.arange(12).reshape(2, 3, 2) - 4.5)


def saved(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array)
    return path


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_flow_is_read_as_written_by_others(tmp_path, dtype):
    flow = FLOW.astype(dtype)
    flow[1, 2] = np.nan, 3
    read = data.read_flow(saved(tmp_path / "a.flo5", flow=flow))
    assert read.flow.dtype == np.float32 and read.valid.sum() == 5
    np.testing.assert_array_equal(read.flow[read.valid], FLOW[read.valid])


def test_a_disparity_of_zero_is_the_sky_and_a_value_of_a_map(tmp_path):
    path = saved(tmp_path / "a.dsp5", disparity=np.float32([[0, 2, np.nan]]))
    np.testing.assert_array_equal(data.read_map(path).valid, [[True, True, False]])
    np.testing.assert_array_equal(data.read_disparity(path).valid, [[False, True, False]])


def test_what_is_written_others_read(tmp_path):
    data.write_flow(tmp_path / "a.flo5", FLOW)
    data.write_disparity(tmp_path / "a.dsp5", np.abs(FLOW[..., 0]))
    with h5py.File(tmp_path / "a.flo5") as flow, h5py.File(tmp_path / "a.dsp5") as disparity:
        np.testing.assert_array_equal(flow["flow"], FLOW)
        np.testing.assert_array_equal(disparity["disparity"], np.abs(FLOW[..., 0]))
        assert flow["flow"].dtype == disparity["disparity"].dtype == np.float32


@pytest.mark.parametrize(
    "arrays, says",
    [
        ({"disparity": FLOW}, r"expected an array `flow`, found \['disparity'\]"),
        ({"flow": FLOW[..., 0]}, r"shape \[H, W, 2\], found \[2, 3\]"),
        ({"flow": FLOW.astype("S5")}, "real numbers"),
        ({"flow": FLOW.astype(complex)}, "real numbers"),
        ({"flow": FLOW[:0]}, "a width and a height"),
    ],
)
def test_another_content_is_refused_by_name(tmp_path, arrays, says):
    path = saved(tmp_path / "a.flo5", **arrays)
    with pytest.raises(data.FormatError, match=says) as error:
        data.read_flow(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("cut", [0, 3, 600, -100])
def test_a_truncated_file_is_refused_by_name(tmp_path, cut):
    path = tmp_path / "a.flo5"
    data.write_flow(path, np.tile(FLOW, (20, 20, 1)))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(data.FormatError, match="expected a complete HDF5 file"):
        data.read_flow(path)


def test_a_blank_file_is_not_taken_for_a_false_claim(tmp_path):
    flow = np.full((1080, 1920, 2), np.nan)
    for dtype, shuffle in ((np.float32, False), (np.float64, True)):
        options = {"compression": "gzip", "compression_opts": 9, "shuffle": shuffle}
        with h5py.File(tmp_path / "a.flo5", "w") as file:
            file.create_dataset("flow", data=flow.astype(dtype), **options)
        assert not data.read_flow(tmp_path / "a.flo5").valid.any()


def test_an_array_that_is_not_stored_is_refused_by_name(tmp_path):
    with h5py.File(tmp_path / "a.flo5", "w") as file:
        file.create_dataset("flow", shape=(20, 30, 2), dtype="f4")
    with pytest.raises(data.FormatError, match=r"`flow` of a size that fits the file, found 4800"):
        data.read_flow(tmp_path / "a.flo5")


def test_chunks_that_are_not_stored_are_not_made_up(tmp_path):
    path = tmp_path / "a.dsp5"
    with h5py.File(path, "w") as file:
        options = {"chunks": (10, 10), "compression": "gzip", "fillvalue": 7.0}
        made = file.create_dataset("disparity", shape=(25, 30), dtype="f4", **options)
        made[:10, :10] = np.random.default_rng(0).uniform(1, 9, (10, 10))
    with pytest.raises(data.FormatError, match="all 9 chunks of `disparity`, found 1 of them"):
        data.read_disparity(path)
    with h5py.File(path, "r+") as file:
        file["disparity"][:] = 3
    assert data.read_disparity(path).valid.all()


def test_an_array_in_other_files_is_refused(tmp_path):
    path = tmp_path / "a.flo5"
    other = saved(tmp_path / "b.flo5", flow=FLOW)
    FLOW.tofile(tmp_path / "raw")
    layout = h5py.VirtualLayout(shape=FLOW.shape, dtype="f4")
    layout[:] = h5py.VirtualSource(other, "flow", shape=FLOW.shape)
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("flow", layout)
    with pytest.raises(data.FormatError, match="`flow` in the file itself"):
        data.read_flow(path)
    with h5py.File(path, "w") as file:
        parts = [(str(tmp_path / "raw"), 0, FLOW.nbytes)]
        file.create_dataset("flow", shape=FLOW.shape, dtype="f4", external=parts)
    with pytest.raises(data.FormatError, match="`flow` in the file itself"):
        data.read_flow(path)
