"""`sf3d demo`: what it prints and draws."""

import cv2
import pytest

from sf3d_jax.cli import main


@pytest.mark.thorough
def test_the_demo_prints_small_errors_and_draws_a_picture(tmp_path, capsys):
    main(["demo", "--size", "96", "128", "--output", str(tmp_path / "here")])
    printed = capsys.readouterr().out
    for words in ("scene flow", "there and back", "Time per megapixel", "ratio", "sf3d_demo.png"):
        assert words in printed
    error = float(printed.split("Largest error")[1].split("scene flow")[1].split(" m ")[0])
    assert error < 1e-6
    assert cv2.imread(str(tmp_path / "here" / "sf3d_demo.png")) is not None


def test_a_size_too_small_is_refused(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["demo", "--size", "4", "4"])
    assert stopped.value.code == 2 and "--size" in capsys.readouterr().err
