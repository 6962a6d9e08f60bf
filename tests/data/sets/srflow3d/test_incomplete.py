"""Frames that a writer has not finished, or that lost files, and subjects of many frames."""

import shutil
import time

import numpy as np
import pytest
from helpers.srflow3d_frames import SCALE, SIZE, frame

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data import Motion, SRFlow3DWriter
from sf3d_jax.data.sets._missing import IncompleteError
from sf3d_jax.data.sets.srflow3d.cameras import reading
from sf3d_jax.data.sets.srflow3d.cameras.growing import CameraFile
from sf3d_jax.data.sets.srflow3d.clips import Clip, write_clips


def still(i, size=SIZE, last=None):
    """A frame of a scene in which nothing moves, without anything wrong."""
    pose = np.c_[np.eye(3), [0.1, 0.2, 0.3]]
    motion = Motion(np.zeros((*size, 2), np.float32), np.zeros(size, np.float32))
    return {
        "camera": sf3d.Camera.pinhole(20.1, 19.9, 8.3, 5.7, size, pose),
        "image": np.zeros((*size, 3), np.uint8),
        "mask": np.ones(size, bool),
        "inv_depth": np.full(size, 0.5, np.float32),
        "forward": None if i == last else motion,
        "backward": motion if i else None,
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Six frames, not to be changed."""
    root = tmp_path_factory.mktemp("whole")
    writer = SRFlow3DWriter(root, "train", scale=SCALE)
    for i in range(6):
        writer.write("018", i, **still(i, last=5))
    return root


@pytest.fixture
def top(whole, tmp_path):
    """The split of a copy."""
    return shutil.copytree(whole, tmp_path / "copy") / "train"


def cameras(top):
    return top / "camera/018/spirals.json"


def firsts(entries):
    return [int(entry.frame) for entry in entries]


def listed(top, direction="forward", **options):
    """First frames of the samples, and of the pairs that are incomplete."""
    dataset = data.SRFlow3D(top, "train", direction, **options)
    list(dataset)
    return firsts(dataset.entries), firsts(dataset.incomplete)


def test_a_frame_without_its_camera_is_not_listed_and_is_told(top):
    assert listed(top) == ([0, 1, 2, 3, 4], []) and "left out" not in repr(
        data.SRFlow3D(top, "train")
    )
    CameraFile(cameras(top)).remove(5)  # as a killed writer leaves it
    assert listed(top) == ([0, 1, 2, 3], [4])
    assert listed(top, "backward") == ([1, 2, 3, 4], [5])
    dataset = data.SRFlow3D(top, "train")
    assert repr(dataset).endswith("4 samples, left out 1 incomplete pair)")
    *others, last = data.check_dataset(dataset)
    assert all(report.ok for report in others)
    [finding] = last.findings
    assert finding.name == "missing" and last.name == "018/0004"
    assert finding.message.startswith(f"{cameras(top)}: expected cameras of frames 0004 and 0005")
    assert len(data.SRFlow3D(top, "train", frames=3)) == 3


@pytest.mark.parametrize(
    "kind, lost",
    [
        ("render/018/0002.jpg", [1, 2]),
        ("depth/018/0002.npy", [2]),
        ("scaled_inv_depth/018/0002.npy", [1, 2]),
        ("mask/018/0002.jpg", [2]),
        ("flow_F/018/0002.flo", [2]),
        ("scaled_inv_depth_CF/018/0002.npy", [2]),
    ],
)
def test_a_pair_that_lost_a_file_is_not_listed_and_is_told(top, kind, lost):
    (top / kind).unlink()
    assert listed(top) == ([i for i in range(5) if i not in lost], lost)
    reports = [*data.check_dataset(data.SRFlow3D(top, "train"))]
    messages = [finding.message for report in reports for finding in report.findings]
    assert len(reports) == 5 and f"{top / kind}: missing" in messages


def test_what_is_read_of_no_pair_is_missed_by_none(top):
    for kind in ("depth/018/0005.npy", "mask/018/0005.jpg", "flow_B/018/0005.flo"):
        (top / kind).unlink()
    assert listed(top) == ([0, 1, 2, 3, 4], [])


def test_without_a_whole_pair_the_error_names_what_is_missing(top):
    CameraFile(cameras(top)).remove(2)
    for i in (1, 4):
        (top / f"render/018/000{i}.jpg").unlink()
    for look in (lambda: data.SRFlow3D(top, "train"), lambda: data.recognise(top)):
        with pytest.raises(IncompleteError, match=r"all its files; .*render/018/0001\.jpg is miss"):
            look()
    shutil.rmtree(top / "render")
    for i in range(6):
        CameraFile(cameras(top)).remove(i) if i % 2 else None
    with pytest.raises(IncompleteError, match=r"spirals\.json lacks frame 0000 or 0001"):
        data.SRFlow3D(top, "train")


def test_a_subject_that_lacks_a_kind_is_reported_on_reading(top):
    shutil.copytree(top / "flow_F/018", top / "flow_F/031")
    for kind in ("camera", "render", "scaled_inv_depth", "scaled_inv_depth_CF", "mask"):
        shutil.copytree(top / kind / "018", top / kind / "031")
    dataset = data.SRFlow3D(top, "train", scale=SCALE)
    assert len(dataset) == 10 and not dataset.incomplete
    shutil.rmtree(top / "mask/031")
    dataset = data.SRFlow3D(top, "train", scale=SCALE)
    assert len(dataset) == 10
    with pytest.raises(FileNotFoundError, match=r"mask/031/0000\.jpg"):
        dataset[5]


def test_clips_may_be_ahead_of_the_writer(top):
    clips = Clip("smile", 0, 2), Clip("jaw", 3, 7)
    write_clips(top / "camera/018/clip.json", clips)
    assert listed(top) == ([0, 1, 3, 4], [5, 6])
    assert listed(top, use_clips=False) == ([0, 1, 2, 3, 4], [])
    cameras(top).write_text(cameras(top).read_text().replace("metres", "m"))  # of another writer
    with pytest.raises(data.FormatError, match="expected clips of 6 frames"):
        data.SRFlow3D(top, "train")


def test_clips_may_share_frames(top):
    write_clips(top / "camera/018/clip.json", [Clip("a", 0, 2), Clip("b", 2, 3), Clip("c", 4, 5)])
    assert listed(top) == ([0, 1, 2, 4], [])


def test_temporary_files_are_not_listed_and_the_next_writer_removes_them(top):
    for name in ("render/018/.0123456789abcdef.jpg", "camera/018/.0123456789abcdef.json"):
        (top / name).write_bytes(b"half")
    assert listed(top) == ([0, 1, 2, 3, 4], [])
    SRFlow3DWriter(top.parent, "train", scale=SCALE).has("018", 0)
    assert not list(top.rglob(".*"))


def test_paths_of_a_pair_are_those_of_its_frames(top):
    files = data.SRFlow3D(top, "train", "backward").entries[1].files
    own = ("render", "mask", "depth", "scaled_inv_depth", "flow_B", "scaled_inv_depth_CB")
    expected = [next((top / kind / "018").glob("0002.*")) for kind in own]
    expected += [top / "render/018/0001.jpg", top / "scaled_inv_depth/018/0001.npy", cameras(top)]
    assert {*files.values()} == {*expected} and len(files) == len(expected)
    assert files == dict(files) and repr(files) == repr(dict(files))
    assert "sequence" not in files and files.get("sequence") is None


@pytest.fixture
def counted(monkeypatch):
    """The sizes that files of cameras were read for."""
    calls, read = [], reading.read_json_cameras
    monkeypatch.setattr(
        reading, "read_json_cameras", lambda path, size: [calls.append(size), read(path, size)][1]
    )
    return calls


def test_a_file_of_cameras_is_read_once_and_again_when_it_changed(top, counted):
    dataset = data.SRFlow3D(top, "train")
    samples = [*dataset, *data.SRFlow3D(top, "train", "backward")]
    assert len(samples) == 10 and counted == [SIZE]
    CameraFile(cameras(top)).add(7, still(2)["camera"])
    assert dataset[0].camera is not None and len(counted) == 2


def test_a_file_that_was_written_while_it_was_read_is_read_again(top, monkeypatch):
    content, read = cameras(top).read_bytes(), reading.read_json_cameras

    def early(path, size):
        try:
            return read(path, size)
        finally:
            path.write_bytes(content)

    cameras(top).write_bytes(content[:-3])
    monkeypatch.setattr(reading, "read_json_cameras", early)
    dataset = data.SRFlow3D(top, "train", scale=SCALE)
    assert len(dataset) == 5 and dataset[0].camera is not None
    monkeypatch.undo()
    cameras(top).write_bytes(content[:-3])
    with pytest.raises(data.FormatError, match=r"spirals\.json: expected JSON"):
        dataset[0]


def test_lenses_that_differ_are_found_by_frame(tmp_path):
    writer = SRFlow3DWriter(tmp_path, "train", scale=SCALE)
    for i in range(3):
        one = frame(i)
        bent = sf3d.Camera(
            *(np.asarray(getattr(one["camera"], x)) for x in ("focal", "principal_point")),
            np.asarray(one["camera"].world_to_camera),
            np.full(4, 0.01 * i),
            size=SIZE,
            model="opencv",
        )
        writer.write("018", i, **one | {"camera": bent})
    first, second = data.SRFlow3D(tmp_path, "train")
    assert first.camera.model == "pinhole"  # of which all coefficients are 0
    assert (second.camera.distortion == np.float32(0.01)).all()
    assert (second.next_camera.distortion == np.float32(0.02)).all()


MANY, FEW = 10_000, 1_000


@pytest.mark.thorough
def test_ten_thousand_frames_cost_as_much_each_as_the_first_ones(tmp_path):
    root, times = tmp_path, []
    writer = SRFlow3DWriter(root, "train", scale=SCALE)
    for i in range(MANY):
        one, start = still(i, (8, 8), last=MANY - 1), time.process_time()
        assert not writer.has("018", i)
        writer.write("018", i, **one)
        times.append(time.process_time() - start)
    assert np.median(times[-FEW:]) <= 1.3 * np.median(times[:FEW])

    def took(action):
        start = time.process_time()
        result = action()
        return time.process_time() - start, result

    seconds, dataset = took(lambda: data.SRFlow3D(root, "train"))
    assert len(dataset) == MANY - 1 and seconds < 2
    assert took(lambda: SRFlow3DWriter(root, "train", scale=SCALE).has("018", MANY))[0] < 2
    assert took(lambda: dataset[0])[0] < 2  # all cameras
    each = [took(lambda i=i: dataset[i])[0] for i in range(0, MANY - 1, 50)]
    assert np.median(each) < 0.005
    assert took(lambda: data.read_json_cameras(cameras(root / "train")))[0] < 1
    assert all(report.ok for report in data.check_dataset(dataset, limit=3))
