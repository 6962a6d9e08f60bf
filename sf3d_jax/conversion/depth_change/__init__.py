"""The third channel of motion: inverse-depth change, and whatever else is used for it.

`from_*` makes inverse-depth change of another channel, `to_*` the other channel of it, and
`optical_expansion` measures one in a flow field. The formulas are in
`sf3d_jax.conversion.depth_change.channels`.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
