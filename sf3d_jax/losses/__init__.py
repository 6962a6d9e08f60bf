"""Losses: penalties of residuals, per-pixel loss maps, and their reduction to one number.

A per-pixel loss is a `LossMap` (values, valid). `masked_mean(loss_map)` is its mean, and `compose`
adds weighted terms and returns the values to log. Values and gradients are finite whatever the
pixels hold: where a loss is undefined, it is 0, not valid, and passes no gradient.

Images have brightness from 0 to 1. Outside `jit`, `ssim`, `photometric` and the edge-aware
smoothness losses refuse images of 0 to 255; inside `jit`, values cannot be checked.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
