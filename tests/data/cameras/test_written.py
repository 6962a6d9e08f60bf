"""Cameras of `write_json_cameras` are read as arrays, as the general rules read them one by one."""

import copy
import json

import jax
import numpy as np
import pytest
from helpers import support

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.cameras import by_content
from sf3d_jax.data.cameras.by_content.written import read_written

SIZE = (12, 16)


@pytest.fixture
def path(tmp_path):
    """A file of five cameras that differ in everything."""
    rng, cameras = np.random.default_rng(0), {}
    for name in ("0002", "0000", "10001", "0009", "7"):
        pose = support.pose(rng.normal(size=3), rng.normal(size=3))
        cameras[name] = sf3d.Camera.pinhole(*rng.uniform(5, 30, 4), SIZE, pose)
    data.write_json_cameras(tmp_path / "cameras.json", cameras)
    return tmp_path / "cameras.json"


@pytest.mark.parametrize("size", [None, SIZE, (24, 32)])
def test_the_cameras_are_those_of_the_general_rules(path, size, monkeypatch):
    read = data.read_json_cameras(path, size)
    assert read_written(path, json.loads(path.read_text()), size) is not None
    monkeypatch.setattr(by_content, "read_written", lambda *_: None)
    assert_same(read, data.read_json_cameras(path, size))
    assert [x.frame for x in read] == ["0000", "0002", "7", "0009", "10001"]


def assert_same(read, expected):
    for one, other in zip(read, expected, strict=True):
        assert one[::2] == other[::2] and one.named == other.named
        assert jax.tree.structure(one.camera) == jax.tree.structure(other.camera)
        for x, y in zip(*map(jax.tree.leaves, (one.camera, other.camera)), strict=True):
            assert x.dtype == y.dtype
            np.testing.assert_array_equal(x, y)


def edit(*keys, value):
    def change(tree):
        *outer, last = keys
        for key in outer:
            tree = tree[key]
        tree[last] = value

    return change


K = "frames", "0009", "K"
POSE = "frames", "0009", "world_to_camera"


@pytest.mark.parametrize(
    "change",
    [
        edit(*K, 0, 1, value=0.5),
        edit(*K, 2, 2, value=1 + 1e-6),
        edit(*K, 0, 0, value=-5.0),
        edit(*K, 0, 0, value=0),
        edit(*K, 0, 0, value=1e12),
        edit(*K, 0, 0, value=True),
        edit(*K, 0, 0, value="5"),
        edit(*K, 0, value=[1.0, 2.0]),
        edit(*K, value=None),
        edit(*POSE, 0, 0, value=3.0),
        edit(*POSE, 0, 3, value=float("nan")),
        edit(*POSE, 0, 3, value=1e12),
        edit(*POSE, value=np.eye(4).tolist()),
        edit("frames", "0009", "note", value="mine"),
        edit("frames", "0009", "k1", value=0.1),
        edit("frames", "0009", "height", value=24),
        edit("frames", "0009", value=7),
        edit("frames", "9", value={}),
        edit("frames", "k1", value=0.1),
        edit("frames", "note", value=0.1),
        edit("frames", value=[]),
        edit("frames", value={}),
        edit("size", value=[12]),
        edit("size", value=[12, 16.0]),
        edit("size", value=[12, 10**6]),
        edit("size", value=[12, 0]),
        edit("size", value=[30, 16]),
        edit("k1", value=0.1),
        edit("convention", value="OpenGL"),
    ],
)
@pytest.mark.parametrize("size", [SIZE, None])
def test_what_is_not_as_it_was_written_is_read_or_refused_by_the_general_rules(
    path, change, size, monkeypatch
):
    tree = json.loads(path.read_text())
    change(tree)
    result = outcome(path, tree, size)
    monkeypatch.setattr(by_content, "read_written", lambda *_: None)
    expected = outcome(path, tree, size)
    if isinstance(expected, str):
        assert result == expected
    else:
        assert_same(result, expected)


def outcome(path, tree, size):
    """The cameras, or the error."""
    try:
        return by_content.build_cameras(path, copy.deepcopy(tree), size)
    except data.FormatError as error:
        return str(error)
