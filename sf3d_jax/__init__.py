"""3D scene flow geometry for JAX: exact, differentiable, and as fast as memory allows.

Optical flow, inverse depth and inverse-depth change, together with the cameras, are a complete
parameterisation of 3D scene flow. This package converts one into the other and back.

Unless their docstrings say otherwise, all functions of arrays share this contract:

- Shapes: arrays have any number of leading batch axes *b and are channels last, (*b, H, W, C).
- Frames and units: pixels are (u, v) = (column, row), with integers at pixel centres. Axes are
  OpenCV's (x right, y down, z forward). Lengths are in metres, inverse depths per metre.
- Dtypes: results have the dtype of the inputs. bfloat16 and float16 are computed in float32.
- Validity: results that can be undefined come with a boolean map `valid`. Invalid pixels are zero
  and pass no gradient.
- Range: "finite" means below 3e9 in magnitude, and a "positive" depth is between 3e-10 and 3e9.
  These bounds are for float32; in float64 they are 8e76, and 1e-77 to 8e76.
- TypeError: an argument is not a floating-point array, a mask is not boolean, or a camera, sample
  or key is of another type.
- ValueError: shapes do not fit.

Docstrings list errors only beyond these two.

Public names are imported when first used, so `sf3d --help` does not wait for JAX.
"""

from sf3d_jax import _lazy
from sf3d_jax._version import __version__

__getattr__, _, _names = _lazy.attach(__name__, __file__)
__all__ = ["__version__", *_names]


def __dir__() -> list[str]:
    return __all__
