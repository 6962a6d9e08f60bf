"""KITTI's metrics against its rules written out pixel by pixel, and its development kit's files."""

import itertools

import numpy as np
import pytest
from helpers import thorough
from helpers.png import write_png

from sf3d_jax import data, metrics

SIZE = (9, 14)
QUANTITIES = {"D1": "disparity", "D2": "next_disparity", "Fl": "flow"}


def filled_by_loops(values, valid):
    """The rule as the development kit walks it: gaps of each row, its ends, then the columns."""
    values, valid = np.where(valid, values, 0).astype(np.float32), valid.copy()
    height, width = valid.shape
    for v in range(height):
        count = 0
        for u in range(width):
            if not valid[v, u]:
                count += 1
                continue
            first = u - count
            if count and first > 0:
                values[v, first:u] = min(values[v, first - 1], values[v, u])
                valid[v, first:u] = True
            count = 0
        known = np.flatnonzero(valid[v])
        if len(known):
            values[v, : known[0]] = values[v, known[0]]
            values[v, known[-1] :] = values[v, known[-1]]
            valid[v] = True
    for u in range(width):
        known = np.flatnonzero(valid[:, u])
        if len(known):
            values[: known[0], u] = values[known[0], u]
            values[known[-1] :, u] = values[known[-1], u]
            valid[: known[0], u] = valid[known[-1] :, u] = True
    return values, valid


def holes(rng, share, size=SIZE):
    """Random holes, with rows that are empty: two at the top, one between, one at the bottom."""
    valid = rng.random(size) > share
    valid[[0, 1, 4, -1]] = False
    return valid


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 1.0])
def test_holes_are_filled_as_the_loops_do(share):
    rng = np.random.default_rng(0)
    valid = np.stack([holes(rng, share) for _ in range(6)])
    values = np.float32(rng.normal(size=(6, *SIZE, 2)))
    values[~valid] = np.nan
    got = metrics.fill_holes(values, valid)
    one = metrics.fill_holes(values[0, ..., 0], np.ones(SIZE, bool))
    for i, c in itertools.product(range(6), range(2)):
        expected, known = filled_by_loops(values[i, ..., c], valid[i])
        np.testing.assert_array_equal(got.valid[i], known)
        np.testing.assert_array_equal(got.values[i, ..., c], expected)
    np.testing.assert_array_equal(one.values, got.values[0, ..., 0])


def test_holes_are_refused_with_a_wrong_mask():
    values = np.zeros((4, 5, 2), np.float32)
    with pytest.raises(ValueError, match="valid: expected"):
        metrics.fill_holes(values, np.ones((4, 4), bool))
    with pytest.raises(TypeError, match="valid: expected an array of bool"):
        metrics.fill_holes(values, np.ones((4, 5), int))
    with pytest.raises(TypeError, match="valid: expected an array of bool, got list"):
        metrics.fill_holes(values, [True])


def images(count=3, seed=0):
    """Estimates with holes, sparse truths and objects of several images."""
    rng = np.random.default_rng(seed)
    given = {"objects": rng.integers(0, 3, (count, *SIZE)) * (rng.random((count, *SIZE)) < 0.5)}
    for name in QUANTITIES.values():
        channels = (2,) if name == "flow" else ()
        truth = np.float32(60 * rng.random((count, *SIZE, *channels)) + 1)
        error = rng.normal(size=truth.shape) * rng.choice([1, 4, 9], truth.shape)
        occ = rng.random((count, *SIZE)) < 0.6
        found = np.stack([holes(rng, 0.3) for _ in range(count)])
        given[name] = np.float32(np.maximum(truth + error, 0.1)), found
        given[f"{name}_occ"] = truth, occ
        given[f"{name}_noc"] = truth, occ & (rng.random(occ.shape) < 0.7)
    return given


def by_loops(given, pool="pixels"):
    """Every number of the development kit, one pixel after the other, in float64."""
    lists = {}
    for i in range(len(given["objects"])):
        image = {}
        full = {q: full_estimate(*(x[i] for x in given[name])) for q, name in QUANTITIES.items()}
        for end, (v, u) in itertools.product(("occ", "noc"), np.ndindex(SIZE)):
            tail = "" if end == "occ" else "-noc"
            region = "fg" if given["objects"][i, v, u] > 0 else "bg"
            outliers = {}
            for q, name in QUANTITIES.items():
                truth, known = (x[i, v, u] for x in given[f"{name}_{end}"])
                if not known:
                    continue
                values, empty = full[q]
                error = np.linalg.norm(np.float64(values[v, u]) - np.float64(truth))
                bad = error > 3 and error / np.linalg.norm(np.float64(truth)) > 0.05
                outliers[q] = bad = bad or empty[v, u]
                found = given[name][1][i, v, u]
                record(image, q, tail, region, bad, found)
                image.setdefault(f"{q}-epe{tail}", []).append(error)
                if found:
                    image.setdefault(f"{q}-epe-result{tail}", []).append(error)
            if len(outliers) == 3:
                found = given["disparity"][1][i, v, u]
                record(image, "SF", tail, region, any(outliers.values()), found)
        for key, values in image.items():
            lists.setdefault(key, []).extend(values if pool == "pixels" else [np.mean(values)])
    unit = lambda key: 1 if "epe" in key else 100
    return {key: unit(key) * np.mean(values) for key, values in lists.items()}


def full_estimate(values, valid):
    """The estimate without holes, and where it could not be filled."""
    parts = values if values.ndim == 3 else values[..., None]
    full, known = zip(*(filled_by_loops(x, valid) for x in np.moveaxis(parts, -1, 0)), strict=True)
    nothing = 0 if values.ndim == 3 else -1
    filled = np.where(known[0][..., None], np.stack(full, -1), nothing)
    return filled.reshape(values.shape), ~known[0]


def record(image, name, tail, region, bad, found):
    for where in (region, "all"):
        image.setdefault(f"{name}-{where}{tail}", []).append(bad)
        if found:
            image.setdefault(f"{name}-{where}-result{tail}", []).append(bad)
    image.setdefault(f"{name}-density{tail}", []).append(found)


@thorough.parametrize("pool", ["pixels", "image"], default=["pixels"])
def test_every_number_is_that_of_the_rules_written_out(pool):
    given = images()
    got = metrics.KittiSceneFlow.empty(pool=pool).update(**given).compute()
    expected = by_loops(given, pool)
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(got[key], value, rtol=2e-6, err_msg=key)


def test_what_is_not_given_is_left_out():
    given = images()
    left = {key: x for key, x in given.items() if key.startswith("flow") or key == "disparity"}
    got = metrics.KittiSceneFlow.empty().update(**left).compute()
    assert {key.split("-")[0] for key in got} == {"Fl"}
    assert not [key for key in got if "bg" in key or "fg" in key]
    assert metrics.KittiSceneFlow.empty().update(disparity=given["disparity"]).compute() == {}


def test_thresholds_are_those_of_floats_compared_with_doubles():
    # 3.5 of 70 px: the float next to 0.05 lies above the double.
    truth = np.float32([[70.0, 70.0, 60.0, 100.0, 50.0]])
    estimate = truth + np.float32([[3.5, 3.25, 3.0, 5.25, 3.125]])
    got = metrics.KittiSceneFlow.empty().update(disparity=estimate, disparity_occ=truth)
    assert got.compute()["D1-all"] == 100 * 3 / 5


def test_a_disparity_that_is_not_positive_is_a_hole():
    truth = np.full((1, 4), 50, np.float32)
    estimate = np.float32([[40, 0, -5, 49]])
    got = metrics.KittiSceneFlow.empty().update(disparity=estimate, disparity_occ=truth).compute()
    assert got["D1-all"] == 75 and got["D1-all-result"] == 50 and got["D1-density"] == 50
    zeros = metrics.KittiSceneFlow.empty().update(disparity=estimate, disparity_occ=0 * truth)
    assert zeros.compute() == {}


def test_an_empty_row_between_others_is_an_outlier_whatever_the_truth():
    truth = np.full((3, 4, 2), 0.5, np.float32)
    estimate = truth.copy()
    estimate[1] = np.inf
    got = metrics.KittiSceneFlow.empty().update(flow=estimate, flow_occ=truth).compute()
    assert got["Fl-all"] == pytest.approx(100 / 3) and got["Fl-all-result"] == 0
    assert got["Fl-density"] == pytest.approx(200 / 3)


def test_an_empty_estimate_is_all_outliers():
    truth = np.full((3, 4), 50, np.float32)
    estimate = np.full((3, 4), np.nan, np.float32)
    flow = np.full((3, 4, 2), 30, np.float32)
    got = metrics.KittiSceneFlow.empty().update(
        disparity=estimate, disparity_occ=truth, flow=flow * np.nan, flow_occ=flow
    )
    assert got.compute() == pytest.approx(
        {"D1-all": 100, "D1-epe": 51, "D1-density": 0, "Fl-all": 100, "Fl-density": 0}
        | {"Fl-epe": 30 * np.sqrt(2)}
    )


def test_files_give_the_numbers_of_their_codes(tmp_path):
    rng = np.random.default_rng(0)
    size = (40, 60)
    known, found = rng.random((2, *size)) < [[[0.3]], [[0.9]]]
    flow = rng.integers(2**15 - 6400, 2**15 + 6400, (*size, 2))
    off = np.rint(flow + rng.normal(0, 64, flow.shape) * rng.choice([1, 9], (*size, 1)))
    disparity = rng.integers(1, 70 * 256, size)
    other = np.clip(np.rint(disparity + rng.normal(0, 900, size)), 1, None)
    # Of the flow the truth alone has holes, of the disparity the estimate as well.
    codes = {
        "flow_occ": np.where(known[..., None], np.dstack([flow, known]), [2**15, 2**15, 0]),
        "flow": np.dstack([off, np.ones(size)]),
        "disparity_occ": disparity * known,
        "disparity": other * found,
    }
    given = {}
    for name, values in codes.items():
        path = write_png(tmp_path / f"{name}.png", values.astype(np.uint16), filters=(1, 4))
        given[name] = (data.read_flow if "flow" in name else data.read_disparity)(path)
    got = metrics.KittiSceneFlow.empty().update(**given).compute()
    outlier = lambda error, length: 100 * np.mean((error > 3) & (error > 0.05 * length))

    error = np.linalg.norm((off - flow)[known] / 64, axis=-1)
    length = np.linalg.norm((flow[known] - 2.0**15) / 64, axis=-1)
    assert got["Fl-all"] == pytest.approx(outlier(error, length), rel=1e-6)
    assert got["Fl-epe"] == pytest.approx(error.mean(), rel=1e-6)
    both = known & found
    error = np.abs(other - disparity)[both] / 256
    assert got["D1-all-result"] == pytest.approx(outlier(error, disparity[both] / 256), rel=1e-6)
    assert got["D1-epe-result"] == pytest.approx(error.mean(), rel=1e-6)
    np.testing.assert_allclose(got["D1-density"], 100 * both.sum() / known.sum(), rtol=1e-12)


def test_the_pair_of_the_development_kit(real):
    files = {
        name: real(f"kitti2015_devkit/{name}.png")
        for name in ("flow_est", "flow_gt", "disp_est", "disp_gt")
    }
    got = metrics.KittiSceneFlow.empty().update(
        flow=data.read_flow(files["flow_est"]),
        flow_occ=data.read_flow(files["flow_gt"]),
        disparity=data.read_disparity(files["disp_est"]),
        disparity_occ=data.read_disparity(files["disp_gt"]),
    )
    got = got.compute()
    assert f"{got['Fl-all']:.3f}" == "20.688" and f"{got['Fl-epe']:.4f}" == "12.2007"
    assert f"{got['D1-all-result']:.3f}" == "13.468"
    assert f"{got['D1-epe-result']:.4f}" == "2.3195"
    np.testing.assert_allclose(got["D1-density"], 100 * 111_127 / 111_326, rtol=1e-12)
