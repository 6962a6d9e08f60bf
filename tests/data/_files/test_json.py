"""JSON is read whole, but no more of it than memory holds."""

import json
import os
import threading
import tracemalloc

import pytest

from sf3d_jax.data import FormatError
from sf3d_jax.data._files.json import read_json

LIMIT = "sf3d_jax.data._files.json._LARGEST_TREE"

# Short texts of many objects, and of what frames hold.
UNITS = [
    "{}",
    "[]",
    "[1]",
    '{"a":1}',
    '{"a":{}}',
    "[[]]",
    "1.5",
    '"ab"',
    "[1.25,2.5,3.5]",
    '"\\u20ac"',
]


def peak_of(path):
    tracemalloc.start()
    try:
        read_json(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("unit", [*UNITS, "keys", "é"])
def test_what_a_file_takes_is_known_before_it_is_parsed(tmp_path, monkeypatch, unit):
    count = 20_000
    text = "[" + ",".join([unit] * count) + "]"
    if unit == "keys":  # of one object, each different
        text = "{" + ",".join(f'"{i}":1' for i in range(count)) + "}"
    if unit == "é":  # one character takes the others to two bytes
        text = json.dumps("é€" * count, ensure_ascii=False)
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    peak = peak_of(tmp_path / "a.json")
    monkeypatch.setattr(LIMIT, peak - 2 * 2**20)
    with pytest.raises(FormatError, match="bytes in memory"):
        read_json(tmp_path / "a.json")


def test_a_refused_file_costs_no_more_than_its_bytes(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text("[" + "{}," * 1_000_000 + "{}]")
    monkeypatch.setattr(LIMIT, 2**27)
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match="bytes in memory"):
            read_json(tmp_path / "a.json")
        assert tracemalloc.get_traced_memory()[1] < 16e6
    finally:
        tracemalloc.stop()


def test_a_file_of_many_frames_is_within_the_bounds(tmp_path):
    """As `write_transforms` writes 100,000: 72 MiB of them are 40 times what is made here."""
    frame = {"file_path": "images/00000_00.png", "timestep_index": 5, "camera_index": 3}
    frame |= {key: 1234.5678901234567 for key in ("w", "h", "fl_x", "fl_y", "cx", "cy", "k1", "k2")}
    frame["transform_matrix"] = [[0.12345678901234567] * 4] * 4
    frames = [frame] * 2500
    (tmp_path / "a.json").write_text(json.dumps({"frames": frames}, indent=1))
    length = (tmp_path / "a.json").stat().st_size
    from sf3d_jax.data._files import json as ours

    data = (tmp_path / "a.json").read_bytes()
    size = 2 * length + sum(cost * data.count(mark) for mark, cost in ours._COSTS.items())
    assert 40 * size < ours._LARGEST_TREE and 40 * length < ours.LARGEST_FILE


def test_a_pipe_is_read_like_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    tree = {"a": [1, 2.5, "x"] * 100_000}
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_text(json.dumps(tree)))
    writer.start()
    assert read_json(tmp_path / "pipe") == tree
    writer.join()
