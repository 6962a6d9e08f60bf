"""Trees of SRFlow3D of the rendered scenes, written by NumPy, OpenCV and json alone."""

import json
import struct

import cv2
import numpy as np

SCALE = 0.37
SUBJECT = "031"


def write_flo(path, flow):
    height, width = flow.shape[:2]
    path.write_bytes(struct.pack("<4sii", b"PIEH", width, height) + flow.astype("<f4").tobytes())


def transforms(scene, size):
    """NeRF's: camera-to-world, OpenGL, principal point counted from the pixel's edge."""
    frames = []
    for i in range(2):
        to_world = np.linalg.inv(scene[f"world_to_camera{i}"]) @ np.diag([1.0, -1, -1, 1])
        k = scene[f"K{i}"]
        frames.append(
            {
                "file_path": f"render/{SUBJECT}/{i:04}.jpg",
                "transform_matrix": to_world.tolist(),
                "fl_x": k[0, 0],
                "fl_y": k[1, 1],
                "cx": k[0, 2] + 0.5,
                "cy": k[1, 2] + 0.5,
                "w": size[1],
                "h": size[0],
            }
        )
    return {"frames": frames}


def matrices(scene, size):
    """A dictionary by frame, of 3x3 and 4x4 matrices."""
    return {
        f"{i:04}": {
            "intrinsics": scene[f"K{i}"].tolist(),
            "extrinsics": scene[f"world_to_camera{i}"].tolist(),
        }
        for i in range(2)
    }


def rotations(scene, size):
    """A list by frame, of K, R and t."""
    pose = lambda i: scene[f"world_to_camera{i}"]
    return [
        {"K": scene[f"K{i}"].tolist(), "R": pose(i)[:3, :3].tolist(), "t": pose(i)[:3, 3].tolist()}
        for i in range(2)
    ]


def columns(scene, size):
    """One dictionary of lists."""
    return {
        "K": [scene[f"K{i}"].tolist() for i in range(2)],
        "c2w": [np.linalg.inv(scene[f"world_to_camera{i}"]).tolist() for i in range(2)],
    }


FORMS = {f.__name__: f for f in (transforms, matrices, rotations, columns)}


def write_tree(root, scene, *, form="matrices", layout="both", split="train", scale=SCALE):
    """Writes the two frames of a scene; `layout` is "both" directions or "forward"."""
    height, width = scene["depth0"].shape
    names = {
        "both": {"fw": ("flow_F", "scaled_inv_depth_CF"), "bw": ("flow_B", "scaled_inv_depth_CB")},
        "forward": {"fw": ("flow", "scaled_inv_depth_change")},
    }[layout]
    top = root / split
    kinds = ["depth", "scaled_inv_depth", "mask", "render", "camera"]
    for kind in (*kinds, *(n for pair in names.values() for n in pair)):
        (top / kind / SUBJECT).mkdir(parents=True)
    for i, valid in enumerate((scene["valid"], scene["valid1"])):
        depth = scene[f"depth{i}"]
        stem = f"{SUBJECT}/{i:04}"
        np.save(top / f"depth/{stem}.npy", depth)
        inverse = np.divide(scale, depth, out=np.zeros_like(depth), where=depth > 0)
        np.save(top / f"scaled_inv_depth/{stem}.npy", np.float32(inverse))
        cv2.imwrite(str(top / f"mask/{stem}.jpg"), np.uint8(255 * valid))
        cv2.imwrite(str(top / f"render/{stem}.jpg"), scene[f"rgb{i}"][..., ::-1])
    for way, (flow, change) in names.items():
        stem = f"{SUBJECT}/{('fw', 'bw').index(way):04}"
        write_flo(top / f"{flow}/{stem}.flo", scene[f"flow_{way}"])
        np.save(top / f"{change}/{stem}.npy", np.float32(scale * scene[f"inv_depth_change_{way}"]))
    content = FORMS[form](scene, (height, width))
    (top / f"camera/{SUBJECT}/spirals.json").write_text(json.dumps(content))
    return top
