"""What the check says of good scenes, which is nothing, and of each fault: its name, first."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from helpers import kitti_prediction, support, tartanair_pair, thorough
from helpers.assets import rendered

import sf3d_jax as sf3d
from sf3d_jax import Sample, data
from sf3d_jax.data import check
from sf3d_jax.data.closed_form import deforming_scene, next_image

OPENGL = np.diag([1.0, -1, -1])
replace = dataclasses.replace


def inverse(z):
    return np.divide(1, z, out=np.zeros_like(z), where=z > 0)


def scene(name, way="fw"):
    """A sample with all that the scene has, its poses in the world of the scene."""
    arrays = rendered(name)
    a, b = ("0", "1") if way == "fw" else ("1", "0")
    size = arrays["depth0"].shape
    camera = lambda i: sf3d.Camera.from_matrix(
        arrays[f"K{i}"], size, world_to_camera=arrays[f"world_to_camera{i}"]
    )
    return Sample(
        image=arrays[f"rgb{a}"] / np.float32(255),
        next_image=arrays[f"rgb{b}"] / np.float32(255),
        flow=arrays[f"flow_{way}"],
        inv_depth=inverse(arrays[f"depth{a}"]),
        inv_depth_change=arrays[f"inv_depth_change_{way}"],
        next_inv_depth=inverse(arrays[f"depth{b}"]),
        valid=arrays["valid" if way == "fw" else "valid1"],
        occlusion=arrays[f"occlusion_{way}"],
        camera=camera(a),
        next_camera=camera(b),
        name=f"{name}/{way}",
    )


@pytest.fixture(scope="module")
def scenes():
    """The two scenes in both directions."""
    return {(name, way): scene(name, way) for name in ("objects", "head") for way in ("fw", "bw")}


def stretch(camera):
    """The length of the ray (x, y, 1) of each pixel."""
    return np.linalg.norm(support.opencv_rays(support.grid(camera.size), camera), axis=-1)


def of_cameras(sample, function):
    return replace(sample, camera=function(sample.camera), next_camera=function(sample.next_camera))


def of_poses(function):
    def fault(sample, _):
        pose = lambda camera: np.vstack([camera.world_to_camera, [0, 0, 0, 1]])
        return of_cameras(
            sample,
            lambda camera: support.unchecked(camera, world_to_camera=function(pose(camera))[:3]),
        )

    return fault


def moved_point(by):
    move = lambda camera: replace(camera, principal_point=camera.principal_point + by)
    return lambda sample, _: of_cameras(sample, move)


def resized(by):
    """The intrinsics of images of another size."""

    def change(camera):
        point = (camera.principal_point + 0.5) * by - 0.5
        return replace(camera, focal=camera.focal * by, principal_point=point)

    return lambda sample, _: of_cameras(sample, change)


def ray_lengths(sample, _):
    """Both depths along their rays."""
    lengths = stretch(sample.camera), stretch(sample.next_camera)
    d, d1 = (
        np.float32(x / n)
        for x, n in zip((sample.inv_depth, sample.next_inv_depth), lengths, strict=True)
    )
    return replace(sample, inv_depth=d, next_inv_depth=d1)


def change_of_depth(sample, _):
    d, c = np.float64(sample.inv_depth), sample.inv_depth_change
    z, z1 = (np.divide(1, x, out=np.zeros_like(x), where=x > 0) for x in (d, d + c))
    return replace(sample, inv_depth_change=np.float32(z1 - z))


def with_nan(sample, _):
    flow = sample.flow.copy()
    flow[tuple(np.argwhere(sample.valid)[1000])] = np.nan
    return replace(sample, flow=flow)


def with_unknown(sample, _):
    flow = sample.flow.copy()
    flow[tuple(np.argwhere(sample.valid)[1000])] = 1.6666668e9
    return replace(sample, flow=flow)


# (fault, name): the sample and that of the other direction are given.
FAULTS = {
    "(v, u)": (lambda s, b: replace(s, flow=s.flow[..., ::-1]), "flow_order"),
    "sign": (lambda s, b: replace(s, flow=-s.flow), "flow_sign"),
    "v up": (lambda s, b: replace(s, flow=s.flow * np.float32([1, -1])), "flow_v_sign"),
    "backward flow": (lambda s, b: replace(s, flow=b.flow), "flow_direction"),
    "backward motion": (
        lambda s, b: replace(s, flow=b.flow, inv_depth_change=b.inv_depth_change),
        "flow_direction",
    ),
    "flow of half the size": (lambda s, b: replace(s, flow=s.flow / 2), "flow_units"),
    "ray lengths": (ray_lengths, "ray_length"),
    "one ray length": (
        lambda s, b: replace(s, inv_depth=np.float32(s.inv_depth / stretch(s.camera))),
        "ray_length",
    ),
    "negative disparities": (
        lambda s, b: replace(s, inv_depth=-s.inv_depth, next_inv_depth=-s.next_inv_depth),
        "inv_depth_sign",
    ),
    "a depth": (lambda s, b: replace(s, inv_depth=inverse(s.inv_depth)), "inv_depth_is_depth"),
    "sign of the change": (
        lambda s, b: replace(s, inv_depth_change=-s.inv_depth_change),
        "change_sign",
    ),
    "change of depth": (change_of_depth, "change_of_depth"),
    "change on the next grid": (
        lambda s, b: replace(s, inv_depth_change=-b.inv_depth_change),
        "change_grid",
    ),
    "change at the same pixel": (
        lambda s, b: replace(s, inv_depth_change=s.next_inv_depth - s.inv_depth),
        "change_same_pixel",
    ),
    "scaled change": (
        lambda s, b: replace(s, inv_depth_change=3 * s.inv_depth_change),
        "change_scale",
    ),
    "inverted mask": (lambda s, b: replace(s, valid=~s.valid), "mask_inverted"),
    "shifted mask": (
        lambda s, b: replace(s, valid=np.roll(s.valid, (3, -5), (0, 1))),
        "mask_shifted",
    ),
    "NaN": (with_nan, "not_finite"),
    "unknown": (with_unknown, "unknown_values"),
}
# Where next to nothing moves, what moves still shows them.
OF_WHAT_MOVES = ("(v, u)", "sign", "sign of the change", "change of depth", "scaled change")
# What only a moving camera shows.
CAMERA_FAULTS = {
    "camera-to-world": (of_poses(np.linalg.inv), "pose_direction"),
    "OpenGL": (of_poses(lambda pose: OPENGL @ pose[:3]), "pose_axes"),
    "half a pixel more": (moved_point(0.5), "principal_point"),
    "half a pixel less": (moved_point(-0.5), "principal_point"),
    "intrinsics of half the size": (resized(0.5), "focal"),
    "intrinsics of three quarters of the size": (resized(0.75), "focal"),
    "focal length of half the size": (
        lambda s, b: of_cameras(s, lambda c: replace(c, focal=c.focal / 2)),
        "focal",
    ),
}


def first_name(report):
    assert not report.ok, "nothing was found"
    return report.findings[0].name


@pytest.mark.parametrize("fault", FAULTS)
@thorough.parametrize("name", ["objects", "head"], default=["head"])
def test_a_fault_is_named_first(scenes, name, fault):
    inject, expected = FAULTS[fault]
    sample, back = scenes[name, "fw"], scenes[name, "bw"]
    assert first_name(check(inject(sample, back))) == expected


@pytest.mark.parametrize("fault", CAMERA_FAULTS)
def test_a_fault_of_a_moving_camera_is_named_first(scenes, fault):
    inject, expected = CAMERA_FAULTS[fault]
    assert first_name(check(inject(scenes["objects", "fw"], None))) == expected


@thorough.parametrize(
    "fault",
    ["(v, u)", "sign", "backward flow", "sign of the change"],
    default=["sign", "backward flow"],
)
@thorough.parametrize("name", ["objects", "head"], default=["objects"])
def test_a_fault_of_both_directions_is_named_first(scenes, name, fault):
    inject, expected = FAULTS[fault]
    sample, back = scenes[name, "bw"], scenes[name, "fw"]
    assert first_name(check(inject(sample, back), backward=inject(back, sample))) == expected


@thorough.parametrize("name", ["objects", "head"], default=["head"])
def test_the_other_direction_is_compared(scenes, name):
    sample, back = scenes[name, "fw"], scenes[name, "bw"]
    other = replace(back, flow=back.flow + np.float32([1.5, 0]))
    without_rest = lambda s: replace(s, image=None, next_image=None, next_inv_depth=None)
    report = check(without_rest(sample), backward=without_rest(other))
    [finding] = [f for f in report.findings if f.name == "flow_closure"]
    assert any(abs(x - 1.5) < 0.2 for x in finding.measured.values())


@thorough.parametrize(
    "name, way",
    [("objects", "fw"), ("objects", "bw"), ("head", "fw"), ("head", "bw")],
    default=[("objects", "fw"), ("head", "bw")],
)
def test_the_scenes_have_nothing_wrong(scenes, name, way):
    sample, back = scenes[name, way], scenes[name, "bw" if way == "fw" else "fw"]
    for given in (None, back):
        report = check(sample, backward=given)
        assert report.ok, report
        assert report.measured["depth + change against the next depth"] < 1e-5
    for left_out in (
        ("image", "next_image"),
        ("next_inv_depth",),
        ("camera", "next_camera"),
        ("occlusion",),
        ("valid",),
        ("inv_depth_change", "flow"),
    ):
        assert check(replace(sample, **dict.fromkeys(left_out))).ok, left_out


@thorough.parametrize("name", ["objects", "head"], default=["head"])
def test_noise_is_no_fault_and_hides_none_that_is_gross(scenes, name):
    rng = np.random.default_rng(0)
    sample, back = scenes[name, "fw"], scenes[name, "bw"]
    relative = lambda x: x * np.float32(1 + rng.normal(0, 0.02, x.shape))
    noisy = replace(
        sample,
        flow=sample.flow + np.float32(rng.normal(0, 0.5, sample.flow.shape)),
        inv_depth=relative(sample.inv_depth),
        next_inv_depth=relative(sample.next_inv_depth),
    )
    assert check(noisy).ok
    for fault in ("(v, u)", "sign", "negative disparities", "inverted mask"):
        inject, expected = FAULTS[fault]
        assert first_name(check(inject(noisy, back))) == expected


def test_a_prediction_for_kitti_has_nothing_wrong(tmp_path):
    kitti_prediction.write_prediction(tmp_path)
    check_prediction(tmp_path)


def test_a_real_prediction_for_kitti_has_nothing_wrong(real):
    check_prediction(real("kitti_prediction"))


def check_prediction(folder):
    name = f"{kitti_prediction.NAME}.png"
    flow = data.read_flow(folder / "flow" / name)
    disparity, next_disparity = (data.read_disparity(folder / f"disp_{i}" / name) for i in (0, 1))
    size = flow.valid.shape
    calibration = data.read_kitti_calibration(folder / kitti_prediction.CAM_TO_CAM, size=size)
    product = np.float32(calibration.camera.focal[0] * calibration.baseline)
    images = (folder / f"image_2/000139_{i}.png" for i in (10, 11))
    image, after = (np.float32(data.read_image(path)) / 255 for path in images)
    sample = Sample(
        image=image,
        next_image=after,
        flow=flow.flow,
        inv_depth=disparity.values / product,
        inv_depth_change=(next_disparity.values - disparity.values) / product,
        valid=flow.valid & disparity.valid & next_disparity.valid,
        camera=calibration.camera,
    )
    assert check(sample).ok
    assert first_name(check(replace(sample, flow=sample.flow[..., ::-1]))) == "flow_order"
    assert first_name(check(replace(sample, flow=-sample.flow))) == "flow_sign"


def test_depth_and_poses_of_tartanair_have_nothing_wrong(tmp_path):
    tartanair_pair.write_pair(tmp_path)
    check_tartanair(tmp_path)


@pytest.mark.thorough
def test_real_depth_and_poses_of_tartanair_have_nothing_wrong(real):
    check_tartanair(real("tartanair"))


def check_tartanair(folder):
    names = tartanair_pair.NAMES
    images = [np.float32(data.read_image(folder / f"{n}_rgb.png")) / 255 for n in names]
    depths = [np.load(folder / f"{n}_depth.npy") for n in names]
    poses = data.read_tartanair_poses(folder / "pose_wo_name.npy")
    height, width = depths[0].shape
    half = width / 2
    cameras = [
        sf3d.Camera.pinhole(half, half, half, height / 2, (height, width), poses[i])
        for i in (10, 20)
    ]
    sample = Sample(
        image=images[0],
        next_image=images[1],
        inv_depth=np.float32(1 / depths[0]),
        next_inv_depth=np.float32(1 / depths[1]),
        camera=cameras[0],
        next_camera=cameras[1],
    )
    assert check(sample).ok
    assert first_name(check(of_poses(np.linalg.inv)(sample, None))) == "pose_direction"
    assert first_name(check(ray_lengths(sample, None))) == "ray_length"


@thorough.parametrize("size, zoom", [((60, 80), 1.0), ((150, 100), 1.2)], default=[((60, 80), 1.0)])
def test_the_closed_form_scene_has_nothing_wrong_and_its_faults_are_named(size, zoom):
    made = deforming_scene(size, zoom=zoom)
    sample = Sample(
        image=np.float32(made.image) / 255,
        next_image=np.float32(next_image(made)) / 255 if zoom == 1 else None,
        flow=np.float32(made.flow),
        inv_depth=np.float32(made.inv_depth),
        inv_depth_change=np.float32(made.inv_depth_change),
        scene_flow=np.float32(made.vectors),
        valid=made.valid,
        camera=made.camera,
        next_camera=made.next_camera,
    )
    assert check(sample).ok
    for fault in ("(v, u)", "sign", "sign of the change"):
        inject, expected = FAULTS[fault]
        assert first_name(check(inject(sample, None))) == expected
    for fault in CAMERA_FAULTS:
        inject, expected = CAMERA_FAULTS[fault]
        assert not check(inject(sample, None)).ok, fault


@pytest.mark.parametrize("fault", OF_WHAT_MOVES)
def test_a_fault_is_named_where_little_moves(scenes, fault):
    """Of the head only a part, before the background of the camera that rests."""
    sample, back = scenes["head", "fw"], scenes["head", "bw"]
    # The lower part moves as it does; the rest is a copy of itself in both frames.
    rows = np.arange(sample.valid.shape[0])[:, None] > 290
    still = {
        "flow": np.where(rows[..., None], sample.flow, 0),
        "inv_depth_change": np.where(rows, sample.inv_depth_change, 0),
        "next_inv_depth": np.where(rows, sample.next_inv_depth, sample.inv_depth),
        "next_image": np.where(rows[..., None], sample.next_image, sample.image),
    }
    partly = replace(sample, **still)
    inject, expected = FAULTS[fault]
    assert check(partly).ok
    assert first_name(check(inject(partly, back))) == expected


@pytest.mark.parametrize("by", [0.25, 0.5, 2.0, 3.0])
def test_intrinsics_of_another_size_are_named_where_nothing_else_shows_them(by):
    camera = sf3d.Camera.pinhole(72.0, 72.0, 30.8, 16.2, (38, 62))
    flow, near = np.ones((38, 62, 2), np.float32), np.full((38, 62), 0.1, np.float32)
    sample = Sample(flow=flow, inv_depth=near, camera=camera)
    assert check(sample).ok
    report = check(
        replace(sample, camera=resized(by)(replace(sample, next_camera=camera), 0).camera)
    )
    assert first_name(report) == "focal"
    finding = report.findings[0]
    assert finding.measured["factor"] == pytest.approx(1 / by, rel=0.1)
    assert f"{62 * by:.0f}" in finding.message or f"{62.6 * by:.0f}" in finding.message
    assert "not of 62 x 38" in finding.message and "another resolution" in finding.explanation


def test_the_camera_of_a_window_is_no_fault():
    whole = sf3d.Camera.pinhole(720.0, 720.0, 609.0, 173.0, (375, 1242))
    for top, left in ((0, 0), (119, 0), (0, 642), (119, 642), (60, 300)):
        camera = whole.crop(top, left, (256, 600))
        near = np.full((256, 600), 0.1, np.float32)
        assert check(Sample(inv_depth=near, camera=camera)).ok, (top, left)


def test_a_window_of_which_the_motion_in_space_agrees_is_no_fault():
    made = deforming_scene((60, 80))
    window = slice(0, 28), slice(0, 38)  # the principal point is at the lower right corner
    camera, after = (c.crop(0, 0, (28, 38)) for c in (made.camera, made.next_camera))
    sample = Sample(
        flow=np.float32(made.flow)[window],
        inv_depth=np.float32(made.inv_depth)[window],
        inv_depth_change=np.float32(made.inv_depth_change)[window],
        scene_flow=np.float32(made.vectors)[window],
        valid=made.valid[window],
        camera=camera,
        next_camera=after,
    )
    assert check(sample).ok
    alone = Sample(inv_depth=sample.inv_depth, camera=camera)
    assert first_name(check(alone)) == "focal"


def test_exchanged_images_are_named(scenes):
    for name in ("objects", "head"):
        sample = scenes[name, "fw"]
        exchanged = replace(sample, image=sample.next_image, next_image=sample.image)
        assert first_name(check(exchanged)) == "images_exchanged"


def test_the_principal_point_of_one_camera_is_told_from_that_of_both(scenes):
    sample = scenes["objects", "fw"]
    moved = replace(sample.next_camera, principal_point=sample.next_camera.principal_point + 0.5)
    finding = check(replace(sample, next_camera=moved)).findings[0]
    assert finding.name == "principal_point" and "`next_camera` alone" in finding.explanation


def test_findings_say_what_was_measured_and_how_sure_that_is(scenes):
    sample = scenes["objects", "fw"]
    report = check(replace(sample, flow=sample.flow[..., ::-1]))
    finding = report.findings[0]
    assert finding.measured and "swap" in finding.explanation and 0.5 < finding.confidence <= 1
    tree = report.to_json()
    assert tree["findings"][0]["name"] == "flow_order" and not tree["ok"]
    assert "flow_order" in str(report) and "objects/fw" in str(report)


@pytest.mark.parametrize(
    "sample",
    [
        Sample(flow=np.zeros((1, 1, 2), np.float32)),
        Sample(inv_depth=np.ones((3, 4), np.float32)),
        Sample(image=np.zeros((8, 9, 3), np.float32), next_image=np.zeros((8, 9, 3), np.float32)),
        Sample(flow=jnp.ones((20, 30, 2), jnp.bfloat16), inv_depth=jnp.ones((20, 30))),
    ],
)
def test_little_to_compare_is_no_fault(sample):
    assert check(sample).ok


def test_a_sample_of_which_nothing_is_known_says_so():
    flow = np.ones((20, 30, 2), np.float32)
    empty = Sample(flow=flow, valid=np.zeros((20, 30), bool))
    assert first_name(check(empty)) == "nothing_known"
    assert first_name(check(Sample(flow=np.full_like(flow, np.nan)))) == "nothing_known"
    assert "size" in first_name(check(Sample(flow=flow, inv_depth=np.ones((20, 29), np.float32))))
    assert first_name(check(Sample(inv_depth=np.ones((20, 30), np.int32)))) == "dtype"


def test_arguments_that_are_none_are_refused():
    with pytest.raises(TypeError, match=r"sample: .* got Sequence; .*sample\.pair\(i\)"):
        check(sf3d.Sequence())
    with pytest.raises(TypeError, match="sample: expected a Sample, got dict"):
        check({})
    with pytest.raises(ValueError, match="sample: expected an image or a map"):
        check(Sample())
