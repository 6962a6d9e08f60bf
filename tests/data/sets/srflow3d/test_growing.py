"""The file of cameras that grows by the frame, against the file written at once."""

import json
import resource

import numpy as np
import pytest
from helpers import support, thorough

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets.srflow3d.cameras import growing
from sf3d_jax.data.sets.srflow3d.cameras.growing import CameraFile

SIZE = (12, 16)


def camera(frame, **options):
    pose = support.pose([0.01 * frame, 0.02, -0.01], [0.1 * frame, 1 / 3, 0.3])
    return sf3d.Camera.pinhole(20.1 + frame, 19.9, 8.3, 5.7, SIZE, pose, **options)


def at_once(tmp_path, frames):
    """The bytes of the file with these frames, written at once."""
    path = tmp_path / "at_once.json"
    data.write_json_cameras(path, {f"{i:04}": camera(i) for i in sorted(frames)})
    return path.read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "spirals.json"


@pytest.fixture
def file(path):
    """A file of three frames."""
    file = CameraFile(path)
    for i in range(3):
        file.add(i, camera(i))
    return file


@pytest.mark.parametrize("reopens", [False, True])
@thorough.parametrize("seed", range(8), default=[0])
def test_the_bytes_are_those_of_the_frames_whatever_was_done(tmp_path, path, seed, reopens):
    rng, file, frames = np.random.default_rng(seed), CameraFile(path), set()
    for frame in rng.choice([0, 1, 2, 7, 8, 9998, 9999, 10000, 10001], 40):
        file = CameraFile(path) if reopens else file
        if rng.uniform() < 0.3:
            file.remove(frame)
            frames.discard(frame)
        else:
            file.add(frame, camera(frame))
            frames.add(frame)
        assert file.frames == frames == CameraFile(path).frames
        assert file.size == (SIZE if frames else None)
        assert (path.read_bytes() if path.exists() else None) == (
            at_once(tmp_path, frames) if frames else None
        )


def test_a_next_frame_costs_its_own_bytes(file, path, monkeypatch):
    written, write = [], growing._write_at

    def counted(file, place, text):
        written.append(len(text))
        write(file, place, text)

    monkeypatch.setattr(growing, "_write_at", counted)
    monkeypatch.setattr(growing, "write_bytes", None)
    same = path.stat().st_ino
    for i in range(3, 40):
        file.add(i, camera(i))
    assert path.stat().st_ino == same and len(written) == 37
    assert max(written) < 1.1 * min(written) < 700


@thorough.parametrize("step", [1, 9], default=[9])
def test_what_a_kill_in_the_middle_of_a_write_leaves_is_mended(tmp_path, path, step):
    before, after = at_once(tmp_path, [0]), at_once(tmp_path, [0, 1])
    start = len(before) - len("\n }\n}\n")
    whole = after.index(b"\n  }", start) + len("\n  }")
    ends = range(start, len(after))
    for end in sorted({*ends[:12], *ends[::step], *ends[-12:]}):
        # With and without what the old end of the file still has behind it.
        for torn in {after[:end] + before[end:], after[:end]}:
            path.write_bytes(torn)
            mended = CameraFile(path)
            assert mended.frames == ({0, 1} if end >= whole else {0})
            assert path.read_bytes() == (after if end >= whole else before)
    mended.add(2, camera(2))
    assert path.read_bytes() == at_once(tmp_path, range(3))


def test_a_kill_while_it_is_mended_is_mended(file, path):
    before = path.read_bytes()
    file.add(3, camera(3))
    end = len(before) - len("\n }\n}\n")
    torn = path.read_bytes()[: end + 300]
    for count in range(7):
        path.write_bytes(torn[:end] + b"\n }\n}\n"[:count] + torn[end + count :])
        assert CameraFile(path).frames == {0, 1, 2}
        assert path.read_bytes() == before


def test_a_full_disk_leaves_the_frames_there_were(file, tmp_path, path):
    before = path.read_bytes()
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, most[1]))
    try:
        with pytest.raises(OSError, match=r"cannot be written: File too large: .*spirals\.json"):
            file.add(3, camera(3))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
    assert path.read_bytes() == before and file.frames == {0, 1, 2}
    file.add(3, camera(3))
    assert path.read_bytes() == at_once(tmp_path, range(4))


def test_an_interrupted_write_is_undone(file, tmp_path, path, monkeypatch):
    before, write, calls = path.read_bytes(), growing._write_at, []

    def interrupted(file, place, text):
        calls.append(text)
        write(file, place, text if len(calls) > 1 else text[:50])
        if len(calls) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(growing, "_write_at", interrupted)
    with pytest.raises(KeyboardInterrupt):
        file.add(3, camera(3))
    assert path.read_bytes() == before
    file.add(3, camera(3))
    assert path.read_bytes() == at_once(tmp_path, range(4))


def test_what_another_writer_did_meanwhile_stays(file, tmp_path, path):
    other = CameraFile(path)
    other.add(3, camera(3))
    file.add(4, camera(4))
    other.remove(0)
    file.add(5, camera(5))
    assert path.read_bytes() == at_once(tmp_path, range(1, 6))
    path.unlink()
    file.add(6, camera(6))
    assert path.read_bytes() == at_once(tmp_path, [6])


def with_note(tree):
    return tree | {"note": "mine"}


def with_note_in_a_frame(tree):
    first, *others = tree["frames"].items()
    return tree | {"frames": dict([(first[0], first[1] | {"note": "mine"}), *others])}


def backwards(tree):
    return tree | {"frames": dict(reversed(tree["frames"].items()))}


def as_a_list(tree):
    return [x | {"height": SIZE[0], "width": SIZE[1]} for x in tree["frames"].values()]


def in_words(tree):
    size = {"height": SIZE[0], "width": SIZE[1]}
    return {"convention": "OpenCV, w2c", **size, "frames": tree["frames"]}


def with_other_names(tree):
    return tree | {"frames": {f"frame_{int(k)}": x for k, x in tree["frames"].items()}}


@pytest.mark.parametrize("change", [with_note, backwards, as_a_list, in_words, with_other_names])
@pytest.mark.parametrize("ends", ["", "\n", "\r\n \n"])
def test_a_file_in_another_form_gets_this_one(file, tmp_path, path, change, ends):
    path.write_text(json.dumps(change(json.loads(path.read_text())), indent=1) + ends)
    there = path.read_bytes()
    file = CameraFile(path)
    assert file.frames == {0, 1, 2} and path.read_bytes() == there
    file.add(3, camera(3))
    assert path.read_bytes() == at_once(tmp_path, range(4))


def test_a_note_in_a_frame_stays(file, path):
    path.write_text(json.dumps(with_note_in_a_frame(json.loads(path.read_text())), indent=1) + "\n")
    CameraFile(path).add(3, camera(3))
    tree = json.loads(path.read_text())
    assert [*tree["frames"]] == ["0000", "0001", "0002", "0003"]
    assert tree["frames"]["0000"]["note"] == "mine"


def test_a_damaged_file_is_refused_and_stays(file, path):
    content = path.read_bytes()
    tree = json.loads(content)
    for damaged in (
        b"",
        content[:60],
        content.replace(b'"K"', b'"K', 1),
        content.replace(b"OpenCV", b"x").replace(b"metres", b"feet")[:-20],
        json.dumps(tree["frames"], indent=1).encode()[:-20],
        json.dumps(tree).encode()[:-20],
    ):
        path.write_bytes(damaged)
        with pytest.raises(data.FormatError, match=r"spirals\.json: expected"):
            CameraFile(path)
        assert path.read_bytes() == damaged


def test_lenses_are_kept(path):
    bent = sf3d.Camera(
        np.ones(2), np.ones(2), np.eye(3, 4), np.full(4, 0.1), size=SIZE, model="fisheye"
    )
    file = CameraFile(path)
    for i in (1, 0, 2):
        file.add(i, bent)
    again = data.read_json_cameras(path)
    assert CameraFile(path).frames == {0, 1, 2}
    assert all((x.camera.distortion == 0.1).all() and x.camera.model == "fisheye" for x in again)


def test_an_impossible_camera_changes_nothing(file, path):
    before = path.read_bytes()
    for i in (1, 3):
        with pytest.raises(ValueError, match="expected one camera, got a batch"):
            file.add(i, sf3d.Camera.pinhole(*np.ones((4, 2)), SIZE))
    assert path.read_bytes() == before and file.frames == {0, 1, 2}
