"""Small copies of further data sets, laid out as they are published; see `trees`."""

import cv2
import numpy as np
from helpers import trees
from helpers.files import made
from helpers.films import film, inverse, resized
from scipy.spatial.transform import Rotation

import sf3d_jax as sf3d


def tartanair_v2(
    root, flight="AbandonedFactory/Data_easy/P000", *, camera="lcam_front", size=(16, 16)
):
    """Three frames of a world that stays; the first pixel of the flow is hidden, for one code."""
    lens = sf3d.Camera.pinhole(320.0, 320.0, 319.5, 319.5, (640, 640))
    whole = film(resized(lens, size), motion=np.eye(3, 4))
    top = root / flight
    rows = []
    # From a camera whose axes are forward, right, down.
    to_opencv = np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]])
    of_frame = whole.forward.inv_depth, whole.forward.next_inv_depth, whole.backward.inv_depth
    for number, (seen, inv_depth) in enumerate(zip(whole.cameras, of_frame, strict=True)):
        name = f"{number:06d}_{camera}"
        trees.write_image(top / f"image_{camera}/{name}.png", number, size)
        # As its authors write it: the bytes of a number are blue, green, red, alpha.
        picture = np.float32(1 / inv_depth)[..., None].view(np.uint8)
        assert cv2.imwrite(str(made(top / f"depth_{camera}/{name}_depth.png")), picture)
        back = inverse(np.float64(seen.world_to_camera))
        quaternion = Rotation.from_matrix(back[:, :3] @ to_opencv).as_quat()
        rows.append(" ".join(map(repr, [*back[:, 3].tolist(), *quaternion.tolist()])))
    made(top / f"pose_{camera}.txt").write_text("\n".join(rows) + "\n")
    mask = np.zeros((*size, 1))
    mask[0, 0] = 10
    for number in (0, 1):
        codes = np.rint(whole.forward.flow * 64 + 32768)
        picture = np.concatenate([codes, mask], axis=-1).astype(np.uint16)
        path = made(top / f"flow_{camera}/{number:06d}_{number + 1:06d}_flow.png")
        assert cv2.imwrite(str(path), picture)
    return whole.forward


def things_subset(root, split="train", *, side="left", sign=-1, start=8, size=(27, 48), videos=2):
    """Videos of three frames in one run of numbers, of which no file tells the end.

    The second video begins at `start` + 3. Of the occlusion, the first column is hidden.
    """
    lens = resized(sf3d.Camera.pinhole(1050.0, 1050.0, 479.5, 269.5, (540, 960)), size)
    whole, focal = film(lens), lens.focal[0]
    top = root / split
    of_frame = whole.forward.inv_depth, whole.forward.next_inv_depth, whole.backward.inv_depth
    hidden = np.zeros(size, np.uint8)
    hidden[:, 0] = 255
    for first in range(start, start + 3 * videos, 3):
        for number, inv_depth in enumerate(of_frame, first):
            trees.write_image(top / f"image_clean/{side}/{number:07d}.png", number, size)
            path = made(top / f"disparity/{side}/{number:07d}.pfm")
            sf3d.data.write_map(path, sign * inv_depth * focal)
        for way, truth, numbers in (
            ("into_future", whole.forward, (first, first + 1)),
            ("into_past", whole.backward, (first + 1, first + 2)),
        ):
            for number in numbers:
                name = f"{side}/{way}/{number:07d}"
                sf3d.data.write_flow(made(top / f"flow/{name}.flo"), truth.flow)
                path = made(top / f"disparity_change/{name}.pfm")
                sf3d.data.write_map(path, sign * truth.change * focal)
                assert cv2.imwrite(str(made(top / f"flow_occlusions/{name}.png")), hidden)
    return whole.forward, whole.backward


def flyingchairs(root, numbers=(1, 2, 4), *, words=None, size=trees.SIZE):
    """Pairs of images with a flow; the first pixel of each is unknown. With the words of a list."""
    flows = {}
    for number in numbers:
        flows[number] = np.random.default_rng([7, number]).normal(size=(*size, 2))
        for which in (1, 2):
            path = root / f"data/{number:05d}_img{which}.ppm"
            trees.write_image(path, 10 * number + which, size)
        known = np.ones(size, bool)
        known[0, 0] = False
        sf3d.data.write_flow(root / f"data/{number:05d}_flow.flo", flows[number], known)
    if words is not None:
        (root / "FlyingChairs_train_val.txt").write_text("\n".join(words) + "\n")
    return flows
