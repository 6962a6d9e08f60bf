"""`sf3d render`: the renderer's pictures in files, and everything a person gets wrong."""

import json
import subprocess
import sys

import command
import cv2
import numpy as np
import pytest

import sf3d_jax as sf3d
from sf3d_jax import data, gaussians
from sf3d_jax.cli.render import Render

pytestmark = pytest.mark.law

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
def sf3d_command(tmp_path, monkeypatch, capsys):
    """Runs the command in a folder with a scene and cameras."""
    monkeypatch.chdir(tmp_path)
    data.write_gaussian_ply("scene.ply", scene())
    write(transforms())
    return lambda *words: command.run(words, capsys)


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
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == 6


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


def test_a_camera_that_sees_nothing_draws_the_background(sf3d_command, tmp_path):
    away = np.float64(MATRICES[0])
    away[:3, :3] *= [-1, 1, -1]  # turned about
    tree = transforms()
    tree["frames"][1]["transform_matrix"] = away.tolist()
    write(tree)
    code, _, _ = sf3d_command(*WORDS, "--background", "1", "0", "0")
    assert code == 0
    assert (data.read_image("out/colors/side.png") == [255, 0, 0]).all()
    assert not data.read_image("out/alpha/side.png").any()
    assert not np.load("out/inv_depth/side.npy").any()


def test_cameras_of_3d_gaussian_splatting_are_read(sf3d_command, tmp_path):
    centres = [(-pose[:, :3].T @ pose[:, 3]).tolist() for pose in POSES]
    cameras = [
        {
            **{"id": i, "img_name": f"view_{i + 7}", "width": 33, "height": 24},
            **{"position": centres[i], "rotation": POSES[i][:, :3].T.tolist()},
            **{"fy": 29.0, "fx": 30.0},
        }
        for i in range(2)
    ]
    write(cameras, "cameras.json")
    # One column more, so that the principal point, the centre, is that of the other file.
    read = Render("scene.ply", "cameras.json", "out")._read_cameras()
    assert list(read) == ["7", "8"]
    for i, camera in enumerate(read.values()):
        assert camera.size == (24, 33) and camera.principal_point.tolist() == [16, 11.5]
        np.testing.assert_allclose(camera.world_to_camera, POSES[i], atol=1e-12)


@pytest.mark.parametrize(
    "images, names",
    [
        (["a/front.png", "b\\side.exr"], ["front", "side"]),
        (["r_0", "frame.0001"], ["r_0", "frame.0001"]),
        (["a/0001.png", "b/0001.png"], ["0000", "0001"]),
        (["a/x.png", "a/X.png"], ["0000", "0001"]),
        (["x.png", ".."], ["0000", "0001"]),
        (["x.png", "y\0.png"], ["0000", "0001"]),
        (["x.png", 300 * "y"], ["0000", "0001"]),
        (["x.png", None], ["0000", "0001"]),
    ],
)
def test_frames_are_called_as_their_images(sf3d_command, images, names):
    tree = transforms()
    for frame, image in zip(tree["frames"], images, strict=True):
        frame["file_path"] = image
    write(tree)
    assert list(Render("scene.ply", "transforms.json", "out")._read_cameras()) == names


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
    assert files() == ["front.npy", "front.png", "front.png"]

    monkeypatch.setattr(gaussians, "render", draw)
    (tmp_path / "out/colors/front.png").write_bytes(b"kept")
    code, out, _ = sf3d_command(*WORDS, "--resume")
    assert code == 0 and "1 frame there already, 1 to draw" in out
    assert (tmp_path / "out/colors/front.png").read_bytes() == b"kept"
    check_frame(tmp_path, "side", drawn(1))
    code, out, _ = sf3d_command(*WORDS)
    assert code == 0 and "already" not in out
    check_frame(tmp_path, "front", drawn(0))


def point_cloud(path):
    header = "ply\nformat ascii 1.0\nelement vertex 1\n"
    header += "".join(f"property float {x}\n" for x in "xyz")
    path.write_text(header + "end_header\n1 2 3\n")


@pytest.mark.parametrize(
    "words, said",
    [
        (["none.ply"], "there is no file none.ply"),
        (["points.ply"], "points.ply: expected a scene of 3D Gaussians, found no property f_dc_0"),
        (["transforms.json"], "transforms.json: expected a PLY file"),
        (["empty.ply"], "empty.ply: holds no Gaussians"),
        (["scene.ply", "--camera", "none.json"], "there is no file none.json"),
        (["scene.ply", "--camera", "scene.ply"], "scene.ply: expected JSON"),
        (["scene.ply", "--camera", "no_size.json"], "no_size.json: expected w and h of frame 0"),
        (["scene.ply", "--camera", "lens.json"], "lens.json: frame front has a lens, opencv"),
        (["scene.ply", "--camera", "fisheye.json"], "the renderer draws pinholes"),
        (["scene.ply", "--background", "255", "0", "0"], "--background: expected three numbers"),
        (["scene.ply", "--background", "nan", "0", "0"], "--background: expected three numbers"),
        (["scene.ply", "--size", "0", "5"], "--size: at least 1 x 1"),
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
    assert code == 2 and "--out: no folder can be made at out/alpha" in errors[0]
    assert not list((tmp_path / "out/colors").iterdir())


def test_help_does_not_wait_for_jax():
    code = (
        "import sys\nfrom sf3d_jax.cli import main\n"
        "try: main(['render', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'jax', 'cv2', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "transforms.json" in done.stdout, done.stderr
