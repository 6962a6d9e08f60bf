"""Maps of one image to scene flow and back, against the closed form in float64."""

import collections.abc
import dataclasses
import pathlib
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.spatial.transform
from helpers.support import unchecked

import sf3d_jax as sf3d
from sf3d_jax import data

SIZE = (4, 6)
FOCAL, MIDDLE, BASELINE = np.array([40.0, 41.0]), np.array([2.5, 1.5]), 0.54
CAMERA = sf3d.Camera.pinhole(*FOCAL, *MIDDLE, SIZE)
ARRAYS = jax.tree.map(jnp.asarray, CAMERA)


def truth():
    """Points, their motion, and all maps that say so, in float64."""
    rng = np.random.default_rng(0)
    pixels = np.stack(np.meshgrid(*map(np.arange, SIZE[::-1])), -1)
    depth = rng.uniform(2, 4, SIZE)
    points = np.concatenate([(pixels - MIDDLE) / FOCAL, np.ones((*SIZE, 1))], -1) * depth[..., None]
    vectors = 0.1 * rng.normal(size=points.shape)
    moved = points + vectors
    next_depth = moved[..., 2]
    maps = {
        "disparity": FOCAL[0] * BASELINE / depth,
        "next_disparity": FOCAL[0] * BASELINE / next_depth,
        "depth": depth,
        "next_depth": next_depth,
        "inverse_depth": 1 / depth,
        "inverse_depth_change": 1 / next_depth - 1 / depth,
        "motion_in_depth": next_depth / depth,
    }
    flow = moved[..., :2] / moved[..., 2:] * FOCAL + MIDDLE - pixels
    return points, vectors, flow, maps


@pytest.mark.parametrize("pair", data.GEOMETRIES, ids=" ".join)
def test_every_pair_of_maps_gives_the_motion_and_comes_back(pair, tmp_path):
    points, vectors, flow, maps = truth()
    lifted = data.lift_maps(flow, {k: maps[k] for k in pair}, CAMERA, baseline=BASELINE)
    assert lifted["valid"].all()
    np.testing.assert_allclose(lifted["vectors"], vectors, atol=2e-6)
    np.testing.assert_allclose(lifted["points"], points, rtol=1e-6)
    np.testing.assert_allclose(lifted["inv_depth_change"], maps["inverse_depth_change"], atol=1e-7)

    data.write_scene_flow_npz(tmp_path / "motion.npz", lifted, CAMERA)
    back = data.project_maps(data.read_scene_flow_npz(tmp_path / "motion.npz"))
    assert back.valid.all()
    np.testing.assert_allclose(back.flow, flow, atol=1e-5)
    np.testing.assert_allclose(back.inv_depth, maps["inverse_depth"], rtol=1e-6)
    np.testing.assert_allclose(back.inv_depth_change, maps["inverse_depth_change"], atol=1e-7)


def test_the_pose_of_the_camera_plays_no_part():
    points, vectors, flow, maps = truth()
    posed = dataclasses.replace(CAMERA, world_to_camera=np.eye(3, 4) + 3 * np.eye(3, 4, k=3))
    lifted = data.lift_maps(flow, {k: maps[k] for k in data.GEOMETRIES[1]}, posed)
    np.testing.assert_allclose(lifted["points"], points, rtol=1e-6)
    np.testing.assert_allclose(lifted["vectors"], vectors, atol=2e-6)
    names = ("vectors", "points", "valid")
    back = data.project_maps(data.SceneFlowMaps(*(lifted[k] for k in names), posed, None))
    np.testing.assert_allclose(back.flow, flow, atol=1e-5)


def test_bad_pixels_are_zero_and_touch_no_other():
    _, _, flow, maps = truth()
    pair = {"depth": maps["depth"].copy(), "next_depth": maps["next_depth"].copy()}
    whole = data.lift_maps(flow, pair, CAMERA)
    flow = flow.copy()
    flow[0, 0], flow[0, 1], pair["depth"][1, 1], pair["next_depth"][2, 2] = np.nan, 3e38, 0, -1
    known = np.ones(SIZE, bool)
    known[3, 3] = False
    lifted = data.lift_maps(flow, pair, CAMERA, valid=known)
    bad = np.zeros(SIZE, bool)
    bad[[0, 0, 1, 2, 3], [0, 1, 1, 2, 3]] = True
    np.testing.assert_array_equal(lifted["valid"], ~bad)
    for name in lifted.keys() - {"flow", "valid"}:
        assert not lifted[name][bad].any()
        np.testing.assert_array_equal(lifted[name][~bad], whole[name][~bad])
    result = data.SceneFlowMaps(*(lifted[k] for k in ("vectors", "points", "valid")), CAMERA, None)
    back = data.project_maps(result)
    np.testing.assert_array_equal(back.valid, ~bad)
    assert not any(x[bad].any() for x in back)
    assert all(np.isfinite(x).all() for x in back)


def test_narrow_numbers_are_taken_and_what_goes_behind_the_camera_is_not():
    _, _, flow, maps = truth()
    pair = {k: jnp.asarray(maps[k], jnp.bfloat16) for k in ("depth", "next_depth")}
    lifted = data.lift_maps(jnp.asarray(flow, jnp.bfloat16), pair, CAMERA)
    assert lifted["valid"].all() and lifted["vectors"].dtype == np.float32
    lifted["vectors"][1, 2, 2] = -9
    names = ("vectors", "points", "valid")
    back = data.project_maps(data.SceneFlowMaps(*(lifted[k] for k in names), CAMERA, None))
    assert back.valid.sum() == back.valid.size - 1 and not back.valid[1, 2]


def turned(rotation, translation):
    """The camera in a pose."""
    pose = np.concatenate([rotation, np.reshape(translation, (3, 1))], axis=1)
    return dataclasses.replace(CAMERA, world_to_camera=pose)


# Both cameras have a pose in the world, and the second one its own intrinsics.
ROTATIONS = scipy.spatial.transform.Rotation.from_euler("xyz", [[9, -3, 5], [8, -5, 9]], True)
FIRST = turned(ROTATIONS[0].as_matrix(), np.array([3.0, -1, 2]))
SECOND = dataclasses.replace(
    turned(ROTATIONS[1].as_matrix(), np.array([3.1, -1.2, 1.9])), focal=np.array([43.0, 39.0])
)


def seen_by_a_moving_camera(vectors):
    """The points of `truth` after a motion, in the second camera's image: flow and depth."""
    points = truth()[0]
    pose = lambda camera: (camera.world_to_camera[:, :3], camera.world_to_camera[:, 3])
    (r0, t0), (r1, t1) = pose(FIRST), pose(SECOND)
    ends = ((points + vectors - t0) @ r0) @ r1.T + t1
    pixels = np.stack(np.meshgrid(*map(np.arange, SIZE[::-1])), -1)
    return ends[..., :2] / ends[..., 2:] * SECOND.focal + MIDDLE - pixels, ends[..., 2]


@pytest.mark.parametrize("speed", [0, 1], ids=["still", "moving"])
def test_the_motion_of_the_camera_is_removed(tmp_path, speed):
    points, vectors, _, maps = truth()
    flow, next_depth = seen_by_a_moving_camera(speed * vectors)
    pair = {"depth": maps["depth"][..., None], "next_depth": next_depth}
    lifted = data.lift_maps(flow, pair, FIRST, next_camera=SECOND)
    assert lifted["valid"].all()
    np.testing.assert_allclose(lifted["vectors"], speed * vectors, atol=2e-6)
    np.testing.assert_allclose(lifted["points"], points, rtol=1e-6)

    path = tmp_path / "motion.npz"
    data.write_scene_flow_npz(path, lifted, FIRST, next_camera=SECOND)
    back = data.project_maps(data.read_scene_flow_npz(path))
    np.testing.assert_allclose(back.flow, flow, atol=2e-5)
    np.testing.assert_allclose(
        back.inv_depth_change, 1 / next_depth - 1 / pair["depth"][..., 0], atol=2e-7
    )


def test_disparities_of_the_next_image_are_those_of_its_own_lens():
    _, vectors, _, maps = truth()
    flow, next_depth = seen_by_a_moving_camera(vectors)
    pair = {
        "disparity": maps["disparity"],
        "next_disparity": SECOND.focal[0] * BASELINE / next_depth,
    }
    lifted = data.lift_maps(flow, pair, FIRST, next_camera=SECOND, baseline=BASELINE)
    np.testing.assert_allclose(lifted["vectors"], vectors, atol=2e-6)


def test_bands_of_rows_give_what_the_whole_image_gives(monkeypatch):
    _, vectors, _, maps = truth()
    flow, next_depth = seen_by_a_moving_camera(vectors)
    flow[1, 2], next_depth[3, 0] = np.nan, -1
    pair = {"depth": maps["depth"], "next_depth": next_depth}
    whole = data.lift_maps(flow, pair, FIRST, next_camera=SECOND)
    monkeypatch.setattr("sf3d_jax.data.lifting._MOST_PIXELS", 3 * SIZE[1])
    banded = data.lift_maps(flow, pair, FIRST, next_camera=SECOND)
    np.testing.assert_array_equal(banded["valid"], whole["valid"])
    for name in whole:
        np.testing.assert_allclose(banded[name], whole[name], rtol=1e-6, atol=2e-6)


def test_a_map_is_looked_up_once_and_nothing_given_is_changed():
    _, vectors, flow, maps = truth()

    class Files(collections.abc.Mapping):
        """Maps that are read when they are asked for."""

        seen: ClassVar[list] = []

        def __getitem__(self, name):
            self.seen.append(name)
            return maps[name]

        def __iter__(self):
            return iter(("inverse_depth", "inverse_depth_change"))

        def __len__(self):
            return 2

    flow, change = np.float32(flow), np.float32(maps["inverse_depth_change"])
    maps["inverse_depth_change"], kept = change, (flow.copy(), change.copy())
    change[0, 0] = kept[1][0, 0] = np.nan
    lifted = data.lift_maps(flow, Files(), CAMERA)
    assert sorted(Files.seen) == ["inverse_depth", "inverse_depth_change"]
    np.testing.assert_array_equal(flow, kept[0])
    np.testing.assert_array_equal(change, kept[1])
    np.testing.assert_allclose(lifted["vectors"][1:], vectors[1:], atol=2e-6)


def test_wrong_arguments_are_named():
    _, _, flow, maps = truth()
    pair = {k: maps[k] for k in ("depth", "next_depth")}
    disparities = {k: maps[k] for k in ("disparity", "next_disparity")}
    small, batch = CAMERA.crop(0, 0, (4, 5)), jax.tree.map(lambda x: x[None], ARRAYS)
    ragged = pair | {"depth": [[1.0], [1.0, 2.0]]}
    masked = pair | {"depth": np.ma.masked_array(pair["depth"], np.eye(*SIZE, dtype=bool))}
    for error, text, call in [
        (ValueError, "flow: expected the shape", lambda: data.lift_maps(flow[0], pair, CAMERA)),
        (ValueError, "maps: expected one pair", lambda: data.lift_maps(flow, maps, CAMERA)),
        (
            ValueError,
            "did you mean inverse_depth for inv_depth, motion_in_depth for motion_indepth",
            lambda: data.lift_maps(flow, {"inv_depth": flow, "motion_indepth": flow}, CAMERA),
        ),
        (ValueError, "got ndarray", lambda: data.lift_maps(flow, maps["depth"], CAMERA)),
        (ValueError, "baseline: expected", lambda: data.lift_maps(flow, disparities, CAMERA)),
        (
            ValueError,
            "next_depth: expected the size",
            lambda: data.lift_maps(flow, pair | {"next_depth": np.ones((4, 5))}, CAMERA),
        ),
        (ValueError, "valid: expected", lambda: data.lift_maps(flow, pair, CAMERA, valid=flow)),
        (TypeError, "camera", lambda: data.lift_maps(flow, pair, None)),
        (TypeError, "camera", lambda: data.lift_maps(flow, disparities, None, baseline=1)),
        (ValueError, "camera: expected one", lambda: data.lift_maps(flow, pair, batch)),
        (TypeError, "baseline: expected", lambda: data.lift_maps(flow, pair, CAMERA, baseline="1")),
        (ValueError, "baseline: expected", lambda: data.lift_maps(flow, pair, CAMERA, baseline=0)),
        (ValueError, "depth: expected an array", lambda: data.lift_maps(flow, ragged, CAMERA)),
        (ValueError, "depth: expected a plain", lambda: data.lift_maps(flow, masked, CAMERA)),
        (TypeError, "maps: expected SceneFlowMaps", lambda: data.project_maps(pair)),
        (ValueError, "camera: expected the size", lambda: data.lift_maps(flow, pair, small)),
        (
            ValueError,
            "next_camera: expected the size",
            lambda: data.lift_maps(flow, pair, CAMERA, next_camera=small),
        ),
        (
            ValueError,
            "next_camera.world_to_camera: expected rot",
            lambda: data.lift_maps(
                flow,
                pair,
                CAMERA,
                next_camera=unchecked(CAMERA, world_to_camera=2 * np.eye(3, 4)),
            ),
        ),
        (
            ValueError,
            "flow: .* 'a.flo'; use data.read_flow",
            lambda: data.lift_maps("a.flo", pair, CAMERA),
        ),
        (
            ValueError,
            "next_depth: .* path 'a.npy'; use data.read_map",
            lambda: data.lift_maps(flow, pair | {"next_depth": pathlib.Path("a.npy")}, CAMERA),
        ),
        (
            ValueError,
            "depth: .* got ScalarMap of values, valid",
            lambda: data.lift_maps(flow, pair | {"depth": data.ScalarMap(flow, flow)}, CAMERA),
        ),
        (
            ValueError,
            "valid: .* got uint8 .* pass valid > 0.5",
            lambda: data.lift_maps(flow, pair, CAMERA, valid=np.ones(SIZE, np.uint8)),
        ),
        (
            ValueError,
            "valid: expected a plain array, got a masked",
            lambda: data.lift_maps(flow, pair, CAMERA, valid=np.ma.ones(SIZE, bool)),
        ),
        (
            ValueError,
            "points: expected the shape",
            lambda: data.project_maps(
                data.SceneFlowMaps(np.ones((4, 6, 3)), flow, np.ones(SIZE, bool), CAMERA, None)
            ),
        ),
    ]:  # fmt: skip
        with pytest.raises(error, match=text):
            call()
