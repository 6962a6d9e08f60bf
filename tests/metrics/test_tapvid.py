"""Metrics of tracks against the rules of TAP-Vid and TAPVid-3D, written out point by point."""

import jax
import numpy as np
import pytest
from helpers import thorough
from helpers.support import camera

from sf3d_jax import metrics

VIDEOS, FRAMES, POINTS = 3, 7, 11
SHAPE = (VIDEOS, FRAMES, POINTS)
PIXELS = (1, 2, 4, 8, 16)
METRES = (0.01, 0.04, 0.16, 0.64, 2.56)
CAMERA = camera()


def draw(seed, axes):
    """Tracks, of which some are near the truth, and what is visible in both."""
    rng = np.random.default_rng(seed)
    spread = 10.0 ** rng.uniform(-2, 1, (*SHAPE, 1))
    if axes == 2:
        truth = rng.uniform(0, 200, (*SHAPE, 2))
        estimate = truth + 3 * spread * rng.normal(size=truth.shape)
    else:
        truth = rng.uniform([-1, -1, 1], [1, 1, 4], (*SHAPE, 3))
        estimate = 0.7 * (truth + 0.1 * spread * rng.normal(size=truth.shape))
    visible, true_visible = rng.random((2, *SHAPE)) < 0.7
    counts = rng.random(SHAPE) < 0.9
    return np.float32(estimate), visible, np.float32(truth), true_visible, counts


def score_video(errors, limits, visible, true_visible, counts):
    """The numbers of one video, point by point."""
    right, total, within, seen, agree, all_points = [0] * 5, [0] * 5, [0] * 5, 0, 0, 0
    for t, n in np.ndindex(*counts.shape):
        if not counts[t, n]:
            continue
        all_points += 1
        agree += int(visible[t, n] == true_visible[t, n])
        seen += int(true_visible[t, n])
        for i in range(5):
            near = errors[t, n] < limits[i][t, n]
            within[i] += int(near and true_visible[t, n])
            right[i] += int(near and true_visible[t, n] and visible[t, n])
            total[i] += int(true_visible[t, n])
            total[i] += int(visible[t, n] and not (near and true_visible[t, n]))
    return right, total, within, [seen] * 5, [agree], [all_points]


def score(errors, limits, visible, true_visible, counts, pool):
    """The scores in percent: of each video, then their mean; or of all points at once."""
    videos = [
        score_video(errors[i], [x[i] for x in limits], visible[i], true_visible[i], counts[i])
        for i in range(VIDEOS)
    ]
    if pool == "pixels":
        videos = [[np.sum(x, axis=0) for x in zip(*videos, strict=True)]]
    quotients = [[np.divide(a, b) for a, b in zip(v[::2], v[1::2], strict=True)] for v in videos]
    jaccard, within, agree = (
        100 * np.mean([video[k] for video in quotients], axis=0) for k in range(3)
    )
    return {
        "average_jaccard": jaccard.mean(),
        "average_pts_within_thresh": within.mean(),
        **{f"jaccard_{x}": value for x, value in zip(PIXELS, jaccard, strict=True)},
        **{f"pts_within_{x}": value for x, value in zip(PIXELS, within, strict=True)},
        "occlusion_accuracy": agree[0],
    }


def assert_scores(got, expected):
    """Quotients of the same whole numbers: to the last digits of a float."""
    got.pop("missing")
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        # A video's quotient is rounded as a double-float is; counts of one point more would show.
        np.testing.assert_allclose(got[name], value, rtol=1e-12, err_msg=name)


@thorough.parametrize(
    "pool, mode",
    [("image", "first"), ("pixels", "first"), ("image", "strided")],
    default=[("image", "first"), ("image", "strided")],
)
def test_tracks_in_the_image_are_counted_as_the_rules_say(pool, mode):
    queries = np.random.default_rng(5).integers(0, FRAMES - 2, (VIDEOS, POINTS))
    size = (120, 200)
    total = metrics.TapVid.empty(pool=pool)
    for seed in range(4):
        estimate, visible, truth, true_visible, mask = draw(seed, 2)
        frames = np.arange(FRAMES)[:, None]
        after, other = frames > queries[:, None], frames != queries[:, None]
        counts = mask & (after if mode == "first" else other)
        scaled = (np.float64(estimate) - truth) * [256 / 200, 256 / 120]
        errors = np.linalg.norm(scaled, axis=-1)
        limits = [np.full(SHAPE, x) for x in PIXELS]
        expected = score(errors, limits, visible, true_visible, counts, pool)
        options = {"size": size, "query_frames": queries, "query_mode": mode, "mask": mask}
        empty = metrics.TapVid.empty(pool=pool)
        metric = empty.update(estimate, visible, truth, true_visible, **options)
        assert_scores(metric.compute(), expected)
        total = total.merge(metric)
    assert total.counts[0].tolist()[1] >= 4 * VIDEOS


@thorough.parametrize("scaling", ["median", "per_trajectory", "none"], default=["median"])
def test_tracks_in_space_are_counted_as_the_rules_say(scaling):
    queries = np.random.default_rng(5).integers(0, FRAMES, (VIDEOS, POINTS))
    for seed, lens in ((0, CAMERA), (1, CAMERA if scaling == "median" else None)):
        estimate, visible, truth, true_visible, _ = draw(seed, 3)
        estimate, truth = (np.float64(x) for x in (estimate, truth))
        factor = np.ones((VIDEOS, 1, 1))
        if scaling == "median":
            both = visible & true_visible
            norms = [np.linalg.norm(x, axis=-1) for x in (truth, estimate)]
            for i in range(VIDEOS):
                factor[i] = np.median(norms[0][i][both[i]]) / np.median(norms[1][i][both[i]])
        elif scaling == "per_trajectory":
            depths = [
                np.take_along_axis(x[..., 2], queries[:, None], axis=1) for x in (truth, estimate)
            ]
            factor = depths[0] / depths[1]
        errors = np.linalg.norm(factor[..., None] * estimate - truth, axis=-1)
        # Of the video whose shorter side has 256 pixels.
        focal = np.sqrt(np.prod(np.float64(CAMERA.focal))) * 256 / min(CAMERA.size)
        limits = [x * truth[..., 2] / focal for x in PIXELS]
        if lens is None:
            limits = [np.full(SHAPE, x) for x in METRES]
        counts = np.ones(SHAPE, bool)
        expected = score(errors, limits, visible, true_visible, counts, "image")
        metric = metrics.TapVid3D.empty().update(
            np.float32(estimate),
            visible,
            np.float32(truth),
            true_visible,
            camera=lens,
            scaling=scaling,
            query_frames=queries,
        )
        assert_scores(metric.compute(), expected)


def test_numbers_computed_by_hand():
    """Four points: right, too far off, hidden but claimed, and seen but not claimed."""
    truth = np.zeros((1, 4, 2), np.float32)
    estimate = truth + np.float32([[[0.5, 0], [100, 0], [0, 0], [0, 3]]])
    visible, true_visible = np.array([[[1, 1, 1, 0]], [[1, 1, 0, 1]]], bool)
    got = metrics.TapVid.empty().update(estimate, visible, truth, true_visible, size=(256, 256))
    got = got.compute()
    # One true positive of three seen; two false ones.
    assert got["jaccard_1"] == pytest.approx(100 / 5)
    assert got["pts_within_1"] == pytest.approx(100 / 3)
    assert got["pts_within_4"] == pytest.approx(200 / 3)
    assert got["occlusion_accuracy"] == 50
    assert got["average_pts_within_thresh"] == pytest.approx(100 * (2 / 3 + 3 * 2 / 3) / 5)


@pytest.mark.thorough
def test_a_video_without_points_visible_in_both_has_no_scale():
    estimate, visible, truth, *_ = draw(0, 3)
    got = metrics.TapVid3D.empty().update(estimate, visible, truth, ~visible).compute()
    assert got["average_jaccard"] == got["average_pts_within_thresh"] == 0


def test_wrong_options_are_named():
    estimate, visible, truth, true_visible, _ = draw(0, 3)
    update = metrics.TapVid3D.empty().update
    arguments = estimate, visible, truth, true_visible
    with pytest.raises(ValueError, match="scaling: expected 'median', 'per_trajectory' or 'none'"):
        update(*arguments, scaling="mean")
    with pytest.raises(ValueError, match="query_mode: expected 'first' or 'strided', got 'last'"):
        flat = estimate[..., :2], visible, truth[..., :2], true_visible
        metrics.TapVid.empty().update(*flat, size=(8, 8), query_mode="last")
    with pytest.raises(ValueError, match="query_frames: needed by scaling 'per_trajectory'"):
        update(*arguments, scaling="per_trajectory")
    with pytest.raises(TypeError, match="query_frames: expected an array of integers, got float32"):
        update(*arguments, scaling="per_trajectory", query_frames=np.ones(POINTS, np.float32))
    with pytest.raises(ValueError, match=r"query_frames: expected shape \(..., 11\)"):
        update(*arguments, scaling="per_trajectory", query_frames=np.ones((VIDEOS, 4), int))
    with pytest.raises(TypeError, match="visible: expected an array or"):
        update(estimate, None, truth, true_visible)
    with pytest.raises(TypeError, match="camera: expected a Camera, got "):
        update(*arguments, camera=3.0)


@pytest.mark.thorough
def test_videos_mapped_one_by_one_have_the_scores_of_all():
    estimate, visible, truth, true_visible, _ = draw(0, 3)
    empty = metrics.TapVid3D.empty()
    each = jax.vmap(lambda *x: empty.update(*x))(estimate, visible, truth, true_visible)
    together = empty.update(estimate, visible, truth, true_visible)
    assert each.compute() == pytest.approx(together.compute(), rel=1e-6)
