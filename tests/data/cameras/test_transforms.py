"""The transforms.json of NeRF and its relatives, against JSON written by hand."""

import json
import math

import cv2
import numpy as np
import pytest
from helpers.png import write_png
from helpers.support import LENSES, pose, unchecked

import sf3d_jax as sf3d
from sf3d_jax.data import FormatError
from sf3d_jax.data.cameras.transforms import TransformsFrame, read_transforms, write_transforms

SIZE = (240, 320)
# A camera at (1, 2, 3) that looks along the world's x, with the world's z up.
LOOKING = np.array([[0.0, 0, -1, 1], [-1, 0, 0, 2], [0, 1, 0, 3], [0, 0, 0, 1]])
FRAME = {"transform_matrix": LOOKING.tolist()}
LENS = {"fl_x": 300.0, "fl_y": 310.0, "cx": 161.0, "cy": 119.0, "w": 320, "h": 240}


def saved(tmp_path, tree):
    (tmp_path / "transforms.json").write_text(json.dumps(tree))
    return tmp_path / "transforms.json"


def test_axes_are_turned_and_the_principal_point_counts_from_pixel_centres(tmp_path):
    path = saved(tmp_path, {**LENS, "frames": [FRAME]})
    [(camera, *names)] = read_transforms(path)
    assert names == [None] * 4 and camera.size == SIZE and camera.model == "pinhole"
    np.testing.assert_array_equal(camera.focal, [300, 310])
    np.testing.assert_array_equal(camera.principal_point, [160.5, 118.5])
    # Ten metres before it, a metre to its right (the world's -y), half a metre up.
    point = np.array([11.0, 1, 3.5, 1])
    np.testing.assert_allclose(camera.world_to_camera @ point, [1, -0.5, 10], atol=1e-15)


ANGLE = 0.6911112070083618
# As a PNG that passed through a photo editor begins.
EDITED = [
    (b"sRGB", b"\0"),
    (b"pHYs", bytes.fromhex("00000b1300000b1301")),
    (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta/>"),
]


def write_blender(root):
    """A file as Blender's script writes it: one angle, float32 matrices, no ending of the image."""
    turn = np.float32(pose([1.2, 0.02, 0.05], [0, 0, 0])[:, :3])
    # The camera stands 4.03 behind the origin, at which it looks.
    matrix = np.r_[np.c_[turn, np.float32(4.0311) * turn[:, 2]], [[0, 0, 0, 1]]]
    frame = {"file_path": "./train/r_0", "rotation": 0.0125, "transform_matrix": matrix.tolist()}
    path = root / "transforms_train.json"
    path.write_text(json.dumps({"camera_angle_x": ANGLE, "frames": [frame]}, indent=4))
    picture = np.random.default_rng(0).integers(0, 256, (50, 50, 4), np.uint8)
    write_png(root / "train/r_0.png", picture, filters=(0, 1, 2, 3, 4), before=EDITED)
    return path


def test_a_file_of_blender_takes_its_size_from_the_image_beside_it(tmp_path):
    check_blender(write_blender(tmp_path))


def test_the_file_of_blender_takes_its_size_from_the_image_beside_it(real):
    image = cv2.imread(str(real("nerf/train/r_0.png")))
    assert image.shape[:2] == (50, 50)
    check_blender(real("nerf/transforms_train.json"))


def check_blender(path):
    [frame] = read_transforms(path)
    assert frame.image == "./train/r_0" and frame.camera.size == (50, 50)
    focal = 25 / math.tan(ANGLE / 2)
    np.testing.assert_allclose(frame.camera.focal, focal, rtol=1e-15)
    np.testing.assert_array_equal(frame.camera.principal_point, 24.5)
    matrix = np.array(json.loads(path.read_text())["frames"][0]["transform_matrix"])
    expected = np.linalg.inv(matrix @ np.diag([1, -1, -1, 1]))[:3]
    # The file's rotation is one to 7 digits.
    np.testing.assert_allclose(frame.camera.world_to_camera, expected, atol=2e-6)
    # Blender's object stands at the origin, which the camera looks at.
    np.testing.assert_allclose(expected[:, 3], [0, 0, 4.0311], atol=1e-4)


def test_the_caller_may_say_the_size(tmp_path):
    check_given_size(write_blender(tmp_path))


def test_the_caller_may_say_the_size_of_a_real_file(real):
    check_given_size(real("nerf/transforms_val.json"))


def check_given_size(path):
    [frame] = read_transforms(path, size=(100, 200))
    assert frame.camera.size == (100, 200)
    np.testing.assert_allclose(frame.camera.focal, 100 / math.tan(ANGLE / 2))
    np.testing.assert_array_equal(frame.camera.principal_point, [99.5, 49.5])


@pytest.mark.parametrize("name, ending", [("r_0", ".png"), ("a.b", ".jpg"), ("c.png", "")])
def test_the_size_is_that_of_the_first_image_that_is_there(tmp_path, name, ending):
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / f"images/{name}{ending}"), np.zeros((6, 8, 3), np.uint8))
    paths = ["x" * 300, "\0", "missing", f"./images/{name}"]
    frames = [{**FRAME, "file_path": path} for path in paths]
    found = read_transforms(saved(tmp_path, {"camera_angle_x": 1.0, "frames": frames}))
    assert [frame.camera.size for frame in found] == [(6, 8)] * 4
    assert [frame.image for frame in found] == paths


def test_another_size_of_the_caller_is_resized_areas_onto_areas(tmp_path):
    path = saved(tmp_path, {**LENS, "frames": [FRAME]})
    [frame] = read_transforms(path, size=(120, 160))
    np.testing.assert_array_equal(frame.camera.focal, [150, 155])
    np.testing.assert_array_equal(frame.camera.principal_point, [80, 59])
    with pytest.raises(FormatError, match="expected 160 x 100 pixels, or a multiple"):
        read_transforms(path, size=(100, 160))
    with pytest.raises(ValueError, match="size: expected two integers"):
        read_transforms(path, size=(100.5, 160))


def test_vhap_has_its_own_names_and_intrinsics_in_each_frame(tmp_path):
    frames = [
        {
            **FRAME,
            **LENS,
            "cx": 160 + i,
            "camera_angle_x": 2.0,
            "timestep_index": 7,
            "camera_index": i,
            "file_path": f"images/00007_{i:02d}.png",
            "fg_mask_path": f"fg_masks/00007_{i:02d}.png",
            "flame_param_path": "flame_param/00007.npz",
        }
        for i in range(2)
    ]
    found = read_transforms(saved(tmp_path, {"w": 10, "h": 10, "cx": 5, "frames": frames}))
    names = [("images/00007_00.png", 7, 0, "fg_masks/00007_00.png")]
    names += [("images/00007_01.png", 7, 1, "fg_masks/00007_01.png")]
    assert [tuple(frame[1:]) for frame in found] == names
    assert [frame.camera.principal_point[0] for frame in found] == [159.5, 160.5]
    assert [frame.camera.size for frame in found] == [SIZE] * 2


@pytest.mark.parametrize(
    "values, focal",
    [
        ({"fl_x": 300}, [300, 300]),
        ({"fl_y": 300}, [300, 300]),
        ({"fl_x": 300, "camera_angle_y": math.pi / 2}, [300, 120]),
        ({"camera_angle_x": math.pi / 2}, [160, 160]),
        ({"camera_angle_x": math.pi / 2, "camera_angle_y": math.pi / 2}, [160, 120]),
    ],
)
def test_the_focal_length_is_in_pixels_or_an_angle(tmp_path, values, focal):
    path = saved(tmp_path, {**values, "w": 320.0, "h": 240, "frames": [FRAME]})
    [frame] = read_transforms(path)
    np.testing.assert_allclose(frame.camera.focal, focal, rtol=1e-15)
    np.testing.assert_array_equal(frame.camera.principal_point, [159.5, 119.5])


@pytest.mark.parametrize(
    "values, model, distortion",
    [
        ({"k1": 0.0, "k2": 0.0, "p1": 0, "p2": 0, "camera_model": "OPENCV"}, "pinhole", None),
        ({"k1": 0.1, "k2": 0.2, "p1": 0.3, "p2": 0.4}, "opencv", [0.1, 0.2, 0.3, 0.4]),
        ({"k1": 0.1, "k3": 0.5, "camera_model": "OPENCV"}, "opencv", [0.1, 0, 0, 0, 0.5]),
        ({"k1": 0.1, "k4": 0.4, "camera_model": "OPENCV_FISHEYE"}, "fisheye", [0.1, 0, 0, 0.4]),
        ({"k2": 0.1, "is_fisheye": True}, "fisheye", [0, 0.1, 0, 0]),
        ({"camera_model": "OPENCV_FISHEYE"}, "fisheye", [0, 0, 0, 0]),
        ({"k1": 1, "k4": 4, "k5": 5, "k6": 6}, "opencv", [1, 0, 0, 0, 0, 4, 5, 6]),
    ],
)
def test_distortion_is_opencvs(tmp_path, values, model, distortion):
    [frame] = read_transforms(saved(tmp_path, {**LENS, **values, "frames": [FRAME]}))
    assert frame.camera.model == model
    if distortion is None:
        assert frame.camera.distortion is None
    else:
        np.testing.assert_array_equal(frame.camera.distortion, distortion)


@pytest.mark.parametrize(
    "tree, says",
    [
        ([], "a list `frames` of at least one frame, found 0 in a list"),
        ({"frames": {}}, "a list `frames` of at least one frame"),
        ({"frames": [3]}, "expected an object as frame 0, found a number"),
        ({**LENS, "frames": [{}]}, "transform_matrix of frame 0"),
        ({**LENS, "frames": [FRAME, {"transform_matrix": [[1, 2], [3]]}]}, "matrix of frame 1"),
        ({**LENS, "frames": [{"transform_matrix": (2 * LOOKING).tolist()}]}, "a rotation and a"),
        ({**LENS, "frames": [{"transform_matrix": LOOKING.T.tolist()}]}, "a rotation and a"),
        ({"w": 320, "h": 240, "frames": [FRAME]}, "expected fl_x or camera_angle_x of frame 0"),
        ({"fl_x": 300, "frames": [FRAME]}, r"or size=\(height, width\) from the caller, or an im"),
        ({**LENS, "w": 320.5, "frames": [FRAME]}, "expected a whole number as w of frame 0"),
        ({**LENS, "w": 0, "frames": [FRAME]}, "a width and a height"),
        ({**LENS, "fl_x": -3, "frames": [FRAME]}, "positive focal lengths in frame 0"),
        ({**LENS, "fl_x": "3", "frames": [FRAME]}, "fl_x of frame 0 as a number, found '3'"),
        ({**LENS, "fl_x": True, "frames": [FRAME]}, "fl_x of frame 0 as a number, found True"),
        ({**LENS, "cx": math.inf, "frames": [FRAME]}, "numbers up to 1e.09 in cx of frame 0"),
        ({"camera_angle_x": 4, "w": 9, "h": 9, "frames": [FRAME]}, "an angle between 0 and pi"),
        ({**LENS, "camera_model": "EQUIRECTANGULAR", "frames": [FRAME]}, "found 'EQUIRECTANGULAR'"),
        ({**LENS, "convention": "NED", "frames": [FRAME]}, "OpenGL or OpenCV.* as convention"),
        ({**LENS, "k4": 0.1, "frames": [FRAME]}, r"a lens of k1 k2 p1 p2 k3 .* k4 = 0\.1"),
        ({**LENS, "p1": 1, "is_fisheye": True, "frames": [FRAME]}, "k1 k2 k3 k4 .* p1 = 1"),
    ],
)
def test_a_bad_file_is_refused_by_name(tmp_path, tree, says):
    path = saved(tmp_path, tree)
    with pytest.raises(FormatError, match=says) as error:
        read_transforms(path)
    assert str(error.value).startswith(str(path))


def frames_of(lens):
    coefficients, model = LENSES[lens]
    frames = []
    for i in range(3):
        matrix = np.array([[300.0 + i, 0, 161.25], [0, 301, 118.5], [0, 0, 1]])
        camera = sf3d.Camera.from_matrix(
            matrix,
            SIZE,
            world_to_camera=pose([0.1 * i, 0.2, 0.3], [1, 0.1 * i, 2]),
            distortion=coefficients,
            model=model,
        )
        frames.append(TransformsFrame(camera, f"images/{i}.png", i, 0, f"masks/{i}.png"))
    return frames


@pytest.mark.parametrize("lens", ["pinhole", "opencv", "fisheye"])
def test_what_was_written_is_read(tmp_path, lens):
    frames = frames_of(lens)
    write_transforms(tmp_path / "a.json", frames)
    for found, frame in zip(read_transforms(tmp_path / "a.json"), frames, strict=True):
        assert found[1:] == frame[1:]
        assert (found.camera.size, found.camera.model) == (frame.camera.size, frame.camera.model)
        np.testing.assert_array_equal(found.camera.focal, frame.camera.focal)
        np.testing.assert_array_equal(found.camera.principal_point, frame.camera.principal_point)
        pairs = found.camera.world_to_camera, frame.camera.world_to_camera
        np.testing.assert_allclose(*pairs, rtol=0, atol=1e-15)
        if lens != "pinhole":
            np.testing.assert_array_equal(found.camera.distortion, frame.camera.distortion)


def test_a_file_of_blender_is_written_back_as_it_was(tmp_path):
    check_written_back(tmp_path, write_blender(tmp_path))


def test_a_real_file_is_written_back_as_it_was(real, tmp_path):
    check_written_back(tmp_path, real("nerf/transforms_train.json"))


def check_written_back(tmp_path, path):
    write_transforms(tmp_path / "a.json", read_transforms(path))
    old, new = (json.loads(p.read_text()) for p in (path, tmp_path / "a.json"))
    assert new["camera_angle_x"] == pytest.approx(old["camera_angle_x"], rel=1e-15)
    matrices = [tree["frames"][0]["transform_matrix"] for tree in (old, new)]
    np.testing.assert_allclose(*matrices, rtol=0, atol=1e-14)


def test_what_would_not_be_read_is_not_written(tmp_path):
    batch = sf3d.Camera.pinhole([3.0], 3.0, 2.0, 2.0, (5, 7))
    fine = sf3d.Camera.pinhole(3.0, 3.0, 2.0, 2.0, (5, 7))
    doubled = unchecked(fine, world_to_camera=2 * np.eye(3, 4))
    negative = unchecked(fine, focal=np.array([-1.0, 3]))
    for frames, says in [
        ([], "at least one"),
        ([*frames_of("opencv"), *frames_of("fisheye")], "one kind of lens"),
        (frames_of("rational"), "this format holds k1 k2 p1 p2 k3"),
        ([TransformsFrame(doubled)], "expected rotations and translations"),
        ([TransformsFrame(batch)], "got a batch"),
        ([TransformsFrame(negative)], r"frames\[0\].camera: expected positive focal lengths"),
        ([TransformsFrame(None)], r"frames\[0\].camera: expected a Camera, got NoneType"),
        ([TransformsFrame(fine, timestep=1.5)], "float"),
    ]:
        with pytest.raises((ValueError, TypeError), match=says):
            write_transforms(tmp_path / "a.json", frames)
    assert not list(tmp_path.iterdir())


def test_a_file_may_say_that_its_axes_are_opencvs(tmp_path):
    tree = {**LENS, "camera_convention": "OpenCV", "frames": [FRAME]}
    [frame] = read_transforms(saved(tmp_path, tree))
    expected = np.linalg.inv(LOOKING)[:3]
    np.testing.assert_allclose(frame.camera.world_to_camera, expected, atol=1e-15)


def test_an_image_of_16_bits_has_a_size_too(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((6, 8, 3), np.uint16))
    tree = {"camera_angle_x": 1.0, "frames": [{**FRAME, "file_path": "a.png"}]}
    [frame] = read_transforms(saved(tmp_path, tree))
    assert frame.camera.size == (6, 8)


def test_paths_and_numbers_of_numpy_are_written(tmp_path):
    camera = sf3d.Camera.pinhole(3.0, 3.0, 2.0, 2.0, (5, 7))
    frame = TransformsFrame(
        camera, tmp_path / "a.png", np.int64(3), np.int32(1), tmp_path / "m.png"
    )
    write_transforms(tmp_path / "a.json", [frame])
    [found] = read_transforms(tmp_path / "a.json")
    paths = [(tmp_path / name).as_posix() for name in ("a.png", "m.png")]
    assert found[1:] == (paths[0], 3, 1, paths[1])


def test_intrinsics_of_another_size_than_the_callers_are_refused(tmp_path):
    lens = {key: LENS[key] for key in ("fl_x", "cx", "cy")}
    path = saved(tmp_path, {**lens, "frames": [FRAME]})
    assert read_transforms(path, size=SIZE)[0].camera.size == SIZE
    with pytest.raises(FormatError, match="are they those of another size"):
        read_transforms(path, size=(480, 640))
