"""The third channel of motion: inverse-depth change, and conversions from and to alternatives.

`from_*` converts another channel to inverse-depth change c = 1/z1 - 1/z0, `to_*` converts back,
and `optical_expansion` measures a channel from the flow field alone.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
