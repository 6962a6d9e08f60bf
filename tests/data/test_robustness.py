"""Whatever a file holds, reading it gives a well-formed result or an error that names it."""

import dataclasses
import math
import resource
import struct
import zlib
from functools import partial

import cv2
import h5py
import numpy as np
import pytest
from helpers import support
from helpers.damage import Format, check_damaged, refused_with

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.maps.images import read_mask, write_mask
from sf3d_jax.data.sets.kitti import calibration as kitti
from sf3d_jax.data.sets.sintel import files as sintel
from sf3d_jax.data.sets.spring import cameras as spring_cameras
from sf3d_jax.data.sets.tartanair import computed_flow
from sf3d_jax.data.sets.tartanair import files as tartanair
from sf3d_jax.data.sets.things import cameras as things
from sf3d_jax.data.sets.vkitti2 import files as vkitti2

RNG = np.random.default_rng(0)
SIZE = (5, 7)
FLOW = RNG.uniform(-3, 3, (*SIZE, 2)).astype(np.float32)
MAP = RNG.uniform(1, 30, SIZE).astype(np.float32)
IMAGE = cv2.resize(RNG.integers(0, 256, (4, 4, 3), dtype=np.uint8), (24, 16))
POSES = np.stack([np.eye(3, 4), support.NEAR])
CAMERA = sf3d.Camera.pinhole(700.5, 710.25, 3.25, 2.5, SIZE, support.NEAR)
STILL = dataclasses.replace(CAMERA, world_to_camera=np.eye(3, 4))


def make_vkitti2_cameras(path):
    cameras = {(frame, side): CAMERA for frame in (0, 1) for side in (0, 1)}
    vkitti2.write_vkitti2_cameras(
        path.with_name("intrinsic.txt"), path.with_name("extrinsic.txt"), cameras
    )


def read_vkitti2_cameras(path):
    return vkitti2.read_vkitti2_cameras(
        path.with_name("intrinsic.txt"), path.with_name("extrinsic.txt"), SIZE
    )


def make_kitti_calibration(path):
    kitti.write_kitti_calibration(path, kitti.Calibration(STILL, 0.5327))


def make_tartanair_array(path):
    text = path.with_suffix(".txt")
    tartanair.write_tartanair_poses(text, POSES)
    np.save(path, np.loadtxt(text))


def make_computed_flow(path):
    masks = {name: np.ones((1, *SIZE), bool) for name in ("fov_mask_fwd", "covisible_mask_fwd")}
    np.savez(path, flow_fwd=FLOW.transpose(2, 0, 1)[None], **masks)


def make_plain_hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("flow", data=FLOW)


def make_things_cameras(path):
    things.write_things_cameras(path, {6: tuple(POSES), 8: tuple(POSES[::-1])})


write_flow = lambda path: data.write_flow(path, FLOW)
write_disparity = lambda path: data.write_disparity(path, MAP)
write_map = lambda path: data.write_map(path, MAP)
write_image = lambda path: data.write_image(path, IMAGE)

FORMATS = [
    Format("a.flo", write_flow, data.read_flow),
    Format("flow.png", write_flow, data.read_flow),
    Format("flow.pfm", write_flow, data.read_flow),
    Format("flow.npy", write_flow, data.read_flow),
    Format("a.flo5", write_flow, data.read_flow),
    Format("plain.flo5", make_plain_hdf5, data.read_flow),
    Format("disparity.png", write_disparity, data.read_disparity),
    Format("disparity.pfm", write_disparity, data.read_disparity),
    Format("a.dsp5", write_disparity, data.read_disparity),
    Format("map.npy", lambda path: np.save(path, MAP.astype(np.float64)), data.read_map),
    Format("a.dpt", write_map, data.read_map),
    Format("calibration.txt", make_kitti_calibration, kitti.read_kitti_calibration),
    Format(
        "a.cam",
        lambda path: sintel.write_sintel_camera(path, CAMERA),
        partial(sintel.read_sintel_camera, size=SIZE),
    ),
    Format(
        "sintel.png",
        lambda path: sintel.write_sintel_disparity(path, MAP),
        sintel.read_sintel_disparity,
    ),
    Format(
        "vkitti2.png",
        lambda path: data.write_flow(path, FLOW, format="vkitti2"),
        partial(data.read_flow, format="vkitti2"),
    ),
    Format(
        "tartanair.png",
        lambda path: data.write_flow(path, FLOW, format="tartanair"),
        partial(data.read_flow, format="tartanair"),
    ),
    Format(
        "packed.png",
        lambda path: data.write_map(path, MAP, format="tartanair"),
        partial(data.read_map, format="tartanair"),
    ),
    Format("flow.npz", make_computed_flow, computed_flow.read_computed_flow),
    Format("hidden.npz", make_computed_flow, computed_flow.read_computed_occlusion),
    Format(
        "depth.png",
        lambda path: vkitti2.write_vkitti2_depth(path, MAP),
        vkitti2.read_vkitti2_depth,
    ),
    Format(
        "vectors.png",
        lambda path: vkitti2.write_vkitti2_scene_flow(path, np.dstack([FLOW, FLOW[..., 0]])),
        vkitti2.read_vkitti2_scene_flow,
    ),
    Format("intrinsic.txt", make_vkitti2_cameras, read_vkitti2_cameras),
    Format("extrinsic.txt", make_vkitti2_cameras, read_vkitti2_cameras),
    Format(
        "pose_left.txt",
        lambda path: tartanair.write_tartanair_poses(path, POSES),
        tartanair.read_tartanair_poses,
    ),
    Format("poses.npy", make_tartanair_array, tartanair.read_tartanair_poses),
    Format("camera_data.txt", make_things_cameras, things.read_things_cameras),
    Format(
        "intrinsics.txt",
        lambda path: spring_cameras.write_spring_intrinsics(path, [[900.5, 901, 960, 540]] * 2),
        spring_cameras.read_spring_intrinsics,
    ),
    Format(
        "extrinsics.txt",
        lambda path: spring_cameras.write_spring_extrinsics(path, POSES),
        spring_cameras.read_spring_extrinsics,
    ),
    Format("image.png", write_image, data.read_image),
    Format("image.jpg", write_image, data.read_image),
    Format("mask.png", lambda path: write_mask(path, IMAGE[..., 0] > 128), read_mask),
    Format("mask.jpg", lambda path: write_mask(path, IMAGE[..., 0] > 128), read_mask),
]


def arrays(result):
    """All arrays of a result."""
    if isinstance(result, np.ndarray):
        yield result
    elif isinstance(result, sf3d.Camera):
        assert min(result.size) >= 1
        yield from (result.focal, result.principal_point, result.world_to_camera)
    elif isinstance(result, dict | tuple):
        for x in result.values() if isinstance(result, dict) else result:
            yield from arrays(x)
    else:
        yield np.asarray(result)


def well_formed(result):
    found = list(arrays(result))
    assert found
    for array in found:
        assert array.dtype in (np.float32, np.float64, np.uint8, bool), array.dtype
        assert array.size and np.isfinite(array).all()


@pytest.mark.parametrize("format", FORMATS, ids=lambda format: format.name)
def test_a_damaged_file_is_read_or_named(tmp_path, format, capfd):
    damage = lambda rng, _, byte: byte ^ rng.integers(1, 256)
    check_damaged(tmp_path / format.name, format, well_formed, damage)


SIDE = math.isqrt(10**9)


def png(depth, colour):
    """A PNG of right checksums, whose header claims a billion pixels."""
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, depth, colour, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(2 * SIDE))),
        (b"IEND", b""),
    )
    pieces = (
        struct.pack(">I", len(x)) + kind + x + struct.pack(">I", zlib.crc32(kind + x))
        for kind, x in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(pieces)


def jpeg(progressive):
    content = bytearray(
        cv2.imencode(".jpg", IMAGE, [cv2.IMWRITE_JPEG_PROGRESSIVE, int(progressive)])[1].tobytes()
    )
    frame = content.find(b"\xff\xc2" if progressive else b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", SIDE, SIDE)
    return bytes(content)


def npy(shape):
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header + bytes(8)


def hdf5(key, shape, **options):
    def content(path):
        with h5py.File(path, "w") as file:
            file.create_dataset(key, shape=shape, dtype="f4", **options)

    return content


def constant_hdf5(path):
    """Zeros that are all there, in chunks of 2^25, of each of which the file needs a little."""
    packer, side = zlib.compressobj(), 2**12
    chunk = b"".join(packer.compress(bytes(2**20)) for _ in range(2**7)) + packer.flush()
    with h5py.File(path, "w") as file:
        options = {"chunks": (side, 2 * side), "compression": "gzip"}
        made = file.create_dataset("disparity", shape=(9 * side, 2 * side), dtype="f4", **options)
        for i in range(9):
            made.id.write_direct_chunk((i * side, 0), chunk)


def wide_jpeg(path):
    """A file as large as a picture of its size needs, which is larger than any that is read."""
    path.write_bytes(jpeg(False)[:-2] + bytes(9 * 10**6) + b"\xff\xd9")


def sparse_jpeg(path):
    """A file that holds two bits a block of one of its three components, but not of all."""
    content = bytearray(jpeg(False))
    frame = content.find(b"\xff\xc0")
    content[frame + 5 : frame + 9] = struct.pack(">HH", 16000, 16000)
    path.write_bytes(content[:-2] + bytes(1_200_000) + b"\xff\xd9")


def tiff(order):
    """Strips of zeros that are all there, as they are all the same few bytes."""
    side, rows = 20_000, 1000
    count, strip = side // rows, zlib.compress(bytes(side * rows))
    begin = 8 + 2 + 12 * 9 + 4  # of the lists of places and lengths, behind the directory
    values = [
        (256, side),
        (257, side),
        (258, 8),  # bits
        (259, 8),  # deflate
        (262, 1),  # black is 0
        (273, begin),
        (277, 1),  # channels
        (278, rows),
        (279, begin + 4 * count),
    ]
    mark = b"II*\0" if order == "<" else b"MM\0*"
    content = mark + struct.pack(f"{order}IH", 8, len(values))
    for tag, value in values:
        content += struct.pack(f"{order}HHII", tag, 4, count if tag in (273, 279) else 1, value)
    places = [begin + 8 * count] * count + [len(strip)] * count
    return content + bytes(4) + struct.pack(f"{order}{2 * count}I", *places) + strip


bmp = b"BM" + struct.pack("<IIIIiiHHIIiiII", 54, 0, 54, 40, SIDE, -SIDE, 1, 24, 0, 0, 0, 0, 0, 0)
gif = b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0x80, 0, 0) + bytes(6)
gif += b"," + struct.pack("<HHHHB", 0, 0, SIDE, SIDE, 0) + b"\x02\x02\x44\x01\0;"

CLAIMS = [
    ("a.flo", struct.pack("<4sii", b"PIEH", SIDE, SIDE), data.read_flow),
    ("a.dpt", struct.pack("<4sii", b"PIEH", SIDE, SIDE), data.read_map),
    ("a.pfm", f"PF\n{SIDE} {SIDE}\n-1\n".encode(), data.read_flow),
    ("b.pfm", f"Pf\n{SIDE} {SIDE}\n-1\n".encode(), data.read_disparity),
    ("a.npy", npy((SIDE, SIDE, 2)), data.read_flow),
    ("b.npy", npy((SIDE, SIDE)), data.read_map),
    ("poses.npy", npy((10**9, 7)), tartanair.read_tartanair_poses),
    ("a.png", png(16, 2), data.read_flow),
    ("b.png", png(16, 0), data.read_disparity),
    ("c.png", png(8, 2), sintel.read_sintel_disparity),
    ("d.png", png(8, 6), data.read_image),
    ("e.png", png(1, 0), read_mask),
    ("a.jpg", jpeg(False), data.read_image),
    ("b.jpg", jpeg(True), read_mask),
    ("a.gif", gif, data.read_image),
    ("d.jpg", wide_jpeg, data.read_image),
    ("e.jpg", sparse_jpeg, data.read_image),
    ("a.bmp", bmp, data.read_image),
    ("a.tif", tiff("<"), data.read_image),
    ("b.tif", tiff(">"), read_mask),
    ("a.ppm", f"P6\n{SIDE} {SIDE}\n255\n".encode() + bytes(99), data.read_image),
    ("a.flo5", hdf5("flow", (SIDE, SIDE, 2), compression="gzip"), data.read_flow),
    ("b.flo5", hdf5("flow", (SIDE, SIDE, 2)), data.read_flow),
    ("c.dsp5", constant_hdf5, data.read_disparity),
    ("a.dsp5", hdf5("disparity", (SIDE, SIDE), chunks=(SIDE, SIDE)), data.read_disparity),
]


@pytest.mark.parametrize("name, content, read", CLAIMS, ids=[name for name, *_ in CLAIMS])
def test_a_header_that_claims_a_billion_pixels_costs_no_memory(
    tmp_path, name, content, read, capfd
):
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else content(path)
    peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in KiB

    before = peak()
    traced = refused_with(path, read)
    assert traced < 50e6 and (peak() - before) * 1024 < 50e6
