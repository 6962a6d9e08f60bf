"""`sf3d convert --ego`: the camera's motion, which pixels are static, and what is left."""

import re

import cv2
import numpy as np
import pytest
from helpers.rigid_scenes import rigid_scene

from sf3d_jax import data
from sf3d_jax.cli import main

SCENE = rigid_scene(3, (24, 32))
DEPTHS = {
    "--depth depth.npy --next-depth next_depth.npy": True,
    "--inverse-depth inverse.npy": True,
    "": False,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a flow, depths, and cameras of both images."""
    valid = SCENE.valid
    inverse = np.where(valid, SCENE.inv_depth, 1)
    maps = {
        "inverse": inverse,
        "depth": 1 / inverse,
        "next_depth": 1 / np.where(valid, SCENE.inv_depth + SCENE.change, 1),
    }
    monkeypatch.chdir(tmp_path)
    data.write_flow("0000.npz", np.float32(SCENE.flow), valid=valid)
    for name, values in maps.items():
        data.write_map(f"{name}.npy", np.float32(np.where(valid, values, 0)))
    data.write_json_cameras("cameras.json", {"0000": SCENE.camera, "0001": SCENE.next_camera})


def convert(capsys, words):
    main(["convert", "--flow", "0000.npz", "--ego", *words.split()])
    return capsys.readouterr().out


@pytest.mark.thorough
@pytest.mark.parametrize("depths", DEPTHS)
def test_the_motion_is_printed_and_what_is_static_is_written(folder, capsys, depths):
    said = convert(capsys, f"{depths} --cameras cameras.json --output out")
    static = cv2.imread("out/0000_static.png", cv2.IMREAD_UNCHANGED)
    wrong = ((static > 127) != SCENE.static) & SCENE.valid
    assert static.shape == SCENE.valid.shape and wrong.mean() < 0.02
    assert (static[~SCENE.valid] == 64).all()  # neither static nor moving
    # The camera itself moves by the inverse of what the points do.
    turn, shift = SCENE.transform[:, :3], SCENE.transform[:, 3]
    angle, centre = np.degrees(np.arccos((np.trace(turn) - 1) / 2)), -turn.T @ shift
    moved = re.search(r"moved (.+?) towards \((.+?)\), mostly", said)
    length = np.linalg.norm(centre)
    direction = [float(x) for x in moved[2].split(",")]
    np.testing.assert_allclose(direction, centre / length, atol=2e-3)
    assert float(re.search(r"turned by (\S+) degrees", said)[1]) == pytest.approx(angle, rel=5e-3)
    if not DEPTHS[depths]:
        assert moved[1] == "an unknown distance"
    else:
        value, unit = moved[1].split()
        metres = float(value) * {"m": 1, "mm": 1e-3}[unit]
        assert metres == pytest.approx(length, rel=5e-3)


@pytest.mark.thorough
def test_a_static_scene_leaves_nothing(folder, capsys):
    words = "--depth depth.npy --next-depth next_depth.npy --cameras cameras.json --output out"
    convert(capsys, f"{words} --picture")
    assert cv2.imread("out/0000_residual_picture.png") is not None
    left = np.load("out/0000_residual.npz")
    still = SCENE.static & SCENE.valid
    assert np.abs(left["vectors"][still]).max() < 1e-4 / SCENE.inv_depth[still].min()
    moves = ~SCENE.static & left["valid"]
    assert np.median(np.linalg.norm(left["vectors"][moves], axis=-1)) > 1e-3
    np.testing.assert_allclose(
        left["next_camera_world_to_camera"][:, :3], SCENE.transform[:, :3], atol=1e-5
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--output a.npz", "--output: expected a folder: there is no .npz of --flow alone"),
        ("--output out --picture", "--picture needs the depths in both images"),
        ("--output out --next-depth next_depth.npy", "--ego needs none, or the first of a pair"),
    ],
)
def test_what_does_not_go_with_it_is_named(folder, capsys, words, message):
    with pytest.raises(SystemExit) as stop:
        convert(capsys, f"{words} --cameras cameras.json")
    assert stop.value.code == 2
    assert message in capsys.readouterr().err
