"""Images of several sizes in one evaluation: one program for all, and the numbers of each alone."""

import h5py
import numpy as np
import pytest
from helpers import programs, thorough
from helpers.command import SIZE, draw, spring_file
from helpers.files import made

from sf3d_jax import data

SIZES = [SIZE, (9, 21)]


def write_kitti(root, i, size):
    """An image whose estimates have holes at every border, and an empty row."""
    rng = np.random.default_rng(i)
    for kind, folder in (("flow", "flow"), ("disparity", "disp_0")):
        write = data.write_flow if kind == "flow" else data.write_disparity
        values = draw(i, *[2] * (kind == "flow"), size=size)
        name, end = f"{i:06}_10.png", "_0" * (kind == "disparity")
        truth = made(root / f"truth/{folder.split('_')[0]}_occ{end}/{name}")
        write(truth, values, rng.random(size) < 0.8)
        found = rng.random(size) < 0.6
        found[0], found[-1], found[size[0] // 2], found[:, 0], found[:, -1] = [False] * 5
        error = np.float32(rng.integers(-320, 320, values.shape) / 64)
        write(made(root / f"estimate/{folder}/{name}"), np.maximum(values + error, 1), found)


def write_spring(root, i, size):
    truth = draw(i, 2, size=tuple(2 * n for n in size))
    estimate = truth[::2, ::2] + draw(i + 9, 2, size=size, low=-4, high=4)
    for folder, values in (("truth", truth), ("estimate", estimate)):
        data.write_flow(spring_file(root / folder, "0001", "flow_FW_left", i + 1, ".flo5"), values)


def write_things(root, i, size):
    way, scene = "into_future/left", "TEST/A/0000"
    flow = f"optical_flow/{scene}/{way}/OpticalFlowIntoFuture_{i:04}_L.pfm"
    for folder, off in (("truth", 0), ("estimate", 0.02)):
        values = draw(i, 2, size=size, low=-20, high=20) + np.float32(off)
        data.write_flow(made(root / folder / flow), values)
        change = draw(i + 2, size=size) / 20 + np.float32(off / 10)
        data.write_map(made(root / folder / f"disparity_change/{scene}/{way}/{i:04}.pfm"), change)
    disparity = root / f"truth/disparity/{scene}/left/{i:04}.pfm"
    data.write_map(made(disparity), draw(i + 1, size=size))


def write_srflow3d(root, i, size):
    depth = draw(i, size=size, low=1, high=2)
    for kind, values in (("depth", depth), ("scaled_inv_depth", 1 / (5 * depth))):
        data.write_map(made(root / f"truth/test/{kind}/031/{i:04}.npy"), np.float32(values))
    for folder, off in (("truth", 0), ("estimate", 0.01)):
        flow = draw(i + 1, 2, size=size, low=-3, high=3) + np.float32(off)
        data.write_flow(made(root / f"{folder}/test/flow_F/031/{i:04}.flo"), flow)
        change = draw(i + 2, size=size) / 2000 + np.float32(off / 100)
        data.write_map(made(root / f"{folder}/test/scaled_inv_depth_CF/031/{i:04}.npy"), change)


WRITERS = {
    "kitti": write_kitti,
    "spring": write_spring,
    "things": write_things,
    "srflow3d": write_srflow3d,
}


def evaluate(benchmark, root):
    options = {"intrinsics": (20, 21, 7, 5)} if benchmark == "srflow3d" else {}
    folders = {"prediction": root / "estimate", "truth": root / "truth"}
    return data.evaluate(benchmark, **folders, **options)


@thorough.parametrize("benchmark", list(WRITERS), default=["kitti"])
def test_the_scores_are_those_of_every_image_alone(benchmark, tmp_path):
    for i, size in enumerate(SIZES):
        WRITERS[benchmark](tmp_path / "all", i, size)
        WRITERS[benchmark](tmp_path / f"{i}", i, size)
    together = evaluate(benchmark, tmp_path / "all")
    assert together.images == len(together.scores_of_images) == len(SIZES)
    for i, scores in enumerate(together.scores_of_images.values()):
        (alone,) = evaluate(benchmark, tmp_path / f"{i}").scores_of_images.values()
        assert scores.keys() == alone.keys()
        for name, value in scores.items():
            # Shares are quotients of counts. A mean may be off by the order of its terms.
            is_mean = any(word in name for word in ("epe", "EPE", "MAE", "abs", "WAUC"))
            assert value == (pytest.approx(alone[name], rel=1e-6) if is_mean else alone[name])


def test_a_program_serves_twenty_sizes(tmp_path):
    write_kitti(tmp_path, 0, (12, 40))
    evaluate("kitti", tmp_path)  # compiles what does not depend on the size
    sizes = [(12 + i % 3, 40 - i) for i in range(20)]
    for i, size in enumerate(sizes):
        write_kitti(tmp_path, i, size)
    before = programs.counts["programs"]
    result = evaluate("kitti", tmp_path)
    assert result.images == 20 and not result.problems
    assert programs.counts["programs"] - before <= 1


def test_a_header_that_lies_takes_no_memory(tmp_path):
    write_kitti(tmp_path, 0, SIZE)
    write_kitti(tmp_path, 1, SIZE)
    path = tmp_path / "estimate/flow/000001_10.png"
    content = bytearray(path.read_bytes())
    content[16:24] = (60_000).to_bytes(4, "big") * 2
    path.write_bytes(content)
    result = evaluate("kitti", tmp_path)
    assert len(result.problems) == 1 and str(path) in str(result.problems[0])
    assert list(result.scores_of_images) == ["000000_10"]


def test_an_estimate_without_a_value_is_a_problem(tmp_path):
    for i in range(3):
        write_kitti(tmp_path, i, SIZE)
    flow, disparity = (tmp_path / f"estimate/{x}_10" for x in ("flow/000001", "disp_0/000002"))
    flow.with_suffix(".png").unlink()
    disparity.with_suffix(".png").unlink()
    data.write_flow(flow.with_suffix(".flo"), np.full((*SIZE, 2), np.nan, np.float32))
    data.write_map(disparity.with_suffix(".npy"), np.zeros(SIZE, np.float32))
    result = evaluate("kitti", tmp_path)
    assert [str(x) for x in result.problems] == [
        f"{flow}.flo: expected a value at some pixel, found none",
        f"{disparity}.npy: expected a value at some pixel, found none",
    ]
    assert list(result.scores_of_images) == ["000000_10"]


@pytest.mark.parametrize("content", ["empty", "archive", "group", "nothing"])
def test_a_file_whose_header_is_no_header_is_a_problem(tmp_path, content):
    for i in range(2):
        write_kitti(tmp_path, i, SIZE)
    path = tmp_path / "estimate/flow/000001_10.png"
    path.unlink()
    path = path.with_suffix(".npy" if content in ("empty", "archive") else ".flo5")
    if content == "empty":
        path.write_bytes(b"")
    elif content == "archive":
        with path.open("wb") as file:
            np.savez(file, flow=np.ones((2, 3, 2)))
    else:
        with h5py.File(path, "w") as file:
            if content == "group":
                file.create_group("flow")
            else:
                file["flow"] = h5py.Empty("f")
    result = evaluate("kitti", tmp_path)
    assert [str(x).startswith(str(path)) for x in result.problems] == [True]
    assert list(result.scores_of_images) == ["000000_10"]
