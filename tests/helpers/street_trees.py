"""Small copies of KITTI 2012 and HD1K, laid out as they are published; see `trees`."""

import numpy as np
from helpers import trees
from helpers.files import made
from helpers.films import moving_plane, optics, resized

import sf3d_jax as sf3d

SIZE = trees.SIZE
LENS = sf3d.Camera.pinhole(250.0, 250.0, 9.3, 5.2, SIZE)
GREY, COLOUR = 0.5, 0.4  # the baselines of the two pairs


def kitti2012(root, *, number=7, size=SIZE, images="colored_0", lens=LENS):
    """training/ with one sample of a camera that stays; one pixel leaves the image.

    The calibration is that of `lens`, of which the images are resized.
    """
    camera = resized(lens, size)
    truth = moving_plane(camera, camera)
    top, name = root / "training", f"{number:06d}"
    for i, frame in enumerate((10, 11)):
        trees.write_image(top / f"{images}/{name}_{frame}.png", number + i, size)
    inside = np.ones(size, bool)
    inside[0, 0] = False
    disparity = truth.inv_depth * camera.focal[0] * GREY
    for end, valid in (("occ", None), ("noc", inside)):
        sf3d.data.write_flow(made(top / f"flow_{end}/{name}_10.png"), truth.flow, valid)
        sf3d.data.write_disparity(made(top / f"disp_{end}/{name}_10.png"), disparity, valid)
    fx, fy, cx, cy = optics(lens)
    shifts = (0.0, -fx * GREY, 30.0, 30.0 - fx * COLOUR)
    rows = [f"P{i}: {fx} 0 {cx} {shift} 0 {fy} {cy} 0 0 0 1 0" for i, shift in enumerate(shifts)]
    made(top / f"calib/{name}.txt").write_text("\n".join(rows) + "\n")
    return truth


def hd1k(root, *, size=SIZE):
    """Two sequences: 3 has flow for all of its frames 8 to 10 but for 10, and 11 for 0 and 1."""
    flow = np.random.default_rng(0).integers(-2000, 2000, (*size, 2)) / 64
    for sequence, frames, last in ((3, (8, 9, 10), 9), (11, (0, 1), 1)):
        for frame in frames:
            name = f"{sequence:06d}_{frame:04d}.png"
            number = 100 * sequence + frame
            trees.write_image(root / f"hd1k_input/image_2/{name}", number, size)
            if frame <= last:
                known = np.ones(size, bool)
                known[frame] = False
                path = made(root / f"hd1k_flow_gt/flow_occ/{name}")
                sf3d.data.write_flow(path, flow + frame, known)
    return flow
