"""Files of one's own by patterns, in trees that NumPy and OpenCV write."""

import itertools
import pickle

import cv2
import numpy as np
import pytest
from helpers import trees
from helpers.files import made

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets.folders.dataset import FolderPairs

CAMERA = sf3d.Camera.pinhole(240.0, 240.0, 9.3, 5.2, trees.SIZE)
TRUTH = trees.moving_plane(CAMERA, CAMERA)
EXACT = {"flow": 2e-6, "inv_depth": 2e-7, "vectors": 5e-5}


def frames(root, *numbers, name="frames/{}.png"):
    for number in numbers:
        trees.write_image(root / name.format(number), int(number))


def saved(path, values):
    np.save(made(path), values)


def flows(root, *names):
    for name in names:
        data.write_flow(made(root / name), TRUTH.flow)


def own(root):
    """Three frames, their inverse depth, flow and change, and masks."""
    frames(root, 1, 2, 3)
    for i in (1, 2, 3):
        saved(root / f"inv/{i}.npy", TRUTH.inv_depth if i == 1 else TRUTH.next_inv_depth)
    flows(root, "flow/1.flo", "flow/2.flo")
    for i in (1, 2):
        saved(root / f"change/{i}.npy", TRUTH.change)
        mask = np.full(trees.SIZE, 255, np.uint8)
        mask[0, :3] = 0
        assert cv2.imwrite(str(made(root / f"mask/{i}.png")), mask)
    return {
        "image": "frames/*.png",
        "flow": "flow/*.flo",
        "inv_depth": "inv/*.npy",
        "inv_depth_change": "change/*.npy",
    }


def test_frames_that_follow_are_pairs(tmp_path):
    patterns = own(tmp_path)
    pairs = FolderPairs(tmp_path, **patterns, camera=CAMERA)
    assert [(e.frame, e.next_frame) for e in pairs.entries] == [("1", "2"), ("2", "3")]
    sample = pairs[0]
    trees.check_images(sample, 1, 2)
    trees.check_truth(sample, TRUTH, **EXACT)
    np.testing.assert_allclose(sample.next_inv_depth, TRUTH.next_inv_depth, rtol=1e-6)
    assert sample.name == "frames/1" and sample.next_camera is None
    assert pairs.other_direction() is None and pairs.left_out == {}
    again = pickle.loads(pickle.dumps(pairs))
    np.testing.assert_array_equal(again[-2].flow, sample.flow)
    with pytest.raises(IndexError, match=r"^index \d: the data set has \d samples$"):
        pairs[2]


def test_masks_say_what_is_valid_and_what_is_hidden(tmp_path):
    patterns = own(tmp_path)
    sample = FolderPairs(tmp_path, **patterns, mask="mask/*.png", occlusion="mask/?.png")[1]
    assert not sample.valid[0, :3].any() and sample.valid.sum() == sample.valid.size - 3
    np.testing.assert_array_equal(sample.occlusion, sample.valid)
    assert sample.camera is None


def test_depth_and_disparity_become_inverse_depth(tmp_path):
    frames(tmp_path, 1, 2)
    moved = TRUTH.inv_depth + TRUTH.change
    for i in (1, 2):
        codes = np.rint(5000 / TRUTH.inv_depth)
        codes[0, 0] = 0
        path = made(tmp_path / f"depth/{i}.png")
        assert cv2.imwrite(str(path), codes.astype(np.uint16))
        data.write_disparity(made(tmp_path / f"disp/{i}.pfm"), TRUTH.inv_depth * 240 * 0.5)
    saved(tmp_path / "next_depth/1.npy", 1 / moved)
    data.write_disparity(made(tmp_path / "next_disp/1.pfm"), moved * 240 * 0.5)
    camera = {"camera": CAMERA, "baseline": 0.5}

    patterns = {"depth": "depth/*.png", "next_depth": "next_depth/*.npy"}
    sample = FolderPairs(tmp_path, image="frames/*.png", **patterns, depth_scale=5000)[0]
    assert sample.inv_depth[0, 0] == 0 and not sample.valid[0, 0]
    assert sample.valid.sum() == sample.valid.size - 1
    found = sample.inv_depth[sample.valid]
    np.testing.assert_allclose(found, TRUTH.inv_depth[sample.valid], rtol=1e-4 / 4)
    patterns = {"disparity": "disp/*.pfm", "next_disparity": "next_disp/*.pfm"}
    sample = FolderPairs(tmp_path, image="frames/*.png", **patterns, **camera)[0]
    np.testing.assert_allclose(sample.inv_depth, TRUTH.inv_depth, rtol=1e-6)
    np.testing.assert_allclose(sample.inv_depth_change, TRUTH.change, atol=1e-7)
    assert sample.valid.all()


def test_a_pattern_of_several_folders_makes_no_pair_across_them(tmp_path):
    for folder, numbers in (("a", (1, 2)), ("b", (1, 2, 3))):
        frames(tmp_path, *numbers, name=f"{folder}/rgb/{{}}.png")
        flows(tmp_path, *(f"{folder}/flow/{n}.flo" for n in numbers[:-1]))
    pairs = FolderPairs(tmp_path, image="*/rgb/*.png", flow="*/flow/*.flo")
    assert [e.name for e in pairs.entries] == ["a/rgb/1", "b/rgb/1", "b/rgb/2"]
    assert [e.files["flow"].parent.parent.name for e in pairs.entries] == ["a", "b", "b"]


def test_next_images_are_those_of_the_same_number(tmp_path):
    for i in (3, 4):
        frames(tmp_path, i, name="first/{}_a.png")
        frames(tmp_path, i, name="second/x00{}.png")
        flows(tmp_path, f"flow/{i}.flo")
    patterns = {"image": "first/*_a.png", "next_image": "second/x*.png"}
    pairs = FolderPairs(tmp_path, **patterns, flow="flow/*.flo")
    assert len(pairs) == 2
    assert pairs.entries[1].files["next_image"].name == "x004.png"
    assert pairs.entries[1].files["flow"].name == "4.flo"
    (tmp_path / "second/x003.png").rename(tmp_path / "second/x005.png")
    pairs = FolderPairs(tmp_path, **patterns)
    assert [(e.frame, e.next_frame) for e in pairs.entries] == [("4_a", "x004")]
    names = {kind: [path.name for path in paths] for kind, paths in pairs.left_out.items()}
    assert names == {"image": ["3_a.png"], "next_image": ["x005.png"]}


def test_names_that_differ_are_matched_in_their_order(tmp_path):
    frames(tmp_path, 8, 9, 10)
    flows(tmp_path, "flow/flow_a.flo", "flow/flow_b.flo")
    pairs = FolderPairs(tmp_path, image="frames/*.png", flow="flow/*.flo")
    assert [e.files["flow"].stem for e in pairs.entries] == ["flow_a", "flow_b"]
    flows(tmp_path, "flow/flow_c.flo")  # one for each frame
    pairs = FolderPairs(tmp_path, image="frames/*.png", flow="flow/*.flo")
    assert [e.files["flow"].stem for e in pairs.entries] == ["flow_a", "flow_b"]
    flows(tmp_path, "flow/flow_d.flo")
    with pytest.raises(FileNotFoundError, match=r"8\.png: no file in .*2 files .* with 4"):
        FolderPairs(tmp_path, image="frames/*.png", flow="flow/*.flo")


@pytest.mark.parametrize(
    "gone, alone",
    [
        ("inv/2.npy", "flow/1.flo, .*flow/2.flo: have"),
        ("change/2.npy", "flow/2.flo: has"),
        ("frames/1.png", "flow/1.flo: has"),
    ],
)
def test_a_flow_without_its_partner_is_named(tmp_path, gone, alone):
    patterns = own(tmp_path)
    (tmp_path / gone).unlink()
    with pytest.raises(FileNotFoundError, match=f"{tmp_path}/{alone} no partner"):
        FolderPairs(tmp_path, **patterns)


@pytest.mark.parametrize(
    "gone, left_out",
    [
        (["flow/2.flo"], {"image": 1, "inv_depth": 1, "inv_depth_change": 1}),
        (["frames/3.png"], {"flow": 1, "inv_depth": 1, "inv_depth_change": 1}),
    ],
)
def test_what_has_no_flow_is_left_out_and_counted(tmp_path, gone, left_out):
    patterns = own(tmp_path)
    for name in gone:
        (tmp_path / name).unlink()
    pairs = FolderPairs(tmp_path, **patterns)
    assert [(e.frame, e.next_frame) for e in pairs.entries] == [("1", "2")]
    assert {kind: len(paths) for kind, paths in pairs.left_out.items()} == left_out
    counts = " and ".join(f"{count} {kind}" for kind, count in left_out.items())
    assert repr(pairs).endswith(f"1 sample, left out {counts})")


def values_in(root, folder, numbers):
    """Flows of which each says its own number."""
    for number in numbers:
        flow = np.full((*trees.SIZE, 2), float(number), np.float32)
        data.write_flow(made(root / folder / f"{number:04d}.flo"), flow)


@pytest.mark.parametrize("numbers, left", [((1, 4), {}), ((1, 2, 4), {"flow": ("0002.flo",)})])
def test_no_pair_leads_across_a_missing_frame(tmp_path, numbers, left):
    frames(tmp_path, "0001", "0002", "0004", "0005")
    values_in(tmp_path, "flow", numbers)
    pairs = FolderPairs(tmp_path, image="frames/*.png", flow="flow/*.flo")
    assert [(e.frame, e.next_frame) for e in pairs.entries] == [("0001", "0002"), ("0004", "0005")]
    assert [sample.flow[0, 0, 0] for sample in pairs] == [1, 4]
    trees.check_images(pairs[1], 4, 5)
    assert {k: tuple(p.name for p in paths) for k, paths in pairs.left_out.items()} == left
    assert len(FolderPairs(tmp_path, image="frames/*.png")) == 2


def test_the_step_is_the_commonest_of_all_folders(tmp_path):
    for folder, numbers in (("a", (0, 5, 10, 11)), ("b", (5, 10, 20, 25)), ("c", (3, 6))):
        frames(tmp_path, *numbers, name=f"{folder}/{{}}.png")
    pairs = [
        (e.sequence, e.frame, e.next_frame) for e in FolderPairs(tmp_path, image="*/*.png").entries
    ]
    assert pairs == [("a", "0", "5"), ("a", "5", "10"), ("b", "5", "10"), ("b", "20", "25")]
    values_in(tmp_path, "flow", (0, 5))
    pairs = FolderPairs(tmp_path, image="a/*.png", flow="flow/*.flo")
    assert [sample.flow[0, 0, 0] for sample in pairs] == [0, 5]
    assert repr(pairs).endswith("2 samples, left out 1 image)")


@pytest.mark.parametrize(
    "names, expected",
    [
        (["a_1", "a_2", "b_1", "b_2"], [("a_1", "a_2"), ("b_1", "b_2")]),
        (["s1_f2", "s1_f10", "s2_f2", "s2_f10"], [("s1_f2", "s1_f10"), ("s2_f2", "s2_f10")]),
        (["f1_t33", "f2_t66", "f4_t133"], [("f1_t33", "f2_t66")]),
        (["000000_10", "000001_10"], [("000000_10", "000001_10")]),
        (["wave", "walk", "jump"], [("jump", "walk"), ("walk", "wave")]),
        (["12.050", "12.083", "13.116"], [("12.050", "12.083"), ("12.083", "13.116")]),
        (["f1", "f2", "mean"], [("f1", "f2")]),
    ],
)
def test_the_number_of_a_frame_is_the_last_that_differs(tmp_path, names, expected):
    for number, name in enumerate(names):
        trees.write_image(tmp_path / f"{name}.png", number)
    entries = FolderPairs(tmp_path, image="*.png").entries
    assert [(entry.frame, entry.next_frame) for entry in entries] == expected


@pytest.mark.parametrize(
    "names, expected",
    [
        (["0_1", "1_2", "2_3"], [(0, 1), (1, 2), (2, 3)]),
        (["0000_0002", "0002_0004"], [(0, 2), (2, 4)]),
        (["1to0", "2to1", "4to3"], [(1, 0), (2, 1), (4, 3)]),
    ],
)
def test_a_flow_that_names_both_frames_leads_to_the_second(tmp_path, names, expected):
    frames(tmp_path, *range(5))
    flows(tmp_path, *(f"flow/{name}.flo" for name in names))
    entries = FolderPairs(tmp_path, image="frames/*.png", flow="flow/*.flo").entries
    assert [(int(e.frame), int(e.next_frame)) for e in entries] == expected
    assert [e.files["flow"].stem for e in entries] == names


def leading(root, images, flow_names):
    """The numbers of the frames of each pair, which has its own flow."""
    for name in images:
        trees.write_image(root / f"frames/{name}.png", 1)
    flows(root, *(f"flow/{name}.flo" for name in flow_names))
    patterns = {"image": "frames/*.png"} | ({"flow": "flow/*.flo"} if flow_names else {})
    entries = FolderPairs(root, **patterns).entries
    assert not flow_names or all(e.files["flow"].stem == e.frame for e in entries)
    return [(e.frame, e.next_frame) for e in entries]


def test_the_reading_that_uses_every_flow_tells_frames_from_cameras(tmp_path):
    times = [f"0000{t}_0{c}" for t in range(3) for c in range(2)]
    assert leading(tmp_path / "a", times, times[:4]) == list(zip(times, times[2:], strict=False))
    kitti = [f"00000{i}_1{k}" for i in range(3) for k in range(2)]
    expected = [(name, f"{name[:-1]}1") for name in kitti[::2]]
    assert leading(tmp_path / "b", kitti, kitti[::2]) == expected
    with pytest.raises(ValueError, match=r"whether 00000_00 is followed by .*give a pattern"):
        leading(tmp_path / "c", times, [])
    words = [f"0000{t}_cam{c}" for t in range(3) for c in range(2)]
    assert leading(tmp_path / "d", words, []) == list(zip(words, words[2:], strict=False))


def test_times_that_jitter_follow_one_another(tmp_path):
    times = ["1341846313553992", "1341846313592026", "1341846313654184", "1341846313692026"]
    expected = list(itertools.pairwise(times))
    assert leading(tmp_path / "a", times, times[:3]) == expected
    assert leading(tmp_path / "b", ["1000", "1033", "1067"], []) == [
        ("1000", "1033"),
        ("1033", "1067"),
    ]


def test_each_folder_has_its_own_step(tmp_path):
    for folder, numbers in (("a", (1, 2, 3, 4)), ("b", (0, 10, 20))):
        frames(tmp_path, *numbers, name=f"{folder}/{{}}.png")
    entries = FolderPairs(tmp_path, image="*/*.png").entries
    pairs = [(e.sequence, e.frame, e.next_frame) for e in entries if e.sequence == "b"]
    assert len(entries) == 5 and pairs == [("b", "0", "10"), ("b", "10", "20")]


def test_numbers_decide_and_not_the_order_of_the_text(tmp_path):
    numbers = range(1, 12)
    frames(tmp_path, *(f"{n:04d}" for n in numbers), name="frames/frame_{}.png")
    for n in numbers:
        saved(tmp_path / f"inv/d{n}.npy", np.full(trees.SIZE, n))
        flow = np.full((*trees.SIZE, 2), float(n), np.float32)
        data.write_flow(made(tmp_path / f"flow/flow_{n}.flo"), flow)
    patterns = {"image": "frames/*.png", "flow": "flow/*.flo", "inv_depth": "inv/*.npy"}
    pairs = FolderPairs(tmp_path, **patterns)
    found = [(x.name, x.flow[0, 0, 0], x.inv_depth[0, 0], x.next_inv_depth[0, 0]) for x in pairs]
    assert found == [(f"frames/frame_{n:04d}", n, n, n + 1) for n in range(1, 11)]
    assert {kind: len(paths) for kind, paths in pairs.left_out.items()} == {"flow": 1}


def test_the_whole_number_counts_and_not_what_the_wildcard_stands_for(tmp_path):
    frames(tmp_path, 10, 20, 30)
    values_in(tmp_path, "flow", (1, 2, 10, 20))
    with pytest.raises(FileNotFoundError, match=r"0001\.flo, .*0002\.flo: have no partner"):
        FolderPairs(tmp_path, image="frames/*0.png", flow="flow/*.flo")
    pairs = FolderPairs(tmp_path, image="frames/*0.png", flow="flow/???0.flo")
    assert [sample.flow[0, 0, 0] for sample in pairs] == [10, 20]


@pytest.mark.parametrize(
    "options, says",
    [
        ({"depth": "d/*.npy", "inv_depth": "i/*.npy"}, "depth: inv_depth is given, too"),
        ({"disparity": "d/*.png"}, "disparity: needs camera= and baseline="),
        ({"depth": "d/*.png"}, "depth_scale: required for PNGs"),
        ({"inv_depth": "d/*.PNG"}, "inv_depth: cannot be a PNG, which has no unit"),
        ({"next_depth": "d/*.npy"}, "next_depth: needs a depth of the first frame"),
        ({"depth": "d/*.npy", "depth_scale": 0}, "depth_scale: expected a positive number"),
        ({"flow": "../*.flo"}, "expected a path below"),
        ({"flow": "/*.flo"}, "expected a path below"),
        ({"flow": "**/*.flo"}, r"with only \* and \? as wildcards"),
        ({"flow": "[ab].flo"}, r"with only \* and \? as wildcards"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, options, says):
    frames(tmp_path, 1, 2)
    with pytest.raises(ValueError, match=says):
        FolderPairs(tmp_path, image="frames/*.png", **options)


def test_a_scale_of_codes_is_refused_where_no_depth_has_codes(tmp_path):
    frames(tmp_path, 1, 2)
    for number in (1, 2):
        saved(tmp_path / f"d/{number}.npy", np.full(trees.SIZE, 2.0))
    patterns = {"image": "frames/*.png", "depth": "d/*"}
    assert (FolderPairs(tmp_path, **patterns)[0].inv_depth == 0.5).all()
    with pytest.raises(ValueError, match="depth_scale: expected None, as no depth is a PNG"):
        FolderPairs(tmp_path, **patterns, depth_scale=1000)


def test_images_of_16_bits_are_scaled_to_1(tmp_path):
    codes = np.random.default_rng(0).integers(0, 65536, (2, *trees.SIZE, 3), np.uint16)
    for number, picture in enumerate(codes):
        assert cv2.imwrite(str(made(tmp_path / f"frames/{number}.png")), picture[..., ::-1])
    sample = FolderPairs(tmp_path, image="frames/*.png")[0]
    for image, picture in zip((sample.image, sample.next_image), codes, strict=True):
        assert image.dtype == np.float32
        np.testing.assert_allclose(image, picture / 65535, rtol=1e-6)


def test_nothing_to_read_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"frames/\*\.png: no file matches"):
        FolderPairs(tmp_path, image="frames/*.png")
    frames(tmp_path, 1)
    with pytest.raises(FileNotFoundError, match="no folder has two images"):
        FolderPairs(tmp_path, image="frames/*.png")


def test_sizes_must_agree(tmp_path):
    frames(tmp_path, 1, 2)
    camera = sf3d.Camera.pinhole(1.0, 1.0, 0.0, 0.0, (5, 6))
    with pytest.raises(data.FormatError, match="expected 6 x 5 pixels, the size of the camera"):
        FolderPairs(tmp_path, image="frames/*.png", camera=camera)[0]
    saved(tmp_path / "inv/1.npy", np.ones((5, 6)))
    saved(tmp_path / "inv/2.npy", np.ones((5, 6)))
    with pytest.raises(data.FormatError, match=r"inv/1\.npy: expected 20 x 12 pixels"):
        FolderPairs(tmp_path, image="frames/*.png", inv_depth="inv/*.npy")[0]


def test_hidden_files_are_no_frames(tmp_path):
    frames(tmp_path, 1, 2)
    (tmp_path / "frames/._1.png").write_bytes(b"")
    assert len(FolderPairs(tmp_path, image="frames/*.png")) == 1


def test_numbers_are_the_same_by_their_value(tmp_path):
    for number in (8, 9, 10):
        frames(tmp_path, f"{number:04d}")
    flows(tmp_path, "flow/f_8.flo", "flow/f_9.flo")
    for image in ("frames/*.png", "frames/????.png"):
        pairs = FolderPairs(tmp_path, image=image, flow="flow/f_*.flo")
        assert [e.files["flow"].name for e in pairs.entries] == ["f_8.flo", "f_9.flo"]


def test_flow_that_begins_a_frame_late_is_not_matched_by_its_order(tmp_path):
    for number in range(5):
        frames(tmp_path, f"{number:04d}")
    flows(tmp_path, *(f"flow/{number}.flo" for number in range(1, 5)))
    with pytest.raises(FileNotFoundError, match=r"frames/0000\.png: has no partner.*begins in"):
        FolderPairs(tmp_path, image="frames/*.png", flow="flow/*.flo")


def test_two_files_of_one_number_are_refused(tmp_path):
    frames(tmp_path, 1, "01", 2)
    with pytest.raises(ValueError, match=r"equivalent names: .*/01\.png and .*/1\.png"):
        FolderPairs(tmp_path, image="frames/*.png")
    (tmp_path / "frames/01.png").rename(tmp_path / "frames/2.jpg")
    with pytest.raises(ValueError, match=r"equivalent names: .*/2\.jpg and .*/2\.png"):
        FolderPairs(tmp_path, image="frames/*")
    assert len(FolderPairs(tmp_path, image="frames/*.png")) == 1


@pytest.mark.parametrize("image", ["frames/*", "frames/*.*", "frames/*.p*"])
def test_an_open_ending_takes_pictures_alone(tmp_path, image):
    frames(tmp_path, 1, 2)
    flows(tmp_path, "flow/1.flo", "flow/5.flo")
    for name in ("1.txt", "2.pickle", "3.pfm"):
        (tmp_path / "frames" / name).write_bytes(b"")
    (tmp_path / "frames/3.png").mkdir()
    pairs = FolderPairs(tmp_path, image=image)
    assert [(e.frame, e.next_frame) for e in pairs.entries] == [("1", "2")]
    # The number is compared, and not the number with its ending.
    with pytest.raises(FileNotFoundError, match=r"flow/5\.flo: has no partner"):
        FolderPairs(tmp_path, image=image, flow="flow/*.flo")


def test_a_file_without_wildcards_belongs_to_all(tmp_path):
    patterns = own(tmp_path)
    depth = {"inv_depth": "inv/1.npy"}
    pairs = FolderPairs(tmp_path, **(patterns | depth), mask="mask/1.png")
    assert [e.files["mask"].name for e in pairs.entries] == ["1.png"] * 2
    assert not pairs[1].valid[0, :3].any() and pairs[1].valid.sum() == pairs[1].valid.size - 3
    np.testing.assert_array_equal(pairs[1].next_inv_depth, pairs[0].inv_depth)


@pytest.mark.parametrize(
    "camera, error, says",
    [
        ("cam.json", TypeError, r"expected a Camera, got str 'cam.json'; read the file"),
        (
            np.eye(3),
            TypeError,
            r"expected a Camera, got ndarray; use Camera\.from_matrix\(K, ",
        ),
        (
            sf3d.Camera.pinhole([1.0, 1.0], 1.0, 2.0, 2.0, trees.SIZE),
            ValueError,
            r"expected one camera, got a batch \(2,\)",
        ),
    ],
)
def test_what_is_not_one_camera_is_refused_at_once(tmp_path, camera, error, says):
    frames(tmp_path, 1, 2)
    with pytest.raises(error, match=f"camera: {says}"):
        FolderPairs(tmp_path, image="frames/*.png", camera=camera)


def test_a_camera_whose_height_is_the_width_of_the_images_is_told(tmp_path):
    frames(tmp_path, 1, 2)
    camera = sf3d.Camera.pinhole(240.0, 240.0, 9.3, 5.2, trees.SIZE[::-1])
    pairs = FolderPairs(tmp_path, image="frames/*.png", camera=camera)
    with pytest.raises(data.FormatError, match=r"\(height, width\); are the two swapped\?"):
        pairs[0]


def test_one_image_is_no_pair_without_the_next(tmp_path):
    frames(tmp_path, 1, 2)
    flows(tmp_path, "flow/1.flo")
    for flow in (None, "flow/*.flo", "flow/1.flo"):
        with pytest.raises(FileNotFoundError, match=r"a pattern such as .* or the next frame"):
            FolderPairs(tmp_path, image="frames/1.png", flow=flow)
    files = {"image": "frames/1.png", "next_image": "frames/2.png", "flow": "flow/*.flo"}
    sample = FolderPairs(tmp_path, **files)[0]
    trees.check_images(sample, 1, 2)
    np.testing.assert_allclose(sample.flow, TRUTH.flow, rtol=EXACT["flow"])
