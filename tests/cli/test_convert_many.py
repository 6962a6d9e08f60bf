"""`sf3d convert` of many files: which belong together, and where the camera was at each."""

import itertools
import json
import pathlib
import re
import shutil

import numpy as np
import pytest

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.cli import main
from sf3d_jax.cli.files import ENDINGS

SIZE = (20, 30)
FX, FY, CX, CY = 40.0, 41.0, 14.2, 9.1
CAMERA = ["--fx", str(FX), "--fy", str(FY), "--cx", str(CX), "--cy", str(CY)]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder."""
    monkeypatch.chdir(tmp_path)


def write_numbered(folder, name, numbers, flow=None):
    """Files that end in a number, which is also the depth in metres; zero flow."""
    pathlib.Path(folder).mkdir()
    for number in numbers:
        depth = np.full(SIZE, 1.0 + int(number), np.float32)
        np.save(f"{folder}/{name.format(number)}.npy", depth if flow is None else flow)


def check_depths(names, numbers):
    """Each result has the depth of its number, and no motion."""
    assert sorted(p.name for p in pathlib.Path("out").iterdir()) == sorted(
        f"{n}.npz" for n in names
    )
    for name, number in zip(names, numbers, strict=True):
        result = np.load(f"out/{name}.npz")
        np.testing.assert_allclose(result["points"][..., 2], 1 + number, rtol=1e-6)
        assert not result["vectors"].any()


STILL = np.zeros((*SIZE, 2), np.float32)
NUMBERS = "convert --flow flow --depth depth --next-depth depth --output out".split()


@pytest.mark.parametrize("typed", [False, True], ids=["folders", "files"])
def test_numbers_in_names_say_which_files_belong_together(capsys, typed):
    write_numbered("flow", "{}", range(1, 12), STILL)
    write_numbered("depth", "{:04d}", range(1, 13))
    words = list(NUMBERS)
    if typed:  # in the order of their text, as a shell lists them
        flows, depths = (sorted(map(str, pathlib.Path(x).iterdir())) for x in ("flow", "depth"))
        pair = ["--depth", *depths, "--next-depth", *depths]
        words = ["convert", "--flow", *flows, *pair, "--output", "out"]
    main([*words, *CAMERA])
    check_depths([f"{i}" for i in range(1, 12)], range(1, 12))
    note = "--depth: skipped 1 of 12 files, without a flow: depth/0012.npy"
    assert note in capsys.readouterr().err


@pytest.mark.parametrize(
    "flow, depth, is_noted",
    [
        ("a_1", "b_2", True),
        ("0001_0002", "depth_2", True),
        ("flow_7_v1", "depth_8", True),
        ("a_1", "b_0001", False),
        ("0001_0002", "depth_1", False),
        ("flow_2_v1", "depth_2", False),
        ("flow", "depth_2", False),
    ],
)
def test_a_file_that_is_typed_for_a_flow_of_another_number_is_noted(capsys, flow, depth, is_noted):
    np.save(f"{flow}.npy", STILL)
    np.save(f"{depth}.npy", np.full(SIZE, 2.0, np.float32))
    words = f"--flow {flow}.npy --depth {depth}.npy --next-depth {depth}.npy --output out".split()
    main(["convert", *words, *CAMERA])
    said = capsys.readouterr().err
    note = f"sf3d: --depth: using {depth}.npy for {flow}.npy as typed, although the numbers"
    assert (note in said) == is_noted and ("as typed" in said) == is_noted
    np.testing.assert_array_equal(np.load(f"out/{flow}.npz")["points"][..., 2], 2)


def test_a_flow_without_the_depth_of_its_number_is_listed(capsys):
    write_numbered("flow", "f_{:04d}", range(1, 4), STILL)
    write_numbered("depth", "d_{:04d}", range(2, 5))
    with pytest.raises(SystemExit) as stopped:
        main([*NUMBERS, *CAMERA])
    assert stopped.value.code == 2 and not pathlib.Path("out").exists()
    assert "--depth: flow/f_0001.npy: has no partner" in capsys.readouterr().err


def test_files_of_a_folder_that_cannot_be_read_are_left_out_and_counted(capsys):
    write_numbered("flow", "{}", range(1, 3), STILL)
    write_numbered("depth", "{}", range(1, 3))
    for name in ("flow/notes.txt", "flow/Thumbs.db", "depth/Thumbs.db", "depth/1.txt"):
        pathlib.Path(name).touch()
    main([*NUMBERS, *CAMERA])
    check_depths(["1", "2"], [1, 2])
    said = capsys.readouterr().err
    for note in (
        "--flow: skipped 2 of 4 files, not ending in .flo, .*: flow/Thumbs.db, ...",
        "--depth: skipped 2 of 4 files, not ending in .png, .*: depth/1.txt, ...",
    ):
        assert re.search(note, said)
    for name in ("1.npy", "2.npy"):
        pathlib.Path("flow", name).unlink()
    with pytest.raises(SystemExit):
        main([*NUMBERS, *CAMERA])
    said = capsys.readouterr().err
    assert "--flow: the folder flow holds no files that end in .flo, " in said


def test_a_picture_among_flows_is_blamed_on_their_folder(capsys):
    write_numbered("flow", "{}", range(1, 3), STILL)
    write_numbered("depth", "{}", range(1, 3))
    pathlib.Path("flow/preview_0000.png").touch()
    with pytest.raises(SystemExit):
        main([*NUMBERS, *CAMERA])
    said = capsys.readouterr().err
    assert "flow/preview_0000.png: has no partner" in said
    assert said.endswith("remove files that are not flows from the folder of --flow, flow\n")


@pytest.mark.parametrize(
    "fields, read",
    [
        (["flow"], data.read_flow),
        (["disparity", "next_disparity"], data.read_disparity),
        (["depth", "next_depth", "inverse_depth", "inverse_depth_change"], data.read_map),
        (["motion_in_depth"], data.read_map),
    ],
)
def test_all_endings_that_can_be_read_are_taken(fields, read):
    with pytest.raises(data.FormatError) as refused:
        read("a.unknown")
    listed = re.findall(r"'(\.\w+)'", str(refused.value).partition("format=")[0])
    for field in fields:
        assert {*ENDINGS[field]} == {*listed}


def test_as_many_files_without_numbers_belong_together_in_their_order():
    write_numbered("flow", "{}", range(2), STILL)
    write_numbered("depth", "{}", range(2))
    for old, new in (("flow/0", "flow/b"), ("flow/1", "flow/a"), ("depth/0", "depth/x")):
        pathlib.Path(f"{old}.npy").rename(f"{new}.npy")
    pathlib.Path("depth/1.npy").rename("depth/y.npy")
    words = "--flow flow/b.npy flow/a.npy --depth depth/x.npy depth/y.npy".split()
    words += "--next-depth depth/x.npy depth/y.npy --output out".split()
    main(["convert", *words, *CAMERA])
    check_depths(["a", "b"], [1, 0])


POSES = [np.eye(3, 4)]
for angle in (0.02, -0.01):
    turn = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    POSES.append(np.concatenate([turn, [[5 * angle], [0.03], [-angle]]], axis=1))


def write_still_world():
    """Flow and depths of a world that stands still, between the three cameras of `POSES`."""
    u, v = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    depth = np.random.default_rng(1).uniform(2, 5, SIZE)
    for name in ("flow", "depth", "next"):
        pathlib.Path(name).mkdir()
    for i, (first, second) in enumerate(itertools.pairwise(POSES)):
        points = np.stack([(u - CX) / FX * depth, (v - CY) / FY * depth, depth], -1)
        world = (points - first[:, 3]) @ first[:, :3]
        then = world @ second[:, :3].T + second[:, 3]
        ends = np.stack(
            [then[..., 0] / then[..., 2] * FX + CX, then[..., 1] / then[..., 2] * FY + CY], -1
        )
        flow = np.float32(ends - np.stack([u, v], -1))
        np.save(f"flow/flow_{i}.npy", flow)
        np.save(f"depth/depth_{i}.npy", np.float32(depth))
        np.save(f"next/next_{i}.npy", np.float32(then[..., 2]))


def check_still(count=2):
    """Nothing moves in the results, and the way back gives the flow again."""
    for i in range(count):
        result = np.load(f"out/flow_{i}.npz")
        assert result["valid"].all()
        np.testing.assert_allclose(result["vectors"], 0, atol=3e-6)
        main(f"convert --inverse --input out/flow_{i}.npz --output back --format npy".split())
        back = np.load(f"back/flow_{i}_flow.npy")
        np.testing.assert_allclose(back, np.load(f"flow/flow_{i}.npy"), atol=1e-4)


MOVING = "convert --flow flow --depth depth --next-depth next --output out".split()


@pytest.mark.parametrize("form", ["rows", "files", "npy"])
def test_a_next_pose_removes_the_motion_of_the_camera(form):
    write_still_world()
    square = [np.concatenate([pose, [[0, 0, 0, 1]]]) for pose in POSES]
    moves = [b @ np.linalg.inv(a) for a, b in itertools.pairwise(square)]
    pathlib.Path("poses").mkdir()
    for i, move in enumerate(moves):
        np.savetxt(f"poses/pose_{i}.txt", move[:3], delimiter=", ", header="R | t")
    np.savetxt("poses.txt", [move[:3].ravel() for move in moves])
    np.save("poses.npy", moves)
    flag = {"rows": "poses.txt", "files": "poses", "npy": "poses.npy"}[form]
    main([*MOVING, "--next-pose", flag, *CAMERA])
    check_still()


def test_a_next_calibration_removes_a_zoom():
    first, second = (sf3d.Camera.pinhole(f, f, CX, CY, SIZE) for f in (FX, 1.25 * FX))
    for name, camera in (("first.txt", first), ("second.txt", second)):
        data.write_kitti_calibration(name, data.Calibration(camera, 0.5))
    u, v = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    np.save("flow_0.npy", np.float32(0.25 * np.stack([u - CX, v - CY], -1)))
    depth = np.full(SIZE, 3, np.float32)
    np.save("disparity_0.npy", FX * 0.5 / depth)
    np.save("next_0.npy", 1.25 * FX * 0.5 / depth)
    maps = "--flow flow_0.npy --disparity disparity_0.npy --next-disparity next_0.npy".split()
    cameras = "--calibration first.txt --next-calibration second.txt --output a.npz".split()
    main(["convert", *maps, *cameras])
    np.testing.assert_allclose(np.load("a.npz")["vectors"], 0, atol=3e-6)
    main("convert --inverse --input a.npz --output back --format npy".split())
    for name in ("flow", "disparity", "next_disparity"):
        back = np.load(f"back/a_{name}.npy")
        np.testing.assert_allclose(back, np.load(f"{name.split('_')[0]}_0.npy"), atol=2e-5)


@pytest.mark.parametrize("form", ["transforms.json", "colmap", "folder"])
def test_a_table_of_cameras_removes_their_motion(form, capsys):
    write_still_world()
    at = lambda pose: sf3d.Camera.pinhole(FX, FY, CX, CY, SIZE, pose)
    cameras = {f"image_{i}.png": at(pose) for i, pose in enumerate(POSES)}
    if form == "colmap":
        pathlib.Path("colmap").mkdir()
        data.write_colmap_cameras("colmap/cameras.txt", {1: cameras["image_0.png"]})
        images = {
            i: data.ColmapImage(name, 1, camera.world_to_camera)
            for i, (name, camera) in enumerate(cameras.items(), 1)
        }
        data.write_colmap_images("colmap/images.txt", images)
    else:
        frames = [data.TransformsFrame(camera, name) for name, camera in cameras.items()]
        pathlib.Path("folder").mkdir()
        data.write_transforms("transforms.json", frames)
        data.write_transforms("folder/transforms.json", frames)
    main([*MOVING, "--cameras", form])
    check_still()
    said = capsys.readouterr()
    assert "--cameras" not in said.err
    lines = [line for line in said.out.splitlines() if line.startswith("out/flow_")]
    assert len(lines) == 2 and all(line.endswith("; camera motion removed") for line in lines)


def test_images_of_two_cameras_belong_to_flows_in_folders_of_their_names(capsys):
    write_still_world()
    away = np.eye(3, 4)
    away[0, 3] = 7
    at = {"cam1": [away] * len(POSES), "cam2": POSES}
    images = [
        data.ColmapImage(f"{folder}/{i:04d}.png", 1, np.float64(pose))
        for folder, poses in at.items()
        for i, pose in enumerate(poses)
    ]
    pathlib.Path("colmap").mkdir()
    lens = sf3d.Camera.pinhole(FX, FY, CX, CY, SIZE)
    data.write_colmap_cameras("colmap/cameras.bin", {1: lens})
    data.write_colmap_images("colmap/images.bin", dict(enumerate(images, 1)))
    words = [*MOVING, "--cameras", "colmap"]
    with pytest.raises(SystemExit):
        main(words)
    error = " ".join(capsys.readouterr().err.split())
    assert "cam1/0000.png and cam2/0000.png; put each flow into a folder with the name" in error
    shutil.copytree("flow", "cam2")
    words[words.index("--flow") + 1] = "cam2"
    main(words)
    check_still()
    with pytest.raises(SystemExit):
        main([*words[:-1], "colmap/images.bin"])
    assert "is one file of a COLMAP model; name its folder, colmap" in capsys.readouterr().err


@pytest.mark.parametrize("says_times", [True, False])
def test_the_next_frame_of_a_camera_is_not_the_next_camera(says_times, capsys):
    write_still_world()
    for folder, name in (("flow", "flow"), ("depth", "depth"), ("next", "next")):
        pathlib.Path(f"{folder}/{name}_0.npy").rename(f"{folder}/00000_01.npy")
        pathlib.Path(f"{folder}/{name}_1.npy").unlink()
    away = np.eye(3, 4)
    away[0, 3] = 7
    listed = []
    for time, i in itertools.product(range(3), range(3)):
        camera = sf3d.Camera.pinhole(FX, FY, CX, CY, SIZE, POSES[time] if i == 1 else away)
        listed.append(data.TransformsFrame(camera, f"images/{time:05d}_{i:02d}.png"))
    data.write_transforms("a.json", listed)
    if not says_times:
        with pytest.raises(SystemExit):
            main([*MOVING, "--cameras", "a.json"])
        error = capsys.readouterr().err
        assert "whether 00000_01 is followed by 00000_02 or 00001_01" in " ".join(error.split())
        return
    tree = json.loads(pathlib.Path("a.json").read_text())
    for frame, (time, i) in zip(tree["frames"], itertools.product(range(3), range(3)), strict=True):
        frame |= {"timestep_index": time, "camera_index": i}
    pathlib.Path("a.json").write_text(json.dumps(tree))
    main([*MOVING, "--cameras", "a.json"])
    np.testing.assert_allclose(np.load("out/00000_01.npz")["vectors"], 0, atol=3e-6)


def test_the_name_of_a_flow_says_its_second_camera():
    write_still_world()
    for folder, name in (("flow", "flow"), ("depth", "depth"), ("next", "next")):
        pathlib.Path(f"{folder}/{name}_0.npy").rename(f"{folder}/0001_0003.npy")
        pathlib.Path(f"{folder}/{name}_1.npy").unlink()
    away = np.eye(3, 4)
    away[0, 3] = 7
    poses = [POSES[0], away, POSES[1], away]
    cameras = [sf3d.Camera.pinhole(FX, FY, CX, CY, SIZE, pose) for pose in poses]
    frames = [data.TransformsFrame(x, f"000{i}.jp2") for i, x in enumerate(cameras, 1)]
    data.write_transforms("a.json", frames)
    main([*MOVING, "--cameras", "a.json"])
    np.testing.assert_allclose(np.load("out/0001_0003.npz")["vectors"], 0, atol=3e-6)


def test_a_missing_frame_of_the_cameras_is_named(capsys):
    write_still_world()
    at = lambda pose: sf3d.Camera.pinhole(FX, FY, CX, CY, SIZE, pose)
    names = zip(("f_0", "f_1", "f_3"), POSES, strict=True)
    data.write_transforms("a.json", [data.TransformsFrame(at(pose), name) for name, pose in names])
    with pytest.raises(SystemExit) as stopped:
        main([*MOVING, "--cameras", "a.json"])
    assert stopped.value.code == 2 and "the frame after f_1" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:
        main([*MOVING, "--next-pose", "flow/flow_0.npy", *CAMERA])
    assert stopped.value.code == 2 and "flow_0.npy: expected poses" in capsys.readouterr().err
    np.save("one.npy", POSES[1])
    with pytest.raises(SystemExit) as stopped:
        main([*MOVING, "--next-pose", "one.npy", *CAMERA])
    assert stopped.value.code == 2 and "holds 1 pose for 2 flows" in capsys.readouterr().err
