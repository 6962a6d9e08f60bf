"""COLMAP's files, against bytes and lines written by hand and a real cameras.bin."""

import struct

import cv2
import numpy as np
import pytest
from helpers.support import LENSES, pose, unchecked
from scipy.spatial.transform import Rotation

import sf3d_jax as sf3d
from sf3d_jax.data import FormatError
from sf3d_jax.data.cameras.colmap import (
    ColmapImage,
    read_colmap,
    read_colmap_cameras,
    read_colmap_images,
    write_colmap_cameras,
    write_colmap_images,
)

# By name: number, parameters, and (focal, distortion, model) of ours.
MODELS = {
    "SIMPLE_PINHOLE": (0, "f", ("f", None, "pinhole")),
    "PINHOLE": (1, "xy", ("xy", None, "pinhole")),
    "SIMPLE_RADIAL": (2, "f1", ("f", [0.1, 0, 0, 0], "opencv")),
    "RADIAL": (3, "f2", ("f", [0.1, 0.2, 0, 0], "opencv")),
    "OPENCV": (4, "xy4", ("xy", [0.1, 0.2, 0.3, 0.4], "opencv")),
    "OPENCV_FISHEYE": (5, "xy4", ("xy", [0.1, 0.2, 0.3, 0.4], "fisheye")),
    "FULL_OPENCV": (6, "xy8", ("xy", [i / 10 for i in range(1, 9)], "opencv")),
    "SIMPLE_RADIAL_FISHEYE": (8, "f1", ("f", [0.1, 0, 0, 0], "fisheye")),
    "RADIAL_FISHEYE": (9, "f2", ("f", [0.1, 0.2, 0, 0], "fisheye")),
}


def parameters(name):
    form = MODELS[name][1]
    focal = [300.5, 301.5] if form.startswith("xy") else [300.5]
    count = int(form[-1]) if form[-1].isdigit() else 0
    return [*focal, 160.0, 120.5, *[i / 10 for i in range(1, count + 1)]]


def packed_camera(key, number, values, width=320, height=240):
    return struct.pack("<iiQQ", key, number, width, height) + struct.pack(
        f"<{len(values)}d", *values
    )


def packed_image(key, numbers, camera, name, points=0):
    return (
        struct.pack("<i7di", key, *numbers, camera)
        + name.encode()
        + b"\0"
        + struct.pack("<Q", points)
        + struct.pack("<ddq", 1.5, 2.5, -1) * points
    )


def counted(*parts):
    return struct.pack("<Q", len(parts)) + b"".join(parts)


@pytest.mark.parametrize("kind", ["bin", "txt"])
@pytest.mark.parametrize("name", MODELS)
def test_models_become_ours(tmp_path, kind, name):
    path, values = tmp_path / f"cameras.{kind}", parameters(name)
    number, _, (focal, distortion, model) = MODELS[name]
    if kind == "bin":
        path.write_bytes(counted(packed_camera(7, number, values)))
    else:
        path.write_text(f"# comment\n\n7 {name} 320 240 {' '.join(map(str, values))}\n")
    [(key, camera)] = read_colmap_cameras(path).items()
    assert key == 7 and camera.size == (240, 320) and camera.model == model
    expected = [300.5, 301.5] if focal == "xy" else [300.5, 300.5]
    np.testing.assert_array_equal(camera.focal, expected)
    np.testing.assert_array_equal(camera.principal_point, [159.5, 120])
    np.testing.assert_array_equal(camera.world_to_camera, np.eye(3, 4))
    if distortion is None:
        assert camera.distortion is None
    else:
        np.testing.assert_array_equal(camera.distortion, distortion)


@pytest.mark.parametrize("kind", ["bin", "txt"])
@pytest.mark.parametrize("name", [name for name in MODELS if MODELS[name][2][1]])
def test_a_lens_of_zeros_is_a_pinhole_but_for_a_fisheye(tmp_path, kind, name):
    path, values = tmp_path / f"cameras.{kind}", parameters(name)
    number, form, (_, distortion, model) = MODELS[name]
    values[-int(form[-1]) :] = [0.0] * int(form[-1])
    if kind == "bin":
        path.write_bytes(counted(packed_camera(7, number, values)))
    else:
        path.write_text(f"7 {name} 320 240 {' '.join(map(str, values))}\n")
    camera = read_colmap_cameras(path)[7]
    if model == "fisheye":
        assert camera.model == "fisheye" and not camera.distortion.any()
        assert camera.distortion.shape == np.shape(distortion)
    else:
        assert camera.model == "pinhole" and camera.distortion is None
    np.testing.assert_array_equal(camera.principal_point, [159.5, 120])
    write_colmap_cameras(path, {7: camera})
    again = read_colmap_cameras(path)[7]
    assert (again.model, again.size) == (camera.model, camera.size)
    for found, wanted in ((again.focal, camera.focal), (again.distortion, camera.distortion)):
        np.testing.assert_array_equal(found, wanted)


def test_a_camera_of_many_pixels_keeps_its_digits(tmp_path):
    path = tmp_path / "cameras.bin"
    values = [3690.1234567890123, 2592.0, 1944.0, -0.0071234567890123]
    path.write_bytes(counted(packed_camera(1, 2, values, 5184, 3888)))
    assert path.stat().st_size == 64
    [(key, camera)] = read_colmap_cameras(path).items()
    assert key == 1 and camera.size == (3888, 5184) and camera.model == "opencv"
    np.testing.assert_array_equal(camera.focal, values[0])
    np.testing.assert_array_equal(camera.principal_point, [2591.5, 1943.5])
    np.testing.assert_array_equal(camera.distortion, [values[3], 0, 0, 0])


def test_the_real_camera_has_the_known_figures(real):
    [(key, camera)] = read_colmap_cameras(real("colmap/cameras.bin")).items()
    assert key == 1 and camera.size == (3888, 5184) and camera.model == "opencv"
    np.testing.assert_allclose(camera.focal, 3689.688, atol=5e-4)
    np.testing.assert_array_equal(camera.principal_point, [2591.5, 1943.5])
    np.testing.assert_allclose(camera.distortion, [-0.00703, 0, 0, 0], atol=5e-6)


NUMBERS = [0.5, -0.5, 0.5, 0.5, 1.0, 2.0, 3.0]
# Twice as long, which is no other rotation.
LONGER = [1.0, -1.0, 1.0, 1.0, 1.0, 2.0, 3.0]
TEXT = """# two lines an image
1 0.5 -0.5 0.5 0.5 1 2 3 7 a/first.jpg
1.5 2.5 -1 3.5 4.5 12

# another
2 1 -1 1 1 1 2 3 8 second image.jpg

3 1 0 0 0 0 0 0 7 third.jpg"""


def test_images_are_read_without_their_points(tmp_path):
    binary, text = tmp_path / "images.bin", tmp_path / "images.txt"
    still = [1.0, 0, 0, 0, 0, 0, 0]
    images = [
        packed_image(1, NUMBERS, 7, "a/first.jpg", 2),
        packed_image(2, LONGER, 8, "second image.jpg"),
        packed_image(3, still, 7, "third.jpg", 3),
    ]
    binary.write_bytes(counted(*images))
    text.write_text(TEXT)
    turned = Rotation.from_quat(NUMBERS[:4], scalar_first=True).as_matrix()
    for path in (binary, text):
        found = read_colmap_images(path)
        assert list(found) == [1, 2, 3]
        assert [image.name for image in found.values()] == [
            "a/first.jpg",
            "second image.jpg",
            "third.jpg",
        ]
        assert [image.camera_id for image in found.values()] == [7, 8, 7]
        for key in (1, 2):
            expected = np.c_[turned, [1, 2, 3]]
            np.testing.assert_allclose(found[key].world_to_camera, expected, atol=1e-15)
        np.testing.assert_array_equal(found[3].world_to_camera, np.eye(3, 4))


def test_the_kind_is_told_by_the_content_where_the_ending_does_not(tmp_path):
    (tmp_path / "a.dat").write_bytes(counted(packed_image(1, NUMBERS, 7, "first.jpg")))
    (tmp_path / "b.dat").write_text(TEXT)
    for name in ("a.dat", "b.dat"):
        assert read_colmap_images(tmp_path / name)[1].camera_id == 7


def model(folder, ending, numbers=(1, 2)):
    cameras = {
        1: sf3d.Camera.pinhole(300.0, 301.0, 159.5, 119.5, (240, 320)),
        2: sf3d.Camera.from_matrix(
            np.array([[300.0, 0, 150], [0, 300, 100], [0, 0, 1]]),
            (200, 300),
            distortion=LENSES["fisheye"][0],
            model="fisheye",
        ),
    }
    images = {
        10 + i: ColmapImage(f"{i}.jpg", i, pose([0.3 * i, 0.1, 0], [1, 2, i])) for i in numbers
    }
    write_colmap_cameras(folder / f"cameras{ending}", cameras)
    write_colmap_images(folder / f"images{ending}", images)
    return cameras, images


@pytest.mark.parametrize("ending", [".bin", ".txt"])
def test_a_model_gives_cameras_by_the_names_of_images(tmp_path, ending):
    cameras, images = model(tmp_path, ending)
    found = read_colmap(tmp_path)
    assert list(found) == ["1.jpg", "2.jpg"]
    for i, camera in enumerate(found.values(), 1):
        assert (camera.size, camera.model) == (cameras[i].size, cameras[i].model)
        np.testing.assert_array_equal(camera.focal, cameras[i].focal)
        np.testing.assert_array_equal(camera.principal_point, cameras[i].principal_point)
        expected = images[10 + i].world_to_camera
        np.testing.assert_allclose(camera.world_to_camera, expected, rtol=0, atol=1e-15)
    np.testing.assert_array_equal(found["2.jpg"].distortion, cameras[2].distortion)


def test_binary_files_are_preferred(tmp_path):
    model(tmp_path, ".txt", (1, 2))
    model(tmp_path, ".bin", (1,))
    assert list(read_colmap(tmp_path)) == ["1.jpg"]


def test_a_missing_model_is_named(tmp_path):
    model(tmp_path, ".txt")
    (tmp_path / "images.txt").unlink()
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}: there are no cameras.bin and"):
        read_colmap(tmp_path)


def test_a_missing_camera_and_a_name_twice_are_named(tmp_path):
    model(tmp_path, ".bin", (1, 2))
    write_colmap_cameras(tmp_path / "cameras.bin", {1: sf3d.Camera.pinhole(3, 3, 1, 1, (3, 3))})
    with pytest.raises(FormatError, match=r"images\.bin: expected a camera of \[1\] for '2\.jpg'"):
        read_colmap(tmp_path)
    images = {i: ColmapImage("a.jpg", 1, np.eye(3, 4)) for i in (1, 2)}
    write_colmap_images(tmp_path / "images.bin", images)
    with pytest.raises(FormatError, match=r"every name once, found 'a\.jpg' twice"):
        read_colmap(tmp_path)


@pytest.mark.parametrize("ending", [".bin", ".txt"])
@pytest.mark.parametrize("lens", LENSES)
def test_a_lens_that_was_written_is_read(tmp_path, lens, ending):
    coefficients, kind = LENSES[lens]
    matrix = np.array([[300.25, 0, 159.5], [0, 301.125, 119], [0, 0, 1]])
    camera = sf3d.Camera.from_matrix(matrix, (240, 320), distortion=coefficients, model=kind)
    if lens == "rational":
        with pytest.raises(ValueError, match="no thin prism coefficients"):
            write_colmap_cameras(tmp_path / f"a{ending}", {1: camera})
        return
    write_colmap_cameras(tmp_path / f"a{ending}", {1: camera})
    found = read_colmap_cameras(tmp_path / f"a{ending}")[1]
    np.testing.assert_array_equal(found.focal, camera.focal)
    np.testing.assert_array_equal(found.principal_point, camera.principal_point)
    assert (found.size, found.model) == (camera.size, camera.model)
    if coefficients is not None:
        padded = np.pad(coefficients, (0, len(found.distortion) - len(coefficients)))
        np.testing.assert_array_equal(found.distortion, padded)


def test_quaternions_are_as_scipys(tmp_path):
    rng = np.random.default_rng(0)
    images = {
        i: ColmapImage(f"{i}", 1, np.c_[cv2.Rodrigues(3 * rng.normal(size=3))[0], [0, 0, 1]])
        for i in range(50)
    }
    write_colmap_images(tmp_path / "a.txt", images)
    lines = (tmp_path / "a.txt").read_text().splitlines()[2::2]
    for line, image in zip(lines, images.values(), strict=True):
        turned = Rotation.from_quat([float(x) for x in line.split()[1:5]], scalar_first=True)
        np.testing.assert_allclose(turned.as_matrix(), image.world_to_camera[:, :3], atol=1e-14)


CAMERA = packed_camera(1, 1, [300.0, 300, 160, 120])
IMAGE = packed_image(1, NUMBERS, 7, "a.jpg", 2)


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "expected the number of cameras, 8 bytes from byte 0"),
        (struct.pack("<Q", 10**9), "camera 0 of 1000000000"),
        (counted(CAMERA)[:-1], "camera 0 of 1, 32 bytes from byte 32 on, found the end after 63"),
        (counted(CAMERA) + b"x", "expected 64 bytes, found 65"),
        (counted(CAMERA, CAMERA), "every camera once, found camera 1 twice"),
        (counted(packed_camera(1, 7, [1.0] * 5)), "expected the camera model '.*', found FOV"),
        (counted(packed_camera(1, 10, [1.0] * 12)), "found THIN_PRISM_FISHEYE"),
        (counted(packed_camera(1, 99, [])), "found number 99"),
        (counted(packed_camera(1, 0, [0.0, 1, 1])), "positive focal lengths in camera 1"),
        (counted(packed_camera(1, 0, [np.nan, 1, 1])), "numbers up to"),
        (counted(packed_camera(1, 0, [1.0, 1, 1], 0)), "a width and a height"),
        (counted(packed_camera(1, 0, [1.0, 1, 1], 2**63)), "a width and a height"),
    ],
)
def test_bad_binary_cameras_are_refused_by_name(tmp_path, content, says):
    path = tmp_path / "cameras.bin"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=says) as error:
        read_colmap_cameras(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    "content, says",
    [
        (struct.pack("<Q", 10**9), "image 0 of 1000000000"),
        (counted(IMAGE)[:-1], "the points of image 0 of 1, 48 bytes from byte"),
        (counted(IMAGE[:-56] + struct.pack("<Q", 2**62)), "the points of image 0 of 1"),
        (counted(IMAGE) + b"x", "expected 134 bytes, found 135"),
        (counted(IMAGE, IMAGE), "every image once, found image 1 twice"),
        (counted(packed_image(1, NUMBERS, 7, "")), "the name of image 0 of 1 in UTF-8"),
        (counted(IMAGE).replace(b"a.jpg", b"\xff.jpg"), "the name of image 0 of 1 in UTF-8"),
        (counted(IMAGE)[:75], "the name of image 0 of 1 in UTF-8 and a zero byte"),
        (counted(packed_image(1, [0.0] * 7, 7, "a")), "expected a quaternion in image 1"),
        (counted(packed_image(1, [np.inf] * 7, 7, "a")), "numbers up to"),
    ],
)
def test_bad_binary_images_are_refused_by_name(tmp_path, content, says):
    path = tmp_path / "images.bin"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=says) as error:
        read_colmap_images(path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(
    "line, says",
    [
        ("1 PINHOLE 320", "expected CAMERA_ID MODEL WIDTH HEIGHT in line 2"),
        ("1 PINHOLE 320 240 300 300 160", "expected 4 numbers in line 2"),
        ("1 PINHOLE 320 240 300 300 160 x", "expected 4 numbers in line 2"),
        ("1 PINHOLE 320 240 300 300 160 nan", "expected 4 numbers in line 2"),
        ("x PINHOLE 320 240 300 300 160 120", "a whole number in line 2"),
        ("1 FOV 320 240 300 300 160 120 1", "expected the camera model '.*', found FOV"),
        ("1 PINHOLE 3 2 3 3 1 1\n1 PINHOLE 3 2 3 3 1 1", "every camera once"),
        ("1 PINHOLE 0 240 300 300 160 120", "a width and a height"),
    ],
)
def test_a_bad_line_of_cameras_is_named(tmp_path, line, says):
    (tmp_path / "cameras.txt").write_text(f"# comment\n{line}\n")
    with pytest.raises(FormatError, match=says):
        read_colmap_cameras(tmp_path / "cameras.txt")


@pytest.mark.parametrize(
    "content, says",
    [
        (b"1 1 0 0 0 0 0 0 7", "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME in line 1"),
        (b"1 1 0 0 0 0 0 x 7 a.jpg", "expected 7 numbers in line 1"),
        (b"1 1 0 0 0 0 0 0 -7 a.jpg", "a whole number in line 1"),
        (b"1 1 0 0 0 0 0 0 7 a\n\n1 1 0 0 0 0 0 0 7 b", "every image once"),
        (b"1 1 0 0 0 0 0 0 7 \xff.jpg", "text in UTF-8"),
        (b"1 0 0 0 0 0 0 0 7 a.jpg", "expected a quaternion in image 1"),
        (b"4294967296 1 0 0 0 0 0 0 7 a.jpg", "a whole number in line 1, found '4294967296'"),
    ],
)
def test_a_bad_line_of_images_is_named(tmp_path, content, says):
    (tmp_path / "images.txt").write_bytes(content)
    with pytest.raises(FormatError, match=says):
        read_colmap_images(tmp_path / "images.txt")


def test_what_would_not_be_read_is_not_written(tmp_path):
    camera = sf3d.Camera.pinhole(3.0, 3.0, 2.0, 2.0, (5, 7))
    image = ColmapImage("a.jpg", 1, np.eye(3, 4))
    for ending, cameras, says in [
        (".json", {1: camera}, r"the extension \.bin or \.txt"),
        (".bin", {-1: camera}, "cameras: expected ids from 0"),
        (".bin", {1: sf3d.Camera.pinhole([3.0], 3, 2, 2, (5, 7))}, "got a batch"),
        (".txt", {1: unchecked(camera, focal=np.array([-3.0, 3]))}, "positive focal lengths"),
        (".bin", {1: sf3d.Camera.pinhole(3.0, 3, 2, 2, (5, 100_001))}, "got 100001 x 5"),
        (".txt", {1: unchecked(camera, size=(0, 7))}, "a width and a height of 1 to"),
    ]:
        with pytest.raises(ValueError, match=says):
            write_colmap_cameras(tmp_path / f"a{ending}", cameras)
    for ending, images, says in [
        (".json", {1: image}, r"the extension \.bin or \.txt"),
        (".bin", {2**32: image}, "images: expected ids from 0 to 4,294,967,295"),
        (".bin", {1: image._replace(camera_id=-1)}, "images' cameras: expected ids"),
        (".bin", {1: image._replace(name="a\0b")}, r"images\[1\]: expected a name"),
        (".txt", {1: image._replace(name="a b")}, "a text file cannot hold spaces"),
        (".txt", {1: image._replace(world_to_camera=2 * np.eye(3, 4))}, "expected rotations"),
    ]:
        with pytest.raises(ValueError, match=says):
            write_colmap_images(tmp_path / f"a{ending}", images)
    assert not list(tmp_path.iterdir())


LINE = "{} 1 0 0 0 0 0 0 7 {}.png\n"


@pytest.mark.parametrize(
    "points", [LINE.format(2, "a2"), "# a comment\n", "1.5 2.5\n", "1 2 3 4\n", "1 x 3\n"]
)
def test_a_line_that_holds_no_points_is_not_skipped(tmp_path, points):
    path = tmp_path / "images.txt"
    path.write_text("# images\n" + LINE.format(1, "a1") + points + LINE.format(3, "a3") + "\n")
    says = r"expected the points of image 1 \(may be an empty line\) in line 3"
    with pytest.raises(FormatError, match=says):
        read_colmap_images(path)


@pytest.mark.parametrize("points", ["\n", " \n", "1.5 2.5e1 -1 +3. 4.5 12\n", "\r\n"])
def test_a_line_of_points_may_be_empty(tmp_path, points):
    (tmp_path / "a.txt").write_text(LINE.format(1, "a1") + points + LINE.format(2, "a2"))
    assert [image.name for image in read_colmap_images(tmp_path / "a.txt").values()] == [
        "a1.png",
        "a2.png",
    ]


@pytest.mark.parametrize("ending", ["bin", "txt"])
def test_the_largest_ids_are_kept(tmp_path, ending):
    key = 2**32 - 1
    images, cameras = tmp_path / f"images.{ending}", tmp_path / f"cameras.{ending}"
    write_colmap_images(images, {key: ColmapImage("a.jpg", key - 1, np.eye(3, 4))})
    write_colmap_cameras(cameras, {key - 1: sf3d.Camera.pinhole(3.0, 3, 2, 2, (5, 7))})
    [(found, image)] = read_colmap_images(images).items()
    assert (found, image.camera_id) == (key, key - 1)
    assert list(read_colmap_cameras(cameras)) == [key - 1]


def test_a_camera_that_was_read_is_written_as_it_was(tmp_path):
    first, again = tmp_path / "a.bin", tmp_path / "b.txt"
    for point in np.random.default_rng(0).uniform(-2, 2, (100, 2)).tolist():
        first.write_bytes(counted(packed_camera(1, 0, [300.0, *point])))
        camera = read_colmap_cameras(first)[1]
        write_colmap_cameras(again, {1: camera})
        found = read_colmap_cameras(again)[1]
        np.testing.assert_array_equal(found.principal_point, camera.principal_point)


@pytest.mark.parametrize("kind", ["bin", "txt"])
@pytest.mark.parametrize("point", [(1280.0, 960.0), (640.0, 480.0)])
def test_a_camera_of_a_larger_image_than_the_file_says_is_refused(tmp_path, kind, point):
    path, values = tmp_path / f"cameras.{kind}", (2000.0, 2000.0, *point)
    if kind == "bin":
        path.write_bytes(counted(packed_camera(1, 1, values, 640, 480)))
    else:
        path.write_text(f"1 PINHOLE 640 480 {' '.join(map(str, values))}\n")
    with pytest.raises(
        FormatError, match="intrinsics of an image of 640 x 480 pixels for camera 1"
    ):
        read_colmap_cameras(path)


def test_a_camera_of_an_image_that_was_cut_out_is_read(tmp_path):
    path = tmp_path / "cameras.txt"
    path.write_text("1 PINHOLE 640 480 2000 2000 1280 100\n")
    np.testing.assert_array_equal(read_colmap_cameras(path)[1].principal_point, [1279.5, 99.5])


def test_a_window_in_the_top_left_is_read_by_the_camera_of_the_whole(tmp_path):
    path = tmp_path / "cameras.txt"
    path.write_text("1 PINHOLE 320 240 300 300 320 240\n")
    advice = (
        r"give the larger width and height, and crop its camera: camera\.crop\(0, 0, \(240, 320\)\)"
    )
    with pytest.raises(FormatError, match=f"of another size.* cropped from the top left.*{advice}"):
        read_colmap_cameras(path)
    path.write_text("1 PINHOLE 640 480 300 300 320 240\n")
    camera = read_colmap_cameras(path)[1].crop(0, 0, (240, 320))
    assert camera.size == (240, 320)
    np.testing.assert_array_equal(camera.principal_point, [319.5, 239.5])
    with pytest.raises(
        ValueError, match="readers would refuse; write the camera before it is cropped"
    ):
        write_colmap_cameras(path, {1: camera})
