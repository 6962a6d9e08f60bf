"""Files that are parsed once for as long as they stay the same."""

import os
import pickle
import threading

import numpy as np
import pytest
from helpers import pair_trees, trees

from sf3d_jax.data import FormatError
from sf3d_jax.data.sets._caching import cache_by_file
from sf3d_jax.data.sets.spring.dataset import Spring
from sf3d_jax.data.sets.tartanair.dataset import TartanAir
from sf3d_jax.data.sets.tartanair.dataset_v2 import TartanAirV2
from sf3d_jax.data.sets.things.dataset import FlyingThings3D
from sf3d_jax.data.sets.vkitti2.dataset import VirtualKitti2


class Reader:
    """Counts what it reads."""

    def __init__(self):
        self.calls = []

    def __call__(self, path, *others, **options):
        self.calls.append((path, *others))
        text = path.read_text()
        if text == "bad":
            raise FormatError(path, "anything", "something bad")
        return text, others, options


@pytest.fixture
def counted():
    """A reader that counts, and the one that keeps what it returns."""
    reader = Reader()
    reader.__name__ = "reader"
    return reader.calls, cache_by_file(reader)


def test_a_file_is_read_once(tmp_path, counted):
    calls, read = counted
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    for _ in range(3):
        assert read(tmp_path / "a", 1, size=(2, 3)) == ("a", (1,), {"size": (2, 3)})
        assert read(tmp_path / "a", 2) == ("a", (2,), {})
        assert read(tmp_path / "b", 2) == ("b", (2,), {})
    assert len(calls) == 3


def test_a_file_that_changes_is_read_again(tmp_path, counted):
    calls, read = counted
    path, other = tmp_path / "a", tmp_path / "b"
    path.write_text("one")
    other.write_text("beside")
    assert read(path, other)[0] == "one"
    path.write_text("two and more")
    assert read(path, other)[0] == "two and more"
    status = path.stat()
    path.write_text("two and less")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert read(path, other)[0] == "two and less"
    other.write_text("something else")
    read(path, other)
    read(path, other)
    assert len(calls) == 4


def test_an_error_is_raised_again_and_a_missing_file_is_named(tmp_path, counted):
    calls, read = counted
    path = tmp_path / "a"
    path.write_text("bad")
    for _ in range(2):
        with pytest.raises(FormatError, match="something bad"):
            read(path)
    assert len(calls) == 2
    path.unlink()
    with pytest.raises(FileNotFoundError, match=str(path)):
        read(path)


def test_no_more_than_128_are_kept(tmp_path, counted):
    calls, read = counted
    path = tmp_path / "a"
    path.write_text("a")
    for i in range(129):
        read(path, i)
    read(path, 128)
    assert len(calls) == 129
    read(path, 0)
    assert len(calls) == 130


def test_threads_get_the_same(tmp_path, counted):
    _, read = counted
    path = tmp_path / "a"
    path.write_text("a")
    results = []
    threads = [threading.Thread(target=lambda: results.append(read(path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [("a", (), {})] * 8


# The builder of each tree, and the file of its cameras.
CAMERAS = {
    Spring: (trees.spring, "extrinsics.txt"),
    FlyingThings3D: (trees.things, "camera_data.txt"),
    VirtualKitti2: (trees.virtualkitti2, "extrinsic.txt"),
    TartanAir: (trees.tartanair, "pose_left.txt"),
    TartanAirV2: (pair_trees.tartanair_v2, "pose_lcam_front.txt"),
}


@pytest.mark.parametrize("kind", CAMERAS, ids=lambda kind: kind.__name__)
def test_cameras_that_change_are_read_again(tmp_path, kind):
    build, name = CAMERAS[kind]
    build(tmp_path)
    dataset = kind(tmp_path)
    first = dataset[0]
    (path,) = tmp_path.rglob(name)
    content = path.read_text()
    path.write_text("no cameras")
    with pytest.raises(FormatError, match=name):
        dataset[0]
    path.write_text(content + "\n")
    again = pickle.loads(pickle.dumps(dataset))[0]
    np.testing.assert_array_equal(
        again.next_camera.world_to_camera, first.next_camera.world_to_camera
    )
