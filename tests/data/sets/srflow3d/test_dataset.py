"""SRFlow3D's tree of the rendered scenes, in both layouts and several forms of its cameras."""

import json
import pickle
import shutil

import cv2
import numpy as np
import pytest
from helpers.assets import rendered
from helpers.files import made
from helpers.srflow3d_tree import FORMS, SCALE, SUBJECT, write_flo, write_tree

import sf3d_jax as sf3d
from sf3d_jax import data


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A tree in both directions, not to be changed."""
    return write_tree(tmp_path_factory.mktemp("tree"), rendered("head")).parent


@pytest.fixture
def own_tree(tree, tmp_path):
    """A copy that a test may damage."""
    return shutil.copytree(tree, tmp_path / "copy")


@pytest.mark.parametrize("layout", ["both", "forward"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["objects", "head"])
def test_the_scene_flow_of_the_scenes_comes_out(tmp_path, name, form, layout):
    scene = rendered(name)
    write_tree(tmp_path, scene, form=form, layout=layout)
    directions = {"fw": "forward"} | ({"bw": "backward"} if layout == "both" else {})
    for way, direction in directions.items():
        [sample] = data.SRFlow3D(tmp_path, "train", direction)
        maps = sample.flow, sample.inv_depth, sample.inv_depth_change
        vectors, known = sf3d.scene_flow(*maps, sample.camera, sample.next_camera)
        truly_valid = scene["valid" if way == "fw" else "valid1"]
        here = sample.valid & np.array(known)
        assert (here != truly_valid).mean() < 0.02  # edges of a JPEG mask
        assert not (here & ~truly_valid).any()
        expected = _scene_flow(scene, way)
        assert np.abs(np.array(vectors) - expected)[here].max() < 1e-6


def _scene_flow(scene, way):
    """The world's motion in the axes of the first camera, float64, from the scene's own maps."""
    first, second = (0, 1) if way == "fw" else (1, 0)
    if way == "fw":
        return scene["scene_flow"]
    depth = np.where(scene[f"depth{first}"] > 0, np.float64(scene[f"depth{first}"]), 1)
    height, width = depth.shape
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(float)
    lift = lambda p, z, k: np.concatenate(
        [(p - k[:2, 2]) / k[[0, 1], [0, 1]] * z[..., None], z[..., None]], -1
    )
    start = lift(pixels, depth, scene[f"K{first}"])
    other = 1 / (1 / depth + scene[f"inv_depth_change_{way}"])
    end = lift(pixels + scene[f"flow_{way}"], other, scene[f"K{second}"])
    relative = scene[f"world_to_camera{second}"] @ np.linalg.inv(scene[f"world_to_camera{first}"])
    return (end - relative[:3, 3]) @ relative[:3, :3] - start


def test_a_sample_has_all_that_the_tree_has_per_metre(tree):
    scene = rendered("head")
    dataset = data.SRFlow3D(tree, "train")
    sample = dataset[0]
    valid = sample.valid
    np.testing.assert_allclose(sample.inv_depth[valid], 1 / scene["depth0"][valid], rtol=3e-7)
    np.testing.assert_allclose(
        sample.inv_depth_change[valid], scene["inv_depth_change_fw"][valid], rtol=3e-7, atol=1e-12
    )
    there = scene["depth1"] > 0
    np.testing.assert_allclose(sample.next_inv_depth[there], 1 / scene["depth1"][there], rtol=3e-7)
    assert (sample.next_inv_depth[~there] == 0).all() and (sample.flow[~valid] == 0).all()
    assert abs(sample.scale / SCALE - 1) < 1e-6 and abs(dataset.scale / SCALE - 1) < 1e-6
    assert np.abs(sample.image - scene["rgb0"] / 255).mean() < 0.02
    assert np.abs(sample.next_image - scene["rgb1"] / 255).mean() < 0.02
    assert sample.name == f"{SUBJECT}/0000" and sample.occlusion is None
    assert (sample.camera.world_to_camera == np.eye(3, 4)).all()
    fields = (sample.image, sample.flow, sample.inv_depth, sample.camera.focal)
    assert all(x.dtype == np.float32 for x in fields)


def test_a_data_set_is_a_plain_source(tree):
    dataset = data.SRFlow3D(tree, "train")
    assert len(dataset) == 1 and str(tree) in repr(dataset)
    assert repr(dataset).endswith("split='train', direction='forward', 1 sample)")
    again = pickle.loads(pickle.dumps(dataset))
    assert (again[0].flow == dataset[-1].flow).all()
    assert len(list(dataset)) == 1
    with pytest.raises(IndexError, match=r"^index -?\d+: the data set has \d+ samples?$"):
        dataset[1]
    assert data.SRFlow3D(tree / "train", "train")[0].name == dataset[0].name


def test_the_other_direction_is_there_where_the_tree_has_it(tree, tmp_path):
    backward = data.SRFlow3D(tree, "train").other_direction()
    assert backward.direction == "backward" and backward[0].name == f"{SUBJECT}/0001"
    assert backward.other_direction()[0].name == f"{SUBJECT}/0000"
    write_tree(tmp_path, rendered("head"), layout="forward")
    assert data.SRFlow3D(tmp_path, "train").other_direction() is None
    with pytest.raises(FileNotFoundError, match="found no backward flow, only forward flow"):
        data.SRFlow3D(tmp_path, "train", "backward")


def test_backward_maps_may_be_named_after_the_frame_they_lead_to(own_tree):
    expected = data.SRFlow3D(own_tree, "train", "backward")[0]
    for kind in ("flow_B", "scaled_inv_depth_CB"):
        [path] = (own_tree / "train" / kind / SUBJECT).iterdir()
        path.rename(path.with_stem("0000"))
    sample = data.SRFlow3D(own_tree, "train", "backward")[0]
    assert sample.name == expected.name == f"{SUBJECT}/0001"
    assert (sample.flow == expected.flow).all()


def test_a_scale_that_is_given_needs_no_depth(own_tree):
    shutil.rmtree(own_tree / "train" / "depth")
    with pytest.raises(ValueError, match="has no depth and scaled_inv_depth to measure it from"):
        data.SRFlow3D(own_tree, "train")
    sample = data.SRFlow3D(own_tree, "train", scale=2 * SCALE)[0]
    there = sample.valid
    np.testing.assert_allclose(
        sample.inv_depth[there], 0.5 / rendered("head")["depth0"][there], rtol=3e-7
    )


def test_another_scale_gives_the_same_samples_with_it(tree):
    measured = data.SRFlow3D(tree, "train", "backward")
    doubled = measured.with_scale(2 * SCALE)
    assert doubled.direction == "backward" and doubled[0].scale == np.float32(2 * SCALE)
    np.testing.assert_allclose(doubled[0].inv_depth, measured[0].inv_depth / 2, rtol=1e-5)
    assert doubled.with_scale(None)[0].scale == measured[0].scale


def test_an_entry_without_a_map_is_named(tree):
    dataset = data.SRFlow3D(tree, "train", scale=SCALE)
    cameras = {"camera": dataset.entries[0].files["camera"]}
    with pytest.raises(ValueError, match=r"entry: expected .* an image or a map, got camera"):
        dataset.read(dataset.entries[0]._replace(files=cameras))


def test_a_scale_that_varies_is_refused_by_its_file(own_tree):
    path = own_tree / "train" / "depth" / SUBJECT / "0000.npy"
    depth = np.load(path)
    np.save(path, depth * np.linspace(1, 1.1, depth.shape[1], dtype=np.float32))
    with pytest.raises(data.FormatError, match=r"0000\.npy: expected depth x scaled_inv_depth"):
        data.SRFlow3D(own_tree, "train")[0]


def test_a_scale_that_differs_between_samples_is_refused(tmp_path):
    scene = rendered("head")
    write_tree(tmp_path, scene)
    top = tmp_path / "train"
    for kind in ("flow_F", "scaled_inv_depth_CF", "depth", "scaled_inv_depth", "mask", "render"):
        for i, source in ((2, 0), (3, 1)):
            for path in (top / kind / SUBJECT).glob(f"{source:04}.*"):
                shutil.copy(path, path.with_stem(f"{i:04}"))
    (top / "flow_F" / SUBJECT / "0001.flo").write_bytes(
        (top / "flow_F" / SUBJECT / "0000.flo").read_bytes()
    )
    shutil.copy(*(top / f"scaled_inv_depth_CF/{SUBJECT}/000{i}.npy" for i in (0, 1)))
    shutil.rmtree(top / "camera")
    dataset = data.SRFlow3D(tmp_path, "train")
    assert len(dataset) == 3 and dataset[2].camera is None
    path = top / "depth" / SUBJECT / "0002.npy"
    np.save(path, np.load(path) * np.float32(1.5))
    assert dataset[1].name.endswith("0001")
    with pytest.raises(data.FormatError, match="depth x scaled_inv_depth to be"):
        dataset[2]


def test_unknown_values_in_the_mask_stay_for_the_check_and_are_invalid_for_training(own_tree):
    top = own_tree / "train"
    scene = rendered("head")
    row, column = np.argwhere(scene["interior0"])[1000]
    flow = scene["flow_fw"].copy()
    flow[row, column] = 1e10
    write_flo(top / "flow_F" / SUBJECT / "0000.flo", flow)
    path = top / "scaled_inv_depth_CF" / SUBJECT / "0000.npy"
    change = np.load(path)
    change[row, column + 1] = np.nan
    np.save(path, change)
    dataset = data.SRFlow3D(own_tree, "train")
    raw, sample = dataset.read(dataset.entries[0]), dataset[0]
    assert raw.valid[row, column : column + 2].all()
    assert np.isnan(raw.flow[row, column]).all() and np.isnan(raw.inv_depth_change[row, column + 1])
    assert not sample.valid[row, column : column + 2].any()
    assert np.isfinite(sample.flow).all() and np.isfinite(sample.inv_depth_change).all()


def test_poses_stay_as_the_files_have_them_for_the_check(tree):
    scene = rendered("head")
    dataset = data.SRFlow3D(tree, "train")
    raw = dataset.read(dataset.entries[0])
    np.testing.assert_allclose(
        raw.camera.world_to_camera, scene["world_to_camera0"][:3], atol=1e-12
    )


def test_clips_leave_out_pairs_between_them(own_tree):
    top = own_tree / "train"
    for folder in top.glob(f"*/{SUBJECT}"):
        for path in list(folder.glob("0000.*")):
            for i in range(2, 6):
                shutil.copy(path, path.with_stem(f"{i:04}"))
    shutil.rmtree(top / "camera" / SUBJECT)
    (top / "camera" / SUBJECT).mkdir()
    (top / "camera" / SUBJECT / "clip.json").write_text(
        json.dumps({"clips": [{"start": 0, "end": 2}, {"start": 3, "end": 5}]})
    )
    names = lambda **options: [e.frame for e in data.SRFlow3D(own_tree, "train", **options).entries]
    assert names() == ["0000", "0001", "0003", "0004"]
    assert names(use_clips=False) == [f"{i:04}" for i in range(5)]
    (top / "camera" / SUBJECT / "clip.json").write_text("[[0, 30]]")
    with pytest.raises(data.FormatError, match=r"clip\.json: expected clips of 6 frames"):
        names()


def test_a_file_that_is_missing_is_named(own_tree):
    path = own_tree / "train" / "scaled_inv_depth" / SUBJECT / "0001.npy"
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"scaled_inv_depth/031/0001\.npy"):
        data.SRFlow3D(own_tree, "train")[0]


def test_a_split_is_no_other_split(own_tree):
    for root, split in ((own_tree / "train", "test"), (own_tree, "val"), (own_tree / "no", "test")):
        with pytest.raises(FileNotFoundError):
            data.SRFlow3D(root, split)
    (own_tree / "train").rename(own_tree / "val")
    assert len(data.SRFlow3D(own_tree, "val")) == len(data.SRFlow3D(own_tree / "val", "val")) == 1


def rename_frames(top, by):
    """Counts the frames from another number on."""
    for path in sorted(top.glob("*/*/0*"), reverse=by > 0):
        path.rename(path.with_stem(f"{int(path.stem) + by:04}"))


def cameras_of(top):
    path = top / "camera" / SUBJECT / "spirals.json"
    return path, json.loads(path.read_text())


def test_what_the_cameras_were_made_of_is_said(own_tree):
    form = lambda: data.SRFlow3D(own_tree, "train").camera_form()
    path, cameras = cameras_of(own_tree / "train")
    path.write_text(
        json.dumps({"intrinsics": cameras["0000"]["intrinsics"], "w2c": np.eye(4).tolist()})
    )
    assert form() == "intrinsics and w2c (world to camera)"
    path.write_text("{}")
    assert form() is None
    path.unlink()
    assert form() is None


def test_a_list_of_cameras_without_names_belongs_to_the_frames_in_order(own_tree, tree):
    rename_frames(own_tree / "train", 7)
    path, cameras = cameras_of(own_tree / "train")
    path.write_text(json.dumps([cameras["0000"], cameras["0001"]]))
    sample, expected = data.SRFlow3D(own_tree, "train")[0], data.SRFlow3D(tree, "train")[0]
    assert sample.name == f"{SUBJECT}/0007"
    assert (sample.next_camera.focal == expected.next_camera.focal).all()
    assert (sample.next_camera.world_to_camera == expected.next_camera.world_to_camera).all()
    path.write_text(json.dumps([cameras["0000"]] + 2 * [cameras["0001"]]))
    with pytest.raises(data.FormatError, match=r"expected 2 cameras, one per frame, .* found 3"):
        data.SRFlow3D(own_tree, "train")[0]


def copy_subject(top, subject, *, without=()):
    for folder in top.glob(f"*/{SUBJECT}"):
        if folder.parent.name not in without:
            shutil.copytree(folder, folder.with_name(subject))


@pytest.mark.parametrize("kind", ["depth", "scaled_inv_depth", "flow_F", "render", "camera"])
@pytest.mark.parametrize("subject", ["001", "099"])
def test_what_one_subject_has_is_expected_of_all(own_tree, kind, subject):
    copy_subject(own_tree / "train", subject, without=[kind])
    dataset = data.SRFlow3D(own_tree, "train")
    assert len(dataset) == 2
    with pytest.raises(FileNotFoundError, match=f"{kind}/{subject}/"):
        list(dataset)


def test_stray_files_are_no_frames(own_tree, tree):
    top = own_tree / "train"
    for name in ("scaled_inv_depth/031/old_0001.npy", "mask/031/backup_9.jpg"):
        shutil.copy(top / "depth/031/0000.npy", top / name)
    (top / "render/031/0000.txt").write_text("a note")
    (top / "depth/099").mkdir()
    (top / "depth/099/readme.txt").write_text("no frame")
    for direction in ("forward", "backward"):
        [sample] = data.SRFlow3D(own_tree, "train", direction)
        assert (sample.flow == data.SRFlow3D(tree, "train", direction)[0].flow).all()


def test_frames_may_have_names_before_their_numbers(own_tree):
    for path in (own_tree / "train" / "render" / SUBJECT).iterdir():
        path.rename(path.with_stem(f"frame_{path.stem}"))
    assert data.SRFlow3D(own_tree, "train")[0].image is not None


def test_the_scale_is_that_inside_the_mask(own_tree):
    top, mask = own_tree / "train", rendered("head")["valid"]
    for kind, value in (("depth", 2), ("scaled_inv_depth", 0.01)):
        path = top / kind / SUBJECT / "0000.npy"
        np.save(path, np.where(mask, np.load(path), np.float32(value)))
    assert abs(data.SRFlow3D(own_tree, "train")[0].scale / SCALE - 1) < 1e-5
    for path in (top / "mask" / SUBJECT).iterdir():  # nobody is there
        cv2.imwrite(str(path), np.zeros(mask.shape, np.uint8))
    with pytest.raises(data.FormatError, match="a pixel with a depth and a scaled inverse depth"):
        data.SRFlow3D(own_tree, "train").scale  # noqa: B018
    assert not data.SRFlow3D(own_tree, "train", scale=SCALE)[0].valid.any()


def test_depth_serves_where_nothing_is_scaled(own_tree):
    top = own_tree / "train"
    shutil.rmtree(top / "scaled_inv_depth")
    with pytest.raises(ValueError, match="pass scale="):
        data.SRFlow3D(own_tree, "train")
    scene = rendered("head")
    for options in ({"scale": SCALE}, {}):
        sample = data.SRFlow3D(own_tree, "train", **options)[0]
        there = sample.valid
        np.testing.assert_allclose(sample.inv_depth[there], 1 / scene["depth0"][there], rtol=2e-7)
        assert sample.next_inv_depth.max() > 0
        shutil.rmtree(top / "scaled_inv_depth_CF", ignore_errors=True)
    assert sample.scale is None and sample.inv_depth_change is None


def test_layouts_may_be_mixed(own_tree):
    (own_tree / "train" / "flow_F").rename(own_tree / "train" / "flow")
    sample = data.SRFlow3D(own_tree, "train")[0]
    assert sample.flow is not None and sample.inv_depth_change is not None


@pytest.mark.parametrize("kind", ["depth", "scaled_inv_depth", "scaled_inv_depth_CF"])
def test_maps_of_another_size_or_of_integers_are_named(own_tree, kind):
    path = own_tree / "train" / kind / SUBJECT / "0000.npy"
    values = np.load(path)
    np.save(path, values[1:])
    with pytest.raises(data.FormatError, match=rf"{kind}/{SUBJECT}/0000\.npy: expected 320 x 384"):
        data.SRFlow3D(own_tree, "train")[0]
    np.save(path, (1000 * values).astype(np.int32))
    with pytest.raises(
        data.FormatError, match="expected floating-point numbers, found the dtype i"
    ):
        data.SRFlow3D(own_tree, "train")[0]


def test_a_camera_file_without_the_frames_says_so(own_tree):
    path = own_tree / "train" / "camera" / SUBJECT / "spirals.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({"0000": content["0000"], "0007": content["0001"]}))
    with pytest.raises(data.FormatError, match=r"spirals\.json: expected cameras of frames"):
        data.SRFlow3D(own_tree, "train")[0]
    path.write_text(json.dumps({"lens": 50, "sensor": [1, 2]}))
    with pytest.raises(data.FormatError, match="lens"):
        data.SRFlow3D(own_tree, "train")[0]


def test_one_camera_serves_all_frames(own_tree):
    path = own_tree / "train" / "camera" / SUBJECT / "spirals.json"
    path.write_text(json.dumps(json.loads(path.read_text())["0000"]))
    sample = data.SRFlow3D(own_tree, "train")[0]
    assert (sample.next_camera.world_to_camera == sample.camera.world_to_camera).all()


def test_pictures_may_be_png(own_tree):
    path = own_tree / "train" / "mask" / SUBJECT / "0000.jpg"
    mask = rendered("head")["valid"]
    path.unlink()
    cv2.imwrite(str(path.with_suffix(".png")), np.uint8(255 * mask))
    assert (data.SRFlow3D(own_tree, "train")[0].valid == mask).all()


def test_wrong_options_are_named(tree):
    with pytest.raises(ValueError, match="direction: expected 'forward' or 'backward', got 'up'"):
        data.SRFlow3D(tree, "train", "up")
    with pytest.raises(ValueError, match="scale: expected a positive number, got 0"):
        data.SRFlow3D(tree, "train", scale=0)
    with pytest.raises(ValueError, match="scale: expected a positive number, got nan"):
        data.SRFlow3D(tree, "train").with_scale(np.nan)


def test_motion_tells_that_a_frame_is_missing(tmp_path):
    top = tmp_path / "train"
    for number in (0, 1, 3):
        flow = np.full((4, 5, 2), float(number))
        data.write_flow(made(top / f"flow_F/031/{number:04d}.flo"), flow)
    for number in (0, 2, 4):
        path = made(top / f"depth/031/{number:04d}.npy")
        np.save(path, np.ones((4, 5), np.float32))
    # The flow of frame 0 leads to frame 1, not to frame 2.
    with pytest.raises(FileNotFoundError, match="expected in SRFlow3D"):
        data.SRFlow3D(tmp_path, "train")
    for number in (1, 3):
        (top / f"flow_F/031/{number:04d}.flo").unlink()
    assert [e.next_frame for e in data.SRFlow3D(tmp_path, "train").entries] == ["0002", "0004"]
