"""What is said of files that are missing or bad."""

import pytest

from sf3d_jax.data import Problem, write_image


def error_of(call):
    with pytest.raises(Exception) as caught:
        call()
    return caught.value


def test_an_error_of_the_system_is_its_file_and_reason(tmp_path):
    missing, folder = tmp_path / "none.flo", tmp_path
    assert str(Problem.of(error_of(missing.read_bytes))) == f"there is no file {missing}"
    said = str(Problem.of(error_of(folder.read_bytes)))
    assert said.startswith(f"{folder}: ") and "Errno" not in said


def test_another_error_is_what_it_says(tmp_path):
    error = error_of(lambda: write_image(tmp_path / "a.png", "no image"))
    assert str(Problem.of(error)) == str(error)
    assert Problem.of(ValueError("scale: expected one")) == Problem("scale: expected one")
