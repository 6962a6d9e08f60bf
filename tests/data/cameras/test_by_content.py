"""Cameras in JSON: two rendered scenes' cameras in many forms, all read to the same cameras."""

import json

import cv2
import numpy as np
import pytest
from helpers.support import LENSES, pose, scene, unchecked
from scipy.spatial.transform import Rotation

import sf3d_jax as sf3d
from sf3d_jax.data import FormatError
from sf3d_jax.data.cameras.by_content import read_json_cameras, write_json_cameras

SIZE = (240, 320)
OPENGL = np.diag([1.0, -1, -1, 1])


def saved(tmp_path, tree):
    path = tmp_path / "spirals.json"
    path.write_text(json.dumps(tree, default=lambda x: x.tolist()))
    return path


def closed_form_cameras():
    """Three cameras about a point, with the numbers of no data set."""
    matrices, poses = [], []
    for i in range(3):
        matrices.append(np.array([[330.0 + i, 0, 160.3], [0, 331.0, 118.6 - i], [0, 0, 1]]))
        bottom = np.array([[0.0, 0, 0, 1]])
        turned = pose([0.1 * i, 0.2 - 0.1 * i, 0.05], [0.02 * i, 0.1, 1.2 + 0.1 * i])
        poses.append(np.r_[turned, bottom])
    return SIZE, np.array(matrices), np.array(poses)


def scene_cameras(name):
    data, *_ = scene(name)
    poses = np.array([data[f"world_to_camera{i}"] for i in range(2)])
    return data["depth0"].shape, np.array([data[f"K{i}"] for i in range(2)]), poses


CAMERAS = {
    "closed form": closed_form_cameras,
    "objects": lambda: scene_cameras("objects"),
    "head": lambda: scene_cameras("head"),
}


def by_frame(values, name="{:04d}"):
    return {name.format(i): x for i, x in enumerate(values)}


def edge(matrix, size):
    """The intrinsics of a transforms.json."""
    (height, width), k = size, matrix
    values = {"fl_x": k[0, 0], "fl_y": k[1, 1], "cx": k[0, 2] + 0.5, "cy": k[1, 2] + 0.5}
    return {**values, "w": width, "h": height}


def numbers(k):
    return {"fx": k[0, 0], "fy": k[1, 1], "cx": k[0, 2], "cy": k[1, 2]}


# Each gives a tree from the size, K [N, 3, 3] and world to camera [N, 4, 4].
EACH = {
    "K, w2c": lambda s, k, w: {"K": k, "w2c": w},
    "3x4": lambda s, k, w: {"intrinsic": k, "Extrinsics": w[:3]},
    "names": lambda s, k, w: {
        "camera-matrix": k,
        "World To Camera": w,
        "height": s[0],
        "width": s[1],
    },
    "flat": lambda s, k, w: {"intrinsics": k.ravel(), "extrinsic": w.ravel()},
    "four numbers": lambda s, k, w: {"intrinsics": list(numbers(k).values()), "w2c": w},
    "K 4x4": lambda s, k, w: {"K": np.r_[np.c_[k, [0, 0, 0]], [[0, 0, 0, 1]]], "w2c": w},
    "c2w": lambda s, k, w: {"intrinsic_matrix": k, "c2w": np.linalg.inv(w)},
    "pose": lambda s, k, w: {"cam_intrinsics": k, "camera_pose": np.linalg.inv(w)},
    "transposed": lambda s, k, w: {"K": k, "world_view_transform": w.T},
    "w2c transposed": lambda s, k, w: {"K": k, "w2c": w.T},
    "OpenGL": lambda s, k, w: {"K": k, "transform_matrix": np.linalg.inv(w) @ OPENGL},
    "edges": lambda s, k, w: {**edge(k, s), "transform_matrix": np.linalg.inv(w) @ OPENGL},
    "R, t": lambda s, k, w: {"K": k, "R": w[:3, :3], "t": w[:3, 3]},
    "R, T": lambda s, k, w: {"K": k, "R": w[:3, :3], "T": w[:3, 3:]},
    "rvec": lambda s, k, w: {"K": k, "rvec": cv2.Rodrigues(w[:3, :3])[0], "tvec": w[:3, 3]},
    "qvec": lambda s, k, w: {
        "K": k,
        "qvec": Rotation.from_matrix(w[:3, :3]).as_quat()[[3, 0, 1, 2]],
        "tvec": w[:3, 3],
    },
    "xyzw": lambda s, k, w: {
        "K": k,
        "quaternion_xyzw": Rotation.from_matrix(w[:3, :3]).as_quat(),
        "translation": w[:3, 3],
    },
    "fx": lambda s, k, w: {**numbers(k), "w2c": w},
    "focal": lambda s, k, w: {
        "focal": [k[0, 0], k[1, 1]],
        "principal_point": k[:2, 2],
        "world_2_cam": w,
    },
    "fov": lambda s, k, w: {
        "FoVx": 2 * np.arctan(0.5 * s[1] / k[0, 0]),
        "FoVy": np.degrees(2 * np.arctan(0.5 * s[0] / k[1, 1])),
        "principal_point": k[:2, 2],
        "w2c": w,
    },
    "groups": lambda s, k, w: {
        "intrinsics": numbers(k),
        "extrinsics": {"R": w[:3, :3], "t": w[:3, 3]},
        "flame_param": {"rotation": np.eye(3), "translation": [0, 0, 0]},
    },
    "both": lambda s, k, w: {"K": k, "w2c": w, "c2w": np.linalg.inv(w), "matrix": np.eye(4)},
    "Gaussian Splatting": lambda s, k, w: {
        "K": k,
        "rotation": np.linalg.inv(w)[:3, :3],
        "position": np.linalg.inv(w)[:3, 3],
    },
    "sized": lambda s, k, w: {"K": k, "w2c": w, "size": s, "camera_model": "PINHOLE"},
    "sized the other way": lambda s, k, w: {"K": k, "w2c": w, "resolution": s[::-1]},
    "no direction": lambda s, k, w: {"K": k, "Rt": w[:3]},
}

# Each gives a tree from the size, a form above, and the cameras.
ALL = {
    "list": lambda s, f, k, w: [f(s, *x) for x in zip(k, w, strict=True)],
    "frames": lambda s, f, k, w: {"frames": [f(s, *x) for x in zip(k, w, strict=True)]},
    "by frame": lambda s, f, k, w: by_frame([f(s, *x) for x in zip(k, w, strict=True)]),
    "by number": lambda s, f, k, w: {"n": 3, **by_frame(map(f, [s] * len(k), k, w), "{}")},
    "by path": lambda s, f, k, w: {
        "spirals": by_frame(map(f, [s] * len(k), k, w), "render/031/{:04d}.jpg")
    },
    "in the subject": lambda s, f, k, w: {
        "031": {"camera": by_frame(map(f, [s] * len(k), k, w), "frame_{:04d}")}
    },
    "each wrapped": lambda s, f, k, w: {
        "cameras": by_frame([{"camera": x} for x in map(f, [s] * len(k), k, w)])
    },
    "reversed with names": lambda s, f, k, w: {
        "cameras": [
            {"file_path": f"a/{i:04d}.jpg", "id": 31, **f(s, k[i], w[i])}
            for i in reversed(range(len(k)))
        ]
    },
}


def check(found, size, matrices, poses, frames=None):
    expected = [f"{i:04d}" for i in range(len(poses))] if frames is None else frames
    assert [x.frame for x in found] == expected
    for (_, camera, form, _), matrix, world_to_camera in zip(found, matrices, poses, strict=True):
        assert camera.size == tuple(size) and camera.distortion is None and form
        assert camera.focal.dtype == camera.world_to_camera.dtype == np.float64
        np.testing.assert_allclose(camera.focal, np.diagonal(matrix)[:2], rtol=1e-12)
        np.testing.assert_allclose(camera.principal_point, matrix[:2, 2], rtol=1e-12)
        np.testing.assert_allclose(camera.world_to_camera, world_to_camera[:3], atol=1e-12)


@pytest.mark.parametrize("cameras", CAMERAS)
@pytest.mark.parametrize("all_frames", ALL)
def test_the_same_cameras_are_read_from_every_form(tmp_path, cameras, all_frames):
    size, matrices, poses = CAMERAS[cameras]()
    names = [str(i) for i in range(len(poses))] if all_frames == "by number" else None
    for each in EACH.values():
        tree = ALL[all_frames](size, each, matrices, poses)
        check(read_json_cameras(saved(tmp_path, tree), size), size, matrices, poses, names)


# Trees in which the values of a frame are not together.
COLUMNS = {
    "columns": lambda k, w: {"K": k, "w2c": w},
    "plural columns": lambda k, w: {"Ks": k, "c2ws": np.linalg.inv(w)},
    "wrapped columns": lambda k, w: {"camera": {"intrinsics": k, "extrinsics": w[:, :3]}},
    "columns of R": lambda k, w: {"K": k, "R": w[:, :3, :3], "T": w[:, :3, 3]},
    "columns of numbers": lambda k, w: {
        "fx": k[:, 0, 0],
        "fy": k[:, 1, 1],
        "cx": k[:, 0, 2],
        "cy": k[:, 1, 2],
        "viewpoints": {"pose": np.linalg.inv(w)},
    },
    "columns by frame": lambda k, w: {"intrinsics": by_frame(k), "extrinsics": by_frame(w)},
    "columns of one and by frame": lambda k, w: {"K": k, "w2c": by_frame(w, "a/{:04d}.jpg")},
    "a list of objects each": lambda k, w: {
        "intrinsics": [numbers(x) for x in k],
        "extrinsics": [{"R": x[:3, :3], "t": x[:3, 3]} for x in w],
    },
}


@pytest.mark.parametrize("cameras", CAMERAS)
@pytest.mark.parametrize("form", COLUMNS)
def test_columns_are_cut_into_frames(tmp_path, cameras, form):
    size, matrices, poses = CAMERAS[cameras]()
    found = read_json_cameras(saved(tmp_path, COLUMNS[form](matrices, poses)), size)
    check(found, size, matrices, poses)


# Trees with the intrinsics of the first camera for all frames.
GLOBAL = {
    "beside a column": lambda k, w: {"K": k, "w2c": w},
    "in a column of one": lambda k, w: {"K": k[None], "w2c": w},
    "beside the frames": lambda k, w: {"frames": by_frame([{"w2c": x} for x in w]), "K": k},
    "in a group": lambda k, w: {"intrinsics": numbers(k), "frames": [{"pose": x} for x in c2w(w)]},
    "beside bare matrices": lambda k, w: {"K": k, **by_frame(w)},
    "as NeRSemble": lambda k, w: {"world_2_cam": by_frame(w), "intrinsics": k},
    "overridden": lambda k, w: {
        "K": np.eye(3),
        "w2c": np.eye(4),
        "frames": [{**numbers(k), "R": x[:3, :3], "t": x[:3, 3]} for x in w],
    },
}


def c2w(poses):
    return np.linalg.inv(poses)


@pytest.mark.parametrize("form", GLOBAL)
def test_what_all_frames_have_may_stand_beside_them(tmp_path, form):
    size, matrices, poses = closed_form_cameras()
    found = read_json_cameras(saved(tmp_path, GLOBAL[form](matrices[0], poses)), size)
    check(found, size, [matrices[0]] * 3, poses)


@pytest.mark.parametrize("each", EACH)
def test_one_camera_alone_is_that_of_all_frames(tmp_path, each):
    size, matrices, poses = closed_form_cameras()
    tree = EACH[each](size, matrices[2], poses[2])
    for wrapped in (tree, {"camera": tree}, [tree], {"cameras": [{"camera": tree}]}):
        found = read_json_cameras(saved(tmp_path, wrapped), size)
        check(found, size, matrices[2:], poses[2:], [None])


def test_a_list_of_names_says_the_frames_of_columns(tmp_path):
    size, matrices, poses = closed_form_cameras()
    tree = {"files": ["0009.jpg", "0010.jpg", "0004.jpg"], "K": matrices, "w2c": poses}
    found = read_json_cameras(saved(tmp_path, tree), size)
    order = [2, 0, 1]
    check(found, size, matrices[order], poses[order], ["0004", "0009", "0010"])


def test_frames_are_in_the_order_of_their_numbers(tmp_path):
    size, matrices, poses = closed_form_cameras()
    tree = {"K": matrices[0], "w2c": dict(zip(["10", "9", "frame_0100"], poses, strict=True))}
    found = read_json_cameras(saved(tmp_path, tree), size)
    check(found, size, [matrices[0]] * 3, poses[[1, 0, 2]], ["9", "10", "0100"])


def test_positions_in_a_list_are_no_names(tmp_path):
    size, [matrix, *_], poses = closed_form_cameras()
    each = [{"w2c": x} for x in poses]
    named = [{"frame": i, **x} for i, x in enumerate(each)]
    for tree, names in [
        ({"K": matrix, "frames": each}, False),
        ({"K": matrix, "w2c": poses}, False),
        ({"K": matrix, "frames": named}, True),
        ({"K": matrix, **by_frame(each)}, True),
        ({"K": [matrix] * 3, "w2c": by_frame(poses)}, True),
        ({"K": matrix, **each[0]}, True),
    ]:
        found = read_json_cameras(saved(tmp_path, tree), size)
        assert {x.named for x in found} == {names}


def test_a_transforms_file_is_read_by_its_own_rules(tmp_path):
    size, matrices, poses = closed_form_cameras()
    matrices[:] = matrices[0]
    frames = [
        {"file_path": f"images/{i:05d}", "transform_matrix": x @ OPENGL}
        for i, x in enumerate(c2w(poses))
    ]
    tree = {**edge(matrices[0], size), "frames": frames}
    for wrapped in (tree, {"cameras": tree}):
        found = read_json_cameras(saved(tmp_path, wrapped), size)
        check(found, size, matrices, poses, ["00000", "00001", "00002"])
        assert found[0].form == "transforms.json (camera to world, OpenGL)"
    alone = {**tree, "frames": [{"transform_matrix": frames[1]["transform_matrix"]}]}
    found = read_json_cameras(saved(tmp_path, alone), size)
    check(found, size, matrices[1:2], poses[1:2], [None])


def test_gaussian_splattings_cameras_are_centred(tmp_path):
    size, _, poses = closed_form_cameras()
    height, width = size
    tree = [
        {
            "id": i,
            "img_name": f"{i:05d}",
            "width": width,
            "height": height,
            "position": x[:3, 3],
            "rotation": x[:3, :3],
            "fx": 331.0,
            "fy": 332.0,
        }
        for i, x in enumerate(c2w(poses))
    ]
    found = read_json_cameras(saved(tmp_path, tree), size)
    matrix = np.array([[331, 0, 159.5], [0, 332, 119.5], [0, 0, 1]])
    check(found, size, [matrix] * 3, poses, ["00000", "00001", "00002"])


def test_another_size_is_resized_areas_onto_areas(tmp_path):
    _, (matrix, *_), (world_to_camera, *_) = closed_form_cameras()
    tree = {"K": matrix, "w2c": world_to_camera, "height": 240, "width": 320}
    found = read_json_cameras(saved(tmp_path, tree), (120, 160))
    half = np.diag([0.5, 0.5, 1]) @ matrix
    half[:2, 2] -= 0.25
    check(found, (120, 160), [half], [world_to_camera], [None])
    with pytest.raises(FormatError, match="expected 160 x 100 pixels, or a multiple"):
        read_json_cameras(saved(tmp_path, tree), (100, 160))
    with pytest.raises(FormatError, match="are they those of another size"):
        read_json_cameras(saved(tmp_path, {"K": matrix, "w2c": world_to_camera}), (100, 160))


def test_a_matrix_per_width_and_height_is_refused(tmp_path):
    _, _, (world_to_camera, *_) = closed_form_cameras()
    tree = {"K": [[2.1, 0, 0.5], [0, 2.1, 0.5], [0, 0, 1]], "w2c": world_to_camera}
    with pytest.raises(FormatError, match=r"focal lengths of 2\.1 and 2\.1"):
        read_json_cameras(saved(tmp_path, tree), SIZE)


@pytest.mark.parametrize(
    "values, model, distortion",
    [
        ({"dist": [-0.3, 0.1, 0.001, -0.002, 0.02]}, "opencv", [-0.3, 0.1, 0.001, -0.002, 0.02]),
        ({"distortion": [[-0.3, 0.1, 0.001, -0.002]]}, "opencv", [-0.3, 0.1, 0.001, -0.002]),
        ({"k1": -0.3, "p2": 0.1}, "opencv", [-0.3, 0, 0, 0.1]),
        ({"k1": -0.3, "k3": 0.1}, "opencv", [-0.3, 0, 0, 0, 0.1]),
        ({"k1": 0.0, "k2": 0}, "pinhole", None),
        ({"dist_coeffs": [0.1]}, "opencv", [0.1, 0, 0, 0]),
        ({"dist_coeffs": [0.1] * 8 + [0] * 6}, "opencv", [0.1] * 8 + [0] * 4),
        ({"model": "OPENCV_FISHEYE", "k1": 0.1, "k4": 0.2}, "fisheye", [0.1, 0, 0, 0.2]),
        ({"model": "fisheye", "distortion": [0.1, 0.2]}, "fisheye", [0.1, 0.2, 0, 0]),
    ],
)
def test_distortion_is_padded_with_zeros(tmp_path, values, model, distortion):
    _, (matrix, *_), (world_to_camera, *_) = closed_form_cameras()
    tree = {**values, "K": matrix, "frames": {"0000": {"w2c": world_to_camera}}}
    [(_, camera, *_)] = read_json_cameras(saved(tmp_path, tree), SIZE)
    assert camera.model == model
    if distortion is None:
        assert camera.distortion is None
    else:
        np.testing.assert_array_equal(camera.distortion, distortion)


K, W = np.diag([300.0, 300, 1]) + 0, np.eye(4)
K[:2, 2] = 160, 120
MIRRORED = np.diag([1.0, 1, -1, 1])


@pytest.mark.parametrize(
    "tree, says",
    [
        ({}, r"expected a pose for all frames, as w2c, .* found \{\}"),
        ({"a": 1, "b": {"c": [1, 2]}}, r"found \{a: a number, b: \{c: numbers \[2\]\}\}"),
        ({"K": K}, r"a pose for all frames, as .*, found \{K: numbers \[3, 3\]\}"),
        ({"w2c": W}, "expected intrinsics for all frames"),
        ({"K": K, "0": {"w2c": W}, "1": {"fx": 3}}, "expected a pose for frame 1"),
        ({"K": K, "w2c": 2 * W}, "expected a rotation and a translation in w2c of all frames"),
        ({"K": K, "w2c": MIRRORED}, "expected a rotation and a translation"),
        ({"K": K, "w2c": W * np.nan}, "numbers up to 1e"),
        (
            {"K": K, "w2c": np.r_[np.eye(3, 4, 3), [[0, 0, 1, 1]]]},
            "expected a rotation and a translation",
        ),
        ({"K": K, "w2c": W, "c2w": W + np.eye(4, k=3)}, "expected poses that agree"),
        ({"K": K, "w2c": W, "W2C": W + np.eye(4, k=3)}, "expected poses that agree"),
        ({"K": K + np.eye(3, k=1), "w2c": W}, r"expected \[fx 0 cx; 0 fy cy; 0 0 1\]"),
        ({"K": K * [[-1], [1], [1]], "w2c": W}, "expected"),
        ({"K": K, "intrinsics": K + np.eye(3, k=2), "w2c": W}, "one matrix for all frames"),
        ({"K": K, "quaternion": [1, 0, 0, 0], "t": [0, 0, 0]}, "expected a pose"),
        ({"K": K, "qvec": [0, 0, 0, 0], "t": [0, 0, 0]}, "expected a quaternion in qvec"),
        ({"K": K, "rotation": [0, 0, 0], "t": [0, 0, 0]}, "expected a pose"),
        ({"fov": -1, "w2c": W}, "expected an angle between 0 and pi as fov"),
        ({"fov": 180, "w2c": W}, "expected an angle between 0 and pi as fov"),
        ({"K": K, "w2c": W, "h": 240.5, "w": 320}, "whole pixels"),
        ({"K": K, "w2c": W, "h": 0, "w": 320}, "a width and a height"),
        ({"K": K, "w2c": W, "dist": list(range(13))}, "at most 12 coefficients"),
        ({"K": K, "w2c": W, "dist": [1] * 5, "model": "fisheye"}, "at most 4 coefficients"),
        ({"a": {"0": {"K": K, "w2c": W}}, "b": {"0": {"K": K, "w2c": W}}}, "2 sequences: a, b"),
        ({"a": {"K": K}, "b": {"K": 2 * K}, "w2c": W}, "one matrix for all frames, found .* b/K"),
        ([{"frame": 1, "K": K, "w2c": W}, {"frame": 1, "K": K, "w2c": W}], "another frame in each"),
        ({"names": ["1", "2"], "K": K, "w2c": [W, W, W]}, "expected 2 of w2c"),
        ({"fx": [300, 300, 300], "K": K, "w2c": [W, W]}, "a pose for frame 0002"),
    ],
)
def test_what_makes_no_camera_is_refused_by_name(tmp_path, tree, says):
    path = saved(tmp_path, tree)
    with pytest.raises(FormatError, match=says) as error:
        read_json_cameras(path, SIZE)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    "text, says",
    [
        ("", "expected JSON"),
        ("{", "expected JSON"),
        ("[" * 100_000, "too deep"),
        ('{"a":' * 100_000, "too deep"),
        ("[" * 900 + "]" * 900, "expected a pose"),
        ('{"a": 1, "b": 2, "b": 3}', "expected every key once, found 'b' twice"),
        ('{"K": ' + "9" * 5000 + "}", "expected JSON"),
        ('{"K": [' + "9" * 400 + "]}", "expected a pose"),
        ('{"K": [[1e999, 0, 0], [0, 1, 0], [0, 0, 1]], "w2c": [0]}', "expected a pose"),
    ],
)
def test_bad_json_is_refused_by_name(tmp_path, text, says):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FormatError, match=says) as error:
        read_json_cameras(tmp_path / "a.json", SIZE)
    assert str(error.value).startswith(str(tmp_path / "a.json"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_the_encoding_is_told_by_the_first_bytes(tmp_path, encoding):
    text = json.dumps({"Ünïcode": "ü", "K": K.tolist(), "w2c": W.tolist()}, ensure_ascii=False)
    (tmp_path / "a.json").write_bytes(text.encode(encoding))
    assert len(read_json_cameras(tmp_path / "a.json", SIZE)) == 1
    (tmp_path / "a.json").write_bytes(b'{"\xff\xfe": 1}')
    with pytest.raises(FormatError, match="expected JSON"):
        read_json_cameras(tmp_path / "a.json", SIZE)


def test_a_file_that_is_too_long_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("sf3d_jax.data._files.json.LARGEST_FILE", 10)
    with pytest.raises(FormatError, match="expected at most 10 bytes of JSON"):
        read_json_cameras(saved(tmp_path, {"K": K}), SIZE)


@pytest.mark.parametrize("lens", LENSES)
def test_what_was_written_is_read_to_the_last_bit(tmp_path, lens):
    rng = np.random.default_rng(0)
    model = LENSES[lens][1]
    cameras = {}
    for i in range(4):
        matrix = np.diag([*rng.uniform(1, 3000, 2), 1.0])
        matrix[:2, 2] = rng.uniform(-300, 3000, 2)
        extrinsics = pose(rng.normal(size=3), rng.normal(size=3))
        distortion = LENSES[lens][0]
        cameras[f"{7 * i:04d}"] = sf3d.Camera.from_matrix(
            matrix, (5, 7), world_to_camera=extrinsics, distortion=distortion, model=model
        )
    write_json_cameras(tmp_path / "a.json", cameras)
    found = read_json_cameras(tmp_path / "a.json", (5, 7))
    assert [x.frame for x in found] == list(cameras)
    for x, camera in zip(found, cameras.values(), strict=True):
        assert (x.camera.size, x.camera.model) == (camera.size, camera.model)
        for name in ("focal", "principal_point", "world_to_camera", "distortion"):
            np.testing.assert_array_equal(getattr(x.camera, name), getattr(camera, name))
    assert json.loads((tmp_path / "a.json").read_text())["size"] == [5, 7]


def test_what_would_not_be_read_is_not_written(tmp_path):
    camera = sf3d.Camera.pinhole(3.0, 3.0, 2.0, 2.0, (5, 7), W)
    other = sf3d.Camera.pinhole(3.0, 3.0, 2.0, 2.0, (7, 5), W)
    for cameras, says in [
        ({}, "at least one"),
        ({"0": camera, "1": other}, "expected one size"),
        ({"first": camera}, "expected frames with numbers"),
        ({"0": camera, "00": camera}, "expected frames with numbers"),
        ({"0": sf3d.Camera.pinhole([3.0], 3.0, 2.0, 2.0, (5, 7), W)}, "a batch"),
        (
            {"0": unchecked(camera, world_to_camera=2 * camera.world_to_camera)},
            "expected rotations",
        ),
        ({"0": unchecked(camera, focal=np.array([np.nan, 3]))}, r"cameras\['0'\]: .*nan"),
        ({"0": unchecked(camera, focal=np.array([-1.0, 3]))}, "positive focal lengths"),
        ({"0": sf3d.Camera.pinhole(1e12, 3.0, 2.0, 2.0, (5, 7), W)}, "numbers up to 1e"),
        ({0: camera}, "a mapping from names of frames"),
        ([camera], "a mapping from names of frames"),
        ({"0": None}, r"cameras\['0'\]: expected a Camera, got NoneType"),
    ]:
        with pytest.raises((ValueError, TypeError), match=says):
            write_json_cameras(tmp_path / "a.json", cameras)
    assert not list(tmp_path.iterdir())


def gl(poses):
    return c2w(poses) @ OPENGL


# Trees that say the direction of their poses, or the axes, elsewhere than in the matrix's own name.
STATED = {
    "a null": lambda k, w: {"K": k, "c2w": {"0000": c2w(w)[0], "fps": None, "0001": c2w(w)[1]}},
    "a text": lambda k, w: {"K": k, "c2w": {"convention": "opencv", **by_frame(c2w(w))}},
    "a wrapper": lambda k, w: {"K": k, "c2w": {"left": by_frame(c2w(w))}},
    "poses": lambda k, w: {"K": k, "poses": {"spiral": by_frame(c2w(w))}},
    "a list": lambda k, w: {
        "K": k,
        "poses": [{"frame": i, "matrix": x} for i, x in enumerate(c2w(w))],
    },
    "matrix": lambda k, w: {"K": k, "c2w": by_frame([{"matrix": x} for x in c2w(w)])},
    "T": lambda k, w: {"K": k, "c2w": by_frame([{"T": x} for x in c2w(w)])},
    "type": lambda k, w: {
        "K": k,
        "frames": [{"pose": {"matrix": x, "type": "c2w"}} for x in c2w(w)],
    },
    "the other type": lambda k, w: {
        "K": k,
        "frames": [{"pose": {"matrix": x, "type": "w2c"}} for x in w],
    },
    "R, t": lambda k, w: [{"K": k, "c2w": {"R": x[:3, :3], "t": x[:3, 3]}} for x in c2w(w)],
    "words": lambda k, w: [
        {"K": k, "camera_to_world": {"rotation": x[:3, :3], "translation": x[:3, 3]}}
        for x in c2w(w)
    ],
    "OpenGL's axes below": lambda k, w: {"K": k, "transform_matrix": {"n": "x", **by_frame(gl(w))}},
    "OpenGL in words": lambda k, w: {
        "camera_convention": "OpenGL",
        "frames": [{"K": k, "camera_to_world": x} for x in gl(w)],
    },
    "world to camera in OpenGL": lambda k, w: {
        "convention": "opengl",
        "frames": [{"K": k, "w2c": OPENGL @ x} for x in w],
    },
    "OpenCV in words": lambda k, w: {
        "coordinate_system": "opencv",
        "frames": [{"K": k, "transform_matrix": x} for x in c2w(w)],
    },
    "an extrinsic from the camera": lambda k, w: {
        "K": k,
        "extrinsics_type": "camera to world",
        "extrinsics": c2w(w),
    },
    "a trusted one": lambda k, w: {"K": k, "frames": [{"w2c": x, "T": 2 * x} for x in w]},
    "viewmats": lambda k, w: {"Ks": [k] * len(w), "viewmats": w},
    "view_matrix": lambda k, w: [{"K": k, "view_matrix": x} for x in w],
    "T_wc": lambda k, w: {"K": k, "T_wc": c2w(w)},
    "T_cw": lambda k, w: {"K": k, "T_cw": w},
    "poses_c2w": lambda k, w: {"K": k, "poses_c2w": c2w(w)},
    "cam_c2w": lambda k, w: [{"cam_K": k, "cam_c2w": x} for x in c2w(w)],
    "extrinsics_w2c": lambda k, w: {"K": k, "extrinsics_w2c": w},
    "BOP": lambda k, w: by_frame(
        [{"cam_K": k.ravel(), "cam_R_w2c": x[:3, :3].ravel(), "cam_t_w2c": x[:3, 3]} for x in w]
    ),
    "R_c2w": lambda k, w: [{"K": k, "R_c2w": x[:3, :3], "t_c2w": x[:3, 3]} for x in c2w(w)],
    "a centre": lambda k, w: [
        {"K": k, "R": x[:3, :3], "camera_center": y[:3, 3]} for x, y in zip(w, c2w(w), strict=True)
    ],
    "a quaternion at a position": lambda k, w: [
        {
            "K": k[:2],
            "position": x[:3, 3],
            "quaternion_wxyz": Rotation.from_matrix(x[:3, :3]).as_quat()[[3, 0, 1, 2]],
        }
        for x in c2w(w)
    ],
    "a list in a list": lambda k, w: [[{"K": k, "matrix": x} for x in w]],
}


@pytest.mark.parametrize("form", STATED)
def test_what_stands_above_or_beside_a_pose_says_its_direction(tmp_path, form):
    size, [matrix, *_], poses = closed_form_cameras()
    poses = poses[:2] if form == "a null" else poses
    found = read_json_cameras(saved(tmp_path, STATED[form](matrix, poses)), size)
    check(found, size, [matrix] * len(poses), poses)


@pytest.mark.parametrize(
    "tree, says",
    [
        ({"K": K, "c2w": {"0000": W, "0001": None}}, "a value as c2w/0001, found None"),
        ({"K": K, "c2w": {"0000": W, "0001": [1, 2]}}, r"c2w/0001, found numbers \[2\]"),
        ({"K": K, "w2c": {"0": W, "00": W}}, "every frame of w2c once, found 0 and 00"),
        ({"K": K, "w2c": W, "axes": "right-handed"}, "a convention for .* found 'right-handed'"),
        ({"K": K, "w2c": W, "convention": "PyTorch3D"}, "OpenCV or OpenGL.* found 'PyTorch3D'"),
        ({"K": K, "w2c": W, "camera_model": "EQUIRECTANGULAR"}, "found 'EQUIRECTANGULAR'"),
        ({"K": K, "w2c": W, "camera_model": "FOV"}, "found 'FOV'"),
        ({"K": K, "w2c": W, "camera_model": "THIN_PRISM_FISHEYE"}, "found 'THIN_PRISM_FISHEYE'"),
        ({"K": K, "w2c": W, "k1": 0.1, "k4": 0.2}, "a lens of k1 k2 p1 p2 k3"),
        ({"focal": [1.5, 1.5], "w2c": W, "h": 240, "w": 320}, "are they those of another size"),
        ({"K": K / [[320], [240], [1]], "w2c": W, "h": 240, "w": 320}, "those of another size"),
        ({"K": K * [[4], [4], [1]], "w2c": W, "h": 240, "w": 320}, "those of another size"),
        ({"fx": 600.0, "cx": 319.5, "cy": 239.5, "w2c": W, "hw": SIZE}, "those of another size"),
        ({"K": K / [[4], [4], [1]], "w2c": W}, "are they those of another size"),
        ({"K": K / [[2], [2], [1]], "w2c": W}, "are they those of another size"),
        ({"K": K, "train": {"031": by_frame([W] * 3), "032": by_frame([W] * 3)}}, "train/031, tr"),
        (
            {"031": [{"frame": i, "K": K, "w2c": W} for i in range(3)]}
            | {"032": [{"frame": i, "K": K, "w2c": W} for i in range(3, 6)]},
            "found 2 sequences: 031, 032",
        ),
        (
            {"left": {"K": K, "w2c": by_frame([W])}, "right": {"K": K, "extrinsic": by_frame([W])}},
            "found 2 sequences: left, right",
        ),
        (
            {"0000_left": {"K": K, "w2c": W}, "0001_left": {"K": K, "w2c": W}},
            "found 2 cameras: 0000",
        ),
        (
            [{"frame": 5, "w2c": W}, {"w2c": W}, {"frame": 7, "w2c": W}],
            "a frame as frame of each camera, found none in number 1 of the list",
        ),
        ({"focal": [300.0, 301], "w2c": [W, W]}, "focal as clearly one value, or one per frame"),
        ([{"K": K, "w2c": W}, {}], "a pose for frame 0001"),
        (
            {"id": 1, "img_name": "a", "width": 9, "height": 9, "fx": 1, "fy": 1, "cx": 1, "v": W},
            r"as w2c, .* fy: a number, cx, v\}",
        ),
        ({f"a{'x' * 30}{i}": {"b": [1] * 9} for i in range(100)}, "60 more"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(tmp_path, tree, says):
    path = saved(tmp_path, tree)
    with pytest.raises(FormatError, match=says) as error:
        read_json_cameras(path, SIZE)
    assert str(error.value).startswith(str(path)) and len(str(error.value)) < 2000


def test_the_intrinsics_of_a_crop_need_its_size_beside_them(tmp_path):
    crop = K - [[0, 0, 130], [0, 0, 80], [0, 0, 0]]
    with pytest.raises(FormatError, match="are they those of another size"):
        read_json_cameras(saved(tmp_path, {"K": crop, "w2c": W}), SIZE)
    [found] = read_json_cameras(saved(tmp_path, {"K": crop, "w2c": W, "hw": SIZE}), SIZE)
    np.testing.assert_array_equal(found.camera.principal_point, [30, 40])


@pytest.mark.parametrize("flag", [{"is_fisheye": True}, {"camera_model": "fisheye"}])
def test_a_fisheye_is_told_by_its_model_or_a_flag(tmp_path, flag):
    tree = {"K": K, "w2c": W, "k1": 0.1, "k2": 0.2, "k3": 0.3, "k4": 0.4, **flag}
    [found] = read_json_cameras(saved(tmp_path, tree), SIZE)
    assert found.camera.model == "fisheye"
    np.testing.assert_array_equal(found.camera.distortion, [0.1, 0.2, 0.3, 0.4])


def test_a_list_that_names_no_frames_labels_no_columns(tmp_path):
    names = {"sequences": ["EMO-1", "EMO-4", "EXP-9"]}
    found = read_json_cameras(saved(tmp_path, {**names, "K": K, "w2c": [W] * 3}), SIZE)
    assert [(x.frame, x.named) for x in found] == [(f"{i:04d}", False) for i in range(3)]
    tree = {"timesteps": [5, 6, 8], "cameras": {"K": K, "w2c": [W] * 3}}
    found = read_json_cameras(saved(tmp_path, tree), SIZE)
    assert [(x.frame, x.named) for x in found] == [("0005", True), ("0006", True), ("0008", True)]


@pytest.mark.parametrize(
    "size",
    [
        {"h": 240, "w": 320},
        {"width": 320, "height": 240},
        {"hw": [240, 320]},
        {"wh": [320, 240]},
    ],
)
def test_the_size_may_be_that_of_the_file(tmp_path, size):
    tree = {"data": {**size, "frames": [{"K": K, "w2c": W}, {"K": K, "w2c": W}]}}
    assert [x.camera.size for x in read_json_cameras(saved(tmp_path, tree))] == [SIZE] * 2
    frames = [{"transform_matrix": W}] * 2
    tree = {"fl_x": 300, "w": 320, "h": 240, "frames": frames}
    assert [x.camera.size for x in read_json_cameras(saved(tmp_path, tree))] == [SIZE] * 2


def test_a_pair_is_no_size_if_nobody_says_its_order(tmp_path):
    with pytest.raises(FormatError, match=r"pair \[550, 802\], which may be \(height, width\) or"):
        read_json_cameras(saved(tmp_path, {"K": K, "w2c": W, "size": [550, 802]}))
    with pytest.raises(FormatError, match=r"height and width .* or size=\(height, width\)"):
        read_json_cameras(saved(tmp_path, {"K": K, "w2c": W}))
    [found] = read_json_cameras(saved(tmp_path, {"K": K, "w2c": W, "size": [320, 320]}))
    assert found.camera.size == (320, 320)


def test_several_cameras_a_timestep_are_another_readers(tmp_path):
    frames = [{"transform_matrix": W, "timestep_index": 0, "camera_index": i} for i in range(3)]
    tree = {"fl_x": 300, "w": 320, "h": 240, "frames": frames}
    with pytest.raises(FormatError, match=r"`read_transforms` reads .* camera_index 0, 1, 2"):
        read_json_cameras(saved(tmp_path, tree), SIZE)


def test_a_wrapper_named_after_a_head_model_is_entered(tmp_path):
    tree = {"flame_031": by_frame([{"K": K, "w2c": W}] * 2)}
    assert [x.frame for x in read_json_cameras(saved(tmp_path, tree), SIZE)] == ["0000", "0001"]


def one(tmp_path, tree, size=SIZE):
    [found] = read_json_cameras(saved(tmp_path, tree), size)
    return found.camera


@pytest.mark.parametrize("model", [{}, {"model": "OPENCV"}, {"is_fisheye": 0}])
@pytest.mark.parametrize("zeros", [{"distortion": [0, 0, 0, 0, 0]}, {"distortion_params": [0] * 6}])
def test_a_lens_of_zeros_is_a_pinhole(tmp_path, zeros, model):
    camera = one(tmp_path, {"K": K, "w2c": W, **zeros, **model})
    assert camera.model == "pinhole" and camera.distortion is None


@pytest.mark.parametrize(
    "values, model, distortion",
    [
        ({"distortion_params": [1, 2, 3, 0, 5, 6]}, "opencv", [1, 2, 5, 6, 3]),
        ({"distortion_params": [[1], [2], [0], [0], [5], [6]]}, "opencv", [1, 2, 5, 6]),
        ({"distortion_params": [1, 2, 3, 4, 0, 0], "is_fisheye": 1}, "fisheye", [1, 2, 3, 4]),
        ({"distortion": [1, 2, 0, 0, 0], "k1": 1, "k2": 2}, "opencv", [1, 2, 0, 0, 0]),
        ({"distortion": [0, 0, 0, 0], "k1": 1}, "opencv", [1, 0, 0, 0]),
    ],
)
def test_a_lens_is_told_by_other_words_too(tmp_path, values, model, distortion):
    camera = one(tmp_path, {"K": K, "w2c": W, **values})
    assert camera.model == model
    np.testing.assert_array_equal(camera.distortion, distortion)


@pytest.mark.parametrize(
    "values, says",
    [
        ({"distortion": [1, 2, 0, 0], "k1": 0.5}, "one distortion for all frames, found"),
        ({"distortion_params": [1, 2, 3, 4, 0, 0]}, "a lens of k1 k2 p1 p2 k3 .* k4 = 4"),
        ({"distortion_params": [1, 2, 3, 4]}, r"found distortion_params = numbers \[4\]"),
        ({"is_fisheye": 2, "k1": 0.1}, "found is_fisheye = 2"),
        ({"k1": "0.1"}, r"found k1 = 0\.1"),
    ],
)
def test_a_lens_that_is_not_understood_is_named(tmp_path, values, says):
    path = saved(tmp_path, {"K": K, "w2c": W, **values})
    with pytest.raises(FormatError, match=says):
        read_json_cameras(path, SIZE)


@pytest.mark.parametrize("point", [(-40, 100), (500, 100), (160, -300), (700, 120), (-90, -90)])
def test_the_principal_point_of_a_crop_may_be_outside_of_it(tmp_path, point):
    crop = K.copy()
    crop[:2, 2] = point
    camera = one(tmp_path, {"K": crop, "w2c": W, "h": 240, "w": 320})
    np.testing.assert_array_equal(camera.principal_point, point)


def test_two_negative_focal_lengths_turn_the_camera(tmp_path):
    camera = one(tmp_path, {"K": K * [[-1, 1, 1], [1, -1, 1], [1, 1, 1]], "w2c": W})
    np.testing.assert_array_equal(camera.focal, [300, 300])
    np.testing.assert_array_equal(camera.world_to_camera, np.diag([-1.0, -1, 1, 1])[:3])
    for lens in ({"fx": -300, "fy": 300}, {"fx": -300}, {"focal": -300}, {"fx": 300, "fy": -300}):
        with pytest.raises(FormatError, match="positive focal lengths"):
            one(tmp_path, {**lens, "w2c": W})


def test_intrinsics_of_all_frames_are_those_of_the_size_of_all_frames(tmp_path):
    frames = {"0000": {"w2c": W}, "0001": {"w2c": W, "h": 120, "w": 160}}
    tree = {"K": K, "h": 240, "w": 320, "frames": frames}
    first, second = (x.camera for x in read_json_cameras(saved(tmp_path, tree)))
    assert first.size == (240, 320) and second.size == (120, 160)
    np.testing.assert_array_equal(second.focal, [150, 150])
    np.testing.assert_array_equal(second.principal_point, [160.5 / 2 - 0.5, 120.5 / 2 - 0.5])
    frames["0001"]["w"] = 120
    with pytest.raises(FormatError, match="expected 120 x 120 pixels, or a multiple"):
        read_json_cameras(saved(tmp_path, tree))
    frames["0001"]["K"] = K / [[2], [2], [1]]
    assert read_json_cameras(saved(tmp_path, tree))[1].camera.focal[0] == 150


def test_a_focal_length_of_a_frame_keeps_the_point_of_all(tmp_path):
    tree = {
        "cx": 150.0,
        "cy": 110.0,
        "fx": 300.0,
        "fy": 200.0,
        "w2c": W,
        "frames": {"7": {"fx": 250}},
    }
    camera = one(tmp_path, tree)
    np.testing.assert_array_equal(camera.focal, [250, 250])
    np.testing.assert_array_equal(camera.principal_point, [150, 110])


def test_what_a_frame_says_of_its_lens_counts_before_the_lens_of_all(tmp_path):
    shared = {"K": K, "distortion": [0.1, 0.2, 0, 0]}
    tree = {**shared, "frames": {"0": {"w2c": W}, "1": {"w2c": W, "k1": 0.5}}}
    found = read_json_cameras(saved(tmp_path, tree), SIZE)
    np.testing.assert_array_equal(found[0].camera.distortion, [0.1, 0.2, 0, 0])
    np.testing.assert_array_equal(found[1].camera.distortion, [0.5, 0, 0, 0])


@pytest.mark.parametrize(
    "tree", [[{}] * 300_001, {"a": [[{"b": {}}] * 150_001]}], ids=["a list", "nested"]
)
def test_a_file_of_more_objects_than_cameras_is_refused(tmp_path, tree):
    with pytest.raises(FormatError, match="at most 300,000 objects, such as cameras"):
        read_json_cameras(saved(tmp_path, tree), SIZE)
