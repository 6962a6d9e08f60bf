"""FlyingChairs, with images written by OpenCV and the list of its splits."""

import numpy as np
import pytest
from helpers import pair_trees, trees
from helpers.files import made

from sf3d_jax import data
from sf3d_jax.data.sets.chairs.dataset import FlyingChairs

LIST = "FlyingChairs_train_val.txt"


def names(film):
    return [entry.sequence for entry in film.entries]


def test_a_sample_is_the_truth(tmp_path):
    flows = pair_trees.flyingchairs(tmp_path)
    film = FlyingChairs(tmp_path, "all")
    assert names(film) == ["00001", "00002", "00004"] and film.other_direction() is None
    for sample, (number, flow) in zip(film, flows.items(), strict=True):
        trees.check_images(sample, 10 * number + 1, 10 * number + 2)
        assert not sample.valid[0, 0] and sample.valid.sum() == sample.valid.size - 1
        np.testing.assert_allclose(sample.flow[sample.valid], flow[sample.valid], atol=1e-6)
        assert not sample.flow[0, 0].any()
        assert sample.camera is sample.inv_depth is None
        assert sample.name == f"{number:05d}/1"


def test_a_line_of_the_list_is_of_the_pair_of_its_number(tmp_path):
    # Pair 3 was not fetched: line 4 is of pair 4, although that is the third one here.
    pair_trees.flyingchairs(tmp_path, words="1 2 1 2 1".split())
    train, val = (FlyingChairs(tmp_path, split) for split in ("train", "val"))
    assert names(train) == ["00001"] and names(val) == ["00002", "00004"]
    assert names(FlyingChairs(tmp_path, "all")) == ["00001", "00002", "00004"]
    assert repr(val) == f"FlyingChairs({str(tmp_path)!r}, split='val', 2 samples)"
    assert [d.entries for d in data.recognise(tmp_path)] == [train.entries, val.entries]
    assert [d.split for d in data.recognise(tmp_path, split="val")] == ["val"]


@pytest.mark.parametrize("below", ["", "FlyingChairs_release", "FlyingChairs_release/data"])
def test_the_list_is_found_beside_the_images(tmp_path, below):
    pair_trees.flyingchairs(tmp_path / "FlyingChairs_release", words="2 1 2 2".split())
    train = FlyingChairs(tmp_path / below)
    assert names(train) == ["00002"] and train[0].flow is not None
    # As RAFT calls it.
    (tmp_path / "FlyingChairs_release" / LIST).rename(tmp_path / "FlyingChairs_release/x")
    (tmp_path / "FlyingChairs_release/x").rename(tmp_path / "FlyingChairs_release/chairs_split.txt")
    assert names(FlyingChairs(tmp_path / below)) == ["00002"]
    other = made(tmp_path / "elsewhere/list.txt")
    other.write_text("1\n1\n2\n2\n")
    assert names(FlyingChairs(tmp_path / below, split_list=other)) == ["00001", "00002"]


def test_without_a_list_it_is_said_where_to_get_it(tmp_path):
    pair_trees.flyingchairs(tmp_path)
    with pytest.raises(ValueError) as error:
        FlyingChairs(tmp_path)
    assert str(error.value) == (
        f"{tmp_path}: found no {LIST}, which lists the pairs of 'train': download it from the page "
        "of FlyingChairs (it is RAFT's chairs_split.txt), pass it as split_list=, or use the split "
        "'all'"
    )
    with pytest.raises(FileNotFoundError, match=r"list\.txt"):
        FlyingChairs(tmp_path, split_list=tmp_path / "list.txt")
    assert [d.split for d in data.recognise(tmp_path)] == ["all"]


@pytest.mark.parametrize(
    "words, says",
    [
        (["1", "1", "0", "2"], "expected 1 or 2 in line 3, found '0'"),
        (["1 2 1 2"], "expected 1 or 2 in line 1, found '1 2 1 2'"),
        (["1", "2", "1"], "expected a line for pair 00004, found 3 lines"),
        ([], "expected a line for pair 00004, found 0 lines"),
    ],
)
def test_a_list_of_another_form_is_named(tmp_path, words, says):
    pair_trees.flyingchairs(tmp_path, words=words)
    with pytest.raises(data.FormatError, match=says) as error:
        FlyingChairs(tmp_path)
    assert error.value.path == tmp_path / LIST


def test_what_is_missing_or_of_another_size_is_named(tmp_path):
    pair_trees.flyingchairs(tmp_path)
    for name in ("00002_img1.ppm", "00002_img2.ppm", "00002_flow.flo"):
        (tmp_path / "data" / name).rename(tmp_path / "elsewhere")
        film = FlyingChairs(tmp_path, "all")
        assert len(film) == 3 and film[0].flow is not None and film[2].flow is not None
        with pytest.raises(FileNotFoundError, match=name):
            film[1]
        (tmp_path / "elsewhere").rename(tmp_path / "data" / name)
    trees.write_image(tmp_path / "data/00001_img2.ppm", 1, (12, 21))
    with pytest.raises(data.FormatError, match="20 x 12 pixels, as in") as error:
        FlyingChairs(tmp_path, "all")[0]
    assert error.value.path == tmp_path / "data/00001_img2.ppm"


def test_kinds_that_are_not_there_are_none(tmp_path):
    pair_trees.flyingchairs(tmp_path)
    for path in tmp_path.rglob("*.flo"):
        path.unlink()
    sample = FlyingChairs(tmp_path, "all")[0]
    assert sample.image is not None and sample.flow is sample.valid is None


def test_nothing_to_read_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"found no data/00001_img1\.ppm \(expected in"):
        FlyingChairs(tmp_path, "all")
    with pytest.raises(ValueError, match="split: expected 'train', 'val' or 'all', got 'training'"):
        FlyingChairs(tmp_path, "training")
    pair_trees.flyingchairs(tmp_path, words=["1"] * 4)
    with pytest.raises(FileNotFoundError, match=r"img1\.ppm of the split 'val' \(expected in Fly"):
        FlyingChairs(tmp_path, "val")


def test_the_successors_are_told_by_name(tmp_path):
    flow = np.ones((*trees.SIZE, 2))
    for number in (0, 1):
        top = tmp_path / "FlyingChairs2/train"
        for which in (0, 1):
            trees.write_image(top / f"{number:07d}-img_{which}.png", which)
        data.write_flow(top / f"{number:07d}-flow_01.flo", flow)
        top = tmp_path / "ChairsSDHom/data/train"
        for which in (0, 1):
            trees.write_image(top / f"t{which}/{number:05d}.png", which)
        data.write_flow(made(top / f"flow/{number:05d}.pfm"), flow)
    for name in ("FlyingChairs2", "ChairsSDHom"):
        with pytest.raises(FileNotFoundError, match=f"looks like {name}: FolderPairs") as error:
            FlyingChairs(tmp_path / name, "all")
        # What the message says to do does it.
        film = eval(str(error.value).split(f"like {name}: ")[1], {"FolderPairs": data.FolderPairs})
        assert len(film) == 2 and (film[0].flow == 1).all()
        trees.check_images(film[0], 0, 1)
