"""Images of motion and depth: colour codings, and sheets of labelled panels."""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
