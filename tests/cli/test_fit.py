"""`sf3d fit`: what it writes, and what it says of input that it cannot use."""

import re

import cv2
import numpy as np
import pytest

from sf3d_jax import data
from sf3d_jax.cli import main
from sf3d_jax.cli.inputs import make_folder
from sf3d_jax.data.closed_form import deforming_scene, next_image

SIZE = (48, 64)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    scene = deforming_scene(SIZE)
    monkeypatch.chdir(tmp_path)
    data.write_image("one.png", scene.image)
    data.write_image("two.png", next_image(scene))
    data.write_image("small.png", scene.image[:-1])
    for name in ("depth0.npy", "depth1.npy"):
        data.write_map(name, np.float32(1 / scene.inv_depth))
    np.save("nothing.npy", np.full(SIZE, np.nan, np.float32))
    (tmp_path / "broken.png").write_bytes(b"no picture")
    return scene


CAMERA = "--fx 70.4 --fy 70.4 --cx 31.5 --cy 23.5".split()
NOTHING = "--depth0 nothing.npy --depth1 depth1.npy".split()
DEPTHS = "--depth0 depth0.npy --depth1 depth1.npy".split()


@pytest.mark.thorough
def test_two_images_give_flow_and_a_picture(folder, capsys, tmp_path):
    main(["fit", "one.png", "two.png", "--out", "here/there"])
    flow, valid = data.read_flow("here/there/flow.flo")
    error = np.linalg.norm(flow - folder.flow, axis=-1)[valid]
    assert np.median(error) < 0.2 * np.median(np.linalg.norm(folder.flow, axis=-1))
    assert cv2.imread("here/there/sheet.png") is not None
    assert not (tmp_path / "here" / "there" / "scene_flow.npz").exists()
    assert "flow.flo" in capsys.readouterr().out


def test_an_interrupted_fit_leaves_no_folder(tmp_path):
    (tmp_path / "old").mkdir()
    for path in (tmp_path / "new/deeper", tmp_path / "old/new"):
        with pytest.raises(KeyboardInterrupt), make_folder(path, "out"):
            raise KeyboardInterrupt
    assert [x.name for x in tmp_path.iterdir()] == ["old"] and not list(
        (tmp_path / "old").iterdir()
    )
    with pytest.raises(KeyboardInterrupt), make_folder(tmp_path / "kept", "out"):
        (tmp_path / "kept/flow.flo").write_text("whole")
        raise KeyboardInterrupt
    assert (tmp_path / "kept/flow.flo").exists()


def test_depths_and_a_camera_give_scene_flow_as_well(folder, capsys):
    main(["fit", "one.png", "two.png", *DEPTHS, *CAMERA, "--out", "here"])
    said = capsys.readouterr()
    assert not said.err.startswith("sf3d: --cx")
    flow_line, _, scene_line = said.out.splitlines()[-4:-1]
    with np.load("here/scene_flow.npz") as result:
        flow = data.read_flow("here/flow.flo").flow[result["seen"]]
        median = np.median(np.linalg.norm(np.float64(flow), axis=-1))
        told = re.search(
            r"flow\.flo: median (\S+) px over pixels matched in both images", flow_line
        )
        assert float(told[1]) == pytest.approx(median, rel=6e-3)
        median = 1e3 * np.median(np.linalg.norm(np.float64(result["vectors"]), axis=-1))
        told = re.search(r"100 % valid, median over all valid pixels (\S+) mm; camera", scene_line)
        assert float(told[1]) == pytest.approx(median, rel=6e-3)
        assert result["vectors"].shape == (*SIZE, 3) and result["valid"].all()
        np.testing.assert_allclose(result["points"][..., 2], 1 / folder.inv_depth, rtol=1e-5)
    main(["convert", "--inverse", "--input", "here/scene_flow.npz", "--format", "npy"])
    assert "scene_flow.npz" in said.out
    assert "scene_flow_flow.npy" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words, said",
    [
        (["one.png", "small.png"], "small.png"),
        (["one.png", "none.png"], "none.png"),
        (["broken.png", "one.png"], "broken.png"),
        (["one.png", "two.png", "--depth0", "depth0.npy"], "--depth1"),
        (["one.png", "two.png", *DEPTHS], "--calibration"),
        (["one.png", "two.png", *DEPTHS, "--calibration", "none.txt"], "none.txt"),
        (["one.png", "two.png", *DEPTHS, "--calibration", "."], "--calibration: . is a folder"),
        (["one.png", "two.png", "--depth0", ".", "--depth1", ".", *CAMERA], "--depth0: . is a"),
        (["one.png", "two.png", *NOTHING, *CAMERA], "nothing.npy: no pixel has a depth"),
        (["one.png", "two.png", "--out", "x.flo"], "--out: expected a folder, got x.flo"),
        (["one.png", "two.png", *CAMERA], "--depth0"),
        (["one.png", "two.png", *DEPTHS, *CAMERA, "--png-scale", "256"], "--png-scale 256: is for"),
        (["one.png", "two.png", "--smoothness", "0"], "--smoothness"),
        (["one.png", "two.png", "--reach", "3"], "--reach"),
        (["one.png", "two.png", "--out", "broken.png"], "--out"),
    ],
)
def test_what_cannot_be_used_is_said_in_one_line(folder, capsys, words, said):
    out = [] if "--out" in words else ["--out", "here"]
    with pytest.raises(SystemExit) as stopped:
        main(["fit", *words, *out])
    message = capsys.readouterr().err.strip()
    assert stopped.value.code == 2 and said in message and "\n" not in message
