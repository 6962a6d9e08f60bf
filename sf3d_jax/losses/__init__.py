"""Losses: penalties of numbers, maps of losses of pixels, and what makes one number of them.

A map is a `LossMap` (values, valid); `masked_mean(*loss_map)` is its mean, and `compose` the
weighted sum of several, with the values to log. All are finite, and so are their gradients,
whatever the pixels hold: what is not defined is not valid, 0, and passes no gradient.
"""

from sf3d_jax.losses._maps import LossMap
from sf3d_jax.losses.geometric import (
    depth_consistency,
    end_point_error,
    forward_backward_error,
    inverse_depth_change_error,
    log_motion_in_depth_error,
    point_reconstruction,
)
from sf3d_jax.losses.likelihood import gaussian_nll, mixture_of_laplace
from sf3d_jax.losses.penalties import (
    charbonnier,
    general_robust,
    generalized_charbonnier,
    huber,
    l1,
    l2,
)
from sf3d_jax.losses.photometric import brightness, census, ncc, photometric, ssim
from sf3d_jax.losses.reduction import balance, compose, masked_mean
from sf3d_jax.losses.rigidity import rigidity
from sf3d_jax.losses.sequence import (
    consistency_weight,
    multi_scale,
    multi_scale_flow,
    raft,
    raft3d,
    self_supervision,
)
from sf3d_jax.losses.smoothness import (
    SRFlowTerms,
    first_order_smoothness,
    gradient_difference,
    second_order_smoothness,
    srflow_terms,
    total_variation,
)

__all__ = [
    "LossMap",
    "SRFlowTerms",
    "balance",
    "brightness",
    "census",
    "charbonnier",
    "compose",
    "consistency_weight",
    "depth_consistency",
    "end_point_error",
    "first_order_smoothness",
    "forward_backward_error",
    "gaussian_nll",
    "general_robust",
    "generalized_charbonnier",
    "gradient_difference",
    "huber",
    "inverse_depth_change_error",
    "l1",
    "l2",
    "log_motion_in_depth_error",
    "masked_mean",
    "mixture_of_laplace",
    "multi_scale",
    "multi_scale_flow",
    "ncc",
    "photometric",
    "point_reconstruction",
    "raft",
    "raft3d",
    "rigidity",
    "second_order_smoothness",
    "self_supervision",
    "srflow_terms",
    "ssim",
    "total_variation",
]
