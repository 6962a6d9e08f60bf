"""Which files of a folder are its frames."""

import pytest

from sf3d_jax.data.sets._listing import Folder


def listed(root, ending, *names):
    for name in names:
        (root / name).write_bytes(b"")
    folder = Folder(root, ending)
    return {stem: folder.file(stem).name for stem in folder.stems}


def test_a_file_of_another_kind_is_no_frame(tmp_path):
    names = ("0000.png", "0000.txt", "0001.json", "Thumbs.db", "0002.npy", "0003")
    assert listed(tmp_path, ".jpg", *names) == {"0000": "0000.png"}


@pytest.mark.parametrize("ending", [".npy", ".flo", ".pfm", ".dpt", ".flo5", ".dsp5"])
def test_the_own_ending_comes_first(tmp_path, ending):
    names = (f"1{ending}", "1.png", "1.pfm", "1.txt", "1.jpg", "2.png", "2.jpg", "3.jpg")
    assert listed(tmp_path, ending, *names) == {"1": f"1{ending}", "2": "2.png"}


def test_a_png_may_be_a_picture_or_a_map(tmp_path):
    names = ("1.npy", "1.jpg", "2.pfm", "3.npy", "3.png", "4.webp")
    found = listed(tmp_path, ".png", *names)
    assert found == {"1": "1.jpg", "2": "2.pfm", "3": "3.png", "4": "4.webp"}


def test_endings_are_compared_without_case(tmp_path):
    found = listed(tmp_path, ".png", "1.PNG", "1.jpg", "2.JPEG", "3.TXT")
    assert found == {"1": "1.PNG", "2": "2.JPEG"}


def test_hidden_files_and_folders_are_none(tmp_path):
    (tmp_path / "2.png").mkdir()
    assert listed(tmp_path, ".png", "._1.png", ".png", "1.png") == {"1": "1.png"}
    assert Folder(tmp_path, ".png").subfolders == {"2.png"}


def test_an_ending_of_no_group_stands_alone(tmp_path):
    assert listed(tmp_path, ".cam", "1.cam", "1.png", "2.npy") == {"1": "1.cam"}


def test_without_an_ending_folders_alone_are_listed(tmp_path):
    (tmp_path / "inside").mkdir()
    assert listed(tmp_path, "", "1.png", "2") == {}
    folder = Folder(tmp_path, "")
    assert not folder and folder.subfolders == {"inside"}


def test_a_missing_file_ends_as_those_beside_it(tmp_path):
    listed(tmp_path, ".jpg", "1.png", "1.txt", "2.png", "3.npy")
    assert Folder(tmp_path, ".jpg").file("9").name == "9.png"
    listed(tmp_path, ".jpg", "4.jpg")
    assert Folder(tmp_path, ".jpg").file("9").name == "9.jpg"
    missing = Folder(tmp_path / "nowhere", ".jpg")
    assert not missing and missing.inside("031").file("9").name == "9.jpg"
