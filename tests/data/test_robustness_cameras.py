"""Whatever a file of cameras or clips holds, reading gives a result or an error with its name."""

import json
import struct
from functools import partial

import numpy as np
import pytest
from helpers.damage import Format, check_damaged, refused_with
from helpers.support import NEAR, camera

import sf3d_jax as sf3d
from sf3d_jax.data.cameras.by_content import read_json_cameras, write_json_cameras
from sf3d_jax.data.cameras.colmap import (
    ColmapImage,
    read_colmap_cameras,
    read_colmap_images,
    write_colmap_cameras,
    write_colmap_images,
)
from sf3d_jax.data.cameras.nersemble import (
    FULL_SIZE,
    read_nersemble_cameras,
    write_nersemble_cameras,
)
from sf3d_jax.data.cameras.transforms import TransformsFrame, read_transforms, write_transforms
from sf3d_jax.data.sets.srflow3d.clips import Clip, clip_frames, read_clips, write_clips

SIZE = (24, 32)
CAMERA = camera("opencv", NEAR)
K, POSE = [[28.0, 0, 15.3], [0, 27, 11.8], [0, 0, 1]], [*NEAR.tolist(), [0, 0, 0, 1]]


def make_nersemble(path):
    full = sf3d.Camera.pinhole(8189.5, 8190.0, 1096.5, 1603.25, FULL_SIZE, NEAR)
    write_nersemble_cameras(path, {"220700191": full, "222200037": full})


def make_images(path):
    write_colmap_images(path, {i: ColmapImage(f"{i}.jpg", 1, NEAR) for i in (1, 2)})
    content = path.read_bytes()
    if path.suffix == ".bin":  # points for the second image
        content = content[:-8] + struct.pack("<Q", 1) + struct.pack("<ddq", 1.5, 2.5, 3)
    path.write_bytes(content)


def read_clip_frames(path):
    clips = read_clips(path)
    try:
        return clip_frames(clips, 60)
    except ValueError as error:  # an argument does not fit the file, which is no fault of it
        assert "expected frames from 0 to 59" in str(error)
        return clips


def tree(value):
    return lambda path: path.write_text(json.dumps(value))


cameras = {i: camera(lens, NEAR) for i, lens in enumerate(["pinhole", "opencv", "fisheye"])}
clips = [Clip("smile", 0, 20), Clip(start=30, end=50), Clip("jaw", frames=(3, 4, 7))]
read_cameras = partial(read_json_cameras, size=SIZE)
rotation = {"K": K, "qvec": [1.0, 0.1, 0, 0], "tvec": [1, 2, 3], "k1": 0.1, "w": 64, "h": 48}
frames = [TransformsFrame(CAMERA, f"{i}.png", i, 0, f"{i}.png") for i in range(2)]

node = {"camera_to_world": [x for row in POSE for x in row], "fov": 50, "aspect": 1.25}
PATH = {"render_height": 24, "render_width": 32, "camera_type": "perspective", "fps": 24}
PATH |= {"camera_path": [node, node], "keyframes": [{"matrix": f"{POSE}", "fov": 50}]}
NERFACE = {"camera_angle_x": -0.2, "intrinsics": [-30.0, 31.0, 0.5, 0.5], "frames": []}
NERFACE["frames"] = [{"file_path": "./a", "transform_matrix": POSE, "bbox": [0.1, 0.9, 0.1, 0.9]}]

FORMATS = [
    Format(
        "spirals.json",
        lambda path: write_json_cameras(path, {"0000": CAMERA, "0001": CAMERA}),
        read_cameras,
    ),
    Format("list.json", tree([{"file": f"{i}.jpg", **rotation} for i in range(2)]), read_cameras),
    Format(
        "columns.json", tree({"names": ["1", "2"], "K": [K, K], "c2w": [POSE] * 2}), read_cameras
    ),
    Format("fov.json", tree({"fovx": 1.5, "frames": {"3": {"Rt": POSE[:3]}}}), read_cameras),
    Format(
        "rvec.json",
        tree({"f": 30, "pp": [15, 12], "rvec": [0.1, 0, 0], "t": [0, 0, 1]}),
        read_cameras,
    ),
    Format("path.json", tree(PATH), partial(read_json_cameras)),
    Format("nerface.json", tree(NERFACE), partial(read_transforms, size=SIZE)),
    Format("nested.json", lambda path: write_transforms(path, frames), read_cameras),
    Format("transforms.json", lambda path: write_transforms(path, frames), read_transforms),
    Format(
        "sized.json",
        tree({"camera_angle_x": 0.69, "frames": [{"file_path": "a", "transform_matrix": POSE}]}),
        partial(read_transforms, size=SIZE),
    ),
    Format("camera_params.json", make_nersemble, partial(read_nersemble_cameras, size=(802, 550))),
    Format("cameras.bin", lambda path: write_colmap_cameras(path, cameras), read_colmap_cameras),
    Format("cameras.txt", lambda path: write_colmap_cameras(path, cameras), read_colmap_cameras),
    Format("images.bin", make_images, read_colmap_images),
    Format("images.txt", make_images, read_colmap_images),
    Format("clip.json", lambda path: write_clips(path, clips), read_clip_frames),
    Format(
        "clips.json", tree({"a": [0, 20], "b": ["0003.jpg", "0004"], "c": [5]}), read_clip_frames
    ),
]


def cameras_of(result):
    """All cameras of a result."""
    if isinstance(result, sf3d.Camera):
        yield result
    elif isinstance(result, dict | tuple):
        for x in result.values() if isinstance(result, dict) else result:
            yield from cameras_of(x)


def well_formed(result):
    for found in cameras_of(result):
        assert min(found.size) >= 1 and found.model in ("pinhole", "opencv", "fisheye")
        arrays = [found.focal, found.principal_point, found.world_to_camera]
        arrays += [] if found.distortion is None else [found.distortion]
        assert all(x.dtype == np.float64 and np.isfinite(x).all() for x in arrays)
        assert (found.focal > 0).all() and found.world_to_camera.shape == (3, 4)


def damage(rng, number, _):
    """Text falls apart at most bytes, but not at a digit or a mark."""
    return rng.choice([*b'0159-.eE,:[]{}" kwt']) if number % 2 else rng.integers(256)


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_a_damaged_file_is_read_or_named(tmp_path, format):
    check_damaged(tmp_path / format.name, format, well_formed, damage)


COUNT, BILLION = struct.pack("<Q", 10**9), 10**9
IMAGE = struct.pack("<i8di", 1, 1, 0, 0, 0, 0, 0, 0, 0, 7)[:64] + b"a.jpg\0"

CLAIMS = [
    ("cameras.bin", COUNT, read_colmap_cameras),
    ("images.bin", COUNT, read_colmap_images),
    ("points.bin", struct.pack("<Q", 1) + IMAGE + COUNT, read_colmap_images),
    ("size.bin", struct.pack("<QiiQQ3d", 1, 1, 0, BILLION, BILLION, 3, 3, 3), read_colmap_cameras),
    ("cameras.txt", f"1 PINHOLE {BILLION} {BILLION} 3 3 3 3".encode(), read_colmap_cameras),
    (
        "size.json",
        json.dumps({"K": K, "w2c": POSE, "h": BILLION, "w": BILLION}).encode(),
        partial(read_json_cameras, size=SIZE),
    ),
    (
        "transforms.json",
        json.dumps(
            {"fl_x": 3, "h": BILLION, "w": BILLION, "frames": [{"transform_matrix": POSE}]}
        ).encode(),
        read_transforms,
    ),
]


@pytest.mark.parametrize("name, content, read", CLAIMS, ids=[name for name, *_ in CLAIMS])
def test_a_file_that_claims_a_billion_costs_no_memory(tmp_path, name, content, read):
    path = tmp_path / name
    path.write_bytes(content)
    assert refused_with(path, read) < 5e6


def test_a_clip_that_claims_a_billion_frames_costs_no_memory(tmp_path):
    (tmp_path / "clip.json").write_text('{"start": 0, "end": 1000000000}')
    clips = read_clips(tmp_path / "clip.json")
    with pytest.raises(ValueError, match="expected frames from 0 to 59"):
        clip_frames(clips, 60)
