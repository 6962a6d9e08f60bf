"""Intrinsics of another size than the images: every data set and every reader of cameras.

The trees hold resized images beside the cameras of the published ones; their truth is that of the
resized camera, in closed form.
"""

import json
import re
import struct
from typing import NamedTuple

import numpy as np
import pytest
from helpers import pair_trees, street_trees, trees
from helpers.files import made
from helpers.films import film, inverse, optics, resized
from helpers.support import NEAR, chain

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.cameras.sizes import KITTI

pinhole = sf3d.Camera.pinhole
# The published cameras.
DAY = pinhole(721.5377, 721.5377, 609.5593, 172.854, (375, 1242))
SPRING = pinhole(1600.0, 1600.0, 960.0, 540.0, (1080, 1920))
SINTEL = pinhole(1120.0, 1120.0, 511.5, 217.5, (436, 1024))
VKITTI2 = pinhole(725.0087, 725.0087, 620.5, 187.0, (375, 1242))
NERSEMBLE = pinhole(8189.5, 8190.25, 1096.5, 1603.25, (3208, 2200))
OWN = pinhole(600.0, 590.0, 305.0, 250.0, (480, 640))


def srflow3d(root, size):
    """Two frames; the cameras say their own size."""
    whole = film(resized(OWN, size))
    top, truth = root / "train", whole.forward
    for number, inv_depth in enumerate((truth.inv_depth, truth.next_inv_depth)):
        for kind, values in (("depth", 1 / inv_depth), ("scaled_inv_depth", 0.4 * inv_depth)):
            np.save(made(top / f"{kind}/031/{number:04d}.npy"), np.float32(values))
    np.save(made(top / "scaled_inv_depth_CF/031/0000.npy"), np.float32(0.4 * truth.change))
    data.write_flow(made(top / "flow_F/031/0000.flo"), truth.flow)
    made(top / "camera/031/spirals.json").write_text(json.dumps(frames(OWN, whole.cameras)))
    return truth


def things_subset(root, size):
    """The camera is the reference: its own motion is part of the scene flow."""
    truth, _ = pair_trees.things_subset(root, size=size)
    return truth._replace(vectors=trees.camera_motion(truth))


def frames(lens, cameras):
    """Cameras of JSON, with a size."""
    fx, fy, cx, cy = optics(lens)
    matrix = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    pose = lambda camera: np.float64(camera.world_to_camera).tolist()
    both = {"h": lens.size[0], "w": lens.size[1], "K": matrix}
    return {f"{i:04d}": {**both, "w2c": pose(camera)} for i, camera in enumerate(cameras)}


class Case(NamedTuple):
    """A data set of resized images.

    Attributes:
      build: of a folder and a size; returns the truth, of the first frame forward if of several.
      sizes: of which the second is half the first, to whole pixels.
      published: (W, H), as the error says it.
      flow, inv_depth, vectors: the tolerances of the files; None where there is no change.
      name: of the data set, if another one.
    """

    build: object
    sizes: tuple
    published: str
    flow: float = 1e-5
    inv_depth: float = 1e-6
    vectors: float | None = 1e-4
    name: str | None = None


def of_things(scene, focal=1050.0):
    build = lambda root, size: trees.things(root, scene, focal=focal, size=size)
    return Case(build, ((54, 96), (27, 48)), "960 x 540")


SMALL_KITTI = ((94, 311), (46, 155))
# Half a code: 1/128 px of flow; 1/512 px of disparity, of f B = 45 px m; of Virtual KITTI 2 a
# 65535th of the width of flow and half a centimetre. Sintel's disparity is rounded to 1/64 px.
CASES = {
    "srflow3d": Case(srflow3d, ((24, 32), (12, 16)), "640 x 480"),
    "kitti2015": Case(
        lambda root, size: trees.kitti2015(root, size=size, lens=DAY),
        SMALL_KITTI,
        "1242 x 375",
        *(1 / 128 + 1e-6, 1.2e-4, 0.02),
    ),
    "kitti2012": Case(
        lambda root, size: street_trees.kitti2012(root, size=size, lens=DAY),
        SMALL_KITTI,
        "1242 x 375",
        *(1 / 128 + 1e-6, 1.2e-4, None),
    ),
    "spring": Case(
        lambda root, size: trees.spring(root, size=size, lens=SPRING),
        ((54, 96), (27, 48)),
        "1920 x 1080",
    ),
    "flyingthings3d": of_things("TRAIN/A/0003"),
    "flyingthings3dsubset": Case(things_subset, ((54, 96), (27, 48)), "960 x 540"),
    "monkaa": of_things("funnyworld_x2"),
    "driving": of_things("15mm_focallength/scene_backwards/slow", 450.0),
    "sintel": Case(
        lambda root, size: trees.sintel(root, size=size, lens=SINTEL),
        ((55, 128), (27, 64)),
        "1024 x 436",
        vectors=None,
    ),
    "sintel stereo": Case(
        lambda root, size: trees.sintel(root, size=size, lens=SINTEL, depth=False),
        ((55, 128), (27, 64)),
        "1024 x 436",
        inv_depth=1.5e-3,
        vectors=None,
        name="sintel",
    ),
    "virtualkitti2": Case(
        lambda root, size: trees.virtualkitti2(root, size=size, sky=False, lens=VKITTI2),
        SMALL_KITTI,
        "1242 x 375",
        *(5e-3, 1e-3, 0.03),
    ),
    "tartanair": Case(
        lambda root, size: trees.tartanair(root, size=size),
        ((48, 64), (24, 32)),
        "640 x 480",
        vectors=None,
    ),
    "tartanairv2": Case(
        lambda root, size: pair_trees.tartanair_v2(root, size=size),
        ((32, 32), (16, 16)),
        "640 x 640",
        flow=1 / 128 + 1e-6,
        vectors=None,
    ),
}


WITHOUT_CAMERA = {"hd1k", "flyingchairs"}


def build(root, name, size):
    """The data set, and the truth of its first sample."""
    case = CASES[name]
    truth = case.build(root, size)
    (dataset,) = data.recognise(root, dataset=case.name or name)
    return dataset, truth if hasattr(truth, "flow") else truth[0]


def lift(sample):
    """The scene flow without the motion of the camera, in NumPy and float64."""
    camera, after = sample.camera, sample.next_camera or sample.camera
    v, u = np.mgrid[: camera.size[0], : camera.size[1]].astype(float)
    pixels = np.stack([u, v], -1)
    point = lambda p, d, c: (
        np.concatenate([(p - c.principal_point) / c.focal, np.ones((*d.shape, 1))], -1)
        / d[..., None]
    )
    start = point(pixels, sample.inv_depth, camera)
    end = point(pixels + sample.flow, sample.inv_depth + sample.inv_depth_change, after)
    back = chain(camera.world_to_camera, inverse(np.float64(after.world_to_camera)))
    return end @ back[:, :3].T + back[:, 3] - start


def test_every_data_set_is_walked(tmp_path):
    with pytest.raises(ValueError) as error:
        data.recognise(tmp_path, dataset="?")
    names = re.findall(r"'(\w+)'", str(error.value))
    assert {*names} - WITHOUT_CAMERA == CASES.keys() - {"sintel stereo"}


@pytest.mark.parametrize("which", [0, 1], ids=["larger", "half"])
@pytest.mark.parametrize("name", CASES)
def test_depth_and_scene_flow_are_those_of_the_resized_images(tmp_path, name, which):
    case = CASES[name]
    dataset, truth = build(tmp_path, name, case.sizes[which])
    sample = dataset[0]
    assert sample.camera.size == case.sizes[which]
    np.testing.assert_allclose(optics(sample.camera), optics(truth.camera), rtol=1e-6)
    known = np.ones(sample.camera.size, bool) if sample.valid is None else sample.valid
    assert known.mean() > 0.99
    np.testing.assert_allclose(sample.flow[known], truth.flow[known], atol=case.flow)
    np.testing.assert_allclose(sample.inv_depth, truth.inv_depth, atol=case.inv_depth)
    if sample.next_inv_depth is not None:
        after = truth.next_inv_depth
        np.testing.assert_allclose(sample.next_inv_depth, after, atol=case.inv_depth)
    assert (sample.inv_depth_change is None) == (case.vectors is None)
    if case.vectors is not None:
        change = sample.inv_depth_change
        np.testing.assert_allclose(change, truth.change, atol=2 * case.inv_depth)
        np.testing.assert_allclose(lift(sample), truth.vectors, atol=case.vectors)


@pytest.mark.parametrize("name", CASES)
def test_images_of_another_aspect_are_refused_with_both_sizes(tmp_path, name):
    dataset, _ = build(tmp_path, name, (40, 50))
    with pytest.raises(data.FormatError) as error:
        dataset[0]
    assert error.value.path in dataset.entries[0].files.values()
    for said in (str(error.value.path), CASES[name].published, "50 x 40"):
        assert said in str(error.value)


def test_a_flow_of_any_size_needs_no_camera(tmp_path):
    truth, _ = trees.things(tmp_path, size=(40, 50))
    for folder in ("disparity", "disparity_change", "camera_data"):
        (tmp_path / folder).rename(tmp_path / f"no_{folder}")
    sample = data.FlyingThings3D(tmp_path)[0]
    np.testing.assert_allclose(sample.flow, truth.flow, atol=1e-5)
    assert sample.camera is None


def write_kitti(path, lens, *, told=True):
    fx, fy, cx, cy = optics(lens)
    rows = [f"S_rect_02: {lens.size[1]} {lens.size[0]}"] if told else []
    for number, shift in ((2, 0.0), (3, -0.5 * fx)):
        rows.append(f"P{number}: {fx} 0 {cx} {shift} 0 {fy} {cy} 0 0 0 1 0")
    path.write_text("\n".join(rows) + "\n")


def write_sintel(path, lens):
    fx, fy, cx, cy = optics(lens)
    path.write_bytes(
        struct.pack("<4s21d", b"PIEH", fx, 0, cx, 0, fy, cy, 0, 0, 1, *np.eye(3, 4).ravel())
    )


def write_vkitti2(path, lens):
    cameras = {(0, 0): pinhole(*optics(lens), (375, 1242))}
    data.write_vkitti2_cameras(path, path.with_name("extrinsic.txt"), cameras)


def write_nersemble(path, lens):
    fx, fy, cx, cy = optics(lens)
    matrix = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]]
    tree = {"world_2_cam": {"1": np.eye(4).tolist()}, "intrinsics": matrix}
    path.write_text(json.dumps(tree))


def write_json(path, lens):
    path.write_text(json.dumps(frames(lens, [lens])))


def write_transforms(path, lens):
    fx, fy, cx, cy = optics(lens)
    size = {"h": lens.size[0], "w": lens.size[1]}
    pose = np.r_[NEAR, [[0, 0, 0, 1]]].tolist()
    frame = {"fl_x": fx, "fl_y": fy, "cx": cx + 0.5, "cy": cy + 0.5, "transform_matrix": pose}
    path.write_text(json.dumps({"frames": [{**frame, **size, "file_path": "a.png"}]}))


# What writes a file of a camera of the published size, and what reads the camera of a size.
READERS = {
    "kitti": (DAY, write_kitti, lambda path, size: data.read_kitti_calibration(path, size=size)[0]),
    "kitti of a day": (
        DAY,
        lambda path, lens: write_kitti(path, lens, told=False),
        lambda path, size: data.read_kitti_calibration(path, size=size).camera,
    ),
    "sintel": (SINTEL, write_sintel, data.read_sintel_camera),
    "vkitti2": (
        VKITTI2,
        write_vkitti2,
        lambda path, size: data.read_vkitti2_cameras(path, path.with_name("extrinsic.txt"), size)[
            0, 0
        ],
    ),
    "nersemble": (
        NERSEMBLE,
        write_nersemble,
        lambda path, size: data.read_nersemble_cameras(path, size)["1"],
    ),
    "json": (OWN, write_json, lambda path, size: data.read_json_cameras(path, size)[0].camera),
    "transforms": (
        OWN,
        write_transforms,
        lambda path, size: data.read_transforms(path, size=size)[0].camera,
    ),
    "images": (
        OWN,
        write_transforms,
        lambda path, size: data.read_image_cameras(path, size=size)[0].camera,
    ),
}
# Of the benchmarks whose files say no size.
PUBLISHED = ("sintel", "vkitti2", "nersemble")


@pytest.fixture(params=READERS)
def reader(request, tmp_path):
    """A reader of a size, the camera that was published, and what writes another one."""
    lens, write, read = READERS[request.param]
    path = tmp_path / "cameras"
    write(path, lens)
    return lens, path, lambda size: read(path, size)


@pytest.mark.parametrize("by", [1, 0.5, 1 / 3, 1 / 8, 2])
@pytest.mark.parametrize("to_whole", [round, np.floor, np.ceil])
def test_every_reader_resizes_the_camera(reader, by, to_whole):
    lens, _, read = reader
    size = int(to_whole(lens.size[0] * by)), int(to_whole(lens.size[1] * by))
    camera = read(size)
    assert camera.size == size
    np.testing.assert_allclose(optics(camera), optics(resized(lens, size)), rtol=1e-12)


def test_every_reader_refuses_another_aspect_with_both_sizes(reader):
    lens, path, read = reader
    (height, width), size = lens.size, (lens.size[0], lens.size[0])
    with pytest.raises(ValueError) as error:
        read(size)
    both = f"{width} x {height}", f"{size[1]} x {size[0]}"
    pairs = f"({height}, {width})", f"({size[0]}, {size[1]})"
    assert all(map(str(error.value).__contains__, both)) or all(
        map(str(error.value).__contains__, pairs)
    )
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", PUBLISHED)
def test_cameras_that_were_resized_with_their_images_are_taken_as_they_are(tmp_path, name):
    lens, write, read = READERS[name]
    for by in (0.5, 0.75):
        small = resized(lens, (round(lens.size[0] * by), round(lens.size[1] * by)))
        write(tmp_path / "cameras", small)
        np.testing.assert_allclose(
            optics(read(tmp_path / "cameras", small.size)), optics(small), rtol=1e-12
        )


@pytest.mark.parametrize("name", PUBLISHED)
def test_cameras_of_neither_size_are_refused(tmp_path, name):
    lens, write, read = READERS[name]
    half = resized(lens, (lens.size[0] // 2, lens.size[1] // 2))
    write(tmp_path / "cameras", half)
    sizes = f"{lens.size[1]} x {lens.size[0]}"
    with pytest.raises(data.FormatError, match=f"cameras: .*images of {sizes} pixels"):
        read(tmp_path / "cameras", lens.size)


@pytest.mark.parametrize("size", KITTI)
def test_a_day_of_kitti_is_told_by_its_numbers(tmp_path, size):
    f, cx, cy = KITTI[size]
    path = tmp_path / "calib.txt"
    write_kitti(path, pinhole(f, f, cx, cy, size), told=False)
    assert data.read_kitti_calibration(path).camera.size == size
    small = round(size[0] / 2), round(size[1] / 2)
    camera, baseline = data.read_kitti_calibration(path, size=small)
    assert baseline == 0.5
    np.testing.assert_allclose(camera.focal[0], f * small[1] / size[1], rtol=1e-12)


def test_other_intrinsics_of_kitti_are_those_of_the_size_that_is_given(tmp_path):
    path = tmp_path / "calib.txt"
    write_kitti(path, pinhole(360.0, 361.0, 304.5, 86.5, (188, 621)), told=False)
    camera, _ = data.read_kitti_calibration(path, size=(188, 621))
    assert optics(camera) == [360, 361, 304.5, 86.5]
    with pytest.raises(
        data.FormatError, match=r"calib\.txt: .* 311 x 94 pixels.*\(304\.5, 86\.5\)"
    ):
        data.read_kitti_calibration(path, size=(94, 311))


@pytest.mark.parametrize("size", [(281, 932), (300, 994), (188, 621)])
def test_intrinsics_of_kitti_of_no_known_day_are_not_taken_for_those_of_smaller_images(
    tmp_path, size
):
    path = tmp_path / "calib.txt"
    write_kitti(path, pinhole(700.0, 700.0, 611.0, 180.0, (375, 1242)), told=False)
    with pytest.raises(data.FormatError, match=f"calib.txt: .* {size[1]} x {size[0]} pixels"):
        data.read_kitti_calibration(path, size=size)
    assert data.read_kitti_calibration(path, size=(375, 1242)).camera.focal[0] == 700


def test_kitti_of_half_the_size_has_the_depths_of_the_whole(tmp_path):
    """f B / z, of a baseline and a depth of half a metre, and of half the size half of it."""
    for size, disparity in (((375, 1242), 721.5377), ((188, 621), 721.5377 / 2)):
        root = tmp_path / str(size[0])
        for frame in (10, 11):
            trees.write_image(root / f"training/image_2/000000_{frame}.png", frame, size)
        path = made(root / "training/disp_occ_0/000000_10.png")
        data.write_disparity(path, np.full(size, disparity / 4))  # of 2 m
        write_kitti(made(root / "training/calib_cam_to_cam/000000.txt"), DAY)
        sample = data.Kitti2015(root)[0]
        np.testing.assert_allclose(1 / sample.inv_depth, 2.0, rtol=3e-5)
