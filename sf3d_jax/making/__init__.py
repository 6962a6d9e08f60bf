"""Makes a data set in the layout of SRFlow3D from moving heads.

`plan` decides from a seed who moves how before which cameras, `make` draws the frames and writes
them, on one machine or on many, and `verify` reads them back.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
