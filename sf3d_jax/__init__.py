"""3D scene flow geometry for JAX: exact, differentiable, and as fast as memory allows.

Optical flow, inverse depth and inverse-depth change, with the cameras, are a complete
parameterisation of 3D scene flow. This package converts one into the other and back.

Arrays are channels last with any leading batch axes; pixels are (u, v) = (column, row) with
integers at pixel centres; axes are OpenCV's (x right, y down, z forward), in metres; what can
be undefined comes with a validity, and invalid pixels are zero and pass no gradient.

Names are looked up when first used, so that `sf3d --help` need not wait for JAX.
"""

from sf3d_jax import _lazy

__version__ = "0.1.0"

__getattr__, _, _names = _lazy.attach(__name__, __file__)
__all__ = ["__version__", *_names]


def __dir__() -> list[str]:
    return __all__
