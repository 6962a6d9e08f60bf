"""`data.evaluate`: scores of made-up folders against NumPy, and all that can be wrong with them."""

import dataclasses

import cv2
import numpy as np
import pytest
from helpers.command import SIZE, draw
from helpers.files import made

from sf3d_jax import data

SCALE = 0.2


def kitti_images(root, count=2):
    """Flows of KITTI with large errors in some pixels: (estimates, truths, valid)."""
    images = []
    for i in range(count):
        rng = np.random.default_rng(i)
        truth = draw(i, 2)
        estimate = truth + np.float32(rng.integers(-320, 320, truth.shape) / 64)
        valid = rng.random(SIZE) < 0.8
        data.write_flow(made(root / f"truth/flow_occ/{i:06}_10.png"), truth, valid)
        data.write_flow(made(root / f"estimate/flow/{i:06}_10.flo"), estimate)
        images.append((estimate, truth, valid))
    return images


def by_kitti_rules(images):
    """Fl-all in percent and the mean error in pixels, of all pixels with a truth."""
    errors = [np.linalg.norm(np.float64(e) - t, axis=-1)[v] for e, t, v in images]
    lengths = [np.linalg.norm(np.float64(t), axis=-1)[v] for _, t, v in images]
    error, length = np.concatenate(errors), np.concatenate(lengths)
    return 100 * ((error > 3) & (error / length > 0.05)).mean(), error.mean()


def evaluate(benchmark, root, **options):
    folders = {"prediction": root / "estimate", "truth": root / "truth"}
    return data.evaluate(benchmark, **(folders | options))


def test_the_scores_of_a_folder_are_those_of_its_pixels(tmp_path):
    images, calls = kitti_images(tmp_path), []
    result = evaluate("kitti", tmp_path, progress=lambda *x: calls.append(x))
    outliers, error = by_kitti_rules(images)
    assert result.scores["Fl-all"] == pytest.approx(outliers)
    assert result.scores["Fl-epe"] == pytest.approx(error, rel=1e-5)
    assert (result.benchmark, result.pool, result.images) == ("kitti", "pixels", 2)
    assert result.problems == ()
    assert calls == [(0, 2, "000000_10"), (1, 2, "000001_10"), (2, 2, "")]
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.scores = {}


def test_missing_and_bad_files_are_problems_and_their_images_are_left_out(tmp_path):
    images = kitti_images(tmp_path, 4)
    flow = tmp_path / "estimate/flow"
    (flow / "000001_10.flo").unlink()
    (flow / "000002_10.flo").write_bytes(b"PIEH")
    data.write_flow(flow / "000003_10.flo", draw(0, 2, size=(12, 15)))
    result = evaluate("kitti", tmp_path)
    assert result.images == 4
    assert result.scores["Fl-all"] == pytest.approx(by_kitti_rules(images[:1])[0])
    missing, cut, small = map(str, result.problems)
    assert missing == f"{flow / '000001_10.png'}: missing"
    assert cut.startswith(f"{flow / '000002_10.flo'}: expected")
    assert small.startswith(f"{flow / '000003_10.flo'}: expected 16 x 12 pixels beside")
    assert all(problem.argument is None for problem in result.problems)

    (flow / "000000_10.flo").unlink()
    result = evaluate("kitti", tmp_path)
    assert result.scores == {} and len(result.problems) == 4


def test_wrong_arguments_are_refused_by_name(tmp_path):
    with pytest.raises(FileNotFoundError, match="prediction: there is no folder"):
        evaluate("kitti", tmp_path)
    (tmp_path / "estimate").mkdir()
    with pytest.raises(FileNotFoundError, match="truth: there is no folder"):
        evaluate("kitti", tmp_path)
    (tmp_path / "truth").mkdir()
    for benchmark in ("kitti", "spring", "things", "srflow3d"):
        with pytest.raises(
            FileNotFoundError, match=r"has no estimate with a ground truth in .*: exp.*/"
        ):
            evaluate(benchmark, tmp_path)
    with pytest.raises(ValueError, match=r"got 'KITTI'; did you mean 'kitti'\?"):
        evaluate("KITTI", tmp_path)
    (tmp_path / "file").write_text("A file.")
    for name in ("prediction", "truth"):
        with pytest.raises(NotADirectoryError, match=f"{name}: .*file is a file; name a folder"):
            evaluate("kitti", tmp_path, **{name: tmp_path / "file"})
    with pytest.raises(ValueError, match=r"benchmark: expected 'kitti', .* got 'sintel'"):
        evaluate("sintel", tmp_path)
    with pytest.raises(ValueError, match=r"got 'KITTI'; did you mean 'kitti'\?$"):
        evaluate("KITTI", tmp_path)
    with pytest.raises(ValueError, match=r"benchmark: expected 'kitti', .* got \[\]"):
        evaluate([], tmp_path)
    with pytest.raises(ValueError, match="pool: expected 'pixels' or 'image', got "):
        evaluate("kitti", tmp_path, pool="batch")
    for option in ({"scale": 2.0}, {"intrinsics": (20, 20, 7, 5)}):
        with pytest.raises(ValueError, match="expected with srflow3d only, got kitti"):
            evaluate("kitti", tmp_path, **option)
    for scale in (0, -1, np.nan, np.inf):
        with pytest.raises(ValueError, match="scale: expected a positive number"):
            evaluate("srflow3d", tmp_path, scale=scale)
    for numbers in ((0, 20, 7, 5), (20, 20, np.nan, 5), (20, 20, 7)):
        with pytest.raises(ValueError, match="intrinsics: expected fx, fy > 0 and cx, cy"):
            evaluate("srflow3d", tmp_path, intrinsics=numbers)
    for numbers in (np.eye(2), [[20], [20, 7]], ()):
        with pytest.raises(ValueError, match="intrinsics: expected fx, fy > 0 and cx, cy, got"):
            evaluate("srflow3d", tmp_path, intrinsics=numbers)
    for numbers in (5, "abc", ["20", "20", "7", "5"], [True] * 4, [20, 20, None, 5], {}):
        with pytest.raises(TypeError, match="intrinsics: expected fx, fy > 0 and cx, cy, got"):
            evaluate("srflow3d", tmp_path, intrinsics=numbers)
    for scale in ("a", True, [2.0], {}):
        with pytest.raises(TypeError, match="scale: expected a positive number, got"):
            evaluate("srflow3d", tmp_path, scale=scale)


# SRFlow3D


@pytest.fixture
def faces(tmp_path):
    """An image of SRFlow3D, a mask of codes 0 and 1, and at its border depths of the background."""
    mask = np.zeros(SIZE, bool)
    mask[2:9, 3:12] = True
    inner = np.zeros(SIZE, bool)
    inner[3:8, 4:11] = True
    depth = draw(0, low=0.8, high=1.2)
    scaled = np.float32(SCALE / np.where(inner, depth, 3 * depth))
    maps = {
        "depth": depth,
        "scaled_inv_depth": scaled,
        "scaled_inv_depth_CF": np.float32(SCALE * draw(2) / 500),
        "flow_F": draw(1, 2, low=-3, high=3),
    }
    for kind, values in maps.items():
        for frame in ("0000", "0001") if kind in ("depth", "scaled_inv_depth") else ("0000",):
            write_map(tmp_path / "truth/test" / kind / "031" / frame, values)
    for frame in ("0000", "0001"):
        path = made(tmp_path / f"truth/test/mask/031/{frame}.png")
        cv2.imwrite(str(path), mask.astype(np.uint8))
    estimates = {"flow_F": maps["flow_F"] + 1, "scaled_inv_depth_CF": maps["scaled_inv_depth_CF"]}
    estimates["scaled_inv_depth_CF"] = estimates["scaled_inv_depth_CF"] + np.float32(0.01)
    estimates["flow_F"][4, 5:7] = np.nan
    for kind, values in estimates.items():
        write_map(tmp_path / "estimate/test" / kind / "031/0000", values)
    return mask


def write_map(path, values):
    if values.ndim == 3:
        data.write_flow(made(path.with_suffix(".flo")), values)
    else:
        data.write_map(made(path.with_suffix(".npy")), values)


def test_the_scale_and_the_mask_are_those_of_the_data_set(faces, tmp_path):
    dataset = data.SRFlow3D(tmp_path / "truth", "test")
    np.testing.assert_array_equal(dataset.read(dataset.entries[0]).valid, faces)
    assert dataset.scale == pytest.approx(SCALE, rel=1e-6)
    scores = evaluate("srflow3d", tmp_path).scores
    # Every estimate of the change is wrong by 0.01, scaled.
    assert scores["DepthChange-MAE"] == pytest.approx(0.01 / dataset.scale, rel=1e-4)
    given = evaluate("srflow3d", tmp_path, scale=dataset.scale).scores
    assert given == pytest.approx(scores)


def test_estimates_that_are_not_finite_are_missing_and_in_no_mean(faces, tmp_path):
    scores = evaluate("srflow3d", tmp_path).scores
    assert scores["EPE"] == pytest.approx(np.sqrt(2), rel=1e-5)
    assert scores["missing"] == pytest.approx(100 * 2 / faces.sum())


def test_a_dark_mask_and_a_missing_depth_are_problems(faces, tmp_path):
    for path in (tmp_path / "truth/test/mask/031").iterdir():
        cv2.imwrite(str(path), 100 * faces.astype(np.uint8))
    (problem,) = evaluate("srflow3d", tmp_path).problems
    assert "expected a mask that reaches" in problem.text
    for kind in ("mask", "depth"):
        (tmp_path / "truth/test" / kind / "031/0000").with_suffix(
            ".png" if kind == "mask" else ".npy"
        ).unlink()
    (problem,) = evaluate("srflow3d", tmp_path).problems
    assert problem.argument == "scale"
    assert str(problem).endswith("0000.npy: its scale needs the depth of the same name, or scale=")
