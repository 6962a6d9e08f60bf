"""HD1K: sequences in one folder, of which the last flow may be missing."""

import numpy as np
import pytest
from helpers import street_trees, trees

from sf3d_jax import data
from sf3d_jax.data.sets.hd1k.dataset import HD1K


def test_pairs_are_neighbours_of_one_sequence(tmp_path):
    flow = street_trees.hd1k(tmp_path)
    film = HD1K(tmp_path)
    names = [(e.sequence, e.frame, e.next_frame) for e in film.entries]
    assert names == [
        ("000003", "0008", "0009"),
        ("000003", "0009", "0010"),
        ("000011", "0000", "0001"),
    ]
    for sample, number in zip(film, (308, 309, 1100), strict=True):
        trees.check_images(sample, number, number + 1)
        known = np.ones(trees.SIZE, bool)
        known[number % 100] = False
        np.testing.assert_array_equal(sample.valid, known)
        expected = np.where(known[..., None], flow + number % 100, 0)
        np.testing.assert_array_equal(sample.flow, expected)
        assert sample.camera is sample.inv_depth is sample.occlusion is None
    assert film[0].name == "000003/0008" and film.other_direction() is None


def test_behind_the_last_flow_and_across_a_gap_there_is_no_pair(tmp_path):
    street_trees.hd1k(tmp_path)
    top = tmp_path / "hd1k_flow_gt/flow_occ"
    (top / "000003_0009.png").unlink()
    assert [e.name for e in HD1K(tmp_path).entries] == ["000003/0008", "000011/0000"]
    for frame in (12, 13):
        trees.write_image(tmp_path / f"hd1k_input/image_2/000003_{frame:04d}.png", frame)
    data.write_flow(top / "000003_0012.png", np.ones((*trees.SIZE, 2)))
    film = HD1K(tmp_path, sequences=["000003"])
    assert [e.frame for e in film.entries] == ["0008", "0009", "0012"]
    # In the middle of a sequence a file that is not there is missing.
    with pytest.raises(FileNotFoundError, match=r"flow_occ.000003_0009\.png"):
        film[1]


def test_the_challenge_has_images_alone(tmp_path):
    street_trees.hd1k(tmp_path)
    (tmp_path / "hd1k_input").rename(tmp_path / "hd1k_challenge")
    film = HD1K(tmp_path, "challenge")
    assert len(film) == 3 and film[2].flow is film[2].valid is None
    trees.check_images(film[2], 1100, 1101)


def test_flow_alone_makes_pairs(tmp_path):
    street_trees.hd1k(tmp_path)
    (tmp_path / "hd1k_input").rename(tmp_path / "images")
    film = HD1K(tmp_path)
    assert [e.name for e in film.entries][:2] == ["000003/0008", "000003/0009"]
    assert film[0].image is None and film[0].flow is not None


def test_what_is_not_there_is_named(tmp_path):
    street_trees.hd1k(tmp_path)
    with pytest.raises(FileNotFoundError, match="found no 000004, only"):
        HD1K(tmp_path, sequences=["000004"])
    with pytest.raises(FileNotFoundError, match=r"no hd1k_challenge/image_2/000000_0010\.png"):
        HD1K(tmp_path, "challenge")
    with pytest.raises(FileNotFoundError, match=r"HD1K: no such folder: .*nowhere"):
        HD1K(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="split: expected 'training' or 'challenge', got 'test'"):
        HD1K(tmp_path, "test")
    path = tmp_path / "hd1k_input/image_2/000003_0010.png"
    data.write_image(path, trees.image(0, (5, 6)))
    with pytest.raises(data.FormatError, match=r"expected 20 x 12 pixels, .*found 6 x 5") as error:
        HD1K(tmp_path)[1]
    assert str(path) in str(error.value)
