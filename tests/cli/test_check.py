"""`sf3d check` on SRFlow3D's tree of the closed-form scene: a good one, and damaged ones."""

import json
import shutil

import numpy as np
import pytest
from helpers.command import run

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.cli import main
from sf3d_jax.data.closed_form import deforming_scene, next_image

SIZE = (96, 128)
SUBJECTS = ("001", "002", "003")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Three subjects of two frames each."""
    root = tmp_path_factory.mktemp("check") / "made"
    writer = data.SRFlow3DWriter(root, "train", scale=2.0)
    for number, subject in enumerate(SUBJECTS):
        amplitude = 0.01 + 0.002 * number
        scene = deforming_scene(SIZE, amplitude=amplitude)
        first = data.Motion(np.float32(scene.flow), np.float32(scene.inv_depth_change))
        maps = {"mask": scene.valid, "inv_depth": np.float32(scene.inv_depth)}
        warped = sf3d.warp_inverse_depth(maps["inv_depth"], first.inv_depth_change, first.flow)
        after = {"mask": np.array(warped.valid), "inv_depth": np.array(warped.inv_depth)}
        image = next_image(scene, amplitude=amplitude)
        writer.write(subject, 0, camera=scene.camera, image=scene.image, forward=first, **maps)
        writer.write(subject, 1, camera=scene.next_camera, image=image, **after)
    return root


@pytest.fixture
def tree(whole, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(whole, tmp_path / "made")


def first_kind(out):
    """The first row of the table."""
    lines = out.splitlines()
    return lines[next(i for i, line in enumerate(lines) if "samples  sure" in line) + 1].split()


def change(path, function):
    np.save(path, function(np.load(path)))


def test_a_good_tree_has_nothing_wrong(whole, capsys):
    code, out, _ = run(["check", whole], capsys)
    assert code == 0 and "checked 3 samples, found no problems" in out
    assert "\n  cameras read as K and world_to_camera (world to camera)\n" in out


def test_it_says_where_one_negative_focal_length_mirrors_the_world(tree, capsys):
    """As NeRFace's exporter writes it: its world is left-handed, what the cameras see is not."""
    scene = deforming_scene(SIZE)
    flip, frames = np.diag([-1.0, 1, 1, 1]), []
    for camera in (scene.camera, scene.next_camera):
        pose = flip @ np.r_[camera.world_to_camera, [[0, 0, 0, 1]]] @ flip
        to_world = np.linalg.inv(pose) @ np.diag([1.0, -1, -1, 1])
        frames.append({"transform_matrix": to_world.tolist(), "expression": [0.5]})
    (fx, fy), point = scene.camera.focal, (scene.camera.principal_point + 0.5) / SIZE[::-1]
    lens = {"camera_angle_x": -0.4, "intrinsics": [-fx, fy, *point]}
    for subject in SUBJECTS:
        path = tree / "train/camera" / subject / "spirals.json"
        path.write_text(json.dumps(lens | {"h": SIZE[0], "w": SIZE[1], "frames": frames}))
    code, out, _ = run(["check", tree], capsys)
    assert code == 0 and "found no problems" in out
    assert "cameras read as transforms.json" in out and "in the mirror image of its world" in out


def test_a_fault_is_named_with_what_explains_it(tree, tmp_path, capsys):
    for subject in SUBJECTS:
        path = tree / "train/flow_F" / subject / "0000.flo"
        flow = data.read_flow(path).flow
        data.write_flow(path, flow[..., ::-1])
    report = tmp_path / "report.json"
    code, out, _ = run(["check", tree, "--json", report, "--jobs", 2], capsys)
    assert code == 1 and first_kind(out)[:2] == ["flow_order", "3"]
    assert "swap them" in out and "001/0000, 002/0000, 003/0000" in out
    [written] = json.loads(report.read_text())
    assert "SRFlow3D" in written["dataset"] and len(written["reports"]) == 3
    for one in written["reports"]:
        assert one["findings"][0]["name"] == "flow_order" and one["measured"]


def test_a_few_samples_may_be_checked(whole, tmp_path, capsys):
    report = tmp_path / "report.json"
    code, out, _ = run(["check", whole, "--limit", 2, "--json", report], capsys)
    assert code == 0 and "checked 2" in out
    [written] = json.loads(report.read_text())
    assert [one["name"] for one in written["reports"]] == ["001/0000", "002/0000"]


def test_broken_and_missing_files_are_listed_and_the_rest_is_checked(tree, capsys):
    top = tree / "train"
    flow = top / "flow_F/001/0000.flo"
    flow.write_bytes(flow.read_bytes()[:500])
    (top / "render/002/0001.jpg").unlink()
    change(top / "scaled_inv_depth_CF/002/0000.npy", lambda x: np.int32(1000 * x))
    change(top / "scaled_inv_depth_CF/003/0000.npy", lambda x: x[1:])
    code, out, _ = run(["check", tree], capsys)
    words = " ".join(out.split())
    assert code == 1 and "checked 3 samples, found problems in 3" in out
    for kind in ("unreadable", "missing", "dtype", "size"):
        assert f"\n  {kind}" in out
    assert f"{flow}: expected" in words and "render/002/0001.jpg: missing" in words
    assert "found the dtype int32" in words and "found 128 x 95" in words


def test_a_scale_that_varies_is_named(tree, capsys):
    change(tree / "train/depth/002/0000.npy", lambda x: x * np.linspace(1, 2, SIZE[1]))
    change(tree / "train/depth/003/0000.npy", lambda x: x * 1.5)
    code, out, _ = run(["check", tree], capsys)
    assert code == 1 and first_kind(out)[:2] == ["scale", "2"]


def test_clips_that_cannot_be_read_are_named(tree, capsys):
    (tree / "train/camera/001/clip.json").write_text("[[0,")
    code, out, _ = run(["check", tree], capsys)
    assert code == 1 and "clip.json: expected" in " ".join(out.split())


@pytest.mark.parametrize(
    "words, says",
    [
        (["--dataset", "mine"], "mine"),
        (["--limit", "0"], "--limit: expected at least 1, got 0"),
        (["--jobs", "-1"], "--jobs: expected at least 1, got -1"),
        (["--json", "none/report.json"], "--json: there is no folder none"),
        (["--split", "dev"], "split: expected 'train', 'test', "),
    ],
)
def test_bad_input_is_one_line(tmp_path, words, says, capsys):
    (tmp_path / "photos").mkdir()
    code, out, [error] = run(["check", tmp_path, *words], capsys)
    assert code == 2 and says in error and not out


@pytest.mark.parametrize("words, count", [([], 14), (["--dataset", "spring"], 1)])
def test_the_layouts_that_were_looked_for_have_a_line_each(tmp_path, words, count, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["check", str(tmp_path), *words])
    first, *layouts, own = capsys.readouterr().err.splitlines()
    assert stopped.value.code == 2
    assert first == f"sf3d: {tmp_path}: found no known data set; looked for"
    assert len(layouts) == count and all(x.startswith("  ") and ": " in x for x in layouts)
    assert any(x.startswith("  spring: train/") for x in layouts)
    assert "data.FolderPairs" in own and "data.check" in own


def test_a_missing_folder_is_named(tmp_path, capsys):
    code, _, [error] = run(["check", tmp_path / "none"], capsys)
    assert code == 2 and f"no such folder: {tmp_path / 'none'}" in error
