"""Data sets told by their folders, and what all of them have in common."""

import pickle
import re
import threading

import jax
import numpy as np
import pytest
from helpers import kitti_prediction, pair_trees, street_trees, trees
from helpers.files import made

from sf3d_jax import data
from sf3d_jax.data.sets._recognise import recognise
from sf3d_jax.data.sets.things.dataset import FlyingThings3D
from sf3d_jax.samples import check_sample


def srflow3d(root):
    for number in (0, 1):
        for kind, value in (("depth", 2.0), ("scaled_inv_depth", 0.1)):
            path = made(root / f"train/{kind}/031/{number:04d}.npy")
            np.save(path, np.full(trees.SIZE, value, np.float32))
    data.write_flow(made(root / "train/flow_F/031/0000.flo"), np.zeros((*trees.SIZE, 2)))


def flyingthings3d(root):
    trees.things(root)


def monkaa(root):
    trees.things(root, "funnyworld_x2", start=0)


def driving(root):
    trees.things(root, "15mm_focallength/scene_backwards/slow", focal=450.0, start=1)


BUILDERS = {
    "srflow3d": srflow3d,
    "kitti2015": trees.kitti2015,
    "kitti2012": street_trees.kitti2012,
    "spring": trees.spring,
    "flyingthings3d": flyingthings3d,
    "flyingthings3dsubset": pair_trees.things_subset,
    "monkaa": monkaa,
    "driving": driving,
    "sintel": trees.sintel,
    "virtualkitti2": trees.virtualkitti2,
    "tartanair": trees.tartanair,
    "tartanairv2": pair_trees.tartanair_v2,
    "flyingchairs": pair_trees.flyingchairs,
    "hd1k": street_trees.hd1k,
}
# A split, or a scene, by its path inside the data set.
INSIDE = {
    "srflow3d": ["train"],
    "kitti2015": ["training"],
    "kitti2012": ["training"],
    "spring": ["train", "train/0005"],
    "flyingthings3d": [],
    "flyingthings3dsubset": ["train"],
    "monkaa": [],
    "driving": [],
    "sintel": ["training"],
    "virtualkitti2": ["Scene01", "Scene01/clone"],
    "tartanair": ["abandonedfactory", "abandonedfactory/Easy", "abandonedfactory/Easy/P000"],
    "tartanairv2": [
        "AbandonedFactory",
        "AbandonedFactory/Data_easy",
        "AbandonedFactory/Data_easy/P000",
    ],
    "flyingchairs": ["data"],
    "hd1k": [],
}


@pytest.fixture(params=BUILDERS)
def tree(request, tmp_path):
    """A data set's name and its folder."""
    root = tmp_path / "root"
    BUILDERS[request.param](root)
    return request.param, root


def test_every_data_set_is_recognised(tree, monkeypatch):
    name, root = tree
    (dataset,) = recognise(root)
    assert type(dataset).__name__.lower() == name
    assert [d.entries for d in recognise(root, dataset=name)] == [dataset.entries]
    for inside in INSIDE[name]:
        (again,) = recognise(root / inside)
        assert again.entries == dataset.entries
        monkeypatch.chdir((root / inside).parent)
        (again,) = recognise((root / inside).name)
        assert again.entries == dataset.entries
    monkeypatch.chdir(root)
    (again,) = recognise(".")
    assert [e.name for e in again.entries] == [e.name for e in dataset.entries]


def test_a_root_that_is_missing_or_a_file_is_said(tree, tmp_path):
    name, root = tree
    (dataset,) = recognise(root)
    split = ("train",) if name == "srflow3d" else ()
    (tmp_path / "file").touch()
    for place, says in (
        ("nowhere", "no such folder: .*nowhere$"),
        ("file", "/file is a file; name a folder$"),
    ):
        with pytest.raises(FileNotFoundError, match=f"^{type(dataset).__name__}: .*{says}"):
            type(dataset)(tmp_path / place, *split)


def test_a_data_set_is_a_source_of_samples(tree):
    _, root = tree
    (dataset,) = recognise(root)
    samples = list(dataset)
    assert len(samples) == len(dataset) > 0
    same = lambda a, b: jax.tree.map(np.testing.assert_array_equal, a, b)
    for sample, entry in zip(samples, dataset.entries, strict=True):
        assert sample.name == entry.name
        check_sample(sample)
        for x in jax.tree.leaves(sample):
            assert x.dtype in (np.float32, bool)
            assert x.dtype == bool or np.isfinite(x).all()
    same(dataset[-1], samples[-1])
    same(dataset[np.int64(0)], samples[0])
    for index in (len(dataset), -len(dataset) - 1):
        with pytest.raises(IndexError, match=r"index .*: the data set has \d+ samples?$"):
            dataset[index]
    with pytest.raises(TypeError):
        dataset[0.5]
    again = pickle.loads(pickle.dumps(dataset))
    assert again.entries == dataset.entries
    same(again[0], samples[0])
    other, back = dataset.other_direction(), again.other_direction()
    assert (other is None) == (back is None)


def test_several_threads_read_at_once(tree):
    _, root = tree
    (dataset,) = recognise(root)
    results = [None] * 8

    def read(i):
        results[i] = dataset[i % len(dataset)]

    threads = [threading.Thread(target=read, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, sample in enumerate(results):
        jax.tree.map(np.testing.assert_array_equal, sample, dataset[i % len(dataset)])


def test_a_cut_off_file_is_named(tree):
    _, root = tree
    (dataset,) = recognise(root)
    for path in set(dataset.entries[0].files.values()):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        (cut,) = recognise(root)
        try:
            cut[0]
        except data.FormatError as error:
            assert error.path == path
        else:  # text of several frames, of which these are whole
            assert path.suffix in (".txt", ".jpg")
        path.write_bytes(content)


def test_a_missing_file_is_named(tree):
    _, root = tree
    (dataset,) = recognise(root)
    # Of a kind of which there is but one file, the whole kind would be missing.
    paths = {p for p in set(dataset.entries[0].files.values()) if len(list(p.parent.iterdir())) > 1}
    for path in paths - {p for p in paths if p.suffix == ".txt"}:
        path.rename(root / "elsewhere")
        (again,) = recognise(root)
        # Without its first or last image a film is shorter.
        if len(again) == len(dataset):
            with pytest.raises(FileNotFoundError) as error:
                again[0]
            assert str(path) in str(error.value)
        (root / "elsewhere").rename(path)


def test_no_pair_crosses_a_missing_frame(tree):
    _, root = tree
    (dataset,) = recognise(root)
    pairs = {(e.sequence, e.frame, e.next_frame) for e in dataset.entries}
    first = dataset.entries[0]
    # Of its frames the second: its own files, and those that the pair before reads of it, but for
    # those that all pairs share. The motion that leads to it stays.
    removed = {
        path
        for e in dataset.entries
        for kind, path in e.files.items()
        for frame in [e.next_frame if kind.startswith("next_") else e.frame]
        if (e.sequence, frame) == (first.sequence, first.next_frame)
    }
    removed -= {path for kind, path in first.files.items() if not kind.startswith("next_")}
    assert removed
    for path in removed:
        path.unlink()
    try:
        (again,) = recognise(root)
    except FileNotFoundError:  # it was the last one, too
        return
    for entry in again.entries:
        assert (entry.sequence, entry.frame, entry.next_frame) in pairs
        if missing := removed & {*entry.files.values()}:
            with pytest.raises(FileNotFoundError) as error:
                again.read(entry)
            assert any(str(path) in str(error.value) for path in missing)
        else:
            again.read(entry)


def test_numbers_count_by_their_value(tree):
    name, root = tree
    # Of HD1K the first number is the name of the sequence.
    number = "(?<=_)0+(?=[0-9])" if name == "hd1k" else "(?<![0-9])0+(?=[0-9])"
    (dataset,) = recognise(root)
    samples = list(dataset)
    paths = {p for e in dataset.entries for p in e.files.values() if p.suffix != ".txt"}
    for path in paths:
        path.rename(path.with_name(re.sub(number, "", path.name)))
    (again,) = recognise(root)
    assert len(again) == len(samples)
    for sample, expected in zip(again, samples, strict=True):
        jax.tree.map(np.testing.assert_array_equal, sample, expected)


def test_two_files_of_one_frame_are_named(tree):
    name, root = tree
    (dataset,) = recognise(root)
    path = next(p for p in dataset.entries[0].files.values() if p.suffix != ".txt")
    number = "(?<=_)0*([0-9]+)" if name == "hd1k" else "(?<![0-9])0*([0-9]+)"
    twin = path.with_name(re.sub(number, r"000000000\1", path.name, count=1))
    twin.write_bytes(path.read_bytes())
    with pytest.raises(ValueError, match="two files of one frame; keep one") as error:
        recognise(root)
    assert path.name in str(error.value) and twin.name in str(error.value)


def test_splits_and_cameras_are_data_sets_of_their_own(tmp_path):
    for split in ("TRAIN", "TEST"):
        for side in ("left", "right"):
            trees.things(tmp_path, f"{split}/A/0000", side=side)
    found = recognise(tmp_path)
    assert [(d.split, d.side) for d in found] == [
        ("TRAIN", "left"),
        ("TRAIN", "right"),
        ("TEST", "left"),
        ("TEST", "right"),
    ]
    assert {type(d) for d in found} == {FlyingThings3D}
    found = recognise(tmp_path, split="TEST")
    assert [(d.split, d.side, d.direction) for d in found] == [
        ("TEST", "left", "forward"),
        ("TEST", "right", "forward"),
    ]


def test_what_tells_data_sets_apart_is_in_their_names(tmp_path):
    name = str(tmp_path / "spring")
    for side in ("left", "right"):
        trees.spring(tmp_path / "spring", side=side)
    left, right = recognise(name)
    assert (
        repr(left)
        == f"Spring({name!r}, split='train', side='left', direction='forward', 2 samples)"
    )
    back = f"Spring({name!r}, split='train', side='right', direction='backward', 2 samples)"
    assert repr(right.other_direction()) == back
    trees.kitti2015(tmp_path / "kitti")
    name = str(tmp_path / "kitti")
    assert repr(*recognise(name)) == f"Kitti2015({name!r}, split='training', 1 sample)"
    name = str(tmp_path / "driving")
    for focal in (15, 35):
        trees.things(tmp_path / "driving", f"{focal}mm_focallength/scene_forwards/fast", start=1)
    told = "render='cleanpass', side='left', direction='forward', 2 samples)"
    assert [repr(one) for one in recognise(name)] == [
        f"Driving({name!r}, focal='{focal}mm_focallength', {told}" for focal in (15, 35)
    ]
    name = str(tmp_path / "tartanair")
    trees.tartanair(tmp_path / "tartanair")
    assert repr(*recognise(name)) == f"TartanAir({name!r}, 2 samples)"
    (easy,) = recognise(f"{name}/abandonedfactory/Easy")
    assert repr(easy) == f"TartanAir({name!r}, difficulty='Easy', 2 samples)"


def test_flow_and_images_alone_are_srflow3d(tmp_path):
    for number in (0, 1):
        trees.write_image(tmp_path / f"train/render/031/{number:04d}.jpg", number)
    data.write_flow(made(tmp_path / "train/flow/031/0000.flo"), np.ones((*trees.SIZE, 2)))
    for place in (tmp_path, tmp_path / "train"):
        (dataset,) = recognise(place)
        assert type(dataset).__name__ == "SRFlow3D" and len(dataset) == 1
    assert dataset[0].image is not None and (dataset[0].flow == 1).all()


def test_a_flight_is_read_without_those_beside_it(tmp_path):
    for flight in ("ocean/Easy/P000", "ocean/Easy/P001", "ocean/Hard/P001", "office/Easy/P001"):
        trees.tartanair(tmp_path, flight)
    (dataset,) = recognise(tmp_path / "ocean/Easy/P001")
    assert {e.sequence for e in dataset.entries} == {"ocean/Easy/P001"}


def test_the_rendering_that_is_there_is_taken(tmp_path):
    trees.sintel(tmp_path / "sintel")
    (tmp_path / "sintel/training/clean").rename(tmp_path / "sintel/training/final")
    (dataset,) = recognise(tmp_path / "sintel")
    assert dataset.render == "final"
    trees.things(tmp_path / "things")
    (tmp_path / "things/frames_cleanpass").rename(tmp_path / "things/frames_finalpass")
    (dataset,) = recognise(tmp_path / "things")
    assert dataset.render == "finalpass" and dataset[0].image is not None


def test_a_folder_of_predictions_is_kitti(tmp_path):
    kitti_prediction.write_prediction(tmp_path)
    check_prediction(tmp_path)


def test_a_folder_of_predictions_of_others_is_kitti(real):
    check_prediction(real("kitti_prediction"))


def check_prediction(folder):
    (dataset,) = recognise(folder)
    assert [e.name for e in dataset.entries] == ["000139/10"]
    assert recognise(dataset.root, dataset="kitti2015", split="testing")[0].split == "testing"


def test_an_unknown_folder_says_what_was_looked_for(tmp_path):
    trees.write_image(tmp_path / "frames/0001.png", 1)
    for place in (tmp_path, tmp_path / "frames"):
        with pytest.raises(FileNotFoundError) as error:
            recognise(place)
        assert str(error.value).startswith(f"{place}: found no known data set")
        for name in BUILDERS:
            assert f"\n  {name}: " in str(error.value)
    with pytest.raises(FileNotFoundError, match="looked for\n  spring: train/") as error:
        recognise(tmp_path, dataset="spring")
    assert "sintel" not in str(error.value)
    with pytest.raises(FileNotFoundError, match=r"^no such folder: .*nowhere$"):
        recognise(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"0001\.png is a file; name a folder"):
        recognise(tmp_path / "frames/0001.png")


def test_flow_of_kitti_alone_may_be_of_either_year(tmp_path):
    street_trees.kitti2012(tmp_path)
    (tmp_path / "training/image_2").mkdir()
    for name, found in (("kitti2015", "Kitti2015"), ("kitti2012", "Kitti2012")):
        (dataset,) = recognise(tmp_path, dataset=name)
        assert type(dataset).__name__ == found
    for folder in ("image_2", "colored_0", "disp_occ", "disp_noc", "calib"):
        (tmp_path / "training" / folder).rename(tmp_path / folder)
    assert [type(d).__name__ for d in recognise(tmp_path)] == ["Kitti2015"]


def test_a_folder_beside_a_data_set_is_none(tmp_path):
    trees.kitti2015(tmp_path)
    trees.write_image(tmp_path / "mine/0001.png", 1)
    with pytest.raises(FileNotFoundError, match="found no known data set"):
        recognise(tmp_path / "mine")


def test_unknown_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"dataset: expected 'srflow3d', 'kitti2015', .*'kitti'"):
        recognise(tmp_path, dataset="kitti")
    with pytest.raises(ValueError, match=r"'KITTI 2015'; did you mean 'kitti2015'\?$"):
        recognise(tmp_path, dataset="KITTI 2015")
    with pytest.raises(ValueError, match="split: expected 'training' or 'testing', got 'val'"):
        recognise(tmp_path, dataset="kitti2015", split="val")
    with pytest.raises(ValueError, match="split: expected None, as monkaa has no splits"):
        recognise(tmp_path, dataset="monkaa", split="train")
    trees.kitti2015(tmp_path)
    with pytest.raises(ValueError, match="split: expected 'training', got 'dev'; looked in "):
        recognise(tmp_path, split="dev")
    with pytest.raises(FileNotFoundError, match=r"expected the split 'training', got 'testing'$"):
        recognise(tmp_path, split="testing")
