"""Images of moving 3D Gaussians with exact annotations of their motion.

`render` draws a scene; `render_motion` also annotates it with optical flow, inverse-depth change
and 3D scene flow to its next state. Both are differentiable in reverse mode with respect to
all floating-point inputs.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
