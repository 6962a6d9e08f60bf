"""Motion over several frames: two steps made one, and points followed through a clip.

A step is a `Motion`: flow, inverse depth and inverse-depth change from one frame to the next.
`chain` makes one step of two, and `track` follows pixels or points through a stack of steps.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
