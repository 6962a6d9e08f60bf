"""Small copies of the benchmarks, laid out as they are published, of a scene whose truth is known.

A plane moves and turns while the camera moves, too. Frames follow one another as

    first  ->  middle  ->  last

with the forward motion of `FORWARD` from first to middle and the backward motion of `BACKWARD` from
last to middle. What is written for the middle frame itself is not compared with anything.
"""

import dataclasses
import struct

import cv2
import h5py
import numpy as np
from helpers.files import made
from helpers.films import film, inverse, moving_plane, optics, resized
from helpers.support import chain
from scipy.spatial.transform import Rotation

import sf3d_jax as sf3d

SIZE = (12, 20)
TARTANAIR = (12, 16)  # the aspect of its images


def image(number, size=SIZE):
    """A picture that tells its number."""
    return np.random.default_rng(number).integers(0, 256, (*size, 3), np.uint8)


def write_image(path, number, size=SIZE):
    path.parent.mkdir(parents=True, exist_ok=True)
    lossless = [cv2.IMWRITE_WEBP_QUALITY, 101] if path.suffix == ".webp" else []
    assert cv2.imwrite(str(path), image(number, size)[..., ::-1], lossless)


def check_images(sample, first, second, size=SIZE):
    for name, number in (("image", first), ("next_image", second)):
        x = getattr(sample, name)
        assert x.dtype == np.float32
        np.testing.assert_allclose(x * 255, image(number, size), atol=1e-4)


def check_truth(sample, truth, *, flow, inv_depth, vectors):
    """Compares a sample with its truth, to the tolerances of its format, in px, 1/m and m."""
    assert sample.valid is None or sample.valid.all()
    np.testing.assert_allclose(sample.flow, truth.flow, atol=flow, rtol=0)
    np.testing.assert_allclose(sample.inv_depth, truth.inv_depth, atol=inv_depth, rtol=0)
    np.testing.assert_allclose(sample.inv_depth_change, truth.change, atol=2 * inv_depth, rtol=0)
    for array in (sample.flow, sample.inv_depth, sample.inv_depth_change):
        assert array.dtype == np.float32
    found = sf3d.scene_flow(
        sample.flow, sample.inv_depth, sample.inv_depth_change, sample.camera, sample.next_camera
    )
    assert found.valid.all()
    np.testing.assert_allclose(found.vectors, truth.vectors, atol=vectors, rtol=0)


def check_cameras(sample, truth):
    """The world at the first camera, all in float32."""
    np.testing.assert_array_equal(sample.camera.world_to_camera, np.eye(3, 4))
    poses = [np.float64(c.world_to_camera) for c in (truth.camera, truth.next_camera)]
    between = chain(poses[1], inverse(poses[0]))
    np.testing.assert_allclose(sample.next_camera.world_to_camera, between, atol=1e-6)
    for found, wanted in ((sample.camera, truth.camera), (sample.next_camera, truth.next_camera)):
        assert found.world_to_camera.dtype == found.focal.dtype == np.float32
        assert found.size == wanted.size
        np.testing.assert_allclose(found.focal, wanted.focal, rtol=1e-6)
        np.testing.assert_allclose(found.principal_point, wanted.principal_point, rtol=1e-6)


def kitti2015(root, *, number=7, size=SIZE, noc=True, lens=None):
    """training/ with one sample, of a camera that stays; one pixel leaves the image.

    The calibration is that of `lens`, a camera of which the images are resized.
    """
    baseline = 0.5
    lens = lens or sf3d.Camera.pinhole(250.0, 250.0, 9.3, 5.2, size)
    camera = resized(lens, size)
    truth = moving_plane(camera, camera)
    top = root / "training"
    name = f"{number:06d}"
    write_image(top / f"image_2/{name}_10.png", number, size)
    write_image(top / f"image_2/{name}_11.png", number + 1, size)
    inside = np.ones(size, bool)
    inside[0, 0] = False
    maps = {"flow_occ": (truth.flow, None), "flow_noc": (truth.flow, inside)}
    for folder, (flow, valid) in maps.items():
        if noc or folder == "flow_occ":
            sf3d.data.write_flow(made(top / folder / f"{name}_10.png"), flow, valid)
    for folder, inv_depth in (
        ("disp_occ_0", truth.inv_depth),
        ("disp_occ_1", truth.inv_depth + truth.change),
    ):
        disparity = inv_depth * camera.focal[0] * baseline
        sf3d.data.write_disparity(made(top / folder / f"{name}_10.png"), disparity)
    fx, fy, cx, cy = optics(lens)
    lines = [f"S_rect_02: {lens.size[1]}.0 {lens.size[0]}.0"]
    for camera, shift in ((2, 30.0), (3, 30.0 - fx * baseline)):
        lines.append(f"P_rect_0{camera}: {fx} 0 {cx} {shift} 0 {fy} {cy} 0 0 0 1 0")
    made(top / f"calib_cam_to_cam/{name}.txt").write_text("\n".join(lines) + "\n")
    return truth


def spring(root, *, scene="0005", side="left", size=SIZE, lens=None):
    """train/ with one scene of three frames; only the top left of four values is the truth.

    The intrinsics are those of `lens`, of which the images are resized.
    """
    lens = lens or sf3d.Camera.pinhole(240.0, 240.0, 10.0, 6.0, size)
    lenses = [dataclasses.replace(lens, focal=lens.focal * f / 24) for f in (24, 25, 26)]
    cameras = [resized(x, size) for x in lenses]
    focals = [x.focal[0] for x in cameras]
    left = film(cameras[0]).cameras
    poses = [np.float64(c.world_to_camera) for c in left]
    shift = np.c_[np.eye(3), [-0.065 if side == "right" else 0, 0, 0]]
    at = [
        dataclasses.replace(c, world_to_camera=chain(shift, p))
        for c, p in zip(cameras, poses, strict=True)
    ]
    forward, backward = moving_plane(at[0], at[1]), moving_plane(at[2], at[1])
    top = root / "train" / scene
    for number in (1, 2, 3):
        write_image(top / f"frame_{side}/frame_{side}_{number:04d}.png", number, size)

    def write(kind, number, values, focal=None):
        full = np.full((2 * size[0], 2 * size[1], *values.shape[2:]), 99.0)
        full[::2, ::2] = values if focal is None else values * focal * 0.065
        name, key = ("flo5", "flow") if focal is None else ("dsp5", "disparity")
        with h5py.File(made(top / kind / f"{kind}_{number:04d}.{name}"), "w") as file:
            file.create_dataset(key, data=np.float32(full))

    maps = [(1, "FW", forward), (2, "FW", forward), (2, "BW", forward), (3, "BW", backward)]
    for number, way, truth in maps:
        write(f"flow_{way}_{side}", number, truth.flow)
        moved = truth.inv_depth + truth.change
        write(f"disp2_{way}_{side}", number, moved, focals[1])
        match = np.zeros((*size, 3), np.uint8)
        match[0, 0, 0] = match[0, 1, 1] = 255
        folder = f"matchmap_flow_{way}_{side}"
        path = made(top / "maps" / folder / f"{folder}_{number:04d}.png")
        assert cv2.imwrite(str(path), match[..., ::-1])
    for number, truth in ((1, forward), (3, backward)):
        write(f"disp1_{side}", number, truth.inv_depth, focals[number - 1])
    write(f"disp1_{side}", 2, forward.next_inv_depth, focals[1])
    rows = [" ".join(map(str, optics(x))) for x in lenses]
    made(top / "cam_data/intrinsics.txt").write_text("\n".join(rows) + "\n")
    rows = [" ".join(map(repr, np.r_[p, [[0, 0, 0, 1]]].ravel().tolist())) for p in poses]
    made(top / "cam_data/extrinsics.txt").write_text("\n".join(rows) + "\n")
    return forward, backward


def things(
    root,
    scene="TRAIN/A/0003",
    *,
    side="left",
    sign=1,
    focal=1050.0,
    start=6,
    webp=False,
    size=(27, 48),
):
    """One scene of three frames of FlyingThings3D, Monkaa or Driving, resized from 960 x 540."""
    camera = resized(sf3d.Camera.pinhole(focal, focal, 479.5, 269.5, (540, 960)), size)
    focal = camera.focal[0]
    whole = film(camera)
    letter = side[0].upper()
    frames = [start, start + 1, start + 2]
    kind, ending = ("frames_cleanpass_webp", "webp") if webp else ("frames_cleanpass", "png")
    for number in frames:
        write_image(root / kind / scene / side / f"{number:04d}.{ending}", number, size)
    # As in the data set, the last frame has a motion into the future, too.
    for way, truth in (("Future", whole.forward), ("Past", whole.backward)):
        for number in frames:
            name = f"OpticalFlowInto{way}_{number:04d}_{letter}.pfm"
            motion = f"into_{way.lower()}/{side}"
            sf3d.data.write_flow(made(root / "optical_flow" / scene / motion / name), truth.flow)
            path = made(root / "disparity_change" / scene / motion / f"{number:04d}.pfm")
            sf3d.data.write_map(path, sign * truth.change * focal)
    of_frame = (
        whole.forward.inv_depth,
        whole.forward.next_inv_depth,
        whole.backward.inv_depth,
    )
    for number, inv_depth in zip(frames, of_frame, strict=True):
        path = made(root / "disparity" / scene / side / f"{number:04d}.pfm")
        sf3d.data.write_map(path, sign * inv_depth * focal)
    lines = []
    shift = np.c_[np.eye(3), [-1.0, 0, 0]]
    for number, seen in zip(frames, whole.cameras, strict=True):
        lines.append(f"Frame {number}")
        # The other camera of the pair stands a baseline beside the one that is looked through.
        pair = {side: seen.world_to_camera}
        other = "right" if side == "left" else "left"
        pair[other] = chain(shift if other == "right" else inverse(shift), pair[side])
        for which in ("left", "right"):
            matrix = np.linalg.inv(np.diag([1, -1, -1, 1]) @ np.r_[pair[which], [[0, 0, 0, 1]]])
            lines.append(" ".join([which[0].upper(), *map(repr, matrix.ravel().tolist())]))
        lines.append("")
    made(root / "camera_data" / scene / "camera_data.txt").write_text("\n".join(lines))
    return whole.forward, whole.backward


def sintel(root, scene="alley_1", *, size=SIZE, depth=True, lens=None):
    """training/ with one scene of three frames; the first pixel of the flow is invalid.

    The intrinsics are those of `lens`, of which the images are resized.
    """
    lens = lens or sf3d.Camera.pinhole(224.0, 224.0, 9.5, 5.5, size)
    whole, (fx, fy, cx, cy) = film(resized(lens, size)), optics(lens)
    top = root / "training"
    for number in (1, 2, 3):
        write_image(top / f"clean/{scene}/frame_{number:04d}.png", number, size)
        camera = whole.cameras[number - 1]
        matrix = [fx, 0, cx, 0, fy, cy, 0, 0, 1]
        pose = np.float64(camera.world_to_camera).ravel()
        data = struct.pack("<4s21d", b"PIEH", *matrix, *pose)
        made(top / f"camdata_left/{scene}/frame_{number:04d}.cam").write_bytes(data)
    mask = np.zeros(size, np.uint8)
    mask[0, 0] = 255
    for number in (1, 2):
        name = f"{scene}/frame_{number:04d}"
        sf3d.data.write_flow(made(top / f"flow/{name}.flo"), whole.forward.flow)
        assert cv2.imwrite(str(made(top / f"invalid/{name}.png")), mask)
        assert cv2.imwrite(str(made(top / f"occlusions/{name}.png")), mask[::-1])
    of_frame = whole.forward.inv_depth, whole.forward.next_inv_depth, whole.backward.inv_depth
    for number, inv_depth in enumerate(of_frame, 1):
        name = f"{scene}/frame_{number:04d}"
        if depth:
            head = struct.pack("<4sii", b"PIEH", size[1], size[0])
            data = head + np.float32(1 / inv_depth).tobytes()
            made(top / f"depth/{name}.dpt").write_bytes(data)
        else:
            code = np.rint(inv_depth * camera.focal[0] * 0.1 * 64).astype(int)
            picture = np.stack([code // 256, code % 256, 0 * code], -1).astype(np.uint8)
            path = made(top / f"disparities/{name}.png")
            assert cv2.imwrite(str(path), picture[..., ::-1])
    return whole.forward


def virtualkitti2(root, sequence="Scene01/clone", *, size=SIZE, sky=True, lens=None):
    """One variation of a scene, three frames of camera 0; the first pixel is the sky.

    The intrinsics are those of `lens`, of which the images are resized.
    """
    lens = lens or sf3d.Camera.pinhole(72.5, 72.5, 9.5, 5.5, size)
    whole = film(resized(lens, size), distance=4.0)
    top = root / sequence
    intrinsic = ["frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]"]
    extrinsic = ["frame cameraID r1,1 r1,2 r1,3 t1 r2,1 r2,2 r2,3 t2 r3,1 r3,2 r3,3 t3 0 0 0 1"]
    for number, camera in enumerate(whole.cameras):
        path = top / f"frames/rgb/Camera_0/rgb_{number:05d}.jpg"
        write_image(path, number, size)
        for c in (0, 1):
            pose = np.r_[np.float64(camera.world_to_camera), [[0, 0, 0, 1]]]
            pose[0, 3] -= c * 0.532725
            intrinsic.append(" ".join(map(str, [number, c, *optics(lens)])))
            extrinsic.append(" ".join([str(number), str(c), *map(repr, pose.ravel().tolist())]))
    (top / "intrinsic.txt").write_text("\n".join(intrinsic) + "\n")
    (top / "extrinsic.txt").write_text("\n".join(extrinsic) + "\n")

    png = lambda path, x: cv2.imwrite(str(made(top / "frames" / path)), x.astype(np.uint16))
    of_frame = whole.forward.inv_depth, whole.forward.next_inv_depth, whole.backward.inv_depth
    for number, inv_depth in enumerate(of_frame):
        codes = np.rint(100 / inv_depth)
        if sky:
            codes[0, 0] = 65535
        assert png(f"depth/Camera_0/depth_{number:05d}.png", codes)
    ways = (
        ("forward", "", whole.forward, (0, 1)),
        ("backward", "backward", whole.backward, (1, 2)),
    )
    for way, name, truth, numbers in ways:
        u, v = (truth.flow[..., i] / (size[1 - i] - 1) for i in (0, 1))
        codes = [(x + 1) / 2 * 65535 for x in (u, v)]
        flow = np.rint(np.stack([np.full(size, 65535.0), *codes[::-1]], -1))  # BGR
        seen = camera_motion(truth)
        if sky:
            seen[0, 0] = 10
        vectors = np.rint((seen / 10 + 1) / 2 * 65535)[..., ::-1]
        for number in numbers:
            stem = f"{name}Flow" if name else "flow"
            assert png(f"{way}Flow/Camera_0/{stem}_{number:05d}.png", flow)
            stem = f"{name}SceneFlow" if name else "sceneFlow"
            assert png(f"{way}SceneFlow/Camera_0/{stem}_{number:05d}.png", vectors)
    return whole.forward, whole.backward


def camera_motion(truth):
    """X1 in the axes of the second camera minus X0 in those of the first."""
    v, u = np.mgrid[: truth.camera.size[0], : truth.camera.size[1]].astype(float)
    pixels = np.stack([u, v], axis=-1)
    lift = lambda p, d, c: (
        np.concatenate([(p - c.principal_point) / c.focal, np.ones((*d.shape, 1))], -1)
        / d[..., None]
    )
    end = lift(pixels + truth.flow, truth.inv_depth + truth.change, truth.next_camera)
    return end - lift(pixels, truth.inv_depth, truth.camera)


def tartanair(root, flight="abandonedfactory/Easy/P000", *, size=TARTANAIR):
    """Three frames of a world that stays; the first pixel of the flow is masked."""
    camera = resized(sf3d.Camera.pinhole(320.0, 320.0, 320.0, 240.0, (480, 640)), size)
    still = np.eye(3, 4)
    whole = film(camera, motion=still)
    top = root / flight
    rows = []
    # From a camera whose axes are forward, right, down.
    to_opencv = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    of_frame = whole.forward.inv_depth, whole.forward.next_inv_depth, whole.backward.inv_depth
    for number, (camera, inv_depth) in enumerate(zip(whole.cameras, of_frame, strict=True)):
        write_image(top / f"image_left/{number:06d}_left.png", number, size)
        path = made(top / f"depth_left/{number:06d}_left_depth.npy")
        np.save(path, np.float32(1 / inv_depth))
        back = inverse(np.float64(camera.world_to_camera))
        quaternion = Rotation.from_matrix(back[:, :3] @ to_opencv).as_quat()
        rows.append(" ".join(map(repr, [*back[:, 3].tolist(), *quaternion.tolist()])))
    made(top / "pose_left.txt").write_text("\n".join(rows) + "\n")
    mask = np.zeros(size, np.uint8)
    mask[0, 0] = 10
    for number in (0, 1):
        name = f"{number:06d}_{number + 1:06d}"
        np.save(made(top / f"flow/{name}_flow.npy"), np.float32(whole.forward.flow))
        np.save(top / f"flow/{name}_mask.npy", mask)
    return whole.forward
