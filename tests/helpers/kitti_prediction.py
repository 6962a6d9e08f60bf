"""A dense prediction in KITTI's format, written without the library's writers.

The maps of a scene in closed form are rounded to KITTI's codes. The PNGs have the row filters that
others use. The calibration has the two layouts in use, with a shift of the left camera and small
numbers in the last column.
"""

from typing import NamedTuple

import numpy as np
from helpers.png import write_png

from sf3d_jax.data.closed_form import deforming_scene, next_image

SIZE = (96, 128)
FOCAL, CENTRE = 140.8, (63.5, 47.5)
SHIFT, BASELINE = 44.85728, 0.2844531  # of the left camera in pixels, between the two in metres
GREY_BASELINE = 0.2931
NAME = "000139_10"
CAM_TO_CAM = "calib_cam_to_cam_2011_09_26.txt"
SUB, PAETH = 1, 4


class Codes(NamedTuple):
    """What the files hold: uint16 [H, W, 3] of the flow, and [H, W] of both disparities."""

    flow: np.ndarray
    disparity: np.ndarray
    next_disparity: np.ndarray


def write_prediction(root):
    """Writes the folder of 000139 with both images, and returns the codes of its maps."""
    scene = deforming_scene(SIZE)
    code = lambda inv_depth: np.rint(256 * FOCAL * BASELINE * inv_depth).astype(np.uint16)
    flow = np.rint(64 * scene.flow + 2**15)
    codes = Codes(
        np.dstack([flow, np.ones(SIZE)]).astype(np.uint16),
        code(scene.inv_depth),
        code(scene.inv_depth + scene.inv_depth_change),
    )
    write_png(root / f"flow/{NAME}.png", codes.flow)
    write_png(root / f"disp_0/{NAME}.png", codes.disparity, filters=(SUB, PAETH, PAETH))
    write_png(root / f"disp_1/{NAME}.png", codes.next_disparity, filters=(SUB, PAETH, PAETH))
    for number, image in ((10, scene.image), (11, next_image(scene))):
        write_png(root / f"image_2/000139_{number}.png", image, filters=(SUB,))
    write_short_calibration(root / "calib_000139.txt")
    write_long_calibration(root / CAM_TO_CAM)
    return codes


def projection(shift, down=0.0, along=0.0):
    """The rows of a 3 x 4 projection matrix with the last column (shift, down, along)."""
    (x, y), zero = CENTRE, 0.0
    return [FOCAL, zero, x, shift, zero, FOCAL, y, down, zero, zero, 1.0, along]


def write_short_calibration(path):
    """The two lines P2 and P3 that predictors pass around; the last one does not end."""
    rows = {"P2": projection(0.0), "P3": projection(-FOCAL * BASELINE, 1.983557, -1.6e-5)}
    lines = [f"{key}: {' '.join(f'{x:.6f}' for x in row)}" for key, row in rows.items()]
    path.write_bytes("\n".join(lines).encode())


def write_long_calibration(path):
    """The file of a recording: of four cameras what was measured, then what is rectified."""
    rng = np.random.default_rng(0)
    height, width = SIZE
    shifts = {
        0: projection(0.0),
        1: projection(-FOCAL * GREY_BASELINE),
        2: projection(SHIFT, 0.2163791, 2.745884e-03),
        3: projection(SHIFT - FOCAL * BASELINE, 2.199936, 2.729905e-03),
    }
    lines = ["calib_time: 09-Jan-2012 13:57:47", "corner_dist: 9.950000e-02"]
    for i, projected in shifts.items():
        rows = {
            "S": [width + 150, height + 137],
            "K": [FOCAL + 20 + i, 0, CENTRE[0] + 5, 0, FOCAL + 19, CENTRE[1] + i, 0, 0, 1],
            "D": rng.normal(0, 0.1, 5),
            "R": np.eye(3).ravel(),
            "T": rng.normal(0, 0.3, 3),
            "S_rect": [width, height],
            "R_rect": np.eye(3).ravel(),
            "P_rect": projected,
        }
        for key, row in rows.items():
            lines.append(f"{key}_{i:02}: {' '.join(f'{x:.6e}' for x in row)}")
    path.write_text("\n".join(lines) + "\n")
