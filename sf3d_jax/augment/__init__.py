"""Random changes to a whole sample: its images, motion and cameras change together.

Every function takes a `jax.random` key and a `Sample` or a `Sequence`. Missing fields stay missing.
All samples of a batch get the same change; to change each one differently, map the function:

    jax.vmap(augment.random_flip)(jax.random.split(key, batch_size), batch)
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
