"""`sf3d convert` against NumPy in float64, its own inverse, and everything a person gets wrong."""

import os
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
from helpers import kitti_prediction

from sf3d_jax import data
from sf3d_jax.cli import main

SIZE = (20, 30)
FX, FY, CX, CY, BASELINE = 40.0, 41.0, 14.2, 9.1, 0.5
CAMERA = ["--fx", str(FX), "--fy", str(FY), "--cx", str(CX), "--cy", str(CY)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with one motion in every representation, and that motion in float64."""
    rng = np.random.default_rng(0)
    flow = np.float32(rng.normal(size=(*SIZE, 2)) * 3)
    depth = np.float32(rng.uniform(2, 5, SIZE))
    next_depth = np.float32(depth * rng.uniform(0.9, 1.1, SIZE))
    data.write_flow(tmp_path / "flow.flo", flow)
    for name, values in {
        "depth": depth,
        "next_depth": next_depth,
        "depth_mm": 1000 * depth,
        "inverse": 1 / depth,
        "change": 1 / next_depth - 1 / depth,
        "tau": next_depth / depth,
        "disparity": FX * BASELINE / depth,
        "next_disparity": FX * BASELINE / next_depth,
    }.items():
        data.write_map(tmp_path / f"{name}.npy", values)
    data.write_image(tmp_path / "image.png", rng.integers(0, 255, (*SIZE, 3), np.uint8))
    monkeypatch.chdir(tmp_path)
    u, v = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    lift = lambda u, v, z: np.stack([(u - CX) / FX * z, (v - CY) / FY * z, z], -1)
    start = lift(u, v, np.float64(depth))
    end = lift(u + flow[..., 0], v + flow[..., 1], np.float64(next_depth))
    return start, end - start


GEOMETRIES = [
    "--depth depth.npy --next-depth next_depth.npy",
    "--depth depth_mm.npy --depth-unit mm --inverse-depth-change change.npy",
    "--inverse-depth inverse.npy --inverse-depth-change change.npy",
    "--inverse-depth inverse.npy --motion-in-depth tau.npy",
    "--depth depth.npy --motion-in-depth tau.npy",
    "--disparity disparity.npy --motion-in-depth tau.npy --baseline 0.5",
    "--disparity disparity.npy --next-disparity next_disparity.npy --baseline 0.5",
]


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_every_geometry_gives_the_scene_flow(folder, geometry):
    points, vectors = folder
    main(["convert", "--flow", "flow.flo", *geometry.split(), *CAMERA, "--output", "a.npz"])
    result = np.load("a.npz")
    assert result["valid"].all()
    np.testing.assert_allclose(result["vectors"], vectors, atol=3e-6)
    np.testing.assert_allclose(result["points"], points, atol=3e-6)
    np.testing.assert_array_equal(result["camera_focal"], [FX, FY])


def test_there_and_back_with_a_picture(folder):
    words = f"convert --flow flow.flo {GEOMETRIES[-1]} --image image.png --picture --output out"
    main([*words.split(), *CAMERA])
    picture = cv2.imread("out/flow_picture.png")
    assert picture is not None and min(picture.shape[:2]) > 300
    for format, flow_name, map_name in (
        ("npy", "flow_flow.npy", "flow_disparity.npy"),
        ("kitti", "flow_flow.png", "flow_disparity.png"),
    ):
        main(f"convert --inverse --input out/flow.npz --output back --format {format}".split())
        quantum = 1e-5 if format == "npy" else 1 / 128
        flow, valid = data.read_flow(f"back/{flow_name}")
        assert valid.all()
        np.testing.assert_allclose(flow, data.read_flow("flow.flo").flow, atol=quantum)
        disparity = data.read_disparity(f"back/{map_name}").values
        np.testing.assert_allclose(disparity, np.load("disparity.npy"), atol=quantum)


def test_an_image_of_16_bits_is_drawn_as_one_of_8(folder):
    assert cv2.imwrite("deep.png", cv2.imread("image.png").astype(np.uint16) * 257)
    words = f"convert --flow flow.flo {GEOMETRIES[0]} --picture".split()
    for image in ("image", "deep"):
        main([*words, "--image", f"{image}.png", "--output", image, *CAMERA])
    pictures = [cv2.imread(f"{image}/flow_picture.png") for image in ("image", "deep")]
    np.testing.assert_array_equal(*pictures)


def test_the_way_back_of_a_folder_takes_only_the_results(folder, capsys):
    main([*f"convert --flow flow.flo {GEOMETRIES[0]} --picture --output out".split(), *CAMERA])
    lengths = np.linalg.norm(folder[1], axis=-1)
    median = f"{np.median(lengths):.3g} m; camera taken as fixed"
    assert f"100 % valid, median over all valid pixels {median}\n" in capsys.readouterr().out
    main("convert --inverse --input out --output back --format npy".split())
    note = "--input: skipped 1 of 2 files, not ending in .npz: out/flow_picture.png"
    assert note in capsys.readouterr().err
    back, valid = data.read_flow("back/flow_flow.npy")
    assert valid.all()
    np.testing.assert_allclose(back, data.read_flow("flow.flo").flow, atol=1e-5)


@pytest.mark.parametrize("words, text", [("", "--cx, --cy"), ("twice", "--cx, --cy")])
def test_a_principal_point_outside_of_the_image_is_noted_once(folder, capsys, words, text):
    camera = [*CAMERA[:5], "29.6", *CAMERA[6:]]
    maps = f"--flow flow.flo {GEOMETRIES[0]} --output out".split()
    if words:
        pathlib.Path("b.flo").write_bytes(pathlib.Path("flow.flo").read_bytes())
        maps = "--flow flow.flo b.flo --depth depth.npy inverse.npy".split()
        maps += "--next-depth depth.npy inverse.npy --output out".split()
    main(["convert", *maps, *camera])
    said = capsys.readouterr().err
    outside = f"sf3d: {text}: the principal point (29.6, 9.1) is outside the image of 30 x 20"
    assert said.count("principal point") == 1 and outside in said
    main(["convert", *maps, *CAMERA[:5], "29.4", *CAMERA[6:]])
    assert "principal point" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "point, size",
    [((6.75, 4.25), "14 x 10"), ((6.5, 4.4), "14 x 10"), ((6.75, 6.0), None), ((10, 6.5), None)],
)
def test_a_principal_point_of_an_image_of_half_the_size_is_noted(folder, capsys, point, size):
    camera = [*CAMERA[:5], f"{point[0]}", "--cy", f"{point[1]}"]
    main(["convert", "--flow", "flow.flo", *GEOMETRIES[0].split(), "--output", "out", *camera])
    said = capsys.readouterr().err
    note = f"is the centre of about {size} pixels, but the image has 30 x 20; unless this is a crop"
    assert note in said if size else "principal point" not in said


def test_what_is_valid_nowhere_is_an_error(folder, capsys):
    np.save("no.npy", np.full((*SIZE, 2), np.nan, np.float32))
    np.save("none.npy", np.full(SIZE, np.nan, np.float32))
    for maps, text in (
        (f"--flow no.npy {GEOMETRIES[0]}", "no.npy: no pixel has a flow"),
        (
            "--flow flow.flo --depth none.npy --next-depth depth.npy",
            "flow.flo: no pixel is valid in all of none.npy, flow.flo, depth.npy",
        ),
    ):
        with pytest.raises(SystemExit) as stopped:
            main(["convert", *maps.split(), *CAMERA, "--output", "a.npz"])
        assert stopped.value.code == 2 and text in capsys.readouterr().err
        assert not pathlib.Path("a.npz").exists()


def test_without_a_baseline_the_way_back_gives_depths(folder):
    main([*f"convert --flow flow.flo {GEOMETRIES[0]} --output a.npz".split(), *CAMERA])
    main("convert --inverse --input a.npz --output back".split())
    np.testing.assert_allclose(
        np.load("back/a_next_depth.npy"), np.load("next_depth.npy"), rtol=1e-6
    )


def test_what_is_not_known_stays_unknown(folder):
    depth = np.load("depth.npy")
    depth[3, 4] = 0
    np.save("depth.npy", depth)
    main([*f"convert --flow flow.flo {GEOMETRIES[0]} --output a.npz".split(), *CAMERA])
    result = np.load("a.npz")
    assert not result["valid"][3, 4] and result["valid"].sum() == depth.size - 1
    assert not result["vectors"][3, 4].any() and not result["points"][3, 4].any()


@pytest.mark.parametrize(
    "words, message",
    [
        ("", "--flow"),
        ("--flow no.flo --depth depth.npy --next-depth next_depth.npy", "there is no file no.flo"),
        ("--flow flow.flo", "besides --flow, give exactly one of these pairs: --disparity and "),
        ("--flow flow.flo", "--disparity and --motion-in-depth; got none"),
        ("--flow no.flo", "--flow: there is no file no.flo"),
        ("--flow flow.flo --depth depth.npy", "; got --depth"),
        (
            f"--flow flow.flo {GEOMETRIES[0]} --motion-in-depth tau.npy",
            "exactly one of these pairs",
        ),
        (f"--flow flow.flo {GEOMETRIES[-1].replace('--baseline 0.5', '')}", "needs --baseline"),
        ("--flow short.flo --depth depth.npy --next-depth next_depth.npy", "short.flo: expected"),
        ("--flow flow.flo --depth small.npy --next-depth next_depth.npy", "has 5 x 4 pixels"),
        (f"--flow flow.flo flow.flo {GEOMETRIES[0]}", "as --flow has, 2, got 1"),
        ("--inverse", "--input"),
        ("--inverse --input flow.flo", "flow.flo: expected a result"),
        ("--inverse --input a.npz b/a.npz", "two files have the same name"),
        ("--inverse --input a.npz --baseline 0.5", "--baseline cannot be used with --inverse"),
        ("--input a.npz", "--input can only be used with --inverse"),
        ("--flow empty --depth empty --next-depth empty", "--flow: the folder empty holds no"),
        (f"--flow flow.flo {GEOMETRIES[-1].replace('0.5', '-0.5')}", "--baseline: expected a pos"),
        (f"--flow flow.flo {GEOMETRIES[2]} --depth-unit mm", "--depth-unit needs --depth"),
        (f"--flow flow.flo {GEOMETRIES[0]} --output flow.flo", "flow.flo is a file"),
        (f"--flow flow.flo {GEOMETRIES[0]} --output x.npy", "x.npy, which is named like a file"),
        ("--inverse --input a.npz --output b.npz", "expected a folder, got b.npz"),
        (f"--flow flow.flo {GEOMETRIES[0]} --next-calibration empty", "empty is a folder"),
        (f"--flow flow.flo {GEOMETRIES[0]} --png-scale x", "--png-scale: expected FLOAT, got x"),
        (f"--flow flow.flo {GEOMETRIES[0]} --png-scale 256", "--png-scale 256: is for 16-bit .png"),
        (f"--flow flow.flo {GEOMETRIES[-1]} --png-scale 256", "--png-scale 256: is for 16-bit .p"),
        (f"--flow flow.flo {GEOMETRIES[0]} --image image.png", "--image needs --picture"),
        (f"--flow flow.flo {GEOMETRIES[0]} --cameras a.json", "--cameras replaces --cal"),
        ("--flow flow.flo --inverse --input a.npz", "--flow cannot be used with --inverse"),
        ("--inverse --input a.npz --next-pose a", "--next-pose cannot be used with --inverse"),
        (f"--flow flow.flo {GEOMETRIES[0]} --dpeth a.npy", "--dpeth; did you mean --depth"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(folder, capsys, words, message):
    pathlib.Path("short.flo").write_bytes(pathlib.Path("flow.flo").read_bytes()[:100])
    np.save("small.npy", np.ones((4, 5), np.float32))
    pathlib.Path("empty").mkdir()
    with pytest.raises(SystemExit) as stopped:
        main(["convert", *words.split(), *([] if "--inverse" in words.split() else CAMERA)])
    assert stopped.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and message in lines[0]


@pytest.mark.parametrize("focal", ["-40", "nan", "0"])
def test_a_focal_length_that_is_none_is_refused(folder, capsys, focal):
    camera = ["--fx", focal, *CAMERA[2:]]
    with pytest.raises(SystemExit) as stopped:
        main(["convert", "--flow", "flow.flo", *GEOMETRIES[0].split(), *camera])
    assert stopped.value.code == 2 and "--fx: expected" in capsys.readouterr().err
    assert not pathlib.Path("flow.npz").exists()


def fill(**folders):
    """Folders of maps, each constant: its name's place in the alphabet, in metres."""
    for folder, names in folders.items():
        pathlib.Path(folder).mkdir()
        for name in names:
            values = np.full(SIZE, 1.0 + ord(name) - ord("a"), np.float32)
            flow = np.zeros((*SIZE, 2), np.float32)
            np.save(f"{folder}/{name}.npy", flow if folder == "flows" else values)


FOLDERS = "convert --flow flows --depth first --next-depth second --output out".split()


def test_files_of_folders_are_paired_by_their_names(folder):
    fill(flows="bc", first="abc", second="bcd")
    main([*FOLDERS, *CAMERA])
    assert sorted(p.name for p in pathlib.Path("out").iterdir()) == ["b.npz", "c.npz"]
    for name, depth in (("b", 2), ("c", 3)):
        result = np.load(f"out/{name}.npz")
        np.testing.assert_allclose(result["points"][..., 2], depth, rtol=1e-6)
        assert not result["vectors"].any()


def test_a_flow_without_its_partner_is_not_given_another(folder, capsys):
    fill(flows="bc", first="ac", second="ab")
    with pytest.raises(SystemExit) as stopped:
        main([*FOLDERS, *CAMERA])
    assert (
        stopped.value.code == 2
        and "--depth: flows/b.npy: has no partner" in capsys.readouterr().err
    )
    assert not pathlib.Path("out").exists()


def test_a_missing_file_among_several_does_not_stop_the_rest(folder, capsys):
    words = "--flow no.flo flow.flo --depth depth.npy depth.npy --next-depth depth.npy depth.npy"
    with pytest.raises(SystemExit) as stopped:
        main(["convert", *words.split(), *CAMERA, "--output", "out"])
    assert stopped.value.code == 2 and pathlib.Path("out/flow.npz").exists()
    assert "there is no file no.flo" in capsys.readouterr().out


def test_an_image_that_does_not_fit_leaves_no_result(folder, capsys):
    data.write_image("small.png", np.zeros((4, 5, 3), np.uint8))
    words = f"convert --flow flow.flo {GEOMETRIES[0]} --image small.png --picture --output a.npz"
    with pytest.raises(SystemExit) as stopped:
        main([*words.split(), *CAMERA])
    assert stopped.value.code == 2 and "small.png: has 5 x 4" in capsys.readouterr().err
    assert not pathlib.Path("a.npz").exists()


@pytest.mark.parametrize("change", ["cut", "shape", "lacking"])
def test_a_result_that_is_none_is_named(folder, capsys, change):
    main([*f"convert --flow flow.flo {GEOMETRIES[0]} --output a.npz".split(), *CAMERA])
    if change == "cut":
        path = pathlib.Path("a.npz")
        path.write_bytes(path.read_bytes()[:-100])
    else:
        result = dict(np.load("a.npz"))
        vectors = result.pop("vectors")
        more = {"vectors": vectors[:, 1:]} if change == "shape" else {}
        np.savez("a.npz", **result, **more)
    with pytest.raises(SystemExit) as stopped:
        main("convert --inverse --input a.npz".split())
    assert stopped.value.code == 2 and "a.npz: expected" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["tyro", "tqdm"])
def test_a_missing_package_is_named_with_its_extra(folder, capsys, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    words = "--flow flow.flo b.flo --depth depth.npy depth.npy --next-depth depth.npy depth.npy"
    with pytest.raises(SystemExit) as stopped:
        main(["convert", *words.split(), *CAMERA])
    assert stopped.value.code == 2 and "sf3d_jax[cli]" in capsys.readouterr().err


def test_half_a_camera_is_refused(folder, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["convert", "--flow", "flow.flo", *GEOMETRIES[0].split(), "--fx", "40"])
    said = capsys.readouterr().err
    assert stopped.value.code == 2 and "--fy, --cx, --cy are missing; give --calibration" in said
    with pytest.raises(SystemExit):
        main(["convert", "--flow", "flow.flo", *GEOMETRIES[0].split(), *CAMERA[:2], *CAMERA[4:]])
    assert "sf3d: --fy is missing; give --calibration FILE" in capsys.readouterr().err


def test_a_broken_file_among_several_is_listed_and_the_rest_converted(folder, capsys):
    pathlib.Path("short.flo").write_bytes(pathlib.Path("flow.flo").read_bytes()[:100])
    words = "convert --flow short.flo flow.flo --output out"
    pairs = [f"{word} {word}" if word.endswith(".npy") else word for word in GEOMETRIES[0].split()]
    with pytest.raises(SystemExit) as stopped:
        main([*words.split(), *" ".join(pairs).split(), *CAMERA])
    assert stopped.value.code == 2
    out, err = capsys.readouterr()
    assert pathlib.Path("out/flow.npz").exists() and not pathlib.Path("out/short.npz").exists()
    assert "short.flo: expected" in out and "1 of 2" in err


@pytest.mark.parametrize("words", [["--help"], ["convert", "--help"], ["demo", "--help"]])
def test_help_is_quick_and_does_not_wait_for_jax(words):
    code = (
        "import sys, time; start = time.process_time()\n"
        "from sf3d_jax.cli import main\n"
        f"try: main({words})\n"
        "except SystemExit: pass\n"
        "assert 'jax' not in sys.modules and 'cv2' not in sys.modules\n"
        "assert time.process_time() - start < 0.3\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_an_interruption_has_its_exit_code():
    code = (
        "from sf3d_jax.cli import demo, main\n"
        "def interrupt(self): raise KeyboardInterrupt\n"
        "demo.Demo.run = interrupt\n"
        "main(['demo'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 130 and len(done.stderr.splitlines()) == 1


def test_output_that_nobody_reads_ends_the_command_without_a_word():
    reader, writer = os.pipe()
    os.close(reader)
    code = (
        "from sf3d_jax.cli import demo, main\n"
        "demo.Demo.run = lambda self: print('done')\n"
        "main(['demo'])"
    )
    with os.fdopen(writer) as pipe:
        done = subprocess.run([sys.executable, "-c", code], stdout=pipe, stderr=subprocess.PIPE)
    assert done.returncode == 141 and done.stderr == b""


def test_a_kitti_prediction_goes_there_and_back(tmp_path, monkeypatch):
    prediction = tmp_path / "kitti_prediction"
    codes = kitti_prediction.write_prediction(prediction)
    monkeypatch.chdir(tmp_path)
    there_and_back(prediction, kitti_prediction.BASELINE, codes)


@pytest.mark.thorough
def test_a_kitti_prediction_of_others_goes_there_and_back(tmp_path, monkeypatch, real):
    prediction = real("kitti_prediction")
    monkeypatch.chdir(tmp_path)
    folders = "flow", "disp_0", "disp_1"
    there_and_back(prediction, 0.5327, [stored(prediction / f / "000139_10.png") for f in folders])


def stored(path):
    """The numbers of a PNG, red first."""
    numbers = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return numbers if numbers.ndim == 2 else numbers[..., ::-1]


def there_and_back(prediction, baseline, codes):
    """Converts a folder of a prediction in the current folder, and back to flow and disparities."""
    files = [
        *("--flow", prediction / "flow", "--disparity", prediction / "disp_0"),
        *(
            "--next-disparity",
            prediction / "disp_1",
            "--image",
            prediction / "image_2/000139_10.png",
        ),
    ]
    for calibration in ("calib_000139.txt", "calib_cam_to_cam_2011_09_26.txt"):
        main(
            [
                "convert",
                *map(str, files),
                "--calibration",
                str(prediction / calibration),
                "--picture",
            ]
        )
        result = np.load("000139_10.npz")
        assert result["valid"].all()
        np.testing.assert_allclose(result["camera_baseline"], baseline, atol=1e-4)
    main("convert --inverse --input 000139_10.npz".split())
    for name, original in zip(("flow", "disparity", "next_disparity"), codes, strict=True):
        np.testing.assert_array_equal(stored(f"000139_10_{name}.png"), original)


def test_a_picture_never_overwrites_the_flow_it_shows(folder):
    flow = data.read_flow("flow.flo").flow
    data.write_flow("flow.png", flow)
    before = pathlib.Path("flow.png").read_bytes()
    main([*f"convert --flow flow.png {GEOMETRIES[0]} --picture".split(), *CAMERA])
    assert pathlib.Path("flow.png").read_bytes() == before
    assert pathlib.Path("flow_picture.png").exists()
