"""Rigid motions per pixel: a field of transforms, [R | t] at each pixel of the first image.

`local` fits one to each pixel's window, `motion` says what flow and change a field shows, and
`refine` is a Gauss-Newton step on a field.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
