"""Maps in NumPy's archives."""

import zipfile

import numpy as np
import pytest

from sf3d_jax import data

FLOW = np.arange(12.0).reshape(2, 3, 2)
DEPTH = 1 + np.arange(6.0).reshape(2, 3)


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize(
    "arrays",
    [
        {"anything": FLOW},
        {"flow": FLOW, "backward": -FLOW},
        {"estimate": FLOW.astype(np.float16), "depth": DEPTH, "K": np.eye(3), "name": "x"},
    ],
    ids=["one", "named", "of one frame"],
)
def test_the_array_that_is_meant_is_read(tmp_path, arrays):
    read = data.read_flow(saved(tmp_path / "a.npz", **arrays))
    assert read.flow.dtype == np.float32 and read.valid.all()
    np.testing.assert_array_equal(read.flow, FLOW)


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_a_mask_in_the_file_counts(tmp_path, dtype):
    valid = np.array([[1, 0, 1], [1, 1, 0]], dtype)
    path = saved(tmp_path / "a.npz", flow=FLOW, depth=DEPTH[..., None], valid=valid)
    for read, whole in ((data.read_flow(path), FLOW), (data.read_map(path), DEPTH)):
        np.testing.assert_array_equal(read.valid, valid.astype(bool))
        np.testing.assert_array_equal(read[0][read.valid], whole[read.valid])
        assert not read[0][~read.valid].any()


def test_a_disparity_has_its_name(tmp_path):
    read = data.read_disparity(saved(tmp_path / "a.npz", disparity=-DEPTH, depth=9 * DEPTH))
    np.testing.assert_array_equal(read.values, DEPTH)


def test_what_is_written_numpy_reads(tmp_path):
    valid = np.array([[True, False, True], [True, True, True]])
    data.write_flow(tmp_path / "flow.npz", FLOW, valid)
    data.write_map(tmp_path / "map.npz", DEPTH, valid)
    data.write_disparity(tmp_path / "disparity.npz", DEPTH)
    flow, values, disparity = (
        np.load(tmp_path / f"{file}.npz")[key]
        for file, key in (("flow", "flow"), ("map", "values"), ("disparity", "disparity"))
    )
    np.testing.assert_array_equal(flow, np.where(valid[..., None], FLOW, np.nan))
    np.testing.assert_array_equal(values, np.where(valid, DEPTH, np.nan))
    np.testing.assert_array_equal(disparity, DEPTH)


@pytest.mark.parametrize(
    "arrays, found",
    [
        ({"a": FLOW, "b": FLOW}, r"named flow, found a \[2, 3, 2\], b \[2, 3, 2\]"),
        ({"flow": np.moveaxis(FLOW, -1, 0)}, r"found flow \[2, 2, 3\]"),
        ({"flow": FLOW[:0]}, r"found flow \[0, 3, 2\]"),
        ({"flow": FLOW, "valid": 255 * np.ones((2, 3))}, "0 and 1 in valid"),
        ({"flow": np.full((2, 3, 2), "a")}, "real numbers"),
        ({"flow": np.full((2, 3, 2), None)}, "real numbers|in the header"),
        ({}, "found no array"),
    ],
)
def test_what_does_not_say_its_flow_lists_its_arrays(tmp_path, arrays, found):
    with pytest.raises(data.FormatError, match=rf"a\.npz: expected .*({found})"):
        data.read_flow(saved(tmp_path / "a.npz", **arrays))


def test_a_broken_archive_is_named(tmp_path):
    path = saved(tmp_path / "a.npz", depth=DEPTH, other=DEPTH)
    with pytest.raises(data.FormatError, match=r"one array .* found depth \[2, 3\], other"):
        data.read_map(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(data.FormatError, match="a damaged archive, or another file"):
        data.read_map(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("flow.npy", b"\x93NUMPY\x01\0")
    with pytest.raises(data.FormatError, match=r"a\.npz"):
        data.read_flow(path)
    with pytest.raises(FileNotFoundError):
        data.read_flow(tmp_path / "none.npz")


@pytest.mark.parametrize("name", ["valid", "mask", "valid_mask"])
@pytest.mark.parametrize("axes", [(2, 3), (2, 3, 1), (1, 2, 3)])
def test_a_mask_counts_by_any_of_its_names_and_shapes(tmp_path, name, axes):
    mask = np.array([[1, 0, 1], [1, 1, 0]])
    path = saved(tmp_path / "a.npz", flow=FLOW, depth=DEPTH, **{name: mask.reshape(axes)})
    np.testing.assert_array_equal(data.read_flow(path).valid, mask == 1)
    np.testing.assert_array_equal(data.read_map(path, name="depth").valid, mask == 1)


@pytest.mark.parametrize("name", ["valid", "mask", "valid_mask"])
def test_a_mask_of_another_size_is_refused(tmp_path, name):
    path = saved(tmp_path / "a.npz", flow=FLOW, **{name: np.zeros((4, 6))})
    with pytest.raises(data.FormatError, match=rf"\[2, 3\] of {name}, found \[4, 6\]"):
        data.read_flow(path)


@pytest.mark.parametrize(
    "wanted, names",
    [
        ("depth", ["disparity", "disp", "inv_depth", "invDepth", "next_depth", "mask"]),
        ("disparity", ["depth", "idepth", "next_disparity", "valid"]),
        ("inv_depth", ["depth", "disparity", "inv_depth_change"]),
        ("flow", ["backward", "flow_bw", "backward_flow", "flow_bwd"]),
    ],
)
def test_an_array_that_is_named_as_another_kind_is_refused(tmp_path, wanted, names):
    for name in names:
        path = saved(tmp_path / "a.npz", **{name: FLOW if wanted == "flow" else DEPTH})
        with pytest.raises(data.FormatError, match=rf"a\.npz: expected one array .*{name} \["):
            if wanted == "flow":
                data.read_flow(path)
            elif wanted == "disparity":
                data.read_disparity(path)
            else:
                data.read_map(path, name=wanted)


@pytest.mark.parametrize(
    "wanted, right",
    [("depth", "depth"), ("depth", "prediction"), ("next_depth", "next_depth"), ("depth", "arr_0")],
)
def test_the_name_tells_one_map_from_others(tmp_path, wanted, right):
    others = {"disparity": 2 * DEPTH, "inv_depth": 1 / DEPTH}
    others |= {"depth": 3 * DEPTH} if wanted == "next_depth" else {"next_depth": 3 * DEPTH}
    path = saved(tmp_path / "a.npz", **others, **{right: DEPTH})
    np.testing.assert_array_equal(data.read_map(path, name=wanted).values, DEPTH)


@pytest.mark.parametrize("shape, says", [((30000, 30000, 2), "pixels"), ((2, 3, 2), "bytes for")])
def test_an_archive_that_unpacks_to_more_than_a_picture_is_refused(tmp_path, shape, says):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(2**20)
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("flow.npy", content)
    with pytest.raises(data.FormatError, match=says):
        data.read_flow(tmp_path / "a.npz")
