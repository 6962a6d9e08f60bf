"""Optical flow and scene flow from two images without a network.

The fit starts with a coarse match over all displacements. It then refines both directions at once,
from coarse to fine, by reweighted Gauss-Newton steps on brightness and gradient constancy with
robust, edge-aware smoothness. Nothing is learned or tuned to a scene: brightness is measured in
units of the images' contrast, and changes of depth relative to depth.

Compiling takes longer than fitting, so image sizes share compiled programs: an image is placed in a
larger array, whose other pixels are not read. The first size gets a program for itself and slightly
smaller sizes. A second size within 25 % of it gets a program for all sizes within 25 % of the
second. The motion differs by less than 1e-4 px from that of a program for one size.
`jax.jit(fit.flow)` compiles for each size separately.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
