"""`sf3d submit` on made-up folders, and all that can be wrong with them."""

import cv2
import h5py
import numpy as np
import pytest
from helpers.command import SIZE, draw, small_benchmarks, spring_file
from helpers.files import made

from sf3d_jax import data

SUBMIT = ("--prediction", "estimate", "--output", "submission")


@pytest.fixture
def three_images(monkeypatch):
    small_benchmarks(monkeypatch)


def kitti_estimates(root):
    for i in range(3):
        data.write_flow(made(root / f"flow/{i:06}_10.flo"), draw(i, 2))
        data.write_disparity(made(root / f"disp_0/{i:06}_10.npy"), draw(i + 5))
        data.write_disparity(made(root / f"disp_1/{i:06}_10.pfm"), draw(i + 9))


def test_a_submission_to_kitti_is_sixteen_bit_png(three_images, tmp_path, sf3d_command):
    kitti_estimates(tmp_path / "estimate")
    code, out, _ = sf3d_command("submit", "kitti", *SUBMIT)
    assert code == 0 and "flow: 3 of 3 files" in out and "scene flow: complete" in out
    written = sorted(
        p.relative_to(tmp_path / "submission") for p in (tmp_path / "submission").rglob("*.*")
    )
    kinds = ("disp_0", "disp_1", "flow")
    assert [str(p) for p in written] == [f"{k}/{i:06}_10.png" for k in kinds for i in range(3)]
    for path in written:
        picture = cv2.imread(str(tmp_path / "submission" / path), cv2.IMREAD_UNCHANGED)
        assert picture.dtype == np.uint16 and picture.shape[:2] == SIZE
    read = data.read_flow(tmp_path / "submission/flow/000001_10.png")
    np.testing.assert_array_equal(read.flow, draw(1, 2))


def test_what_a_submission_lacks_is_listed(three_images, tmp_path, sf3d_command):
    root = tmp_path / "estimate"
    kitti_estimates(root)
    (root / "flow/000001_10.flo").unlink()
    data.write_flow(root / "flow/000002_10.flo", 1000 * draw(0, 2))
    data.write_flow(root / "flow/1.flo", draw(0, 2))
    data.write_disparity(root / "disp_1/000000_10.pfm", draw(0, size=(12, 15)))
    data.write_disparity(root / "disp_1/000001_10.pfm", draw(0, size=(3, 4)))
    (root / "disp_1/000002_10.pfm").write_bytes(b"Pf\n16 12\n-1.0\n")
    code, out, errors = sf3d_command("submit", "kitti", *SUBMIT)
    assert code == 2 and "is not a complete submission to kitti yet" in errors[0]
    assert "stereo: complete" in out and "scene flow: not complete" in out
    listed = out.partition("missing or wrong")[2]
    assert "flow/000001_10.*: missing" in listed
    assert "flow/000002_10.flo: flow: 192 valid pixels lie outside" in listed
    assert "flow/1.flo: a name that the benchmark does not know" in listed
    assert "disp_1/000000_10.png: expected 16 x 12 pixels like" in listed
    assert "disp_1/000001_10.pfm: expected 15 x 12 or 16 x 12 pixels, found 4 x 3" in listed
    assert "disp_1/000002_10.pfm: expected" in listed


def test_a_submission_to_spring_is_hdf5(three_images, tmp_path, sf3d_command):
    for side in ("left", "right"):
        for frame in (1, 2):
            folder = f"disp1_{side}"
            path = spring_file(tmp_path / "estimate", "0003", folder, frame, ".npy")
            data.write_map(path, draw(frame))
        for way, frame in (("FW", 1), ("BW", 2)):
            folder = f"flow_{way}_{side}"
            path = spring_file(tmp_path / "estimate", "0003", folder, frame, ".pfm")
            data.write_flow(path, draw(frame, 2))
    code, out, _ = sf3d_command("submit", "spring", *SUBMIT)
    assert code == 0 and "optical flow: complete" in out and "scene flow" not in out
    assert len(list((tmp_path / "submission").rglob("*.flo5"))) == 4
    with h5py.File(tmp_path / "submission/0003/flow_BW_right/flow_BW_right_0002.flo5") as file:
        np.testing.assert_array_equal(file["flow"], draw(2, 2))
    with h5py.File(tmp_path / "submission/0003/disp1_left/disp1_left_0001.dsp5") as file:
        np.testing.assert_array_equal(file["disparity"], draw(1))

    hole = draw(1)
    hole[3, 4] = np.nan
    data.write_map(tmp_path / "estimate/0003/disp1_left/disp1_left_0001.npy", hole)
    code, out, _ = sf3d_command("submit", "spring", *SUBMIT)
    assert code == 2 and "disp1_left_0001.npy: expected a valid value at every pixel" in out


def test_a_submission_needs_estimates_and_a_folder_of_its_own(tmp_path, sf3d_command):
    code, _, errors = sf3d_command("submit", "kitti", *SUBMIT)
    assert code == 2 and "--prediction: there is no folder estimate" in errors[0]
    (tmp_path / "estimate").mkdir()
    code, _, errors = sf3d_command("submit", "kitti", *SUBMIT)
    assert code == 2 and "has no file of a submission, such as disp_0/000000_10" in errors[0]
    code, _, errors = sf3d_command("submit", "kitti", *SUBMIT[:-1], "estimate")
    assert code == 2 and "than that of the estimates" in errors[0]
    assert errors[0].startswith("sf3d: --output: expected another folder")
