"""The metrics of single benchmarks and channels against their definitions in float64 NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from helpers import platforms, support, thorough
from helpers.support import length

import sf3d_jax as sf3d
from sf3d_jax import metrics


def close(got, expected, rtol=2e-6):
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_allclose(got[key], value, rtol=rtol, atol=1e-9, err_msg=key)


SIZE = (30, 40)
# Far enough for the bins of 60 and 140 pixels.
LARGE = (60, 200)


def noisy(rng, size, channels, scale, error):
    truth = np.float32(scale * rng.normal(size=(2, *size, *channels)))
    spread = rng.choice([0.1, 1, 5], truth.shape[:3]).reshape(2, *size, *[1] * len(channels))
    return np.float32(truth + error * spread * rng.normal(size=truth.shape)), truth


def test_flying_things_by_both_protocols():
    rng = np.random.default_rng(0)
    flow, true_flow = noisy(rng, SIZE, (2,), 120, 1)
    vectors, true_vectors = noisy(rng, SIZE, (3,), 0.5, 0.03)
    depth = rng.uniform(1, 400, (2, *SIZE))
    points = rng.random((2, *SIZE)) < 0.6
    vectors[0, 3, 4], flow[1, 5, 6] = np.nan, np.inf
    true_flow[0, 3, 4] = true_flow[1, 5, 6] = 1
    depth[0, 3, 4] = depth[1, 5, 6] = 10
    points[0, 3, 4] = True
    got = metrics.FlyingThings3D.empty().update(
        flow=flow,
        vectors=vectors,
        true_flow=true_flow,
        true_vectors=true_vectors,
        true_inv_depth=np.float32(1 / depth),
        points=points,
    )
    near = (depth < 250) & (length(true_flow) < 250)
    found2, found3 = np.isfinite(flow).all(-1), np.isfinite(vectors).all(-1)
    off = lambda a, b, found: np.where(found, length(np.where(found[..., None], a, 0) - b), np.inf)
    e2, e3 = off(flow, true_flow, found2), off(vectors, true_vectors, found3)
    e, g = e3[points], length(true_vectors)[points]
    rel = e / (g + 1e-4)
    close(
        got.compute(),
        {
            "EPE2D": e2[near & found2].mean(),
            "1px": 100 * (e2[near] < 1).mean(),
            "EPE3D": e3[near & found3].mean(),
            "5cm": 100 * (e3[near] < 0.05).mean(),
            "10cm": 100 * (e3[near] < 0.1).mean(),
            "EPE3D-points": e[np.isfinite(e)].mean(),
            "Acc3DS": 100 * ((e < 0.05) | (rel < 0.05)).mean(),
            "Acc3DR": 100 * ((e < 0.1) | (rel < 0.1)).mean(),
            "Outliers3D": 100 * ((e > 0.3) | (rel > 0.1)).mean(),
            "missing2D": 100 / near.sum(),
            "missing3D": 100 / near.sum(),
        },
    )


def test_a_cloud_of_points_needs_no_flow():
    cloud = np.float32(np.random.default_rng(0).normal(size=(50, 1, 3)))
    got = metrics.FlyingThings3D.empty().update(vectors=cloud + 0.01, true_vectors=cloud).compute()
    assert got["EPE3D-points"] == pytest.approx(0.01 * np.sqrt(3), rel=1e-5)
    assert got["Acc3DS"] == 100 and got["missing3D"] == 0 and "EPE3D" not in got


def test_sintel_by_parts():
    rng = np.random.default_rng(0)
    flow, truth = noisy(rng, LARGE, (2,), 30, 1)
    occluded = np.zeros((2, *LARGE), bool)
    occluded[0, 10:20, 3:9] = occluded[1, 50:, 150:] = True
    valid = rng.random((2, *LARGE)) < 0.9
    got = metrics.SintelFlow.empty().update(flow, (truth, valid), occluded=occluded)
    error, speed = length(flow.astype(float) - truth), length(truth)
    distance = np.stack([boundary_distance(x) for x in occluded])
    parts = {
        "EPE": True,
        "EPE-matched": ~occluded,
        "EPE-unmatched": occluded,
        "d0-10": distance < 10,
        "d10-60": (distance >= 10) & (distance < 60),
        "d60-140": (distance >= 60) & (distance <= 140),
        "s0-10": speed < 10,
        "s10-40": (speed >= 10) & (speed < 40),
        "s40+": speed >= 40,
    }
    expected = {name: error[valid & part].mean() for name, part in parts.items()}
    close(got.compute(), expected | {"missing": 0})
    given = metrics.SintelFlow.empty().update(
        flow, (truth, valid), occluded=occluded, boundary_distance=np.float32(distance)
    )
    close(given.compute(), got.compute())


def boundary_distance(mask):
    """By SciPy, from pixels with a neighbour of the other kind."""
    cross = scipy.ndimage.generate_binary_structure(2, 1)
    edge = mask & ~scipy.ndimage.binary_erosion(mask, cross, border_value=1)
    edge |= ~mask & scipy.ndimage.binary_dilation(mask, cross)
    if not edge.any():
        return np.full(mask.shape, np.inf)
    return scipy.ndimage.distance_transform_edt(~edge)


@thorough.parametrize("shape", [(1, 9), (40, 300), (300, 40)], default=[(1, 9), (40, 300)])
def test_the_distance_to_the_boundary_is_exact_up_to_140_pixels(shape):
    rng = np.random.default_rng(0)
    mask = np.zeros((3, *shape), bool)
    mask[0] = rng.random(shape) < 0.002
    mask[1, 0, 5] = True
    got = metrics.occlusion_boundary_distance(mask)
    with platforms.gpu_forms():
        np.testing.assert_array_equal(metrics.occlusion_boundary_distance(mask), got)
    expected = np.stack([boundary_distance(x) for x in mask])
    expected[expected > 140] = np.inf
    np.testing.assert_allclose(got, expected, rtol=1e-6)
    np.testing.assert_array_equal(metrics.occlusion_boundary_distance(mask[1]), got[1])


def test_the_distance_wants_a_mask():
    with pytest.raises(TypeError, match="occluded: expected an array of bool"):
        metrics.occlusion_boundary_distance(np.zeros((4, 5), np.float32))
    with pytest.raises(ValueError, match="occluded: expected shape"):
        metrics.occlusion_boundary_distance(np.zeros(5, bool))


def test_motion_in_depth_is_clipped_and_averaged_as_papers_do():
    rng = np.random.default_rng(0)
    log, truth = noisy(rng, SIZE, (), 0.4, 0.3)
    valid = rng.random((2, *SIZE)) < [[[0.2]], [[0.9]]]
    use = valid & (np.abs(truth) < np.log(2))
    error = np.abs(np.clip(np.float64(log), -np.log(2), np.log(2)) - truth)
    pooled = metrics.MotionInDepth.empty().update(log, (truth, valid))
    close(pooled.compute(), {"MID": 1e4 * error[use].mean(), "missing": 0})
    each = [1e4 * error[i][use[i]].mean() for i in range(2)]
    images = metrics.MotionInDepth.empty(pool="image").update(log, (truth, valid))
    close(images.compute(), {"MID": np.mean(each), "missing": 0})
    tau = sf3d.depth_change.from_log_motion_in_depth(truth, np.ones_like(truth))
    back = sf3d.depth_change.to_log_motion_in_depth(np.ones_like(truth), tau.values)
    again = metrics.MotionInDepth.empty().update(log, tuple(back)).compute()
    assert again.keys() == pooled.compute().keys()


def test_depth_change_is_relative_to_the_second_depth():
    rng = np.random.default_rng(0)
    change, truth = noisy(rng, SIZE, (), 0.05, 0.03)
    inv_depth = np.float32(rng.uniform(0.2, 0.5, truth.shape))
    change[0, 0, 0] = -1  # behind the camera
    change[0, 0, 1] = np.nan
    d1, true_d1 = (np.float64(inv_depth) + x for x in (change, truth))
    use = true_d1 > 0
    found = use & (d1 > 0)
    safe = lambda x: np.where(found, x, 1)
    ratio = safe(true_d1) / safe(d1)  # z1 / z1*
    wrong = np.where(found, np.abs(ratio - 1), np.inf)
    known = np.isfinite(change)
    got = metrics.DepthChange.empty().update(change, truth, inv_depth).compute()
    expected = {
        "MAE": np.abs(change.astype(float) - truth)[known].mean(),
        "MAE-log": np.abs(np.log(ratio))[found].mean(),
        "missing": 100 * (use & ~found).sum() / use.sum(),
    }
    expected |= {f"{p}%": 100 * (wrong[use] > p / 100).mean() for p in (1, 5, 10)}
    close(got, expected)
    plain = metrics.DepthChange.empty().update(change, truth).compute()
    close(plain, {"MAE": expected["MAE"], "missing": 100 / truth.size})


def test_a_small_error_of_the_second_depth_keeps_its_digits():
    inv_depth = np.full((4, 4), 0.37, np.float32)
    error = np.float32(3e-8)
    got = metrics.DepthChange.empty().update(
        np.full_like(inv_depth, error), 0 * inv_depth, inv_depth
    )
    expected = np.log1p(error / np.float64(np.float32(0.37)))
    np.testing.assert_allclose(got.compute()["MAE-log"], expected, rtol=1e-6)


@thorough.parametrize("second", [False, True], default=[True])
def test_the_scene_flow_of_srflow3d_is_lifted_or_given(second):
    camera = support.camera()
    after = support.camera(pose=support.NEAR) if second else None
    flow, inv_depth, change = support.motion(batch=(2,))
    near_flow, _, near_change = support.motion(batch=(2,), seed=1)
    estimate = np.float32(flow + 0.1 * near_flow), np.float32(change + 0.1 * near_change)
    mask = np.random.default_rng(2).random(change.shape) < 0.5
    lift = lambda f, c: np.stack(
        [support.definition(f[i], inv_depth[i], c[i], camera, after) for i in range(2)]
    )
    vectors, truth = lift(*estimate), lift(flow, change)
    error = length(vectors - truth)[mask].mean()
    expected = {
        "EPE": length(estimate[0].astype(float) - flow)[mask].mean(),
        "EPE3D": error,
        "EPE3D-mm": 1e3 * error,
        "missing": 0,
        "missing3D": 0,
    }
    update = metrics.SRFlow3D.empty().update
    flows = {"flow": estimate[0], "true_flow": flow, "mask": mask}
    lifted = update(
        **flows,
        inv_depth_change=estimate[1],
        true_inv_depth_change=change,
        true_inv_depth=inv_depth,
        camera=camera,
        next_camera=after,
    )
    close(lifted.compute(), expected, rtol=1e-5)
    given = update(**flows, vectors=np.float32(vectors), true_vectors=np.float32(truth))
    close(given.compute(), expected, rtol=1e-5)


def test_srflow3d_counts_a_depth_that_is_not_positive_as_missing():
    camera = support.camera()
    flow, inv_depth, change = support.motion()
    estimate = change.copy()
    estimate[2, 3] = -5
    own = inv_depth.copy()
    own[4, 5] = 0
    got = metrics.SRFlow3D.empty().update(
        flow=flow,
        inv_depth_change=estimate,
        inv_depth=own,
        true_flow=flow,
        true_inv_depth_change=change,
        true_inv_depth=inv_depth,
        camera=camera,
    )
    close(
        got.compute(),
        {"EPE": 0, "EPE3D": 0, "EPE3D-mm": 0, "missing": 0}
        | {"missing3D": 100 * 2 / flow[..., 0].size},
    )


def test_a_camera_of_its_own_for_each_image_goes_with_one_set_of_maps():
    cameras = [support.camera(), support.camera(pose=support.NEAR)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *cameras)
    flow, inv_depth, change = support.motion()
    given = {
        "flow": flow,
        "inv_depth_change": change + np.float32(0.01),
        "true_flow": flow + np.float32(1),
        "true_inv_depth_change": change,
        "true_inv_depth": inv_depth,
    }
    empty = metrics.SRFlow3D.empty()
    got = empty.update(**given, camera=cameras[0], next_camera=stacked)
    each = [empty.update(**given, camera=cameras[0], next_camera=c) for c in cameras]
    close(got.compute(), each[0].merge(each[1]).compute())
    np.testing.assert_array_equal(got.counts, each[0].merge(each[1]).counts)
    three = jax.tree.map(lambda x: jnp.stack([x] * 3), given)
    with pytest.raises(ValueError, match=r"broadcast: maps \(3,\), camera \(2,\)"):
        empty.update(**three, camera=stacked)
    with pytest.raises(TypeError, match="camera: expected a Camera"):
        empty.update(**given, camera=flow)
