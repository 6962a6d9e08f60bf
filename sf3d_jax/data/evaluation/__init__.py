"""Estimates in folders: compared with the truth of a benchmark, or made into a submission."""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
