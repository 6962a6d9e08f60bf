"""Random changes to a whole sample: its images, its motion and its cameras change together.

Every function takes a key of `jax.random` first and a `Sample` or a `Sequence`, whose missing
fields stay missing.
All images of a batch get the same change; for one of its own each, map the function:

    jax.vmap(augment.random_flip)(jax.random.split(key, batch_size), batch)
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
