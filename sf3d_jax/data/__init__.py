"""Files and data sets of scene flow, read into and written from NumPy arrays.

Conventions, whatever those of a file are:

- Channels last, rows from the top. Integers are pixel centres: (0, 0) is the top left pixel.
- Flow is (u, v) in pixels, to the right and down, on the first frame's grid.
- Disparity is positive, in pixels of a rectified stereo pair. KITTI's second disparity, `disp_1`,
  lies on the *first* frame's grid: with focal length f and baseline B, the inverse-depth change
  is (disp_1 - disp_0) / (f B) at each pixel.
- Depth and baselines are in metres; depth is measured along the optical axis.
- A map comes with `valid`; invalid pixels hold 0.
- Cameras are `Camera`, in float64, with OpenCV's axes, in the world of their file; in samples of a
  data set, the world has the axes of the first camera.

Readers raise `FormatError`, a ValueError that names the file, if the content is not as expected.
Writers replace a file as a whole, or leave the old one.

Names are imported when first used, so reading maps and cameras does not import JAX; data sets,
`loader`, `check` and scenes of Gaussians do.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
