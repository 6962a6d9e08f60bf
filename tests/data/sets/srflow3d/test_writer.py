"""What is written as SRFlow3D is read as it, and a killed writer leaves whole files only."""

import os
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
from helpers import support, thorough
from helpers.srflow3d_frames import SCALE, SIZE, frame

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data import Motion, SRFlow3DWriter


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    root = tmp_path_factory.mktemp("written")
    writer = SRFlow3DWriter(root, "train", scale=SCALE)
    for i in range(3):
        writer.write("018", i, **frame(i))
    return root


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_what_is_written_is_read(written, direction):
    dataset = data.SRFlow3D(written, "train", direction)
    assert [e.frame for e in dataset.entries] == {
        "forward": ["0000", "0001"],
        "backward": ["0001", "0002"],
    }[direction]
    for sample in dataset:
        i = int(sample.name[-1])
        truth, other = frame(i), frame(i + (1 if direction == "forward" else -1))
        valid = truth["mask"]
        assert (sample.valid == valid).all() and abs(sample.scale / SCALE - 1) < 1e-6
        flow, change = truth[direction]
        assert (sample.flow == np.where(valid[..., None], flow, 0)).all()
        for name, expected in (
            ("inv_depth", truth["inv_depth"]),
            ("inv_depth_change", np.where(valid, change, 0)),
            ("next_inv_depth", other["inv_depth"]),
        ):
            np.testing.assert_allclose(getattr(sample, name), expected, rtol=4e-7)
        assert np.abs(sample.image - truth["image"] / 255).max() < 0.02
        relative = np.linalg.solve(
            *(np.r_[c["camera"].world_to_camera, [[0, 0, 0, 1.0]]].T for c in (truth, other))
        ).T
        np.testing.assert_allclose(sample.next_camera.world_to_camera, relative[:3], atol=1e-6)


def test_files_are_those_of_the_published_tree(written):
    found = {p.relative_to(written / "train").as_posix() for p in written.rglob("*.*")}
    maps = [f"{kind}/018/{i:04}.npy" for kind in ("depth", "scaled_inv_depth") for i in range(3)]
    pictures = [f"{kind}/018/{i:04}.jpg" for kind in ("mask", "render") for i in range(3)]
    motion = [f"flow_F/018/{i:04}.flo" for i in (0, 1)]
    motion += [f"scaled_inv_depth_CF/018/{i:04}.npy" for i in (0, 1)]
    motion += [f"flow_B/018/{i:04}.flo" for i in (1, 2)]
    motion += [f"scaled_inv_depth_CB/018/{i:04}.npy" for i in (1, 2)]
    assert found == {*maps, *pictures, *motion, "camera/018/spirals.json"}


def test_others_read_the_maps(written):
    top = written / "train"
    truth = frame(1)
    scaled = np.load(top / "scaled_inv_depth/018/0001.npy")
    depth = np.load(top / "depth/018/0001.npy")
    assert scaled.dtype == depth.dtype == np.float32
    np.testing.assert_allclose(scaled, SCALE * truth["inv_depth"], rtol=2e-7)
    np.testing.assert_allclose((scaled * depth)[truth["mask"]], SCALE, rtol=2e-7)
    flow = np.fromfile(top / "flow_B/018/0001.flo", "<f4", offset=12).reshape(*SIZE, 2)
    assert (flow == truth["backward"].flow).all()
    mask = cv2.imread(str(top / "mask/018/0001.jpg"), cv2.IMREAD_UNCHANGED)
    assert ((mask >= 128) == truth["mask"]).all()
    image = cv2.imread(str(top / "render/018/0001.jpg"))[..., ::-1]
    assert np.abs(image.astype(float) - truth["image"]).max() < 5


def test_a_second_writer_goes_on_where_the_first_stopped(tmp_path):
    first = SRFlow3DWriter(tmp_path, "train", scale=SCALE)
    first.write("018", 0, **frame(0))
    (tmp_path / "train/flow_F/018/.0123456789abcdef.flo").write_bytes(b"half")
    second = SRFlow3DWriter(tmp_path, "train", scale=SCALE)
    assert second.has("018", 0) and not second.has("018", 1) and not second.has("031", 0)
    assert not list(tmp_path.rglob(".*"))
    second.write("018", 1, **frame(1))
    assert [s.name for s in data.SRFlow3D(tmp_path, "train")] == ["018/0000"]


def test_a_frame_is_written_again_without_its_old_motion(tmp_path):
    writer = SRFlow3DWriter(tmp_path, "train", scale=SCALE)
    for i in range(2):
        writer.write("018", i, **frame(i))
    writer.write("018", 0, **{**frame(2), "backward": None})
    assert not (tmp_path / "train/flow_F/018/0000.flo").exists()
    assert writer.has("018", 0) and writer.has("018", 1)
    (tmp_path / "train/depth/018/0001.npy").unlink()
    assert not writer.has("018", 1)


def test_another_scale_than_that_of_the_frames_there_is_refused(tmp_path):
    SRFlow3DWriter(tmp_path, "train", scale=SCALE).write("018", 0, **frame(0))
    with pytest.raises(ValueError, match=r"scale: expected 1\.75, the scale of .*, got 3"):
        SRFlow3DWriter(tmp_path, "train", scale=3).has("018", 0)
    assert not SRFlow3DWriter(tmp_path, "test", scale=3).has("018", 0)


def test_a_write_that_failed_leaves_the_writer_as_it_was(tmp_path):
    writer = SRFlow3DWriter(tmp_path, "train", scale=SCALE)
    one = frame(0)
    twice = sf3d.Camera.pinhole(*np.ones((4, 2)), SIZE)
    with pytest.raises(ValueError, match="camera"):
        writer.write("018", 0, **{**one, "camera": twice})
    assert not writer.has("018", 0) and not [p for p in tmp_path.rglob("*") if p.is_file()]
    writer.write("018", 0, **one)
    assert writer.has("018", 0)


def test_an_inverse_depth_of_nearly_nothing_is_no_surface(tmp_path):
    one = frame(0)
    one["inv_depth"][0, 0] = 1e-41
    SRFlow3DWriter(tmp_path, "train", scale=SCALE).write("018", 0, **one)
    assert np.load(tmp_path / "train/depth/018/0000.npy")[0, 0] == 0


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"subject": ".."}, "subject: expected letters"),
        ({"subject": "a/b"}, "subject: expected letters"),
        ({"subject": ""}, "subject: expected letters"),
        ({"image": np.zeros((12, 16, 3))}, r"image: expected uint8 \[12, 16, 3\], got float64"),
        ({"mask": np.ones((12, 15), bool)}, r"mask: expected bool \[12, 16\], got bool"),
        ({"camera": frame(0, (11, 16))["camera"]}, r"camera: expected the size \(12, 16\)"),
        ({"inv_depth": np.ones((12, 16, 2))}, r"inv_depth: expected the shape \[H, W\]"),
        ({"forward": Motion(np.ones((12, 16)), np.ones(SIZE))}, "forward.flow: expected"),
        (
            {"backward": Motion(np.ones((12, 16, 2)), np.full(SIZE, np.nan))},
            "backward.inv_depth_change: 96 pixels of the mask are non-finite",
        ),
        ({"frame": -1}, "frame: expected a number from 0"),
    ],
)
def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path, changes, says):
    writer = SRFlow3DWriter(tmp_path, "train", scale=SCALE)
    arguments = {"subject": "018", "frame": 0, **frame(0)}
    with pytest.raises(ValueError, match=says):
        writer.write(**arguments | changes)
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not writer.has("018", 0)


def test_all_frames_have_one_size(tmp_path):
    writer = SRFlow3DWriter(tmp_path, "train", scale=SCALE)
    writer.write("018", 0, **frame(0))
    with pytest.raises(ValueError, match=r"expected \(12, 16\), as in other frames, got"):
        SRFlow3DWriter(tmp_path, "train", scale=SCALE).write("018", 1, **frame(1, (8, 8)))
    with pytest.raises(TypeError, match="subject: expected a string, got int"):
        writer.write(1, 1, **frame(1))
    with pytest.raises(ValueError, match="scale: expected a positive number, got 0"):
        SRFlow3DWriter(tmp_path, "train", scale=0)


def run_in_process(program, *arguments):
    """What a program prints that ends well."""
    package, helpers = (pathlib.Path(m.__file__).parents[1] for m in (sf3d, support))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *map(str, arguments)],
        env={"PYTHONPATH": f"{package}:{helpers}", "PATH": "", "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# A process that forks writers and kills them, so that nothing is imported each time.
KILL = """
import os, pathlib, random, signal, sys, time
import numpy as np
from helpers.srflow3d_frames import SCALE, frame
from sf3d_jax import data
from sf3d_jax.data import SRFlow3DWriter

root, most, random = pathlib.Path(sys.argv[1]), int(sys.argv[2]), random.Random(0)
count, kills, frames = 0, 0, [frame(1, (90, 160)) for _ in range(2)]
while kills < most:
    child = os.fork()
    if not child:
        writer = SRFlow3DWriter(root, "train", scale=SCALE)
        i = 0
        while True:
            if not writer.has("018", i):
                writer.write("018", i, **frames[i % 2])
            i += 1
    time.sleep(random.uniform(0.005, 0.06))
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    kills += 1
    for path in root.rglob("*"):
        if path.name.startswith("."):
            assert len(path.stem) == 17, path
        elif path.suffix == ".flo":
            data.read_flow(path)
        elif path.suffix == ".npy":
            data.read_map(path)
        elif path.suffix == ".jpg":
            data.read_image(path)
        elif path.suffix == ".json":
            assert len(data.read_json_cameras(path)) >= count, "frames were lost"
            count = len(data.read_json_cameras(path))
writer = SRFlow3DWriter(root, "train", scale=SCALE)
assert writer.has("018", count - 1)
for i in (count, count + 1):
    writer.write("018", i, **frames[i % 2])
assert not list(root.rglob(".*"))
print(count, len(data.SRFlow3D(root, "train")))
"""


@thorough.parametrize("kills", [8, 50], default=[8])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_writer_that_is_killed_leaves_whole_files_and_resumes(kills, tmp_path):
    count, pairs = map(int, run_in_process(KILL, tmp_path, kills).split())
    assert count >= kills // 5 and pairs == count + 1


# Forks writers of which each is killed before another call that changes files. The first argument
# is a folder, the second "next" to write a third frame or "again" to write the first one again.
STOP = """
import hashlib, json, os, pathlib, shutil, sys
import numpy as np
from helpers.srflow3d_frames import SCALE, frame
from sf3d_jax import data
from sf3d_jax.data import SRFlow3DWriter

root, (number, seed) = pathlib.Path(sys.argv[1]), {"next": (2, 2), "again": (0, 1)}[sys.argv[2]]
CHANGES = {"open", "os.rename", "os.remove", "os.truncate", "os.chmod", "os.mkdir"}

def write(folder, i, seed):
    SRFlow3DWriter(folder, "train", scale=SCALE).write("018", i, **frame(seed))

def sums(folder):
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(x.relative_to(folder)): hashlib.sha256(x.read_bytes()).hexdigest() for x in files}

for i in range(2):
    write(root / "before", i, i)
shutil.copytree(root / "before", root / "after")
write(root / "after", number, seed)
before, after = sums(root / "before"), sums(root / "after")

stops, ended = 0, False
while not ended:
    folder = root / f"{stops}"
    shutil.copytree(root / "before", folder)
    child = os.fork()
    if not child:
        left = stops
        def stop(event, arguments):
            global left
            if event in CHANGES and str(arguments[0]).startswith(str(folder)):
                if left == 0:
                    os._exit(9)
                left -= 1
        sys.addaudithook(stop)
        write(folder, number, seed)
        os._exit(0)
    ended = os.waitpid(child, 0)[1] == 0
    path = folder / "train/camera/018/spirals.json"
    frames = {int(x) for x in json.loads(path.read_text())["frames"]}
    there = sums(folder)
    for i in frames:  # all its files are the old ones or all are the new ones
        same = lambda of: {x: y for x, y in of.items() if f"/{i:04}." in x}
        assert same(there) in (same(before), same(after)), (stops, i)
    assert frames >= {0, 1} - {number}, stops
    pairs = data.SRFlow3D(folder, "train").entries if frames >= {0, 1} else []
    assert {(int(x.frame), int(x.next_frame)) for x in pairs} == {
        pair for pair in ((0, 1), (1, 2)) if frames >= set(pair)
    }, stops
    if not ended or stops % 7 == 0:
        writer = SRFlow3DWriter(folder, "train", scale=SCALE)
        assert writer.has("018", 1), stops
        assert writer.has("018", number) == (number in frames), stops
        writer.write("018", number, **frame(seed))
    assert sums(folder) == after, stops
    stops += 1
print(stops)
"""


@thorough.parametrize("what", ["next", "again"], default=["next"])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_writer_that_is_killed_between_any_two_changes_leaves_whole_frames(what, tmp_path):
    assert int(run_in_process(STOP, tmp_path, what)) > 20


def test_a_motion_is_named_by_its_parts(tmp_path):
    one = frame(0)
    parts = np.ones((*SIZE, 2), np.float32), np.zeros(SIZE, np.float32)
    with pytest.raises(TypeError, match=r"forward: expected Motion\(flow, .*\), got tuple"):
        SRFlow3DWriter(tmp_path, "train", scale=SCALE).write("018", 0, **one | {"forward": parts})
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
