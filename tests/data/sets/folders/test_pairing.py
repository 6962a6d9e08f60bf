"""Which files belong together, against partners that are written down by hand."""

import random
from pathlib import Path

import pytest

from sf3d_jax import data

# Names of flows, names of others, and the partners.
PAIRS = {
    "zeros in front": (range(1, 12), [f"{i:04d}" for i in range(1, 12)], None),
    "words in front": (["f_0002", "f_0003"], ["d_0003", "d_0002"], ["d_0002", "d_0003"]),
    "a version": (["f_2", "f_10"], ["d_10_v3", "d_2_v3"], ["d_2_v3", "d_10_v3"]),
    "both frames": (
        ["000000_000001_flow", "000001_000002_flow"],
        ["000000_left_depth", "000001_left_depth", "000002_left_depth"],
        ["000000_left_depth", "000001_left_depth"],
    ),
    "one of both frames": (["0003_0004"], ["3", "4"], ["3"]),
    "scene and frame": (
        ["s1_f1_flow", "s1_f2_flow", "s2_f1_flow"],
        ["s2f1", "s1f1", "s1f2", "s2f2"],
        ["s1f1", "s1f2", "s2f1"],
    ),
    "KITTI": (["000000_10", "000001_10"], ["000000_10", "000001_10"], None),
    "KITTI's images": (["000004_10", "000010_10"], ["000010", "000004"], ["000004", "000010"]),
    "words": (["wave", "jump"], ["jump", "wave", "walk"], ["wave", "jump"]),
    "other words": (["a_flow", "b_flow"], ["a_depth", "b_depth"], None),
    "words beside numbers": (["8", "9", "10"], ["x", "y", "z"], None),
    "times": (["12.050", "12.5"], ["d12.5", "d12.05", "d12.050"], ["d12.050", "d12.5"]),
    "cameras of one number": (
        ["f_1_cam1", "f_2_cam1"],
        ["d_cam01_2", "d_cam01_1"],
        ["d_cam01_1", "d_cam01_2"],
    ),
    "a stray": (["f_1", "f_2"], ["1", "2", "mean"], ["1", "2"]),
}


@pytest.mark.parametrize("case", PAIRS)
def test_names_say_which_files_belong_together(case):
    flows, others, expected = PAIRS[case]
    flows, others = (
        [f"{folder}/{x}.npy" for x in n] for folder, n in (("f", flows), ("d", others))
    )
    expected = others if expected is None else [f"d/{x}.npy" for x in expected]
    paired = data.pair_files(flows, others)
    assert paired.files == tuple(map(Path, expected))
    assert paired.left_out == tuple(Path(x) for x in others if x not in expected)


def test_the_order_of_the_files_does_not_matter_where_their_numbers_decide():
    flows, others = [f"{i}.flo" for i in range(1, 12)], [f"d_{i:04d}.npy" for i in range(12)]
    random.Random(0).shuffle(flows)
    assert data.pair_files(sorted(flows), sorted(others)).left_out == (Path("d_0000.npy"),)
    files = data.pair_files(flows, others).files
    assert [int(path.stem[2:]) for path in files] == [int(flow[:-4]) for flow in flows]


@pytest.mark.parametrize(
    "flows, others, error, says",
    [
        (["f_1", "f_2"], ["d_2", "d_3"], FileNotFoundError, r"f_1\.x: has no partner .* d_2\.x"),
        (range(9), [9], FileNotFoundError, r"0\.x, .*, 4\.x and 4 more: have no partner"),
        (["f_1"], ["d_2"], FileNotFoundError, r"f_1\.x: has no partner"),
        (["1", "2", "mean"], ["f1", "f2", "f3"], FileNotFoundError, r"mean\.x: has no partner"),
        (["a", "b"], ["1", "2", "3"], ValueError, "2 files such as a.x and 3 .* do not say which"),
        (["a", "b"], ["10", "2"], ValueError, "do not say which"),
        (["1", "2"], ["depth_1", "depth_2", "conf_1", "conf_2"], ValueError, "do not say which"),
        (["s1_1", "s1_2", "s2_1"], ["1", "2", "3"], ValueError, "do not say which"),
        (["1", "01"], ["1", "2"], ValueError, r"equivalent names: 01\.x and 1\.x"),
        (["1"], ["1", "001"], ValueError, r"equivalent names: 001\.x and 1\.x"),
        (["f_1_cam1", "f_2_cam1"], ["d_1_cam2", "d_2_cam2"], ValueError, "do not say which"),
        (["left"], ["right"], ValueError, "do not say which"),
        (["f_left_1", "f_left_2"], ["d_right_1", "d_right_2"], ValueError, "do not say which"),
        (["flow_0001_v2"], ["depth_2"], ValueError, "1 files such as .* do not say which"),
        (["1"], [], FileNotFoundError, "has no partner among no files"),
    ],
)
def test_what_names_do_not_say_is_refused(flows, others, error, says):
    with pytest.raises(error, match=says):
        data.pair_files([f"{x}.x" for x in flows], [f"{x}.x" for x in others])


# Names of flows, names of frames, and those that the flows lead to.
LEADING = {
    "the next one": (["1", "2"], ["1", "2", "3"], ["2", "3"]),
    "every fifth": (["0", "5"], ["0", "5", "10"], ["5", "10"]),
    "named by the flow": (["0001_0003"], ["1", "2", "3"], ["3"]),
    "backwards": (["0003_0002"], ["1", "2", "3", "4"], ["2"]),
    "none": (["2"], ["1", "2"], [None]),
    "cameras of one time": (["0001_cam1"], ["0001_cam1", "0001_cam2"], [None]),
    "cameras by their word": (
        ["0001_cam1", "0001_cam2"],
        ["0001_cam1", "0001_cam2", "0002_cam1", "0002_cam2"],
        ["0002_cam1", "0002_cam2"],
    ),
    "all times of one camera": (
        ["00000_01", "00001_01"],
        [f"0000{t}_0{c}" for t in range(3) for c in range(3)],
        ["00001_01", "00002_01"],
    ),
    "times": (["1000", "1033"], ["1000", "1033", "1067", "1100"], ["1033", "1067"]),
}


@pytest.mark.parametrize("case", LEADING)
@pytest.mark.parametrize("ending", ["png", "jp2"])
def test_a_flow_leads_to_the_next_frame_of_its_camera(case, ending):
    flows, frames, expected = LEADING[case]
    found = data.pair_frames([f"{x}.flo" for x in flows], [f"{x}.{ending}" for x in frames])
    assert [after and after.stem for _, after in found] == expected
    starts = flows if {*flows} <= {*frames} else [str(int(flows[0][:4]))]
    assert [first.stem for first, _ in found] == starts


@pytest.mark.parametrize("flows", [["0_1"], ["0_0", "0_1", "0_2"], ["0_1", "1_1", "2_1"]])
def test_a_number_that_may_be_that_of_a_camera_or_of_a_frame_is_asked_for(flows):
    frames = [f"{t}_{c}.png" for t in range(3) for c in range(3)]
    says = r"the names do not say whether 0_(\d) is followed by 0_\d or 1_\1"
    with pytest.raises(ValueError, match=says):
        data.pair_frames([f"{x}.flo" for x in flows], frames)
    times = [(t, c) for t in range(3) for c in range(3)]
    assert data.pair_frames(["0_1.flo"], frames, times=times)[0][1] == Path("1_1.png")


REPEATED = [f"cam{c}/000{t}.png" for c in (1, 2) for t in (1, 2)]


@pytest.mark.parametrize("times", [None, [(t, c) for c in "ab" for t in (1, 2)]])
def test_names_that_repeat_in_folders_belong_to_the_folder_of_the_flow(times):
    flows = ["out/cam2/0001.flo", "out/cam1/0001.flo"]
    found = data.pair_frames(flows, REPEATED, times=times)
    assert [tuple(x.as_posix() for x in pair) for pair in found] == [
        ("cam2/0001.png", "cam2/0002.png"),
        ("cam1/0001.png", "cam1/0002.png"),
    ]
    for folder in ("out", "out/cam3"):
        with pytest.raises(
            ValueError, match=r"equivalent names: cam1/0001\.png and cam2.*; put each flow"
        ):
            data.pair_frames([f"{folder}/0001.flo"], REPEATED)


def test_no_flow_leads_into_the_folder_of_another_camera():
    [(first, after)] = data.pair_frames(["1.flo"], ["cam1/1.png", "cam2/2.png"])
    assert first == Path("cam1/1.png") and after is None
    [(_, after)] = data.pair_frames(["1.flo"], ["train/1.png", "test/2.png"])
    assert after == Path("test/2.png")
