"""One process makes its share: the files, what is refused, and what it goes on from.

Walls in closed form are drawn in place of heads.
"""

import json
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.made_trees import digests, make_walls, wall_options
from helpers.moving_wall import Wall
from helpers.thorough import parametrize

from sf3d_jax import data, making
from sf3d_jax.making.running import job, needs, record, subject
from sf3d_jax.making.running.locks import BusyError


def test_the_readers_of_srflow3d_read_it(wall_tree):
    assert making.verify(wall_tree) == ((), (), ())
    train, test = (data.SRFlow3D(wall_tree, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (9, 3)
    sample = train[4]
    wall = Wall(making.plan(wall_options()).subjects[2], wall_options())
    np.testing.assert_allclose(sample.flow, wall.move(1, 2).flow, atol=1e-5)
    assert all(report.ok for report in data.check_dataset(train, limit=1))


def test_every_file_is_in_one_manifest_with_its_length_and_hash(wall_tree):
    manifests = {path: json.loads(path.read_text()) for path in wall_tree.glob("manifest/*/*.json")}
    assert {path.relative_to(wall_tree / "manifest").as_posix() for path in manifests} == {
        *("test/000.json", "train/001.json", "train/002.json", "train/003.json")
    }
    found = {
        name: digest
        for name, digest in digests(wall_tree).items()
        if name.split("/")[0] != "manifest"
    }
    found.pop("making.json")
    listed = {}
    for path, tree in manifests.items():
        assert [*tree] == sorted(tree) and all(f"/{path.stem}/" in name for name in tree)
        assert not listed.keys() & tree.keys()
        listed |= tree
    assert {name: digest for name, (_, digest) in listed.items()} == found
    assert all((wall_tree / name).stat().st_size == length for name, (length, _) in listed.items())


def test_the_record_holds_the_options_as_given_and_nothing_of_the_process(wall_tree):
    tree = json.loads((wall_tree / "making.json").read_text())
    assert [*tree] == ["format", "options", "files", "versions", "backend", "isa"]
    assert tree["options"] == json.loads(json.dumps(vars(wall_options())))
    assert {*tree["versions"]} == {"sf3d_jax", "jax", "jaxlib", "numpy", "opencv"}
    assert tree["isa"] == making.find_level()
    assert record.read_options(wall_tree) == wall_options()


@parametrize("count", [2, 3, 7], default=[3])
def test_several_processes_make_the_same_files(wall_tree, tmp_path, count):
    for index in reversed(range(count)):
        make_walls(tmp_path, process=(index, count))
    assert digests(tmp_path) == digests(wall_tree)


def test_a_process_makes_every_nth_subject_and_says_how_far_it_is(tmp_path):
    said = []
    make_walls(tmp_path, process=(1, 3), progress=lambda *numbers: said.append(numbers))
    assert [path.stem for path in tmp_path.glob("manifest/*/*")] == ["001"]
    frames = [(i + 1, 4, f"001/{i:04d}") for i in range(4)]
    assert said[0] == (0, 4, "") and said[1:] == frames
    idle = []
    make_walls(tmp_path, process=(5, 7), progress=lambda *numbers: idle.append(numbers))
    assert idle == [(0, 0, "")]


def test_more_subjects_keep_all_earlier_files(wall_tree, wall_copy):
    before = digests(wall_tree)
    after = make_walls(wall_copy, wall_options(subjects=6))
    assert {name for name in before if after[name] != before[name]} == {"making.json"}
    assert {name.split("/")[1:][-1] for name in after if "manifest" in name} == {
        *(f"{i:03d}.json" for i in range(6))
    }
    assert make_walls(wall_copy.with_name("new"), wall_options(subjects=6)) == after


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"frames": 5}, "frames: .* was made with 4, got 5; give the same, or another folder"),
        ({"size": (16, 32)}, "size: .* was made with 16 24, got 16 32"),
        ({"seed": 1, "fps": 30.0}, "fps, seed: .* was made with 25 and 0, got 30 and 1"),
        ({"subjects": 3}, "subjects: .* was made with 4, got 3; subjects can be added"),
        ({"subjects": 5, "test": 2}, "test: .* was made with 1, got 2"),
    ],
)
def test_other_options_are_refused_with_both_values(wall_tree, changes, said):
    before = digests(wall_tree)
    with pytest.raises(ValueError, match=f"^{said}"):
        make_walls(wall_tree, wall_options(**changes))
    assert digests(wall_tree) == before


@pytest.mark.parametrize(
    "path, said",
    [
        (("versions", "jax"), "was made with jax other, and this process has"),
        (("versions", "opencv"), "was made with opencv other"),
        (("backend",), "was made with back end other, and this process has cpu"),
        (("format",), "expected a record of sf3d make in format 1, found 'other'"),
        (("options",), "expected options in the record"),
    ],
)
def test_what_rounds_differently_is_refused(wall_tree, tmp_path, path, said):
    tree = json.loads((wall_tree / "making.json").read_text())
    *parents, last = path
    inner = tree
    for key in parents:
        inner = inner[key]
    inner[last] = "other"
    (tmp_path / "making.json").write_text(json.dumps(tree))
    before = digests(tmp_path)
    with pytest.raises(ValueError, match=said):
        make_walls(tmp_path)
    assert digests(tmp_path) == before


def test_another_instruction_set_is_a_warning_and_stays_in_the_record(wall_tree, tmp_path):
    tree = json.loads((wall_tree / "making.json").read_text()) | {"isa": "avx"}
    (tmp_path / "making.json").write_text(json.dumps(tree))
    said = "made with the instruction set avx, and this process has .*; sf3d make --isa avx makes"
    with pytest.warns(UserWarning, match=said):
        make_walls(tmp_path, wall_options(subjects=5), process=(9, 10))
    found = json.loads((tmp_path / "making.json").read_text())
    assert found["isa"] == "avx" and found["options"]["subjects"] == 5


def test_of_processes_that_begin_at_once_with_other_options_one_goes_on(tmp_path, monkeypatch):
    write = record.write_bytes
    slowly = lambda path, content: (time.sleep(0.05), write(path, content))
    monkeypatch.setattr(record, "write_bytes", slowly)
    options = [wall_options(seed=seed) for seed in range(4)]
    refused = []

    def settle(one):
        try:
            record.settle(tmp_path, one)
        except ValueError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=settle, args=(one,)) for one in options]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    winner = record.read_options(tmp_path)
    assert winner in options and len(refused) == 3
    assert all(f"was made with {winner.seed}, got " in said for said in refused)


def test_a_changed_file_of_an_option_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "head.obj").write_text("v 0 0 0\n")
    options = wall_options(head="head.obj", subjects=1)
    make_walls(tmp_path / "out", options)
    (tmp_path / "head.obj").write_text("v 0 0 1\n")
    with pytest.raises(ValueError, match=r"^head: .* another content of head.obj"):
        make_walls(tmp_path / "out", options)
    (tmp_path / "head.obj").unlink()
    with pytest.raises(OSError, match=r"^head: there is no file head.obj"):
        make_walls(tmp_path / "out", options)


def test_a_second_process_of_a_share_is_refused_while_the_first_one_works(tmp_path, monkeypatch):
    refused = []

    def try_again(done, total, name):
        if done == 2:
            with pytest.raises(BusyError) as stopped:
                making.make(tmp_path, wall_options(), process=(1, 2))
            refused.append(str(stopped.value))

    monkeypatch.setattr("sf3d_jax.making.running.locks._GLANCE", 0.0)
    make_walls(tmp_path, process=(1, 2), progress=try_again)
    assert len(refused) == 1 and "is making share 1/2 of" in refused[0]


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(needs.shutil, "disk_usage", lambda path: SimpleNamespace(free=100_000))
    with pytest.raises(OSError, match=r"16 frames need \d+ kB, but 100 kB are free"):
        make_walls(tmp_path / "a/b")
    assert not (tmp_path / "a").exists()
    make_walls(tmp_path / "a/b", process=(9, 10))  # has nothing to write


@parametrize("size", [(96, 128), (256, 192)], default=[(96, 128)])
def test_the_bytes_needed_are_those_that_are_written(tmp_path, size):
    options = wall_options(size=size, subjects=1, frames=6)
    expected = making.measure_needs(tmp_path, options)
    assert expected[:3] == (1, 6, 6)
    make_walls(tmp_path, options)
    # Walls are nothing but texture, so their images are larger than those of heads.
    written = sum(p.stat().st_size for p in tmp_path.rglob("*") if p.suffix != ".jpg")
    assert 1.0 < expected.bytes / written < 1.25
    assert making.measure_needs(tmp_path, options)[:4] == (1, 6, 0, 0)


def test_bytes_are_formatted_with_three_digits():
    numbers = (0, 999, 999.6, 12_345, 999_499_999, 999_600_000, 7.853e9, 2e15)
    said = "0 B,999 B,1 kB,12.3 kB,999 MB,1 GB,7.85 GB,2e+03 TB"
    assert ",".join(map(making.format_bytes, numbers)) == said


@pytest.mark.parametrize(
    "run, said",
    [
        ({"process": (2, 2)}, "process: expected I/N with I from 0 to N - 1, got 2/2"),
        ({"process": (-1, 2)}, "process: expected I/N"),
        ({"workers": 0}, "workers: expected at least 1, got 0"),
        ({"workers": 2, "dask": "tcp://here"}, "workers, dask: give one of them"),
    ],
)
def test_a_wrong_argument_is_named(tmp_path, run, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        making.make(tmp_path / "out", wall_options(), **run)
    assert not (tmp_path / "out").exists()


def test_verify_names_missing_changed_and_additional_files(wall_copy):
    (wall_copy / "train/depth/002/0003.npy").unlink()
    with (wall_copy / "test/flow_F/000/0001.flo").open("r+b") as file:
        file.seek(40)
        file.write(b"\x00\x01")
    for name in ("train/notes.txt", "train/depth/002/.0003.npy.swp", "manifest/train/009.json"):
        (wall_copy / name).write_text("")
    (wall_copy / "manifest/train/003.json").unlink()
    said = []
    found = making.verify(wall_copy, progress=lambda *numbers: said.append(numbers))
    assert found.missing == ("train/depth/002/0003.npy", "manifest/train/003.json")
    assert found.changed == ("test/flow_F/000/0001.flo",)
    additional = ("manifest/train/009.json", "train/depth/002/.0003.npy.swp", "train/notes.txt")
    assert found.additional == additional and not found.is_complete
    assert said[0][0] == 0 and said[-1] == (said[0][1], said[0][1], "")


def test_files_that_are_removed_with_their_manifest_are_made_again(wall_tree, wall_copy):
    for name in ("train/depth/002/0003.npy", "train/camera/003/spirals.json"):
        (wall_copy / name).unlink()
    for name in ("002", "003"):
        (wall_copy / f"manifest/train/{name}.json").unlink()
    assert make_walls(wall_copy) == digests(wall_tree)


def test_a_folder_that_is_no_data_set_is_not_verified(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no making.json; name a folder"):
        making.verify(tmp_path)
    (tmp_path / "making.json").write_text("[1")
    with pytest.raises(data.FormatError):
        making.verify(tmp_path)
    make_walls(tmp_path / "out")
    (tmp_path / "out/manifest/train/001.json").write_text('{"a": 1}')
    with pytest.raises(data.FormatError, match="SHA-256"):
        making.verify(tmp_path / "out")


@parametrize("error", [KeyboardInterrupt, OSError], default=[KeyboardInterrupt])
def test_an_interruption_loses_at_most_a_frame_and_leaves_no_lock(tmp_path, wall_tree, error):
    class Tired(Wall):
        def draw(self, frame):
            if self.frames and frame == 2:
                raise error
            return super().draw(frame)

    before, subject.open_drawing = subject.open_drawing, Tired
    try:
        with pytest.raises(error):
            job.make(tmp_path, wall_options())
    finally:
        subject.open_drawing = before
    assert not (tmp_path / ".locks").exists() and len(data.SRFlow3D(tmp_path, "test")) == 1
    drawn = []
    make_walls(tmp_path, progress=lambda done, total, name: drawn.append(done))
    assert drawn[0] == 2 and digests(tmp_path) == digests(wall_tree)
