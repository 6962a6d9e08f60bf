"""Files of flow, disparity, depth and images, read into and written from NumPy arrays.

Conventions, whatever the file's own are:

- Channels last, rows from the top. Integers are pixel centres: (0, 0) is the top left one.
- Flow is (u, v) in pixels, to the right and down, on the first frame's grid.
- Disparity is positive, in pixels of a rectified stereo pair. KITTI's second disparity, `disp_1`,
  stands on the *first* frame's grid: with focal length f and baseline B, the inverse-depth change
  is (disp_1 - disp_0) / (f B), pixel by pixel.
- Depth and baselines are in metres; depth is along the optical axis.
- A map comes with `valid`; a pixel without a value holds 0 there and is False.

A file that is not what it should be raises `FormatError`, a ValueError that names it. Writers put
a whole new file in place, or leave the old one.
"""

from sf3d_jax.data._files import FormatError
from sf3d_jax.data.images import read_image, write_image
from sf3d_jax.data.kitti import Calibration, read_kitti_calibration
from sf3d_jax.data.maps import (
    FlowMap,
    ScalarMap,
    read_disparity,
    read_flow,
    read_map,
    write_disparity,
    write_flow,
    write_map,
)

__all__ = [
    "Calibration",
    "FlowMap",
    "FormatError",
    "ScalarMap",
    "read_disparity",
    "read_flow",
    "read_image",
    "read_kitti_calibration",
    "read_map",
    "write_disparity",
    "write_flow",
    "write_image",
    "write_map",
]
