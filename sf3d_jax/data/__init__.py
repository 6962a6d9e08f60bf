"""Files and data sets of scene flow, read into and written from NumPy arrays.

Conventions, whatever the file's own are:

- Channels last, rows from the top. Integers are pixel centres: (0, 0) is the top left one.
- Flow is (u, v) in pixels, to the right and down, on the first frame's grid.
- Disparity is positive, in pixels of a rectified stereo pair. KITTI's second disparity, `disp_1`,
  stands on the *first* frame's grid: with focal length f and baseline B, the inverse-depth change
  is (disp_1 - disp_0) / (f B), pixel by pixel.
- Depth and baselines are in metres; depth is along the optical axis.
- A map comes with `valid`; a pixel without a value holds 0 there and is False.
- Cameras are `Camera`, in float64, with OpenCV's axes, in the world of their file. The samples of a
  data set have the world at their first camera.

A file that is not what it should be raises `FormatError`, a ValueError that names it. Writers put
a whole new file in place, or leave the old one.

Names are imported when first used: data sets, `loader`, `check` and scenes of Gaussians need JAX,
which other files do not.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
