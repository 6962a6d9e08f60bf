"""The check of whole data sets: faults in the files of SRFlow3D's tree of the rendered scenes."""

import json
import shutil

import cv2
import numpy as np
import pytest
from helpers import support, trees
from helpers.assets import rendered
from helpers.files import made
from helpers.srflow3d_tree import SUBJECT, write_tree

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.checking.scale_facts import check_scale

SCENES = (pytest.param("objects", marks=pytest.mark.thorough), "head")


@pytest.fixture(scope="module", params=SCENES)
def whole(request, tmp_path_factory):
    """(name, tree in both directions), not to be changed."""
    return request.param, write_tree(
        tmp_path_factory.mktemp("tree"), rendered(request.param)
    ).parent


@pytest.fixture
def tree(whole, tmp_path):
    """(name, tree) to be damaged."""
    name, root = whole
    return name, shutil.copytree(root, tmp_path / "copy")


def reports(root, **options):
    dataset = data.SRFlow3D(root, "train")
    return [*data.check_dataset(dataset, **options)]


def first_finding(root):
    [report] = reports(root)
    assert not report.ok, "nothing was found"
    return report.findings[0]


def change(root, kind, function, frames=(0, 1)):
    for frame in frames:
        path = root / "train" / kind / SUBJECT / f"{frame:04}.npy"
        if path.exists():
            np.save(path, function(np.load(path), frame))


def change_cameras(root, function):
    path = root / "train/camera" / SUBJECT / "spirals.json"
    cameras = json.loads(path.read_text())
    path.write_text(json.dumps({frame: function(camera) for frame, camera in cameras.items()}))


def ray_length(name):
    """|r| of every pixel of a frame."""
    scene = rendered(name)

    def length(frame):
        height, width = scene["depth0"].shape
        u, v = np.meshgrid(np.arange(width), np.arange(height))
        k = scene[f"K{frame}"]
        return np.hypot(1, np.hypot((u - k[0, 2]) / k[0, 0], (v - k[1, 2]) / k[1, 1]))

    return length


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_the_scenes_have_nothing_wrong(whole, direction):
    [report] = data.check_dataset(data.SRFlow3D(whole[1], "train", direction))
    assert report.ok, report


@pytest.mark.parametrize("kind, other", [("depth", "times"), ("scaled_inv_depth", "over")])
def test_a_ray_length_in_one_of_the_maps_is_named(tree, kind, other):
    name, root = tree
    length = ray_length(name)
    power = {"depth": 1, "scaled_inv_depth": -1}[kind]
    change(root, kind, lambda x, frame: np.float32(x * length(frame) ** power))
    finding = first_finding(root)
    assert finding.name == "ray_length" and finding.confidence > 0.9


def test_ray_lengths_in_the_depths_of_a_moving_camera_are_named(tmp_path):
    write_tree(tmp_path, rendered("objects"))
    length = ray_length("objects")
    change(tmp_path, "depth", lambda x, frame: np.float32(x * length(frame)))
    change(tmp_path, "scaled_inv_depth", lambda x, frame: np.float32(x / length(frame)))
    assert first_finding(tmp_path).name == "ray_length"


def test_a_scale_of_its_own_in_a_frame_is_named(tree):
    _, root = tree
    for kind in ("scaled_inv_depth", "scaled_inv_depth_CF", "scaled_inv_depth_CB"):
        change(root, kind, lambda x, _: np.float32(1.3 * x), frames=(1,))
    [report] = data.check_dataset(data.SRFlow3D(root, "train", "backward").with_scale(0.37))
    assert report.findings[0].name == "scale"


def test_a_scale_that_varies_in_a_frame_is_named(tree):
    _, root = tree
    width = rendered(tree[0])["depth0"].shape[1]
    change(root, "depth", lambda x, _: np.float32(x * np.linspace(1, 1.2, width)))
    assert first_finding(root).name == "scale"


def test_depths_for_inverse_depths_are_named(tree):
    _, root = tree
    top = root / "train"
    for frame in range(2):
        path = top / "scaled_inv_depth" / SUBJECT / f"{frame:04}.npy"
        shutil.copy(top / "depth" / SUBJECT / f"{frame:04}.npy", path)
    assert first_finding(root).name == "inv_depth_is_depth"


@pytest.mark.parametrize("kind", ["depth", "scaled_inv_depth"])
def test_a_sign_is_named(tree, kind):
    change(tree[1], kind, lambda x, _: -x)
    assert first_finding(tree[1]).name == "inv_depth_sign"


def test_values_that_are_none_in_the_mask_are_named(tree):
    name, root = tree
    row, column = np.argwhere(rendered(name)["interior0"])[500]

    def spoil(x, _):
        x[row, column] = np.nan
        return x

    change(root, "scaled_inv_depth_CF", spoil)
    finding = first_finding(root)
    assert finding.name == "not_finite" and finding.measured["pixels"] == 1


@pytest.mark.parametrize("kind", ["depth", "scaled_inv_depth", "scaled_inv_depth_CF"])
@pytest.mark.parametrize("frames", [(0,), (0, 1)])
def test_a_map_that_is_cut_off_is_named_and_nothing_else(tree, kind, frames):
    _, root = tree
    for frame in frames:
        path = root / "train" / kind / SUBJECT / f"{frame:04}.npy"
        if path.exists():
            path.write_bytes(path.read_bytes()[:500])
    [report] = reports(root)
    forward, backward = data.list_directions(data.SRFlow3D(root, "train"))
    assert forward.direction == "forward" and backward.direction == "backward"
    [back] = data.check_dataset(backward)
    assert {finding.name for finding in report.findings} == {"unreadable"}
    assert {finding.name for finding in back.findings} <= {"unreadable"}
    assert any(f"{kind}/{SUBJECT}/0000.npy" in finding.message for finding in report.findings)


def test_a_sample_without_a_map_that_can_be_read_has_its_files_named(tmp_path):
    images = [made(tmp_path / f"training/image_2/000000_{n}.png") for n in (10, 11)]
    for path in images:
        path.touch()
    made(tmp_path / "training/calib_cam_to_cam/000000.txt").touch()
    [report] = data.check_dataset(data.Kitti2015(tmp_path))
    messages = [finding.message for finding in report.findings]
    assert len(messages) == 2 and all(map(str.startswith, messages, map(str, images)))


def test_an_inverted_mask_is_named(tree):
    _, root = tree
    for frame in range(2):
        path = root / "train/mask" / SUBJECT / f"{frame:04}.jpg"
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        cv2.imwrite(str(path), 255 - mask)
    assert "mask" in first_finding(root).name


@pytest.mark.parametrize(
    "wrong, name",
    [
        (lambda pose: np.linalg.inv(pose), "pose_direction"),
        (lambda pose: np.diag([1, -1, -1, 1.0]) @ pose, "pose_axes"),
        (lambda pose: np.linalg.inv(np.diag([1, -1, -1, 1.0]) @ pose), "pose"),
    ],
)
def test_poses_of_another_convention_are_named(tmp_path, wrong, name):
    write_tree(tmp_path, rendered("objects"))
    of = lambda camera: {**camera, "extrinsics": wrong(np.array(camera["extrinsics"])).tolist()}
    change_cameras(tmp_path, of)
    assert first_finding(tmp_path).name.startswith(name)


@pytest.mark.parametrize("shift", [0.5, -0.5])
def test_half_a_pixel_in_the_principal_point_is_named(tmp_path, shift):
    write_tree(tmp_path, rendered("objects"))

    def moved(camera):
        k = np.array(camera["intrinsics"])
        k[:2, 2] += shift
        return {**camera, "intrinsics": k.tolist()}

    change_cameras(tmp_path, moved)
    assert first_finding(tmp_path).name == "principal_point"


def test_a_scale_is_one_number_by_itself():
    rng = np.random.default_rng(0)
    camera = sf3d.Camera.from_matrix(support.MATRIX, support.SIZE)
    depth = rng.uniform(1, 3, support.SIZE)
    assert not check_scale(depth, 2 / depth, camera, scale=2.0)
    half = np.float16(depth)
    assert not check_scale(half, np.float16(2 / depth), camera, scale=2.0)
    [finding] = check_scale(depth, 2 / depth, camera, scale=2.1)
    assert finding.name == "scale" and abs(finding.measured["median"] - 2) < 1e-9
    [finding] = check_scale(depth, rng.uniform(1, 3, support.SIZE), camera)
    assert finding.name == "scale"
    assert not check_scale(depth, np.zeros(support.SIZE), camera)
    outside = np.arange(support.SIZE[1]) >= 16
    mask = np.broadcast_to(~outside, support.SIZE)
    assert not check_scale(depth, np.where(mask, 2, 5) / depth, camera, mask=mask)


@pytest.mark.parametrize("options", [{"limit": 0}, {"jobs": 0}])
def test_wrong_options_are_named(whole, options):
    with pytest.raises(ValueError, match=f"{next(iter(options))}: expected at least 1, got 0"):
        reports(whole[1], **options)


def test_images_of_another_size_than_the_intrinsics_are_named(tmp_path):
    lens = sf3d.Camera.pinhole(721.5377, 721.5377, 609.5593, 172.854, (375, 1242))
    for name, size in (("half", (188, 621)), ("other", (188, 500))):
        trees.kitti2015(tmp_path / name, size=size, lens=lens)
    [half], [other] = (
        data.check_dataset(data.Kitti2015(tmp_path / name)) for name in ("half", "other")
    )
    assert half.ok, half
    [finding] = other.findings
    calibration = tmp_path / "other/training/calib_cam_to_cam/000007.txt"
    assert finding.name == "size" and finding.message.startswith(str(calibration))
    assert "500 x 188" in finding.message and "1242 x 375" in finding.message


def test_a_camera_of_another_size_than_the_images_of_a_folder_is_named(tmp_path):
    for number in (1, 2):
        trees.write_image(tmp_path / f"{number}.png", number)
        np.save(tmp_path / f"{number}.npy", np.ones(trees.SIZE, np.float32))
    height, width = trees.SIZE
    right = sf3d.Camera.pinhole(24.0, 24.0, 9.5, 5.5, trees.SIZE)
    twice = right.resize((2 * height, 2 * width))
    untold = sf3d.Camera(twice.focal, twice.principal_point, size=trees.SIZE)
    for camera, names in ((right, []), (twice, ["size"]), (untold, ["focal"])):
        pairs = data.FolderPairs(tmp_path, image="*.png", depth="*.npy", camera=camera)
        [report] = data.check_dataset(pairs)
        assert [finding.name for finding in report.findings] == names
    assert "40 x 24" in report.findings[0].message
