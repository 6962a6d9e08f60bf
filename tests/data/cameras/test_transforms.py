"""The transforms.json of NeRF and its relatives, against JSON written by hand."""

import json
import math

import cv2
import numpy as np
import pytest
from helpers.png import write_png
from helpers.support import LENSES, pose, unchecked

import sf3d_jax as sf3d
from sf3d_jax.data import FormatError, read_json_cameras
from sf3d_jax.data.cameras.batches import make_batch
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
        (frames_of("rational"), "frames: expected only k1 k2 p1 p2 k3"),
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


def cameras(tmp_path, tree, **options):
    return [frame.camera for frame in read_transforms(saved(tmp_path, tree), **options)]


@pytest.mark.parametrize(
    "values, model, distortion",
    [
        ({"distortion_params": [-0.2, 0.05, 0, 0, 0, 0]}, "opencv", [-0.2, 0.05, 0, 0]),
        ({"distortion_params": [1, 2, 3, 0, 5, 6]}, "opencv", [1, 2, 5, 6, 3]),
        ({"distortion_params": [1, 2, 3, 4, 0, 0], "is_fisheye": 1}, "fisheye", [1, 2, 3, 4]),
        ({"distortion_params": [0] * 6}, "pinhole", None),
        ({"distortion_params": [1, 2, 0, 0, 0, 0], "k1": 1, "k2": 2}, "opencv", [1, 2, 0, 0]),
        ({"k1": 0.1, "is_fisheye": 1}, "fisheye", [0.1, 0, 0, 0]),
        ({"k1": 0.1, "is_fisheye": 0}, "opencv", [0.1, 0, 0, 0]),
        ({"k1": 0.1, "is_fisheye": False, "lens_model": "fisheye"}, "fisheye", [0.1, 0, 0, 0]),
    ],
)
@pytest.mark.parametrize("place", ["root", "frame"])
def test_a_lens_is_told_by_other_words_too(tmp_path, place, values, model, distortion):
    root, frame = (values, {}) if place == "root" else ({"k1": 9.0}, values)
    [camera] = cameras(tmp_path, {**LENS, **root, "frames": [{**FRAME, **frame}]})
    assert camera.model == model
    if distortion is None:
        assert camera.distortion is None
    else:
        np.testing.assert_array_equal(camera.distortion, distortion)


@pytest.mark.parametrize(
    "root, frame, says",
    [
        ({"distortion_params": [1, 2, 3, 4, 0, 0]}, {}, r"a lens of k1 k2 p1 p2 k3 .* k4 = 4"),
        ({"distortion_params": [1, 2, 3, 4]}, {}, r"distortion_params of frame 0 as numbers \[6\]"),
        (
            {"distortion_params": [1, 0, 0, 0, 0, 0], "k1": 2},
            {},
            "k1 of frame 0 as in distortion_p",
        ),
        ({"is_fisheye": 2}, {}, "true or false as is_fisheye of frame 0"),
        ({"is_fisheye": "yes"}, {}, "true or false as is_fisheye of frame 0"),
        ({"camera_model": 4}, {}, "the name of a lens as camera_model of frame 0"),
        ({"camera_type": "equirectangular"}, {}, "found 'equirectangular'"),
        ({"camera_model": "FISHEYE624"}, {}, "found 'FISHEYE624'"),
        ({"k1": 0.1}, {"camera_model": "OPENCV_FISHEYE"}, "only those of another lens"),
        ({}, {"latlong": True}, "in frame 0; .* found latlong = True"),
        ({"latlong": True}, {}, "in the file; .* found latlong = True"),
    ],
)
def test_a_lens_that_is_not_understood_is_named(tmp_path, root, frame, says):
    path = saved(tmp_path, {**LENS, **root, "frames": [{**FRAME, **frame}]})
    with pytest.raises(FormatError, match=says):
        read_transforms(path)


HALF = {"w": 160, "h": 120}


@pytest.mark.parametrize(
    "root, frame, focal, edge",
    [
        # The frame's angle alone, and its one focal length with square pixels.
        ({}, {"camera_angle_x": 0.5}, [160 / math.tan(0.25)] * 2, [161, 119]),
        ({}, {"fl_x": 200}, [200, 200], [161, 119]),
        ({}, {"fl_y": 200}, [200, 200], [161, 119]),
        ({"camera_angle_x": 0.5}, {"fl_x": 200, "fl_y": 100}, [200, 100], [161, 119]),
        ({}, {"cx": 100, "cy": 90}, [300, 310], [100, 90]),
        # The root's pixels are those of its size.
        ({}, HALF, [150, 155], [80.5, 59.5]),
        ({}, {**HALF, "fl_x": 200}, [200, 200], [80.5, 59.5]),
        ({}, {**HALF, "cx": 70, "cy": 60}, [150, 155], [70, 60]),
        ({}, {"w": 640, "h": 480}, [600, 620], [322, 238]),
        ({}, {"w": 500, "h": 100, "fl_x": 20, "cx": 9, "cy": 8}, [20, 20], [9, 8]),
    ],
)
def test_what_a_frame_says_counts_as_a_whole_before_the_root(tmp_path, root, frame, focal, edge):
    first, found = cameras(tmp_path, {**LENS, **root, "frames": [FRAME, {**FRAME, **frame}]})
    np.testing.assert_array_equal(first.focal, [300, 310])
    assert found.size == (frame.get("h", 240), frame.get("w", 320))
    np.testing.assert_allclose(found.focal, focal, rtol=1e-15)
    np.testing.assert_allclose(found.principal_point, np.array(edge) - 0.5, rtol=1e-15)


def test_an_angle_of_the_root_is_that_across_each_frame(tmp_path):
    root = {"camera_angle_x": 0.7, "w": 320, "h": 240}
    frames = [FRAME, {**FRAME, "w": 240, "h": 320}]
    first, second = cameras(tmp_path, {**root, "frames": frames})
    np.testing.assert_allclose(first.focal, 160 / math.tan(0.35))
    np.testing.assert_allclose(second.focal, 120 / math.tan(0.35))
    np.testing.assert_array_equal(second.principal_point, [119.5, 159.5])


def test_degrees_of_instant_ngp_are_read(tmp_path):
    [camera] = cameras(tmp_path, {"x_fov": 90, "y_fov": 60, **HALF, "frames": [FRAME]})
    np.testing.assert_allclose(camera.focal, [80, 60 / math.tan(math.pi / 6)], rtol=1e-15)


@pytest.mark.parametrize(
    "frame, says",
    [
        (
            {"w": 320, "h": 320},
            "intrinsics in frame 1, of 320 x 320 pixels, found only those shared by",
        ),
        ({"w": 160}, r"w and h of frame 1, or size=.*, found only one of them"),
        ({"cx": 100}, "cx and cy of frame 1, or neither, found only cx"),
        ({"cy": 100}, "cx and cy of frame 1, or neither, found only cy"),
    ],
)
def test_half_of_what_a_frame_says_is_not_joined_with_the_root(tmp_path, frame, says):
    path = saved(tmp_path, {**LENS, "frames": [FRAME, {**FRAME, **frame}]})
    with pytest.raises(FormatError, match=says):
        read_transforms(path)


def write_images(tmp_path, *sizes):
    frames = []
    for i, (height, width) in enumerate(sizes):
        name, ending = f"im{i}", (".png", ".jpg")[i % 2]
        cv2.imwrite(str(tmp_path / f"{name}{ending}"), np.zeros((height, width, 3), np.uint8))
        frames.append({**FRAME, "file_path": name})
    return frames


def test_without_a_size_each_frame_has_that_of_its_own_image(tmp_path):
    frames = write_images(tmp_path, (80, 100), (100, 80), (40, 50))
    found = cameras(tmp_path, {"camera_angle_x": 0.7, "frames": frames})
    assert [camera.size for camera in found] == [(80, 100), (100, 80), (40, 50)]
    for camera in found:
        height, width = camera.size
        np.testing.assert_allclose(camera.focal, 0.5 * width / math.tan(0.35), rtol=1e-15)
        np.testing.assert_array_equal(camera.principal_point, [(width - 1) / 2, (height - 1) / 2])


def test_of_several_sizes_a_missing_image_has_none(tmp_path):
    frames = [*write_images(tmp_path, (80, 100), (100, 80)), {**FRAME, "file_path": "none"}]
    with pytest.raises(FormatError, match=r"w and h of frame 2, or size=.*, found none of them"):
        cameras(tmp_path, {"camera_angle_x": 0.7, "frames": frames})


def test_pixels_of_the_root_are_those_of_one_size(tmp_path):
    turned = write_images(tmp_path, (80, 100), (100, 80))
    assert [x.focal[0] for x in cameras(tmp_path, {"fl_x": 90, "frames": turned})] == [90, 90]
    halved = write_images(tmp_path, (80, 100), (40, 50))
    with pytest.raises(FormatError, match=r"w and h beside fl_x, cx and cy, .* images of"):
        cameras(tmp_path, {"fl_x": 90, "frames": halved})


def test_half_of_a_size_has_to_be_that_of_the_image(tmp_path):
    frames = write_images(tmp_path, (80, 100))
    assert cameras(tmp_path, {"fl_x": 90, "h": 80, "frames": frames})[0].size == (80, 100)
    with pytest.raises(FormatError, match="one that differs from the images' 100 x 80"):
        cameras(tmp_path, {"fl_x": 90, "h": 81, "frames": frames})


def nerface_pixels(points, matrix, intrinsics, size):
    """By the rays of NeRFace: ((u - W cx) / fx, -(v - H cy) / fy, -1), camera to world."""
    fx, fy, cx, cy = intrinsics
    height, width = size
    x, y, z = (np.array(points) - matrix[:3, 3]) @ matrix[:3, :3]
    return np.array([width * cx + fx * x / -z, height * cy + fy * y / z])


@pytest.mark.parametrize("signs", [(1, 1), (-1, -1), (-1, 1), (1, -1)])
def test_negative_focal_lengths_of_nerface_see_the_same_image(tmp_path, signs):
    lens = [signs[0] * 290.0, signs[1] * 310.0, 0.51, 0.48]
    matrices = [LOOKING, np.r_[pose([0.1, 0.2, 0.3], [1, 2, 2.5]), [[0, 0, 0, 1]]] @ LOOKING]
    frames = [{"transform_matrix": m.tolist(), "expression": [0.5], **HALF} for m in matrices]
    found = cameras(tmp_path, {"camera_angle_x": -0.4, "intrinsics": lens, "frames": frames})
    forms = {x.form for x in read_json_cameras(tmp_path / "transforms.json")}
    assert ["mirror image" in form for form in forms] == [np.prod(signs) < 0]
    for camera, matrix in zip(found, matrices, strict=True):
        assert (camera.focal > 0).all()
        rotation = camera.world_to_camera[:, :3]
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(rotation) > 0
        point = matrix[:3, 3] + matrix[:3, :3] @ [0.3, -0.2, -4.0]
        # With one sign the world is the mirror image.
        seen = point * [np.prod(signs), 1, 1]
        u, v, z = np.diag([*camera.focal, 1]) @ (camera.world_to_camera @ [*seen, 1])
        assert z == pytest.approx(4)
        pixels = np.array([u, v]) / z + camera.principal_point
        expected = nerface_pixels(point, matrix, lens, (120, 160)) - 0.5
        np.testing.assert_allclose(pixels, expected, rtol=1e-12)


def test_two_negative_focal_lengths_turn_any_camera(tmp_path):
    tree = {**LENS, "fl_x": -300.0, "fl_y": -310.0, "frames": [FRAME]}
    [camera] = cameras(tmp_path, tree)
    [usual] = cameras(tmp_path, {**LENS, "frames": [FRAME]})
    np.testing.assert_array_equal(camera.focal, usual.focal)
    turned = np.diag([-1.0, -1, 1]) @ usual.world_to_camera
    np.testing.assert_allclose(camera.world_to_camera, turned, atol=1e-15)


@pytest.mark.parametrize(
    "root, frame, says",
    [
        ({"fl_x": -300.0}, {}, "one alone mirrors the image, which no rotation does"),
        ({"fl_y": -300.0}, {}, "one alone mirrors the image, which no rotation does"),
        ({"fl_x": -300.0, "fl_y": -300.0, "k1": 0.1}, {}, "two negative ones of a pinhole"),
        (
            {},
            {"intrinsics": [-300, 300, 0.5, 0.5]},
            "one negative focal length in all frames or in",
        ),
        ({"intrinsics": [300, 300, 160, 120]}, {}, "cx, cy per width and height"),
        ({"intrinsics": [[300, 0, 160], [0, 300, 120], [0, 0, 1]]}, {}, "intrinsics of frame 0 as"),
        ({"fl_x": 0.0}, {}, "positive focal lengths in frame 0"),
    ],
)
def test_what_no_rotation_undoes_is_named(tmp_path, root, frame, says):
    path = saved(tmp_path, {**LENS, **root, "frames": [FRAME, {**FRAME, **frame}]})
    with pytest.raises(FormatError, match=says):
        read_transforms(path)


def test_a_file_without_frames_has_none(tmp_path):
    assert read_transforms(saved(tmp_path, {**LENS, "frames": []})) == ()


def test_many_frames_are_read_together(tmp_path, monkeypatch):
    """What is done for each frame alone are look-ups: cameras are made and checked in batches."""
    rng = np.random.default_rng(0)
    frames = []
    for i in range(300):
        turn = pose(rng.normal(size=3), rng.normal(size=3))
        lens = {"fl_x": 300.0 + i % 7, "timestep_index": i // 7, "camera_index": i % 7}
        matrix = np.r_[turn, [[0, 0, 0, 1]]].tolist()
        frames.append({"file_path": f"{i}.png", "transform_matrix": matrix, **lens})
    batches = []

    def count(*arguments):
        batches.append(len(arguments[0]))
        return make_batch(*arguments)

    monkeypatch.setattr("sf3d_jax.data.cameras.transforms.make_batch", count)
    # What looks at one frame is for errors alone.
    for name in ("poses.check_rigid_pose", "poses.matrix", "columns.matrix"):
        monkeypatch.setattr(f"sf3d_jax.data.cameras.transforms.{name}", None)
    found = read_transforms(saved(tmp_path, {**LENS, "frames": frames}))
    assert len(found) == 300 and batches == [300]
    monkeypatch.undo()
    one = read_transforms(saved(tmp_path, {**LENS, "frames": [frames[123]]}))[0]
    assert found[123][1:] == one[1:] == ("123.png", 17, 4, None)
    for name in ("focal", "principal_point", "world_to_camera"):
        found_one = getattr(found[123].camera, name)
        np.testing.assert_allclose(found_one, getattr(one.camera, name), rtol=0, atol=1e-15)
        assert found_one.shape == getattr(one.camera, name).shape
    expected = np.linalg.inv(np.array(frames[200]["transform_matrix"]) @ np.diag([1, -1, -1, 1]))
    np.testing.assert_allclose(found[200].camera.world_to_camera, expected[:3], atol=1e-12)


def test_a_bad_frame_among_many_is_named(tmp_path):
    frames = [dict(FRAME) for _ in range(50)]
    for key, value, says in [
        ("transform_matrix", (2 * LOOKING).tolist(), "transform_matrix of frame 37"),
        ("transform_matrix", [[1, 2], [3]], "transform_matrix of frame 37"),
        ("fl_x", "3", "fl_x of frame 37 as a number"),
        ("cx", math.nan, "cx of frame 37"),
        ("h", 2.5, "h of frame 37"),
        ("skew", 0.1, "in frame 37.* found skew"),
        ("timestep_index", 1.5, "timestep_index of frame 37"),
    ]:
        tree = {**LENS, "frames": [*frames[:37], {**FRAME, key: value}, *frames[37:]]}
        with pytest.raises(FormatError, match=says):
            read_transforms(saved(tmp_path, tree))


@pytest.mark.parametrize(
    "lens",
    [
        {"fl_x": 1200.0, "cx": 640.0, "cy": 480.0},  # of four times the size
        {"fl_x": 600.0, "cx": 320.0, "cy": 240.0},  # of exactly twice the size
        {"fl_x": 1.2, "fl_y": 1.2, "cx": 0.5, "cy": 0.5},
    ],
)
def test_intrinsics_of_another_size_or_unit_are_refused_beside_w_and_h(tmp_path, lens):
    for tree in (
        {"w": 320, "h": 240, **lens, "frames": [FRAME]},
        {"frames": [{**FRAME, "w": 320, "h": 240, **lens}]},
    ):
        with pytest.raises(FormatError, match="intrinsics of an image of 320 x 240 pixels"):
            read_transforms(saved(tmp_path, tree))


@pytest.mark.parametrize("point", [(400.0, 100.0), (-50.0, 120.0), (318.0, 238.0), (160.0, 700.0)])
def test_a_principal_point_of_an_image_that_was_cut_out_is_read(tmp_path, point):
    tree = {**LENS, "cx": point[0], "cy": point[1], "frames": [FRAME]}
    [frame] = read_transforms(saved(tmp_path, tree))
    np.testing.assert_array_equal(frame.camera.principal_point, np.array(point) - 0.5)


def test_test_frames_follow_the_frames(tmp_path):
    """As in the transforms.json of ScanNet++, where both are of the same cameras."""
    names = ["DSC1.JPG", "DSC3.JPG", "DSC2.JPG"]
    frames = [{"file_path": name, **FRAME, "is_bad": False} for name in names]
    frames[2]["transform_matrix"] = np.eye(4).tolist()
    path = saved(tmp_path, {**LENS, "frames": frames[:2], "test_frames": frames[2:]})
    read = read_transforms(path)
    assert [frame.image for frame in read] == names
    turned = np.diag([1.0, -1, -1, 1])[:3]
    np.testing.assert_array_equal(read[2].camera.world_to_camera, turned)
    by_number = sf3d.data.read_json_cameras(path)
    assert [frame.frame[-1] for frame in by_number] == ["1", "2", "3"]
    np.testing.assert_array_equal(by_number[1].camera.world_to_camera, turned)


@pytest.mark.parametrize("value", [3, [FRAME["transform_matrix"]]])
def test_test_frames_that_are_none_are_named(tmp_path, value):
    with pytest.raises(FormatError, match=r"test_frames|frame 1"):
        read_transforms(saved(tmp_path, {**LENS, "frames": [FRAME], "test_frames": value}))


@pytest.mark.parametrize("value", [1, True, ["opencv"]])
def test_a_convention_that_is_no_text_is_refused(tmp_path, value):
    for root, frame in (({"coordinate_system": value}, {}), ({}, {"coordinate_system": value})):
        tree = {**LENS, **root, "frames": [{**FRAME, **frame}]}
        with pytest.raises(FormatError, match="OpenGL or OpenCV, camera to world, as coordinate_s"):
            read_transforms(saved(tmp_path, tree))


def test_a_camera_that_would_be_taken_for_one_of_a_larger_image_is_not_written(tmp_path):
    [frame] = read_transforms(saved(tmp_path, {**LENS, "frames": [FRAME]}))
    camera = sf3d.Camera.pinhole(600.0, 600.0, 319.5, 239.5, SIZE)
    writers = (
        lambda path: write_transforms(path, [frame._replace(camera=camera)]),
        lambda path: sf3d.data.write_colmap_cameras(path, {1: camera}),
        lambda path: sf3d.data.write_kitti_calibration(path, sf3d.data.Calibration(camera, 0.5)),
    )
    for name, write in zip(("a.json", "cameras.txt", "calib.txt"), writers, strict=True):
        with pytest.raises(ValueError, match="principal point of an image of 320 x 240 pixels"):
            write(tmp_path / name)
        assert not (tmp_path / name).exists()
