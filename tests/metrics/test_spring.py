"""Spring's metrics against the rules of its server, in NumPy on lists of pixels."""

import numpy as np
import pytest

from sf3d_jax import metrics

SIZE = (7, 12)
QUANTITIES = {"D1": "disparity", "D2": "next_disparity", "Fl": "flow"}


def images(count=2, seed=0):
    rng = np.random.default_rng(seed)
    given = {}
    for name in QUANTITIES.values():
        channels = (2,) if name == "flow" else ()
        truth = 40 * rng.random((count, *SIZE, *channels)) ** 2 * rng.choice([1, 0.2, 3])
        four = truth.repeat(2, 1).repeat(2, 2) * rng.normal(1, 0.05, (count, 14, 24, *channels))
        four = np.float32(four + (rng.random(four.shape) < 0.1) * 20)
        four[rng.random((count, 14, 24)) < 0.02] = np.nan
        estimate = truth + rng.normal(size=truth.shape) * rng.choice([0.3, 2, 8], truth.shape)
        given[name], given[f"true_{name}"] = np.float32(estimate), four
    for name in ("nonrigid", "sky"):
        given[name] = rng.random((count, *SIZE)) < 0.4
    for name in ("detail", "unmatched"):
        given[name] = {q: rng.random((count, *SIZE)) < 0.4 for q in QUANTITIES.values()}
    return given


def four(x):
    """The four values of each pixel: (pixels, 4), or (pixels, 4, 2)."""
    phases = [x[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    return np.stack([p.reshape(-1, *x.shape[3:]) for p in phases], 1).astype(float)


def wauc(error):
    weights = [1 - (i - 1) / 100 for i in range(1, 101)]
    met = [(error <= i / 20).sum() for i in range(1, 101)]
    return 100 * np.dot(weights, met) / (len(error) * sum(weights))


def by_rules(given):
    """All numbers, by name."""
    parts, result = {}, {}
    for q, name in QUANTITIES.items():
        true = four(given[f"true_{name}"])
        estimate = given[name].reshape(-1, 1, *true.shape[2:]).astype(float)
        size = lambda x: np.linalg.norm(x, axis=-1) if x.ndim == 3 else np.abs(x)
        error, lengths = size(true - estimate).min(1), size(true)
        bad = (error > 3) & (error > 0.05 * lengths.max(1))
        mean = lengths.mean(1)
        speeds = {"s0-10": mean < 10, "s10-40": (mean >= 10) & (mean < 40), "s40+": mean >= 40}
        parts[q] = error, bad, mean
        prefix = {"D1": "D1-", "D2": "D2-", "Fl": ""}[q]
        for end, inside in bins(given, [name], speeds).items():
            use = inside & ~np.isnan(error)
            if use.any():
                result[f"{prefix}1px{end}"] = 100 * (error[use] > 1).mean()
                result[f"{prefix}abs{end}" if prefix else f"EPE{end}"] = error[use].mean()
                result[f"{q}{end}"] = 100 * bad[use].mean()
                if q == "Fl":
                    result[f"WAUC{end}"] = wauc(error[use])
        result[f"{q}-missing"] = 0
    errors, bads, means = (np.stack([p[i] for p in parts.values()]) for i in range(3))
    known = ~np.isnan(errors).any(0)
    above = lambda limit: (means > limit).any(0)
    speeds = {"s0-10": ~above(10), "s10-40": above(10) & ~above(40), "s40+": above(40)}
    for end, inside in bins(given, list(QUANTITIES.values()), speeds).items():
        use = inside & known
        if use.any():
            result[f"SF-1px{end}"] = 100 * (errors > 1).any(0)[use].mean()
            result[f"SF{end}"] = 100 * bads.any(0)[use].mean()
    return result


def bins(given, names, speeds):
    any_of = lambda name: np.any([given[name][n].ravel() for n in names], 0)
    masks = {
        "high-detail": any_of("detail"),
        "unmatched": any_of("unmatched"),
        "nonrigid": given["nonrigid"].ravel(),
        "sky": given["sky"].ravel(),
    }
    others = dict(zip(masks, ("low-detail", "matched", "rigid", "not-sky"), strict=True))
    masks |= {others[name]: ~mask for name, mask in masks.items()} | speeds
    everywhere = np.ones_like(given["sky"].ravel())
    return {"": everywhere} | {f"-{name}": mask for name, mask in masks.items()}


def test_every_number_is_that_of_the_rules_written_out():
    given = images()
    got = metrics.SpringSceneFlow.empty().update(**given).compute()
    expected = by_rules(given)
    assert got.keys() == expected.keys()
    assert {"1px", "SF-s40+", "D2-abs-high-detail", "WAUC-unmatched"} <= got.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(got[key], value, rtol=1e-5, atol=1e-9, err_msg=key)


def test_masks_with_the_truth_and_one_mask_for_all():
    given = images()
    mask = given["detail"]["flow"]
    flow, four_flow = given["flow"], given["true_flow"]
    valid = np.isfinite(four_flow).all(-1)
    one = metrics.SpringSceneFlow.empty().update(flow=flow, true_flow=four_flow, detail=mask)
    pair = np.nan_to_num(four_flow), valid
    two = metrics.SpringSceneFlow.empty().update(flow=flow, true_flow=pair, detail={"flow": mask})
    assert one.compute() == two.compute() and "1px-low-detail" in one.compute()


def test_a_truth_of_the_size_of_the_images_is_taken_as_it_is():
    given = images()
    single = given["true_flow"][:, ::2, ::2]
    repeated = single.repeat(2, 1).repeat(2, 2)
    small = metrics.SpringSceneFlow.empty().update(flow=given["flow"], true_flow=single)
    large = metrics.SpringSceneFlow.empty().update(flow=given["flow"], true_flow=repeated)
    assert small.compute() == large.compute() != {}


def test_an_estimate_that_is_no_number_is_an_outlier():
    truth = np.zeros((2, 4, 2), np.float32)
    flow = truth[:1, :2].copy()
    flow[0, 0, 1] = np.nan
    got = metrics.SpringSceneFlow.empty().update(flow=flow, true_flow=truth).compute()
    assert got["EPE"] == 0 and got["1px"] == 50 and got["Fl"] == 50 and got["WAUC"] == 50
    assert got["Fl-missing"] == 50


def test_the_area_under_the_curve_counts_a_threshold_that_is_met():
    error = np.float32([[0, 0.05, 0.0500001, 4.95, 5, 5.0001, 2.5, 7]])
    flow = np.stack([error, 0 * error], -1)
    each = [wauc(e[None].astype(float).astype(np.float32)) for e in error[0]]
    metric = metrics.SpringSceneFlow.empty()
    for i, expected in enumerate(each):
        one = metric.update(flow=flow[:, i : i + 1], true_flow=0 * flow[:, i : i + 1])
        np.testing.assert_allclose(one.compute()["WAUC"], expected, rtol=1e-6)
    assert each[0] == each[1] == pytest.approx(100) and each[5] == 0


def test_wrong_truths_and_masks_are_refused():
    flow = np.zeros((4, 6, 2), np.float32)
    with pytest.raises(
        ValueError, match=r"true_flow: expected \(H, W\) of flow, \(4, 6\), or twice"
    ):
        metrics.SpringSceneFlow.empty().update(flow=flow, true_flow=np.zeros((8, 6, 2), np.float32))
    with pytest.raises(ValueError, match="detail: expected masks of"):
        masks = {"depth": np.ones((4, 6), bool)}
        metrics.SpringSceneFlow.empty().update(flow=flow, true_flow=flow, detail=masks)
    spring = metrics.SpringSceneFlow.empty()
    with pytest.raises(TypeError, match=r"flow: expected an array or \(values, valid\), got list"):
        spring.update(flow=[flow, flow[..., 0] > 0], true_flow=flow)
    with pytest.raises(TypeError, match=r"true_flow: expected an array or .* got list"):
        spring.update(flow=flow, true_flow=[flow, flow[..., 0] > 0])
    with pytest.raises(ValueError, match=r"true_flow: expected shape \(..., 2\), got \(8, 12, 3\)"):
        spring.update(flow=flow, true_flow=np.zeros((8, 12, 3), np.float32))
    with pytest.raises(ValueError, match=r"broadcast: flow \(2,\), true_flow \(3,\)"):
        spring.update(flow=np.stack([flow] * 2), true_flow=np.zeros((3, 8, 12, 2), np.float32))
    with pytest.raises(
        ValueError, match="expected at least one of flow, disparity, next_disparity, got none"
    ):
        spring.update(true_flow=flow)
