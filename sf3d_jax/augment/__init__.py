"""Random changes to a whole sample: its images, its motion and its cameras change together.

Every function takes a key of `jax.random` first and a `Sample`, whose missing fields stay missing.
All images of a batch get the same change; for one of its own each, map the function:

    jax.vmap(augment.random_flip)(jax.random.split(key, batch_size), batch)
"""

from sf3d_jax.augment.appearance import random_color, random_eraser
from sf3d_jax.augment.geometry import random_crop, random_flip, random_scale

__all__ = ["random_color", "random_crop", "random_eraser", "random_flip", "random_scale"]
