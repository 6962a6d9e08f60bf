"""`sf3d evaluate` on made-up folders, and all that can be wrong with them."""

import csv
import json
import os
import shutil

import cv2
import numpy as np
import pytest
from helpers.command import SIZE, draw, spring_file
from helpers.files import made

import sf3d_jax as sf3d
from sf3d_jax import data, metrics


def results(path):
    return json.loads(path.read_text())["results"]


# KITTI


@pytest.fixture
def kitti_images(tmp_path):
    """Two images with all kinds of truths and estimates; the arguments that they become."""
    images = []
    for i in range(2):
        name, rng = f"{i:06}_10.png", np.random.default_rng(i)
        arguments = {"objects": rng.integers(0, 2, SIZE).astype(np.int32)}
        cv2.imwrite(str(made(tmp_path / "truth/obj_map" / name)), np.uint8(arguments["objects"]))
        kinds = {"flow": "flow", "disparity": "disp_0", "next_disparity": "disp_1"}
        for k, (kind, folder) in enumerate(kinds.items()):
            write = data.write_flow if kind == "flow" else data.write_disparity
            values = draw(10 * i + k, *([2] if kind == "flow" else []))
            base, _, number = folder.partition("_")
            for end in ("occ", "noc"):
                valid = rng.random(SIZE) < (0.8 if end == "occ" else 0.5)
                where = f"truth/{base}_{end}{'_' * bool(number)}{number}/{name}"
                write(made(tmp_path / where), values, valid)
                arguments[f"{kind}_{end}"] = values, valid
            estimate = values + np.float32(rng.integers(-320, 320, values.shape) / 64)
            estimate = np.maximum(estimate, 1 / 64)
            valid = rng.random(SIZE) < 0.9
            write(made(tmp_path / "estimate" / folder / name), estimate, valid)
            arguments[kind] = estimate, valid
        images.append(arguments)
    return images


def added(images, pool="pixels"):
    metric = metrics.KittiSceneFlow.empty(pool=pool)
    for arguments in images:
        metric = metric.update(**arguments)
    return metric.compute()


@pytest.fixture
def kitti(kitti_images):
    """What the two images add up to."""
    return added(kitti_images)


EVALUATE = ("--prediction", "estimate", "--truth", "truth", "--json", "numbers.json")


def test_kitti_is_the_metric_of_its_files(kitti, tmp_path, sf3d_command):
    code, out, _ = sf3d_command("evaluate", "kitti", *EVALUATE)
    assert code == 0
    assert results(tmp_path / "numbers.json") == pytest.approx(kitti)
    for name in ("SF-all", "Fl-bg-noc", "D2-fg-result", "D1-density", "Fl-epe"):
        assert f"{kitti[name]:.4f}" in out
    assert "\n  2 images, mean over all pixels of all images\n" in out
    assert (
        "bg" in out and "Pixels that stay in the image" in out and "with an estimate (noc)" in out
    )


def test_the_numbers_of_every_image_are_a_line_of_a_table(kitti_images, tmp_path, sf3d_command):
    shutil.copy(tmp_path / "estimate/flow/000000_10.png", tmp_path / "numbers.csv")
    code, _, _ = sf3d_command("evaluate", "kitti", *EVALUATE, "--csv", "numbers.csv")
    assert code == 0
    with (tmp_path / "numbers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row.pop("image") for row in rows] == ["000000_10", "000001_10"]
    for row, arguments in zip(rows, kitti_images, strict=True):
        found = {name: float(x) for name, x in row.items()}
        assert found == pytest.approx(added([arguments]))
    code, _, errors = sf3d_command("evaluate", "kitti", *EVALUATE, "--csv", "none/numbers.csv")
    assert code == 2 and errors == ["sf3d: --csv: there is no folder none"]


def test_kitti_without_disparity_says_nothing_of_it(kitti, tmp_path, sf3d_command):
    for folder in ("disp_0", "disp_1"):
        shutil.rmtree(tmp_path / "estimate" / folder)
    for folder in ("estimate/disp_1", "truth/flow_occ"):
        made(tmp_path / folder / "readme.txt").write_text("Not a map.")
    code, out, _ = sf3d_command("evaluate", "kitti", *EVALUATE)
    assert code == 0 and "D1" not in out.partition("\n")[2] and "SF" not in out
    only_flow = {name: x for name, x in kitti.items() if name.startswith("Fl")}
    assert results(tmp_path / "numbers.json") == pytest.approx(only_flow)


def test_kitti_of_images_is_the_mean_over_images(kitti_images, tmp_path, sf3d_command):
    code, out, _ = sf3d_command("evaluate", "kitti", *EVALUATE, "--pool", "image")
    assert code == 0 and "\n  2 images, mean over the means of the images\n" in out
    means = results(tmp_path / "numbers.json")
    assert means == pytest.approx(added(kitti_images, "image")) and means != added(kitti_images)


def test_missing_and_bad_files_are_listed_by_name(kitti, tmp_path, sf3d_command):
    names = [f"{i:06}_10.png" for i in range(2, 6)]
    for folder in [*(tmp_path / "truth").iterdir(), *(tmp_path / "estimate").iterdir()]:
        for name in names:
            shutil.copy(folder / "000000_10.png", folder / name)
    estimates = tmp_path / "estimate"
    (estimates / "flow" / names[0]).unlink()
    data.write_disparity(estimates / "disp_0" / names[1], draw(0, size=(12, 15)))
    cut = estimates / "disp_1" / names[2]
    cut.write_bytes(cut.read_bytes()[:-200])
    cv2.imwrite(str(estimates / "disp_1" / names[3]), np.zeros(SIZE, np.uint8))
    code, out, errors = sf3d_command("evaluate", "kitti", *EVALUATE)
    assert code == 2 and errors == ["sf3d: 4 files are missing or bad, of 6 images to evaluate"]
    assert "\n  2 images, mean over" in out
    listed = out.partition("missing or bad")[2]
    assert f"flow/{names[0]}: missing" in listed
    assert f"disp_0/{names[1]}: expected 16 x 12 pixels" in listed and "15 x 12" in listed
    assert f"disp_1/{names[2]}: expected a complete PNG" in listed
    assert f"disp_1/{names[3]}: expected" in listed and "found 8 bits" in listed
    assert results(tmp_path / "numbers.json") == pytest.approx(kitti)


def test_wrong_folders_and_flags_are_one_line(tmp_path, sf3d_command, monkeypatch):
    (tmp_path / "truth").mkdir()
    (tmp_path / "estimate").mkdir()
    code, _, errors = sf3d_command("evaluate", "kitti", *EVALUATE)
    assert code == 2 and "has no estimate with a ground truth in truth" in errors[0]
    code, _, errors = sf3d_command("evaluate", "spring", "--prediction", "no", "--truth", "truth")
    assert code == 2 and errors == ["sf3d: --prediction: there is no folder no"]
    code, _, errors = sf3d_command("evaluate", "kitti", *EVALUATE[:-1], "no/numbers.json")
    assert code == 2 and errors == ["sf3d: --json: there is no folder no"]
    code, _, errors = sf3d_command("evaluate", "kitti", *EVALUATE, "--scale", "2")
    assert code == 2 and "with srflow3d only" in errors[0]
    assert errors[0].startswith("sf3d: --scale, --intrinsics: expected")
    code, _, errors = sf3d_command("evaluate", "srflow3d", *EVALUATE, "--scale", "-2")
    assert code == 2 and "--scale: expected a positive number" in errors[0]
    code, _, errors = sf3d_command("evaluate", "kitti", *EVALUATE[:-1], "truth")
    assert code == 2 and errors == ["sf3d: --json: truth is a folder; name a file"]
    with monkeypatch.context() as patched:
        patched.setattr(os, "access", lambda *_: False)
        code, _, errors = sf3d_command("evaluate", "kitti", *EVALUATE)
    assert code == 2 and errors == ["sf3d: --json: cannot write to the folder ."]
    code, _, errors = sf3d_command("evaluate", "kitti", "--prediction", "estimate")
    assert code == 2 and errors == ["sf3d: Missing from sf3d evaluate: --truth PATH (see --help)"]
    words = ("--intrinsics", "20", "0", "7", "5")
    code, _, errors = sf3d_command("evaluate", "srflow3d", *EVALUATE, *words)
    assert code == 2 and "--intrinsics: expected fx, fy > 0" in errors[0]
    code, _, errors = sf3d_command("evaluate", "sintel", *EVALUATE)
    assert code == 2 and "sintel" in errors[0]


# Spring


@pytest.fixture
def spring(tmp_path):
    """A scene of two frames, forwards and backwards, with all maps; what they add up to."""
    truth, estimates = tmp_path / "truth", tmp_path / "estimate"
    metric = metrics.SpringSceneFlow.empty()
    four = (2 * SIZE[0], 2 * SIZE[1])
    for way, frame in (("FW", 1), ("BW", 2)):
        rng = np.random.default_rng(frame)
        folders = {
            "flow": f"flow_{way}_left",
            "next_disparity": f"disp2_{way}_left",
            "disparity": "disp1_left",
        }
        masks = {"detail": {}, "unmatched": {}}
        arguments = dict(masks)
        for k, (kind, folder) in enumerate(folders.items()):
            flow = kind == "flow"
            values = draw(10 * frame + k, *([2] * flow), size=four)
            values[0, 0] = 0
            values[3, 4] = np.nan
            estimate = values[::2, ::2] + draw(k, *([2] * flow), low=-5, high=5)
            write = data.write_flow if flow else data.write_map
            ending = ".flo5" if flow else ".dsp5"
            write(spring_file(truth, "0001", folder, frame, ending), values)
            write(spring_file(estimates, "0001", folder, frame, ending), estimate)
            arguments[kind], arguments[f"true_{kind}"] = estimate, values
            masks["detail"][kind] = rng.random(SIZE) < 0.5
            masks["unmatched"][kind] = rng.random(SIZE) < 0.5
            path = spring_file(truth, "0001", f"maps/detailmap_{folder}", frame, ".png")
            cv2.imwrite(str(path), 255 * np.uint8(masks["detail"][kind]))
            # Red where it leaves the image, green where it is hidden; blue means nothing.
            colors = np.zeros((*SIZE, 3), np.uint8)
            colors[..., 1 + frame % 2] = 255 * masks["unmatched"][kind]
            colors[..., 0] = 255
            path = spring_file(truth, "0001", f"maps/matchmap_{folder}", frame, ".png")
            cv2.imwrite(str(path), colors)
        large = rng.random(four) < 0.3
        counts = sum(large[i::2, j::2].astype(int) for i in (0, 1) for j in (0, 1))
        arguments |= {"nonrigid": counts >= 2, "sky": counts >= 1}
        path = spring_file(truth, "0001", f"maps/rigidmap_{way}_left", frame, ".png")
        cv2.imwrite(str(path), 255 * np.uint8(large), [cv2.IMWRITE_PNG_BILEVEL, 1])
        path = spring_file(truth, "0001", "maps/skymap_left", frame, ".png")
        cv2.imwrite(str(path), 255 * np.uint8(large))
        metric = metric.update(**arguments)
    return metric.compute()


def test_spring_is_the_metric_of_its_files(spring, tmp_path, sf3d_command):
    code, out, _ = sf3d_command("evaluate", "spring", *EVALUATE)
    assert code == 0
    assert results(tmp_path / "numbers.json") == pytest.approx(spring)
    for name in ("1px", "WAUC-unmatched", "SF-s10-40", "D1-abs-low-detail", "D2-nonrigid"):
        assert f"{spring[name]:.4f}" in out


def test_spring_evaluates_the_folders_that_are_there(spring, tmp_path, sf3d_command):
    scene = tmp_path / "estimate/0001"
    for folder in ("flow_BW_left", "disp1_left", "disp2_BW_left", "disp2_FW_left"):
        shutil.rmtree(scene / folder)
    code, out, _ = sf3d_command("evaluate", "spring", *EVALUATE)
    found = results(tmp_path / "numbers.json")
    assert code == 0 and found["1px"] != spring["1px"]
    assert not [name for name in found if name.startswith(("D1", "D2", "SF"))]
    assert "disparity" not in out.partition("\n")[2]


def test_spring_wants_every_frame_and_half_the_size_of_the_truth(spring, tmp_path, sf3d_command):
    scene = tmp_path / "estimate/0001"
    shutil.copytree(tmp_path / "truth/0001", tmp_path / "truth/0002")
    whole = data.read_flow(tmp_path / "truth/0001/flow_FW_left/flow_FW_left_0001.flo5").flow
    data.write_flow(scene / "flow_FW_left/flow_FW_left_0001.flo5", whole)
    code, out, _ = sf3d_command("evaluate", "spring", *EVALUATE)
    assert code == 2
    assert "0001/flow_FW_left/flow_FW_left_0001.flo5: expected 16 x 12 pixels" in out
    assert "0002/flow_BW_left/flow_BW_left_0002.flo5: missing" in out
    assert out.count("0002/disp1_left/disp1_left_0001.dsp5: missing") == 1


def test_a_bad_disparity_of_spring_is_listed_once(spring, tmp_path, sf3d_command):
    for root in ("truth", "estimate"):
        for kind, ending in (("flow", ".flo5"), ("disp2", ".dsp5")):
            path = tmp_path / root / f"0001/{kind}_BW_left/{kind}_BW_left_0002{ending}"
            shutil.copy(path, path.with_stem(f"{kind}_BW_left_0001"))
    path = tmp_path / "estimate/0001/disp1_left/disp1_left_0001.dsp5"
    data.write_map(path, draw(0, size=(12, 15)))
    code, out, errors = sf3d_command("evaluate", "spring", *EVALUATE)
    assert code == 2 and out.count("disp1_left_0001.dsp5: expected 16 x 12 pixels") == 1
    assert errors == ["sf3d: 1 file is missing or bad, of 3 images to evaluate"]


# FlyingThings3D


def test_things_are_lifted_with_the_camera_of_the_data_set(tmp_path, sf3d_command):
    scene, way = "TEST/A/0000", "into_future/left"
    paths = {
        "flow": f"optical_flow/{scene}/{way}/OpticalFlowIntoFuture_0006_L.pfm",
        "disparity": f"disparity/{scene}/left/0006.pfm",
        "change": f"disparity_change/{scene}/{way}/0006.pfm",
    }
    true = {"flow": draw(0, 2, low=-20, high=20), "disparity": -draw(1), "change": draw(2) / 20}
    true["change"] = -true["change"]  # signed as the disparity
    for kind, values in true.items():
        write = data.write_flow if kind == "flow" else data.write_map
        write(made(tmp_path / "truth" / paths[kind]), values)
    flow, change = true["flow"] + draw(3, 2) / 50, true["change"] + draw(4) / 500
    data.write_flow(made(tmp_path / "estimate" / paths["flow"]), flow)
    code, out, _ = sf3d_command("evaluate", "things", *EVALUATE)
    error = np.linalg.norm(np.float64(flow) - true["flow"], axis=-1)
    found = results(tmp_path / "numbers.json")
    assert code == 0 and "EPE3D" not in found
    assert found["EPE2D"] == pytest.approx(error.mean(), rel=1e-5)

    disparity = tmp_path / "truth" / paths["disparity"]
    kept = disparity.rename(tmp_path / "kept.pfm")
    code, out, errors = sf3d_command("evaluate", "things", *EVALUATE)
    assert code == 2 and not out and "nothing could be compared in truth" in errors[0]
    assert "true disparity as well as true flow" in errors[0]
    kept.rename(disparity)

    data.write_map(made(tmp_path / "estimate" / paths["change"]), change)
    code, out, _ = sf3d_command("evaluate", "things", *EVALUATE)
    found = results(tmp_path / "numbers.json")
    u, v = np.meshgrid(np.arange(SIZE[1]), np.arange(SIZE[0]))
    disparity = np.abs(np.float64(true["disparity"]))

    # The camera of images of 960 x 540 pixels, after a resize to this size.
    fx, fy = 1050 * SIZE[1] / 960, 1050 * SIZE[0] / 540
    cx, cy = 480 * SIZE[1] / 960 - 0.5, 270 * SIZE[0] / 540 - 0.5

    def lift(flow, change):
        z = lambda d: fx / d
        point = lambda u, v, z: np.stack([(u - cx) / fx * z, (v - cy) / fy * z, z], -1)
        end = np.abs(true["disparity"].astype(float) + change)
        flow = flow.astype(float)
        return point(u + flow[..., 0], v + flow[..., 1], z(end)) - point(u, v, z(disparity))

    error = np.linalg.norm(lift(flow, change) - lift(true["flow"], true["change"]), axis=-1)
    assert code == 0 and found["EPE3D"] == pytest.approx(error.mean(), rel=1e-4)
    assert found["10cm"] == 100 * (error < 0.1).sum() / error.size and "EPE3D" in out


# SRFlow3D


@pytest.mark.parametrize(
    "flow, change",
    [
        ("flow", "scaled_inv_depth_change"),
        ("flow_F", "scaled_inv_depth_CF"),
        ("flow_B", "scaled_inv_depth_CB"),
    ],
)
def test_srflow3d_in_each_layout(tmp_path, sf3d_command, flow, change):
    scale = 0.2
    depth = draw(0, low=0.8, high=1.2)
    mask = np.zeros(SIZE, bool)
    mask[2:9, 3:12] = True
    true = {flow: draw(1, 2, low=-3, high=3), change: np.float32(draw(2) / 500 / scale)}
    estimate = {
        name: x + np.float32(draw(3)[..., None] / 100).reshape(*SIZE, *[1] * (x.ndim - 2))
        for name, x in true.items()
    }
    files = {"depth": depth, "scaled_inv_depth": np.float32(1 / (scale * depth))}
    for root, maps in (("truth", files | true), ("estimate", estimate)):
        for kind, values in maps.items():
            path = tmp_path / root / "test" / kind / "031" / "0000"
            if values.ndim == 3:
                data.write_flow(made(path.with_suffix(".flo")), values)
            else:
                data.write_map(made(path.with_suffix(".npy")), values)
    picture = np.where(mask, 250, 3).astype(np.uint8)
    path = made(tmp_path / "truth/test/mask/031/0000.jpg")
    cv2.imwrite(str(path), picture, [cv2.IMWRITE_JPEG_QUALITY, 100])
    words = ("evaluate", "srflow3d", *EVALUATE)
    code, out, _ = sf3d_command(*words)
    found = results(tmp_path / "numbers.json")
    error = np.linalg.norm(estimate[flow].astype(float) - true[flow], axis=-1)[mask]
    assert code == 0 and found["EPE"] == pytest.approx(error.mean(), rel=1e-5)
    assert "EPE3D" not in found
    by_metre = lambda x: np.float64(x) * scale
    error = np.abs(by_metre(estimate[change]) - by_metre(true[change]))[mask]
    assert found["DepthChange-MAE"] == pytest.approx(error.mean(), rel=1e-4)

    code, out, _ = sf3d_command(*words, "--intrinsics", "20", "21", "7.5", "5.5")
    found = results(tmp_path / "numbers.json")
    camera = sf3d.Camera.pinhole(20, 21, 7.5, 5.5, SIZE)
    lift = lambda maps: np.asarray(
        sf3d.scene_flow(maps[flow], 1 / depth, np.float32(by_metre(maps[change])), camera).vectors
    )
    error = np.linalg.norm(lift(estimate) - lift(true), axis=-1)[mask].mean()
    assert code == 0 and found["EPE3D"] == pytest.approx(error, rel=1e-4)
    assert found["EPE3D-mm"] == pytest.approx(1e3 * found["EPE3D"]) and "EPE3D-mm" in out

    shutil.rmtree(tmp_path / "truth/test/depth")
    code, out, _ = sf3d_command(*words)
    assert code == 2 and "its scale needs the depth of the same name, or --scale" in out
    code, _, _ = sf3d_command(*words, "--scale", 1 / scale)
    again = results(tmp_path / "numbers.json")
    assert code == 0 and again["DepthChange-MAE"] == pytest.approx(found["DepthChange-MAE"])

    estimate[change][:, 8:] = np.nan
    data.write_map(tmp_path / f"estimate/test/{change}/031/0000.npy", estimate[change])
    code, out, _ = sf3d_command(*words, "--scale", 1 / scale)
    found = results(tmp_path / "numbers.json")
    share = 100 * mask[:, 8:].sum() / mask.sum()
    assert code == 0 and found["missing"] == 0 and "DepthChange-missing" in out
    assert found["DepthChange-missing"] == pytest.approx(share)
