"""Keys beside a camera in all forms of JSON: exporters' are passed, unknown ones named."""

import json

import numpy as np
import pytest

from sf3d_jax import data
from sf3d_jax.data.cameras.keys import HARMLESS, is_harmless, is_meaningful

POSE = [[0.0, 0, -1, 1], [-1, 0, 0, 2], [0, 1, 0, 3], [0, 0, 0, 1]]
K = [[30.0, 0, 15.5], [0, 31.0, 11.5], [0, 0, 1]]
SIZE = (24, 32)

# What exporters write, with a value of its kind: of the files of NeRF and D-NeRF, instant-ngp and
# its scripts, nerfstudio and its viewer, GaussianAvatars and VHAP, NeRFace, 3DGS, COLMAP.
EXPORTED = {
    "rotation": 0.0125,
    "time": 0.5,
    "near": 2.0,
    "far": 6.0,
    "bounds": [0.1, 9.0],
    "aabb_scale": 16,
    "aabb": [[-1.0, -1, -1], [1, 1, 1]],
    "aabb_range": [[-1.0, 1], [-1, 1], [-1, 1]],
    "render_aabb": [[0.1, 0, 0], [1, 1, 1]],
    "render_aabb_to_local": [[1.0, 0, 0], [0, 1, 0], [0, 0, 1]],
    "scale": 0.33,
    "offset": [0.5, 0.5, 0.5],
    "up": [0.0, 0, 1],
    "cl": 3,
    "n_frames": 100,
    "sharpness": 312.5,
    "sharpness_discard_threshold": 0.9,
    "sharpen": 1.0,
    "integer_depth_scale": 0.001,
    "depth_path": "depth/0.png",
    "enable_depth_loading": True,
    "enable_ray_loading": True,
    "fix_premult": True,
    "from_na": True,
    "from_mitsuba": True,
    "normal_mts_args": [1, 2],
    "importance_sampling": True,
    "n_extra_learnable_dims": 16,
    "white_transparent": True,
    "black_transparent": True,
    "envmap": "sky.exr",
    "driver_parameters": {"LightX": 0.3, "LightY": 0.4},
    "sphere_center": [0.1, 0.2, 0.3],
    "sphere_radius": 1.5,
    "applied_transform": [[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 0]],
    "applied_scale": 0.25,
    "ply_file_path": "sparse_pc.ply",
    "orientation_override": "none",
    "crop": {"crop_center": [0.0, 0, 1], "crop_scale": [2.0, 2, 2]},
    "train_filenames": ["a.png"],
    "val_filenames": ["b.png"],
    "test_filenames": ["c.png"],
    "colmap_im_id": 7,
    "mask_path": "masks/a.png",
    "depth_file_path": "depths/a.png",
    "fisheye_crop_radius": 480.0,
    "depth_unit_scale_factor": 0.001,
    "timestamp": 1.7e8,
    "motion_score": 0.2,
    "blur_score": 0.3,
    "exposure_time": 0.01,
    "camera_linear_velocity": [0.1, 0.2, 0.3],
    "camera_angular_velocity": [0.1, 0.2, 0.3],
    "scene_box": {"aabb": [[-1, -1, -1], [1, 1, 1]], "near": 0.05, "radius": 1.0},
    "worldtogt": np.eye(4).tolist(),
    "has_mono_prior": True,
    "pairs": [[0, 1]],
    "fps": 24,
    "seconds": 4.0,
    "is_cycle": True,
    "is_loop": True,
    "smoothness_value": 0.5,
    "default_time": 0.5,
    "default_transition_sec": 2.0,
    "aspect": 1.25,
    "render_time": 0.25,
    "override_transition_enabled": True,
    "override_transition_sec": 1.0,
    "override_time_enabled": True,
    "properties": '[["FOV",50],["NAME","Camera 0"],["TIME",0]]',
    "timestep_index_original": 5,
    "timestep_id": "frame_00005",
    "timestep_indices": [0, 1, 2],
    "camera_indx": 3,
    "camera_indices": [0, 1, 2],
    "camera_id": 222200037,
    "fg_mask_path": "fg_masks/a.png",
    "flame_param_path": "flame_param/00000.npz",
    "bg_color": [1.0, 1.0, 1.0],
    "expression": [0.1, -0.2, 0.3],
    "bbox": [0.1, 0.9, 0.2, 0.8],
    "uid": 4,
    "img_name": "a",
    "is_test_view": True,
    "znear": 0.01,
    "zfar": 100.0,
    "image_id": 4,
    "num_points2D": 1000,
    "point3D_ids": [1, 2, -1],
    "xys": [[1.5, 2.5]],
    "has_prior_focal_length": True,
    "mean_error": 0.6,
    "reprojection_error": 0.6,
    "num_frames": 256,
    "duration": 10.6,
    "azimuth": 30.0,
    "look_at": [0.0, 0.1, 0.2],
    "theta": 30.0,
    "phi": -5.0,
    "radii": [0.2, 0.1, 0.1],
    "rads": [0.2, 0.1, 0.1],
    "z_rate": 0.5,
    "z_delta": 0.2,
    "n_rots": 2,
    "n_turns": 2,
    "turns": 2,
    "focus_depth": 1.2,
    "subject": 31,
    "subject_id": 31,
    "is_bad": True,
    "has_mask": True,
    "has_depth": True,
    "motion_blur_score": 3.2,
    "pixel_aspect_ratio": 1.0,
    "cam_id": 3,
    "cam_idx": 2,
    "view_id": 1,
    "img_id": 3,
    "img_idx": 4,
    "split_idx": 1,
    "depth_range": [1.0, 2.0],
    "quality": 0.9,
    "score": 0.3,
    "created_at": 123456,
    "fstop": 2.8,
    "centered": True,
    "scaled": True,
    "bounds_min": [-1.0, -1, -1],
    "is_undistorted": True,
}

# What changes the image: no reader knows it.
LENSES = {
    "latlong": True,
    "equirectangular": True,
    "is_panorama": 1,
    "sk_x": 0.5,
    "skew": -0.3,
    "xi": 0.9,
    "s1": 0.1,
    "b1": 12.0,
    "ftheta_p0": 0.1,
    "rolling_shutter": [0.0, 0.0, 1.0],
    "rolling_shutter_time": 0.02,
    "shift_x": 0.1,
    "transform_matrix_start": POSE,
    "projection": "equirectangular",
    "projection_type": "Orthographic",
    "lens kind": "double sphere",
    "distortion_model": "kannala_brandt",
    "lens_center": [0.5, 0.4],
    "pixel_aspect_ratio": 1.1,
    "lens": "gopro superview",
    "lens_type": "dual_fisheye",
    "projection_": "mercator",
    "projection type": "cubemap",
    "distortion_map": "0.1 0.2 0 0",
    "skew_": "0.5",
    "type of camera": "KB4",
    "anything": 3,
    "anything else": [[0.0, 0], [0, 2]],
    "not a number": float("nan"),
}
SILENT = {"latlong": False, "skew": 0, "sk_x": 0.0, "rolling_shutter": [0, 0, 0, 0], "xi": None}
SILENT |= {"lens": "none", "distortion_model": "pinhole", "skew_": "0.0", "lens_shift": "0, 0"}
SILENT |= {"projection": "perspective", "note": "undistorted with the fisheye model", "tags": ["a"]}


def transforms_root(key, value):
    lens = {"fl_x": 30.0, "fl_y": 31.0, "w": 32, "h": 24}
    return {**lens, key: value, "frames": [{"file_path": "a.png", "transform_matrix": POSE}]}


def transforms_frame(key, value):
    tree = transforms_root("x", None)
    tree["frames"].append({**tree["frames"][0], key: value})
    return tree


def splatting(key, value):
    """The cameras.json of 3D Gaussian Splatting, with the key in its second camera."""
    turn, place = np.array(POSE)[:3, :3].tolist(), [1.0, 2, 3]
    camera = {"id": 0, "img_name": "a", "width": 32, "height": 24, "fx": 30.0, "fy": 31.0}
    cameras = [{**camera, "id": i, "rotation": turn, "position": place} for i in range(2)]
    cameras[1][key] = cameras[1].get(key, value)
    return cameras


def by_content(key, value):
    frames = {"0000": {"w2c": np.eye(4).tolist()}, "0001": {"w2c": np.eye(4).tolist()}}
    return {"K": K, "h": 24, "w": 32, "cameras": {"left": {key: value, "frames": frames}}}


def nersemble(key, value):
    centred = [[2000.0, 0, 274.5], [0, 2000.0, 400.5], [0, 0, 1]]
    return {"world_2_cam": {"220700191": np.eye(4).tolist()}, "intrinsics": centred, key: value}


def path_root(key, value):
    node = {"camera_to_world": np.eye(4).ravel().tolist(), "fov": 50, "aspect": 1}
    sides = {"render_height": 24, "render_width": 32}
    return {"camera_type": "perspective", **sides, key: value, "camera_path": [node]}


def path_frame(key, value):
    tree = path_root("x", None)
    tree["camera_path"].append({**tree["camera_path"][0], key: value})
    return tree


FORMS = {
    "transforms, root": (transforms_root, data.read_transforms, 1),
    "transforms, frame": (transforms_frame, data.read_transforms, 2),
    "3D Gaussian Splatting": (splatting, data.read_image_cameras, 2),
    "by content": (by_content, data.read_json_cameras, 2),
    "camera path, root": (path_root, data.read_json_cameras, 1),
    "camera path, frame": (path_frame, data.read_image_cameras, 2),
    "NeRSemble": (nersemble, lambda path: data.read_nersemble_cameras(path, (802, 550)), 1),
}


def saved(tmp_path, tree):
    (tmp_path / "a.json").write_text(json.dumps(tree))
    return tmp_path / "a.json"


@pytest.mark.parametrize("key", EXPORTED)
def test_what_exporters_write_beside_a_camera_is_passed(tmp_path, key):
    for form, (make, read, count) in FORMS.items():
        if key == "rotation" and form in ("by content", "NeRSemble"):  # there a camera's
            continue
        assert len(read(saved(tmp_path, make(key, EXPORTED[key])))) == count, form


@pytest.mark.parametrize("key", LENSES)
def test_a_key_that_may_change_the_image_is_named_with_its_file(tmp_path, key):
    for form, (make, read, _) in FORMS.items():
        path = saved(tmp_path, make(key, LENSES[key]))
        with pytest.raises(data.FormatError) as error:
            read(path)
        assert str(error.value).startswith(str(path)) and key in error.value.found, form


@pytest.mark.parametrize("key", SILENT)
def test_zero_false_null_and_other_text_say_nothing(tmp_path, key):
    for form, (make, read, count) in FORMS.items():
        assert len(read(saved(tmp_path, make(key, SILENT[key])))) == count, form


def test_a_lens_in_an_object_of_its_own_is_named(tmp_path):
    for make, read, _ in FORMS.values():
        path = saved(tmp_path, make("calibration", {"distortion": {"xi": 0.9}, "iso": 100}))
        with pytest.raises(data.FormatError, match=r"calibration/distortion/xi = 0\.9"):
            read(path)


NESTED = {
    "distortion/coefficients": {"distortion": {"coefficients": [0.1, 0.2, 0, 0]}},
    "distortion/radial": {"distortion": {"radial": [0.1, 0.2]}},
    "lens/a": {"lens": {"name": "custom", "a": 0.1}},
    "lens/a_": {"lens": {"a_": [[0.0], [0.1]]}},
    "distortion_model/a": {"distortion_model": {"a": 0.1}},
    "device/lens/model": {"device": {"lens": {"model": "fisheye"}}},
    "meta/lens": {"meta": {"lens": "fisheye"}},
    "meta/mode": {"meta": {"mode": "fisheye"}},
    "rigs/k1": {"rigs": [[{"k1": 0.1}]]},
}


@pytest.mark.parametrize("place", NESTED)
def test_a_lens_below_other_keys_is_named(tmp_path, place):
    [(key, value)] = NESTED[place].items()
    for form, (make, read, _) in FORMS.items():
        by_content = form in ("by content", "3D Gaussian Splatting")
        if place in ("rigs/k1", "device/lens/model") and by_content:  # there they are read
            continue
        with pytest.raises(data.FormatError) as error:
            read(saved(tmp_path, make(key, value)))
        assert place in error.value.found, form


@pytest.mark.parametrize("key", ["fl_x", "focal_length", "camera_angle_x", "cx"])
def test_intrinsics_in_an_object_that_is_not_read_are_named(tmp_path, key):
    for form in ("transforms, root", "transforms, frame", "camera path, root", "NeRSemble"):
        make, read, _ = FORMS[form]
        with pytest.raises(data.FormatError, match=f"device/{key} = 0.5"):
            read(saved(tmp_path, make("device", {"name": "a", key: 0.5})))


def test_a_lens_beside_a_wrapper_of_cameras_is_named(tmp_path):
    cameras = {"0000": {"K": K, "w2c": POSE, "w": 32, "h": 24}}
    for key, value in (("meta", {"lens": "fisheye"}), ("distortion_model", {"a": 0.1})):
        with pytest.raises(data.FormatError, match=f"found {key}/"):
            data.read_json_cameras(saved(tmp_path, {key: value, "cameras": cameras}))


def test_a_lens_without_a_coefficient_says_nothing(tmp_path):
    lens = {"name": "Canon 50 mm", "model": "pinhole", "coefficients": [0.0, 0, 0, 0]}
    for form, (make, read, count) in FORMS.items():
        assert len(read(saved(tmp_path, make("lens", lens)))) == count, form


def test_a_lens_in_a_list_of_objects_is_named(tmp_path):
    for make, read in (
        (transforms_root, data.read_transforms),
        (path_root, data.read_json_cameras),
    ):
        path = saved(tmp_path, make("lenses", [{"name": "a"}, {"k1": 0.25}]))
        with pytest.raises(data.FormatError, match=r"lenses/k1 = 0\.25"):
            read(path)


@pytest.mark.parametrize("innermost", [0, 1])
def test_what_is_deep_is_looked_at_too(tmp_path, innermost):
    objects, lists = {"skew": innermost}, innermost
    for _ in range(800):
        objects, lists = {"x": objects}, [lists]
    for value in (objects, lists):
        path = saved(tmp_path, transforms_frame("deep", value))
        if innermost:
            with pytest.raises(data.FormatError, match=r"found .*(skew|deep)"):
                data.read_transforms(path)
        else:
            assert len(data.read_transforms(path)) == 2


def test_a_camera_path_of_other_axes_is_named(tmp_path):
    for make in (path_root, path_frame):
        read = data.read_json_cameras
        assert read(saved(tmp_path, make("convention", "OpenGL, camera to world")))
        for text in ("opencv", "world to camera, OpenGL", "left-handed"):
            with pytest.raises(data.FormatError, match=f"found '{text}'"):
                read(saved(tmp_path, make("convention", text)))


def test_what_has_no_camera_may_count_anything(tmp_path):
    for make, read, count in FORMS.values():
        assert len(read(saved(tmp_path, make("stats", {"views": 12, "loss": 0.1})))) == count


@pytest.mark.parametrize("key", ["k1", "w2c", "K", "distortion", "fov"])
def test_a_part_of_a_camera_that_has_no_form_of_one_is_named(tmp_path, key):
    tree = by_content("x", None)
    node = tree["cameras"]["left"]["frames"]["0001"]
    extra = {"fx": 30.0} if key == "K" else {}
    node.update({key: 20 * [0.5] if key == "distortion" else [[1.0, 2.0], [3.0, 4.0]], **extra})
    if key == "w2c":
        node["c2w"] = np.eye(4).tolist()
    with pytest.raises(data.FormatError, match=f"found .*{key} = numbers"):
        data.read_json_cameras(saved(tmp_path, tree))


def test_the_list_is_of_keys_as_they_are_compared():
    assert is_harmless("AABB-Scale") and is_harmless("camera indices") and not is_harmless("k1")
    assert not any(key != key.lower() or "_" in key for key in HARMLESS)
    for words in ("fov", "skew", "rollingshutter", "latlong", "distortion", "isfisheye"):
        assert words not in HARMLESS


@pytest.mark.parametrize(
    "value, says",
    [
        (0, False),
        (-0.0, False),
        (1e-9, True),
        (True, True),
        ([[0, 0], [0, [1]]], True),
        ([], False),
        ("OPENCV_FISHEYE", True),
        ("fisheye624", True),
        ("VR180_L", True),
        ("thin prism fisheye", True),
        ("pinhole", False),
        ("a picture through a fisheye lens", False),
        (["x", "spherical"], True),
        ("KB4", True),
        ("cubemap", True),
    ],
)
def test_what_says_something(value, says):
    assert is_meaningful(value) is says


@pytest.mark.parametrize(
    "value, says",
    [
        ("0.1 0.2 0 0", True),
        ("superview", True),
        ("0 0.0, 0", False),
        ("", False),
        ("Perspective", False),
        ("SIMPLE_PINHOLE", False),
        (["none", 0, False, None], False),
    ],
)
def test_what_says_something_of_a_lens(value, says):
    assert is_meaningful(value, of_a_lens=True) is says
