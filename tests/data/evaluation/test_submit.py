"""`data.submit`: what is written, read again and said of made-up folders."""

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from helpers.command import SIZE, draw, small_benchmarks, spring_file
from helpers.files import made

from sf3d_jax import data
from sf3d_jax.data.sets.kitti import benchmark as kitti
from sf3d_jax.data.sets.spring import benchmark as spring


@pytest.fixture
def folders(tmp_path, monkeypatch):
    small_benchmarks(monkeypatch)
    return {"prediction": tmp_path / "estimate", "output": tmp_path / "submission"}


def test_a_whole_submission_to_kitti(folders, tmp_path):
    calls = []
    for i in range(3):
        data.write_flow(made(tmp_path / f"estimate/flow/{i:06}_10.flo"), draw(i, 2))
    result = data.submit("kitti", **folders, progress=lambda *x: calls.append(x))
    assert result.is_complete and result.tasks == {"optical flow": True}
    assert result.kinds == {"flow": (3, (), (), ())} and result.kinds["flow"].written == 3
    assert calls[0] == (0, 3, "flow/000000_10.png") and calls[-1] == (3, 3, "")
    for i in range(3):
        flow, valid = data.read_flow(tmp_path / f"submission/flow/{i:06}_10.png")
        np.testing.assert_array_equal(flow, draw(i, 2))
        assert valid.all()


def test_what_is_missing_wrong_or_unknown_is_told_by_kind(folders, tmp_path):
    for kind in ("disp_0", "disp_1"):
        data.write_disparity(made(tmp_path / f"estimate/{kind}/000000_10.pfm"), draw(0))
    values = draw(1)
    values[3, 4] = 300
    data.write_disparity(tmp_path / "estimate/disp_0/000001_10.pfm", values)
    data.write_disparity(tmp_path / "estimate/disp_0/2.pfm", draw(2))
    result = data.submit("kitti", **folders)
    assert not result.is_complete and result.tasks == {"stereo": False}
    first = result.kinds["disp_0"]
    assert (first.expected, first.written) == (3, 1)
    estimate = tmp_path / "estimate/disp_0"
    assert list(map(str, first.missing)) == [f"{estimate / '000002_10'}.*: missing"]
    outside = f"{estimate / '000001_10.pfm'}: 1 valid pixels lie outside [0, 255.996]"
    assert str(first.wrong[0]).startswith(outside)
    assert str(first.unknown[0]).startswith(f"{estimate / '2.pfm'}: a name that")
    assert len(result.kinds["disp_1"].missing) == 2 and not result.kinds["disp_1"].wrong


def test_an_estimate_for_spring_is_finite_everywhere(folders, tmp_path):
    for side in ("left", "right"):
        for frame in (1, 2):
            path = spring_file(folders["prediction"], "0003", f"disp1_{side}", frame, ".npy")
            data.write_map(path, draw(frame))
    result = data.submit("spring", **folders)
    assert result.is_complete and result.tasks == {"stereo": True}
    with h5py.File(tmp_path / "submission/0003/disp1_left/disp1_left_0002.dsp5") as file:
        np.testing.assert_array_equal(file["disparity"], draw(2))
    hole = draw(1)
    hole[3, 4] = np.nan
    data.write_map(path, hole)
    result = data.submit("spring", **folders)
    (problem,) = result.kinds["disp1"].wrong
    assert f"{path}: expected a valid value at every pixel, found 1 inv" in str(problem)
    assert not result.is_complete


def test_an_estimate_without_a_value_is_wrong_and_not_written(folders, tmp_path):
    data.write_flow(made(tmp_path / "estimate/flow/000000_10.flo"), np.full((*SIZE, 2), np.nan))
    data.write_map(made(tmp_path / "estimate/disp_0/000001_10.npy"), np.zeros(SIZE))
    result = data.submit("kitti", **folders)
    for kind, name in (("flow", "000000_10.flo"), ("disp_0", "000001_10.npy")):
        (problem,) = result.kinds[kind].wrong
        path = tmp_path / "estimate" / kind / name
        assert str(problem) == f"{path}: expected a value at some pixel, found none"
        assert not (tmp_path / "submission" / kind / name).with_suffix(".png").exists()


def test_wrong_arguments_are_refused_by_name(folders, tmp_path):
    with pytest.raises(FileNotFoundError, match="prediction: there is no folder"):
        data.submit("kitti", **folders)
    folders["prediction"].mkdir()
    with pytest.raises(FileNotFoundError, match=r"prediction: .* has no file of a submission"):
        data.submit("kitti", **folders)
    with pytest.raises(ValueError, match="output: expected another folder than that of the"):
        data.submit("kitti", prediction=tmp_path, output=tmp_path)
    with pytest.raises(ValueError, match=r"benchmark: expected 'kitti' or 'spring', got"):
        data.submit("things", **folders)
    with pytest.raises(ValueError, match=r"got 'Spring'; did you mean 'spring'\?$"):
        data.submit("Spring", **folders)
    with pytest.raises(ValueError, match=r"benchmark: expected 'kitti' .* got \[\]"):
        data.submit([], **folders)
    with pytest.raises(ValueError, match=r"got 'Spring'; did you mean 'spring'\?"):
        data.submit("Spring", **folders)
    folders["output"].write_text("A file.")
    with pytest.raises(NotADirectoryError, match=r"output: .* is a file"):
        data.submit("kitti", **folders)


def test_an_output_that_cannot_be_written_is_one_error(folders, tmp_path, monkeypatch):
    data.write_flow(made(tmp_path / "estimate/flow/000000_10.flo"), draw(0, 2))
    submit = lambda output: data.submit("kitti", prediction=folders["prediction"], output=output)
    (tmp_path / "afile").write_text("A file.")
    with pytest.raises(NotADirectoryError, match=r"output: .*afile is a file"):
        submit(tmp_path / "afile/x")
    (tmp_path / "held").mkdir()
    (tmp_path / "held/flow").write_text("A file.")
    with pytest.raises(NotADirectoryError, match=r"output: .*flow is a file"):
        submit(tmp_path / "held")
    with monkeypatch.context() as patch:  # whoever runs the tests may write everywhere
        patch.setattr(os, "access", lambda *_: False)
        with pytest.raises(PermissionError, match=r"output: cannot write to the folder .*closed"):
            submit(tmp_path / "closed")
        patch.setattr(Path, "mkdir", refuse)
        with pytest.raises(PermissionError, match=r"output: cannot make the folder .*new"):
            submit(tmp_path / "new")
    assert submit(tmp_path / "closed/below").kinds["flow"].written == 1


def refuse(*_, **__):
    raise PermissionError(13, "Permission denied")


def test_the_counts_of_whole_submissions():
    count = lambda files: {kind: len(set(paths)) for kind, paths in files.items()}
    assert count(kitti.expected_files()) == {"disp_0": 200, "disp_1": 200, "flow": 200}
    assert count(spring.expected_files()) == {"disp1": 2000, "disp2": 3960, "flow": 3960}
