"""Losses: penalties of numbers, maps of losses of pixels, and what makes one number of them.

A map is a `LossMap` (values, valid); `masked_mean(*loss_map)` is its mean, and `compose` the
weighted sum of several, with the values to log. All are finite, and so are their gradients,
whatever the pixels hold: what is not defined is not valid, 0, and passes no gradient.

Images have brightness from 0 to 1. Outside of `jit`, `ssim`, `photometric` and the smoothness
beside an image refuse images of 0 to 255; inside of it, as in a training step, they cannot be told.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
