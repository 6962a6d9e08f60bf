"""`sf3d render`: the renderer's pictures in files, and everything a person gets wrong."""

import dataclasses
import json
import subprocess
import sys

import cv2
import jax
import numpy as np
import pytest

import sf3d_jax as sf3d
from sf3d_jax import data, gaussians, views
from sf3d_jax.cli.render import Render

SIZE = (24, 32)
# World to camera in OpenCV's axes: at (0, 0, -4) and looking along z; at (2.4, 0, -3.2) and looking
# at the origin as well.
POSES = [
    np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 4]]),
    np.array([[0.8, 0, 0.6, 0], [0, 1, 0, 0], [-0.6, 0, 0.8, 4]]),
]
# The same by hand as OpenGL's camera to world: right, up and back, and the place.
MATRICES = [
    [[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, -4], [0, 0, 0, 1]],
    [[0.8, 0, 0.6, 2.4], [0, -1, 0, 0], [0.6, 0, -0.8, -3.2], [0, 0, 0, 1]],
]
WORDS = "render scene.ply --camera transforms.json --out out".split()


def scene(shift=0.0):
    """A few Gaussians about the origin, on numbers that float32 holds with 16 bits before them."""
    rng = np.random.default_rng(0)
    means = np.round(128 * rng.uniform(-1, 1, (40, 3))) / 128 + shift
    numbers = [
        means,
        rng.uniform(0.05, 0.3, (40, 3)),
        rng.normal(size=(40, 4)),
        rng.uniform(0.5, 1, 40),
        rng.normal(size=(40, 4, 3)) * 0.5,
    ]
    return gaussians.Gaussians.from_scales_rotations(*map(np.float32, numbers))


def transforms(shift=0.0, **changes):
    matrices = np.float64(MATRICES)
    matrices[:, :3, 3] += shift
    return {
        **{"w": SIZE[1], "h": SIZE[0], "fl_x": 30.0, "fl_y": 29.0, "cx": 16.5, "cy": 12.0},
        "frames": [
            {"file_path": f"./images/{name}", "transform_matrix": matrix.tolist()}
            for name, matrix in zip(("front.png", "side.JPG"), matrices, strict=True)
        ],
        **changes,
    }


def write(tree, name="transforms.json"):
    with open(name, "w") as file:
        json.dump(tree, file)


@pytest.fixture
def sf3d_command(sf3d_command):
    """Runs the command in a folder with a scene and cameras."""
    data.write_gaussian_ply("scene.ply", scene())
    write(transforms())
    return sf3d_command


def drawn(frame, background=(0, 0, 0), antialias=False):
    """The renderer's own pictures of a frame."""
    camera = sf3d.Camera.pinhole(30.0, 29.0, 16.0, 11.5, SIZE, POSES[frame])
    return gaussians.render(
        data.read_gaussian_ply("scene.ply"),
        camera,
        background=np.float32(background),
        antialias=antialias,
    )


def check_frame(tmp_path, name, wanted, tolerance=1e-5):
    """A frame's files against a rendering; a rounding of 1/255 may fall on either side."""
    assert wanted.alpha.max() > 0.9 and wanted.alpha.min() < 0.1
    for kind, channels in (("colors", wanted.colors), ("alpha", wanted.alpha)):
        picture = cv2.imread(str(tmp_path / f"out/{kind}/{name}.png"), cv2.IMREAD_UNCHANGED)
        assert picture.dtype == np.uint8
        picture = picture if picture.ndim == 2 else picture[..., ::-1]
        exact = 255 * np.clip(channels, 0, 1)
        assert picture.shape == exact.shape and np.abs(picture - exact).max() < 0.51
    inv_depth = np.load(tmp_path / f"out/inv_depth/{name}.npy")
    assert inv_depth.dtype == np.float32
    np.testing.assert_allclose(inv_depth, wanted.inv_depth, rtol=tolerance, atol=tolerance / 10)


def test_every_frame_is_what_the_renderer_draws(sf3d_command, tmp_path):
    code, out, _ = sf3d_command(*WORDS)
    assert code == 0 and "40 Gaussians, 2 frames" in out and "out: colors/*.png" in out
    for frame, name in enumerate(("front", "side")):
        check_frame(tmp_path, name, drawn(frame))
    # Four a frame, and the record.
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == 9


def test_a_background_and_small_gaussians_go_to_the_renderer(sf3d_command, tmp_path):
    code, _, _ = sf3d_command(*WORDS, "--background", "0.2", "1", "0", "--antialias")
    assert code == 0
    wanted = drawn(0, (0.2, 1, 0), True)
    assert np.abs(wanted.alpha - drawn(0).alpha).max() > 0.01
    check_frame(tmp_path, "front", wanted)


def test_a_world_far_away_is_drawn_as_well(sf3d_command, tmp_path):
    wanted = [drawn(0), drawn(1)]
    data.write_gaussian_ply("scene.ply", scene(2.0**16))
    write(transforms(2.0**16))
    code, _, _ = sf3d_command(*WORDS)
    assert code == 0
    for frame, name in enumerate(("front", "side")):
        check_frame(tmp_path, name, wanted[frame])


def test_a_world_too_far_for_float32_is_drawn_from_doubles(sf3d_command, tmp_path):
    wanted = [drawn(0), drawn(1)]
    path = tmp_path / "scene.ply"
    header, _, body = path.read_bytes().partition(b"end_header\n")
    rows = np.float64(np.frombuffer(body, "<f4").reshape(40, -1))
    kinds = [("means", "<f8", 3), ("others", "<f4", rows.shape[1] - 3)]
    table = np.empty(40, kinds)
    table["means"], table["others"] = rows[:, :3] + 2.0**28, rows[:, 3:]
    for axis in (b"x", b"y", b"z"):
        header = header.replace(b"float " + axis + b"\n", b"double " + axis + b"\n")
    path.write_bytes(header + b"end_header\n" + table.tobytes())
    write(transforms(2.0**28))
    assert sf3d_command(*WORDS)[0] == 0
    for frame, name in enumerate(("front", "side")):
        check_frame(tmp_path, name, wanted[frame], 2e-5)


def errors_of_a_run(tmp_path, capsys, **options):
    """All that a run says beside its results."""
    capsys.readouterr()
    Render(*map(tmp_path.joinpath, ("scene.ply", "transforms.json", "out")), **options).run()
    return capsys.readouterr().err


@pytest.mark.usefixtures("sf3d_command")
def test_a_camera_that_sees_nothing_draws_the_background(tmp_path, capsys):
    away = np.float64(MATRICES[0])
    away[:3, :3] *= [-1, 1, -1]  # turned about
    tree = transforms()
    tree["frames"][1]["transform_matrix"] = away.tolist()
    write(tree)
    errors = errors_of_a_run(tmp_path, capsys, background=(1.0, 0.0, 0.0))
    assert "sf3d: frame side: no Gaussian is visible\n" in errors and "front" not in errors
    assert (data.read_image("out/colors/side.png") == [255, 0, 0]).all()
    assert not data.read_image("out/alpha/side.png").any()
    assert not np.load("out/inv_depth/side.npy").any()


@pytest.mark.usefixtures("sf3d_command")
def test_cameras_that_all_see_nothing_may_have_other_axes(tmp_path, capsys):
    tree = transforms()
    for frame in tree["frames"]:  # as OpenCV has them, in a file that means OpenGL's
        matrix = np.float64(frame["transform_matrix"])
        frame["transform_matrix"] = (matrix @ np.diag([1, -1, -1, 1])).tolist()
    write(tree)
    said = "sf3d: all 2 frames: no Gaussian is visible; the cameras may have other axes or units"
    assert said in errors_of_a_run(tmp_path, capsys)


def test_a_trajectory_of_one_size_is_drawn_by_one_program(sf3d_command, monkeypatch):
    tree, frame = transforms(), transforms()["frames"][0]
    matrices = np.repeat([frame["transform_matrix"]], 6, axis=0)
    matrices[:, 2, 3] = -np.geomspace(1.5, 60, 6)  # many tiles, then few
    frames = [{"transform_matrix": matrix.tolist()} for matrix in matrices]
    frames[5] |= {"w": 16, "h": 12, "cx": 8.5, "cy": 6.0}
    write(tree | {"frames": frames})
    rooms, draw = [], gaussians.render

    def recorded(scene, camera, *, max_intersections, **options):
        rooms.append((camera.size, max_intersections))
        needed = gaussians.intersections_needed(scene, camera)
        assert needed <= max_intersections
        return draw(scene, camera, max_intersections=max_intersections, **options)

    many = gaussians.Gaussians(*(np.repeat(x, 40, axis=0) for x in dataclasses.astuple(scene())))
    data.write_gaussian_ply("scene.ply", many)
    monkeypatch.setattr(gaussians, "render", recorded)
    assert sf3d_command(*WORDS)[0] == 0
    assert len(rooms) == 6 and len(set(rooms)) == 2 and rooms[0][1] > rooms[5][1] >= 1024


@pytest.mark.parametrize(
    "error", [MemoryError(), jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")]
)
def test_too_little_memory_is_said_in_one_line(sf3d_command, monkeypatch, error):
    def full(*_, **__):
        raise error

    monkeypatch.setattr(gaussians, "render", full)
    code, _, errors = sf3d_command(*WORDS)
    said = "frame front: 24 x 32 with 1024 intersections does not fit into memory; use a smaller"
    assert code == 2 and said in errors[0]
    monkeypatch.setattr(gaussians, "intersections_needed", full)
    code, _, errors = sf3d_command(*WORDS)
    assert code == 2 and "scene.ply: 40 Gaussians do not fit into memory" in errors[0]
    monkeypatch.setattr(gaussians, "intersections_needed", lambda *_, **__: 2**31 - 1)
    code, _, errors = sf3d_command(*WORDS)
    assert code == 2 and "2147483648 intersections does not fit" in errors[0]


def test_another_failure_of_jax_is_not_taken_for_memory(sf3d_command, monkeypatch):
    def fails(*_, **__):
        raise jax.errors.JaxRuntimeError("INTERNAL: something")

    monkeypatch.setattr(gaussians, "render", fails)
    with pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"):
        sf3d_command(*WORDS)


@pytest.mark.parametrize(
    "images, names",
    [
        (["view_7", "view_8"], ["view_7", "view_8"]),
        (["front", "back"], ["front", "back"]),
        (["DSC05565_left", "DSC05565_right"], ["DSC05565_left", "DSC05565_right"]),
        (["a/7", "b/8.png"], ["7", "8"]),
        (["a/7", "b/7.png"], ["a_7", "b_7"]),
        ([None, None], ["0000", "0001"]),
    ],
)
def test_cameras_of_3d_gaussian_splatting_are_read(sf3d_command, images, names):
    centres = [(-pose[:, :3].T @ pose[:, 3]).tolist() for pose in POSES]
    cameras = [
        {
            **{"id": i, "img_name": images[i], "width": 33, "height": 24},
            **{"position": centres[i], "rotation": POSES[i][:, :3].T.tolist()},
            **{"fy": 29.0, "fx": 30.0},
        }
        for i in range(2)
    ]
    write(cameras, "cameras.json")
    # One column more, so that the principal point, the centre, is that of the other file.
    read = Render("scene.ply", "cameras.json", "out")._read_cameras()
    assert list(read) == names
    for i, camera in enumerate(read.values()):
        assert camera.size == (24, 33) and camera.principal_point.tolist() == [16, 11.5]
        np.testing.assert_allclose(camera.world_to_camera, POSES[i], atol=1e-12)


def test_names_stay_with_their_cameras_where_the_reader_sorts(sf3d_command):
    frame = lambda image, x: {"img_name": image, "K": K.tolist(), "w2c": [*np.c_[np.eye(3), x]]}
    K = np.array([[30.0, 0, 16], [0, 29, 11.5], [0, 0, 1]])
    trees = [frame("late_9", [9.0, 0, 0]), frame("early_2", [2.0, 0, 0])]
    for tree in trees:
        tree["w2c"] = np.array(tree["w2c"]).tolist()
    write({"h": 24, "w": 32, "frames": trees})
    read = Render("scene.ply", "transforms.json", "out")._read_cameras()
    assert {name: c.world_to_camera[0, 3] for name, c in read.items()} == {
        "early_2": 2,
        "late_9": 9,
    }


@pytest.mark.parametrize(
    "images, names",
    [
        (["a/front.png", "b\\side.exr"], ["front", "side"]),
        (["r_0", "frame.0001"], ["r_0", "frame.0001"]),
        (["a/0001.png", "b/0001.png"], ["a_0001", "b_0001"]),
        (["./s/x/a.png", "s\\y\\a.png"], ["x_a", "y_a"]),
        (["s/a.png", "s/x/a.png"], ["a", "x_a"]),
        (["../../a.png", "/etc/b.png"], ["a", "b"]),
        (["../../a.png", "/etc/a.png"], ["a", "etc_a"]),
        (["x/a.png", "q/x_a.png"], ["a", "x_a"]),
        (["x.png", ".hidden"], ["x", ".hidden"]),
        (["a/IMG (1).jpg", "a/IMG (2).jpg"], ["IMG (1)", "IMG (2)"]),
        (["a,b@c&d#e.png", "a..b.png"], ["a,b@c&d#e", "a..b"]),
        (["x/a.png", "x/a.jpg"], ["a", "a_0001"]),
        (["a/x.png", "a/X.png"], ["x", "X_0001"]),
        (["x.png", ".."], ["x", "0001"]),
        (["x.png", "y\0.png"], ["x", "y_"]),
        (["x.png", "a:b?.png"], ["x", "a_b_"]),
        (["x.png", "nul.png"], ["x", "nul_"]),
        (["x.png", 300 * "y"], ["x", 200 * "y" + "_0001"]),
        (["x.png", None], ["x", "0001"]),
    ],
)
def test_frames_are_called_as_their_images(sf3d_command, images, names):
    tree = transforms()
    for frame, image in zip(tree["frames"], images, strict=True):
        frame["file_path"] = image
    write(tree)
    assert list(Render("scene.ply", "transforms.json", "out")._read_cameras()) == names


def test_a_name_that_no_file_can_have_is_said(sf3d_command, capsys):
    tree = transforms()
    for frame, image in zip(tree["frames"], ["IMG (1).jpg", "y\0.png"], strict=True):
        frame["file_path"] = image
    write(tree)
    Render("scene.ply", "transforms.json", "out")._read_cameras()
    said = capsys.readouterr().err
    assert said.count("sf3d: ") == 1 and r"frame 1, image 'y\x00.png', is written as y_" in said


@pytest.mark.parametrize(
    "point, said", [((8, 6), "(7.5, 5.5) is the centre of about 16 x 12"), ((16.5, 12), None)]
)
def test_intrinsics_of_half_the_size_are_noted_once(sf3d_command, capsys, point, said):
    write(transforms(cx=point[0], cy=point[1]))
    Render("scene.ply", "transforms.json", "out")._read_cameras()
    err = capsys.readouterr().err
    assert err.count("principal point") == bool(said) and (said or "") in err


def test_the_size_may_be_another_one(sf3d_command):
    cameras = Render("scene.ply", "transforms.json", "out", size=(12, 16))._read_cameras()
    assert {camera.size for camera in cameras.values()} == {(12, 16)}
    np.testing.assert_allclose(cameras["front"].focal, [15, 14.5])


def test_an_interrupted_run_leaves_whole_files_and_goes_on(sf3d_command, tmp_path, monkeypatch):
    draw, count = gaussians.render, []

    def interrupted(*arguments, **options):
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt
        return draw(*arguments, **options)

    monkeypatch.setattr(gaussians, "render", interrupted)
    command = Render(*map(tmp_path.joinpath, ("scene.ply", "transforms.json", "out")))
    with pytest.raises(KeyboardInterrupt):
        command.run()
    files = lambda: sorted(p.name for p in (tmp_path / "out").rglob("*") if p.is_file())
    assert files() == ["front.npy", "front.png", "front.png", "render.jsonl"]

    monkeypatch.setattr(gaussians, "render", draw)
    kept = np.full((*SIZE, 3), 7, np.uint8)
    data.write_image("out/colors/front.png", kept)
    code, out, _ = sf3d_command(*WORDS, "--resume")
    assert code == 0 and "1 frame already drawn, 1 to draw" in out
    np.testing.assert_array_equal(data.read_image("out/colors/front.png"), kept)
    check_frame(tmp_path, "side", drawn(1))
    code, out, _ = sf3d_command(*WORDS)
    assert code == 0 and "already" not in out
    check_frame(tmp_path, "front", drawn(0))


@pytest.mark.parametrize("there", [[], ["out"], ["out", "out/colors", "out/colors/old.png"]])
def test_an_interruption_before_the_first_frame_leaves_nothing(
    sf3d_command, tmp_path, monkeypatch, there
):
    def interrupted(*_, **__):
        assert (tmp_path / "out/alpha").is_dir() and (tmp_path / "out/render.jsonl").exists()
        raise KeyboardInterrupt

    for name in there:
        path = tmp_path / name
        path.touch() if path.suffix else path.mkdir()
    monkeypatch.setattr(gaussians, "intersections_needed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Render(tmp_path / "scene.ply", tmp_path / "transforms.json", tmp_path / "out").run()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")}
    assert left - {"scene.ply", "transforms.json", "out/render.jsonl"} == {*there}
    assert ("out/render.jsonl" in left) == ("out/colors/old.png" in there)


@pytest.mark.parametrize("kind, ending", [("colors", ".png"), ("inv_depth", ".npy")])
def test_a_frame_of_another_size_or_broken_is_drawn_again(sf3d_command, tmp_path, kind, ending):
    assert sf3d_command(*WORDS)[0] == 0
    path, other = tmp_path / f"out/{kind}/front{ending}", ("--size", "12", "16", "--resume")
    for content in (b"", path.read_bytes()[:20], b"something else"):
        path.write_bytes(content)
        code, out, _ = sf3d_command(*WORDS, "--resume")
        assert code == 0 and "1 frame already drawn, 1 to draw" in out
    check_frame(tmp_path, "front", drawn(0))
    code, out, _ = sf3d_command(*WORDS, *other)
    assert code == 0 and "already" not in out
    assert data.read_image("out/colors/side.png").shape == (12, 16, 3)
    code, out, _ = sf3d_command(*WORDS, *other)
    assert code == 0 and "2 frames already drawn, 0 to draw" in out


def test_inverse_depth_is_coloured_with_one_scale(sf3d_command, tmp_path):
    tree = transforms()
    tree["frames"][1]["transform_matrix"][2][3] = -2.2  # nearer
    write(tree)
    code, out, _ = sf3d_command(*WORDS)
    maps = {name: np.load(f"out/inv_depth/{name}.npy") for name in ("front", "side")}
    ends = np.array([np.percentile(x[x > 0], (1, 99)) for x in maps.values()])
    low, high = ends[:, 0].min(), ends[:, 1].max()
    assert code == 0 and low < high
    assert f"inv_depth_colors: {low:.3g} (dark blue) to {high:.3g} (yellow) per metre" in out
    for name, values in maps.items():
        picture = data.read_image(tmp_path / f"out/inv_depth_colors/{name}.png")
        wanted = views.scalar_to_color(values, valid=values > 0, limits=(low, high))
        np.testing.assert_array_equal(picture, wanted)
        assert not picture[values == 0].any() and picture[values > 0].any(-1).all()


@pytest.mark.parametrize(
    "change, words, said",
    [
        (lambda: write(transforms(fl_x=31.0)), [], "another camera"),
        (lambda: data.write_gaussian_ply("scene.ply", scene(0.5)), [], "another scene"),
        (lambda: None, ["--background", "1", "0", "0"], "another background"),
        (
            lambda: None,
            ["--background", "1", "0", "0", "--antialias"],
            "another background and antialias",
        ),
    ],
)
def test_a_run_of_something_else_is_not_resumed(sf3d_command, tmp_path, change, words, said):
    assert sf3d_command(*WORDS)[0] == 0
    before = {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    change()
    code, _, errors = sf3d_command(*WORDS, *words, "--resume")
    assert code == 2 and f"--resume: the frames in out were drawn with {said}" in errors[0]
    assert before == {p: p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}


def test_frames_of_an_older_run_are_not_taken_for_those_of_an_interrupted_one(
    sf3d_command, tmp_path, monkeypatch
):
    assert sf3d_command(*WORDS)[0] == 0
    draw, count = gaussians.render, []

    def interrupted(*arguments, **options):
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt
        return draw(*arguments, **options)

    monkeypatch.setattr(gaussians, "render", interrupted)
    paths = map(tmp_path.joinpath, ("scene.ply", "transforms.json", "out"))
    with pytest.raises(KeyboardInterrupt):
        Render(*paths, background=(0.0, 1.0, 0.0)).run()
    monkeypatch.setattr(gaussians, "render", draw)
    words = ("--background", "0", "1", "0", "--resume")
    code, out, _ = sf3d_command(*WORDS, *words)
    assert code == 0 and "1 frame already drawn, 1 to draw" in out
    check_frame(tmp_path, "side", drawn(1, (0, 1, 0)))
    # A line that was cut off is a frame that is not there.
    record = tmp_path / "out/render.jsonl"
    record.write_bytes(record.read_bytes()[:-3])
    code, out, _ = sf3d_command(*WORDS, *words)
    assert code == 0 and "1 frame already drawn, 1 to draw" in out


def test_pictures_without_a_record_are_not_resumed(sf3d_command, tmp_path):
    code, out, _ = sf3d_command(*WORDS, "--resume")
    assert code == 0 and "already" not in out
    record = tmp_path / "out/render.jsonl"
    record.write_text("[1]\n")
    code, _, errors = sf3d_command(*WORDS, "--resume")
    assert code == 2 and "out/render.jsonl: expected the record of `sf3d render`" in errors[0]
    record.unlink()
    code, _, errors = sf3d_command(*WORDS, "--resume")
    assert code == 2 and "--resume: frame front is in out, but no render.jsonl" in errors[0]


def test_swapped_arguments_are_told(sf3d_command):
    code, _, errors = sf3d_command(
        "render", "transforms.json", *"--camera scene.ply --out o".split()
    )
    assert code == 2 and "the two are swapped; give scene.ply --camera transforms.json" in errors[0]


def point_cloud(path):
    header = "ply\nformat ascii 1.0\nelement vertex 1\n"
    header += "".join(f"property float {x}\n" for x in "xyz")
    path.write_text(header + "end_header\n1 2 3\n")


@pytest.mark.parametrize(
    "words, said",
    [
        (["none.ply"], "there is no file none.ply"),
        (["."], "SCENE: . is a folder; name a file"),
        (["scene.ply", "--camera", "."], "--camera: . is a folder; name a file"),
        (["points.ply"], "points.ply: expected a scene of 3D Gaussians, found no property f_dc_0"),
        (["transforms.json"], "transforms.json: expected a PLY file"),
        (["empty.ply"], "empty.ply: the scene has no Gaussians"),
        (["scene.ply", "--camera", "none.json"], "there is no file none.json"),
        (["scene.ply", "--camera", "scene.ply"], "scene.ply: expected JSON"),
        (
            ["scene.ply", "--camera", "no_size.json"],
            "no_size.json: expected w and h of frame 0, or --size HEIGHT WIDTH, or an image",
        ),
        (["scene.ply", "--camera", "none_there.json"], "expected a list `frames` of at least one"),
        (["scene.ply", "--camera", "no_pose.json"], "expected transform_matrix of frame 1 as"),
        (["scene.ply", "--camera", "no_focal.json"], "expected fl_x or camera_angle_x of frame 0"),
        (["scene.ply", "--camera", "lens.json"], "lens.json: frame front has a lens (opencv)"),
        (["scene.ply", "--camera", "fisheye.json"], "the renderer draws only pinhole"),
        (["scene.ply", "--background", "255", "0", "0"], "--background: expected three numbers"),
        (["scene.ply", "--background", "nan", "0", "0"], "--background: expected three numbers"),
        (["scene.ply", "--size", "0", "5"], "--size: expected at least 1 x 1"),
        (["scene.ply", "--size", "120"], "--size: expected 2 values, such as 512 512, got 1"),
        (["scene.ply", "--size", "120", "x"], "Error parsing --size: invalid literal"),
        (["scene.ply", "--out", "scene.ply"], "--out: scene.ply is a file"),
        (["scene.ply", "--out", "scene.ply/out"], "--out: scene.ply is a file"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(sf3d_command, tmp_path, words, said):
    point_cloud(tmp_path / "points.ply")
    empty = gaussians.Gaussians(*(np.zeros((0, *s)) for s in ((3,), (3, 3), (), (3,))))
    data.write_gaussian_ply("empty.ply", empty)
    no_size = transforms()
    del no_size["w"]
    write(no_size, "no_size.json")
    write(transforms(frames=[]), "none_there.json")
    no_pose, no_focal = transforms(), transforms()
    del no_pose["frames"][1]["transform_matrix"], no_focal["fl_x"], no_focal["fl_y"]
    write(no_pose, "no_pose.json")
    write(no_focal, "no_focal.json")
    write(transforms(k1=0.1), "lens.json")
    write(transforms(camera_model="OPENCV_FISHEYE"), "fisheye.json")
    camera = [] if "--camera" in words else ["--camera", "transforms.json"]
    out = [] if "--out" in words else ["--out", "out"]
    code, _, errors = sf3d_command("render", *words, *camera, *out)
    assert code == 2 and said in errors[0] and errors[0].startswith("sf3d: ")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_is_found_before_the_work(sf3d_command, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/alpha").write_bytes(b"")
    code, _, errors = sf3d_command(*WORDS)
    assert code == 2 and "--out: cannot make the folder out/alpha" in errors[0]
    assert not (tmp_path / "out/colors").exists()


def test_help_does_not_wait_for_jax():
    code = (
        "import sys\nfrom sf3d_jax.cli import main\n"
        "try: main(['render', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'jax', 'cv2', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "transforms.json" in done.stdout, done.stderr
    assert "--size HEIGHT WIDTH" in done.stdout
