"""Data sets: samples by index, in one convention whatever the files' own are."""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
