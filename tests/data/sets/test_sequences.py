"""Samples of several frames: each pair is the sample of that pair, and files are read once."""

import dataclasses
import pickle
from functools import partial

import numpy as np
import pytest
from helpers import pair_trees, trees
from helpers.files import made

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets._joining import join
from sf3d_jax.data.sets.folders import dataset
from sf3d_jax.samples import check_sample


def srflow3d(root):
    """Three frames; the mask has a hole that is not the same in each."""
    for number in range(3):
        depth = 2 + 0.1 * np.arange(240, dtype=np.float32).reshape(trees.SIZE) + number
        for kind, values in (("depth", depth), ("scaled_inv_depth", 0.2 / depth)):
            np.save(made(root / f"train/{kind}/031/{number:04d}.npy"), values)
        mask = np.full(trees.SIZE, 255, np.uint8)
        mask[number] = 0
        trees.cv2.imwrite(str(made(root / f"train/mask/031/{number:04d}.png")), mask)
        flow = np.full((*trees.SIZE, 2), number, np.float32)
        for folder in ("flow_F", "flow_B"):
            data.write_flow(made(root / f"train/{folder}/031/{number:04d}.flo"), flow)


def monkaa(root):
    trees.things(root, "funnyworld_x2", start=0)


def driving(root):
    trees.things(root, "35mm_focallength/scene_backwards/slow", start=1)


# What builds a tree of three frames, the class, its options, and whether it has both directions.
VIDEOS = {
    "SRFlow3D": (srflow3d, data.SRFlow3D, {"split": "train"}, True),
    "Spring": (trees.spring, data.Spring, {}, True),
    "FlyingThings3D": (trees.things, data.FlyingThings3D, {}, True),
    "Monkaa": (monkaa, data.Monkaa, {}, True),
    "Driving": (driving, data.Driving, {}, True),
    "Sintel": (trees.sintel, data.Sintel, {}, False),
    "VirtualKitti2": (trees.virtualkitti2, data.VirtualKitti2, {}, True),
    "FlyingThings3DSubset": (
        partial(pair_trees.things_subset, videos=1),
        data.FlyingThings3DSubset,
        {},
        True,
    ),
    "TartanAir": (trees.tartanair, data.TartanAir, {}, False),
    "TartanAirV2": (pair_trees.tartanair_v2, data.TartanAirV2, {}, False),
}
WAYS = [
    (name, way)
    for name, (*_, both) in VIDEOS.items()
    for way in ("forward", "backward")[: 1 + both]
]


def make(name, root, way="forward", **options):
    _, kind, own, both = VIDEOS[name]
    return kind(root, **own, **({"direction": way} if both else {}), **options)


def same_pair(found, expected):
    """The maps to the bit, and what one camera sees of the other to the rounding of float32."""
    for field in dataclasses.fields(expected):
        a, b = getattr(found, field.name), getattr(expected, field.name)
        if field.name in ("camera", "next_camera", "name"):
            continue
        if field.name == "valid" and a is not None and b is None:
            b = np.ones_like(a)
        assert (a is None) == (b is None), field.name
        if b is not None:
            np.testing.assert_array_equal(a, b, err_msg=field.name)
    if expected.camera is None:
        assert found.camera is None
        return
    after = expected.next_camera or expected.camera
    for a, b in ((found.camera, expected.camera), (found.next_camera, after)):
        np.testing.assert_array_equal(a.focal, b.focal)
        np.testing.assert_array_equal(a.principal_point, b.principal_point)
    between = lambda a, b: trees.chain(
        np.float64(b.world_to_camera), trees.inverse(np.float64(a.world_to_camera))
    )
    np.testing.assert_allclose(
        between(found.camera, found.next_camera), between(expected.camera, after), atol=1e-6
    )


@pytest.mark.parametrize("name, way", WAYS)
def test_a_pair_of_a_sequence_is_the_sample_of_the_pair(tmp_path, name, way):
    VIDEOS[name][0](tmp_path)
    pairs, sequences = make(name, tmp_path, way), make(name, tmp_path, way, frames=3)
    assert (len(pairs), len(sequences)) == (2, 1)
    sequence = sequences[0]
    start = 0 if way == "forward" else 1
    assert sequence.name == pairs[start].name
    assert check_sample(sequence) == (2, *check_sample(pairs[0]))
    for i, place in enumerate((start, 1 - start)):
        same_pair(sequence.pair(i), pairs[place])
    assert repr(sequences).endswith("1 sample of 3 frames)")
    assert pickle.loads(pickle.dumps(sequences))[-1].name == sequence.name
    if (other := sequences.other_direction()) is not None:
        assert other.frames == 3 and isinstance(other[0], sf3d.Sequence)
    assert isinstance(make(name, tmp_path, way, frames=2)[0], sf3d.Sample)


def test_the_cameras_are_those_of_the_files_with_the_world_at_the_first(tmp_path):
    trees.spring(tmp_path)
    rows = np.loadtxt(tmp_path / "train/0005/cam_data/extrinsics.txt").reshape(-1, 4, 4)
    for way, order in (("forward", [0, 1, 2]), ("backward", [2, 1, 0])):
        cameras = data.Spring(tmp_path, direction=way, frames=3)[0].cameras
        expected = (rows @ np.linalg.inv(rows[order[0]]))[order]
        np.testing.assert_allclose(cameras.world_to_camera, expected[:, :3], atol=1e-6)
        np.testing.assert_array_equal(cameras.world_to_camera[0], np.eye(3, 4))
        np.testing.assert_array_equal(cameras.focal[:, 0], np.array([240, 250, 260])[order])


def own(root, numbers):
    """Frames of one's own, of which all files say their number."""
    for number in numbers:
        trees.write_image(root / f"frames/{number:04d}.png", number)
        np.save(made(root / f"inv/{number}.npy"), np.full(trees.SIZE, number, np.float32))
        flow = np.full((*trees.SIZE, 2), float(number), np.float32)
        data.write_flow(made(root / f"flow/{number}.flo"), flow)
    return {"image": "frames/*.png", "inv_depth": "inv/*.npy", "flow": "flow/*.flo"}


def test_frames_of_ones_own_follow_each_other(tmp_path):
    patterns = own(tmp_path, (1, 2, 3, 4, 6, 7))
    camera = sf3d.Camera.pinhole(10.0, 10.0, 9.5, 5.5, trees.SIZE)
    sequences = data.FolderPairs(tmp_path, **patterns, camera=camera, frames=3)
    assert [sequence.name for sequence in sequences] == ["frames/0001", "frames/0002"]
    for first, sequence in enumerate(sequences, 1):
        numbers = np.arange(first, first + 3)
        for image, number in zip(sequence.images, numbers, strict=True):
            np.testing.assert_allclose(image * 255, trees.image(number), atol=1e-4)
        assert (sequence.inv_depth == numbers[:, None, None]).all()
        assert (sequence.flow == numbers[:-1, None, None, None]).all()
        assert sequence.inv_depth_change is None and sequence.valid.all()
        assert (sequence.cameras.world_to_camera == np.eye(3, 4)).all()
        assert sequence.cameras.focal.shape == (3, 2)
    assert repr(sequences).endswith(
        "2 samples of 3 frames, 1 of 4 pairs in no sample, left out 2 flow)"
    )


def test_too_few_frames_and_numbers_that_are_none_are_refused(tmp_path):
    patterns = own(tmp_path, (1, 2, 4, 5))
    with pytest.raises(
        FileNotFoundError, match="there are no 3 consecutive frames; the longest run has 2"
    ):
        data.FolderPairs(tmp_path, **patterns, frames=3)
    with pytest.raises(ValueError, match="frames: expected at least 2, got 1"):
        data.FolderPairs(tmp_path, **patterns, frames=1)
    for frames in (2.5, "3", None):
        with pytest.raises(TypeError, match=f"frames: expected an integer, got {frames!r}"):
            data.FolderPairs(tmp_path, **patterns, frames=frames)
        with pytest.raises(TypeError, match="frames: expected an integer"):
            data.FolderPairs(tmp_path, image="*/*", next_image="*/*", frames=frames)
    with pytest.raises(ValueError, match="next_image: cannot be used with frames=3"):
        data.FolderPairs(tmp_path, **patterns, next_image="frames/*.png", frames=3)


def test_videos_that_are_too_short_are_counted(tmp_path):
    for name in ("a/9", "a/10", "a/11", "b/1", "b/2"):
        trees.write_image(tmp_path / f"{name}.png", 1)
    videos = data.FolderPairs(tmp_path, image="*/*.png", frames=3)
    assert repr(videos).endswith("1 sample of 3 frames, 1 of 3 pairs in no sample)")
    assert videos[0].name == "a/9"
    with pytest.raises(FileNotFoundError, match="no 9 consecutive frames; the longest run has 3"):
        data.FolderPairs(tmp_path, image="*/*.png", frames=9)


def test_a_file_of_two_pairs_is_read_once(tmp_path, monkeypatch):
    patterns = own(tmp_path, range(5))
    read, paths = dataset.read_unit_image, []

    def counted(path):
        paths.append(path.name)
        return read(path)

    monkeypatch.setattr(dataset, "read_unit_image", counted)
    sequences = data.FolderPairs(tmp_path, **patterns, frames=5)
    sequence = sequences[0]
    assert paths == [f"{number:04d}.png" for number in range(5)]
    # Nothing is kept, nor shared with what was given out.
    sequence.images[:] = 0
    assert sequences[0].images.any() and len(paths) == 10


@pytest.mark.parametrize("frames", [2, 4])
def test_maps_of_one_archive_are_told_apart(tmp_path, frames):
    """Depth in the next frame beside depth: z -> z + 1/2, of a surface that recedes."""
    for n in (1, 2, 3, 4):
        trees.write_image(tmp_path / f"i/{n}.png", n)
        depth = np.full(trees.SIZE, float(n), np.float32)
        maps = {"flow": np.full((*trees.SIZE, 2), n, np.float32), "depth": depth}
        np.savez(made(tmp_path / f"m/{n}.npz"), **maps, next_depth=depth + np.float32(0.5))
    kinds = {kind: "m/*.npz" for kind in ("flow", "depth", "next_depth")}
    sample = data.FolderPairs(tmp_path, image="i/*.png", **kinds, frames=frames)[0]
    depth = np.arange(1, frames + 1.0) if frames > 2 else np.float64(1)
    first = depth[:-1] if frames > 2 else depth
    of_pixel = lambda x: x[..., 0, 0]
    np.testing.assert_allclose(of_pixel(sample.inv_depth), 1 / depth, rtol=1e-6)
    change = 1 / (first + 0.5) - 1 / first
    np.testing.assert_allclose(of_pixel(sample.inv_depth_change), change, rtol=1e-6)
    np.testing.assert_array_equal(of_pixel(sample.flow[..., 0]), first)


def test_frames_that_differ_in_size_are_named(tmp_path):
    patterns = own(tmp_path, (1, 2, 3))
    for number in (2, 3):
        trees.write_image(tmp_path / f"frames/{number:04d}.png", number, (5, 6))
    del patterns["flow"], patterns["inv_depth"]
    trees.write_image(tmp_path / "frames/0002.png", 2)
    with pytest.raises(data.FormatError, match=r"0003\.png"):
        data.FolderPairs(tmp_path, **patterns, frames=3)[0]


def test_pairs_that_know_different_things_are_no_sequence():
    image = np.zeros((4, 5, 3), np.float32)
    camera = sf3d.Camera.pinhole(*np.float32([1, 1, 2, 2]), (4, 5))
    pair = sf3d.Sample(image=image, next_image=image, camera=camera, name="walk/0")
    other = dataclasses.replace(pair, name="walk/1")
    flow = np.zeros((4, 5, 2), np.float32)
    lens = dataclasses.replace(camera, distortion=np.zeros(4, np.float32), model="opencv")
    for changes, says in (
        ({"flow": flow}, "walk/0: some of its frames have flow, but not walk/0"),
        ({"image": image[:3]}, "walk/0: consecutive frames differ in the size of image"),
        ({"camera": None}, "walk/0: only some of its frames have a camera"),
        ({"camera": lens}, "walk/0: the cameras of its frames differ in size or lens"),
    ):
        with pytest.raises(ValueError, match=says):
            join([pair, dataclasses.replace(other, **changes)])
    masked = dataclasses.replace(other, flow=flow, valid=np.zeros((4, 5), bool))
    joined = join([dataclasses.replace(pair, flow=flow), masked])
    assert joined.valid[0].all() and not joined.valid[1].any()
