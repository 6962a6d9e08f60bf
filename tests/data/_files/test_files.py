"""What all formats share: whole files or none, and errors that name the file."""

import errno
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sf3d_jax import data
from sf3d_jax.data import _files


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "flow.flo"
    path.write_bytes(b"old")

    def fail(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        data.write_flow(path, np.zeros((2, 3, 2)))
    assert [p.name for p in tmp_path.iterdir()] == ["flow.flo"]
    assert path.read_bytes() == b"old"


def test_a_written_file_has_the_usual_permissions(tmp_path):
    old = os.umask(0o027)
    try:
        _files.write_bytes(tmp_path / "a.bin", b"x")
    finally:
        os.umask(old)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o640


def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    for mode in (0o400, 0o600, 0o666):
        path.chmod(mode)
        _files.write_bytes(path, b"new")
        assert path.read_bytes() == b"new" and path.stat().st_mode & 0o777 == mode


def test_a_link_stays_and_what_it_points_to_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "a.bin", tmp_path / "b.bin"
    link.symlink_to(target)
    for content in (b"first", b"second"):  # there is no file at first
        _files.write_bytes(link, content)
        assert link.is_symlink() and target.read_bytes() == content
        assert not target.is_symlink()
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.bin", "b.bin", "far"]

    (tmp_path / "c.bin").symlink_to(tmp_path / "none" / "c.bin")
    with pytest.raises(FileNotFoundError, match=r"c\.bin: there is no folder .*none"):
        _files.write_bytes(tmp_path / "c.bin", b"x")


def test_the_temporary_file_stands_beside_the_target_with_its_ending(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(os, "replace", lambda a, b: seen.append((Path(a), Path(b))))
    _files.write_bytes(tmp_path / "a.png", b"x")
    [(temporary, target)] = seen
    assert temporary.parent == tmp_path and temporary.suffix == ".png" and temporary != target
    assert target == tmp_path / "a.png"


def test_a_missing_folder_is_named_and_not_the_temporary_file(tmp_path):
    path = tmp_path / "none" / "a.flo"
    with pytest.raises(FileNotFoundError) as error:
        data.write_flow(path, np.zeros((2, 3, 2)))
    assert str(path) in str(error.value)


def test_a_target_that_cannot_be_written_is_named_and_not_the_temporary_file(tmp_path, monkeypatch):
    path = tmp_path / "a.flo"
    path.mkdir()
    with pytest.raises(IsADirectoryError) as error:
        data.write_flow(path, np.zeros((2, 3, 2)))
    assert error.value.filename == str(path) and error.value.filename2 is None
    assert list(tmp_path.iterdir()) == [path]

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        data.write_flow(tmp_path / "b.flo", np.zeros((2, 3, 2)))
    assert error.value.filename == str(tmp_path / "b.flo")


@pytest.mark.parametrize(
    "read, name",
    [
        (data.read_flow, "a.flo"),
        (data.read_flow, "a.png"),
        (data.read_disparity, "a.pfm"),
        (data.read_disparity, "a.npy"),
        (data.read_image, "a.jpg"),
        (data.read_kitti_calibration, "calib.txt"),
    ],
)
def test_a_missing_file_is_named(tmp_path, read, name):
    with pytest.raises(FileNotFoundError, match=name):
        read(tmp_path / name)


def test_the_error_survives_pickling():
    error = data.FormatError("a.flo", "this", "that")
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "a.flo: expected this, found that"
    assert isinstance(again, ValueError) and again.path == "a.flo"


def test_a_missing_opencv_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImportError, match=r"pip install 'sf3d_jax\[data\]'"):
        data.read_image(tmp_path / "a.png")


def test_importing_the_package_imports_no_extra():
    # Straight from the folder, so that what the top level of the library imports does not count.
    code = (
        "import sys, types; top = types.ModuleType('sf3d_jax'); top.__path__ = [sys.argv[1]];"
        "sys.modules['sf3d_jax'] = top; import sf3d_jax.data;"
        "sys.exit(' '.join({'cv2', 'h5py', 'jax'} & set(sys.modules)))"
    )
    root = Path(data.__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", code, root], capture_output=True, text=True)
    assert run.stderr.strip() == ""
