"""Negative log-likelihoods, for estimators that also predict their uncertainty.

gaussian_nll         (e^T S^-1 e + log det(2 pi S)) / 2,  e = x - x*
mixture_of_laplace   log sum_m e^{w_m} - log sum_m e^{w_m - b_m - |x| e^{-b_m}} / 2
"""

import functools
import math

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, check_batch, check_maps
from sf3d_jax._numerics import align_ranks, channels, is_in_range, jit, mask, widen
from sf3d_jax._numerics.cholesky import decompose, solve_lower
from sf3d_jax.losses._maps import (
    LossMap,
    absolute,
    check_same_channels,
    loss_map,
    mask_inputs,
    total,
)
from sf3d_jax.losses.penalties import narrow_or_clip

# The smallest variance: the square of the smallest standard deviation, 1e-15.
_SMALLEST = 1e-30


@jit
def gaussian_nll(
    x: jax.Array, target: jax.Array, covariance: jax.Array, *, valid: jax.Array | None = None
) -> LossMap:
    """Negative log-likelihood (e^T S^-1 e + log det(2 pi S)) / 2 of e = x - x* under N(0, S).

    For scene flow in metres, with the variances a network predicts for its four channels:

        vectors, valid = scene_flow(flow, inv_depth, change, camera)
        covariance = scene_flow_covariance(flow, inv_depth, change, camera, variances)
        loss = gaussian_nll(vectors, target, covariance, valid=valid)

    Args:
      x: (*b, H, W, n), the means.
      target: (*b, H, W, n), x*, in the same unit.
      covariance: (*b, H, W, n, n), S, in the unit squared; only the lower triangle is read.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap in the dtype of x, with lengths in the unit of x. It is valid where the pixel counts,
      S is positive definite (its correlation matrix to rounding), all standard deviations are
      above 1e-15, and |e| is at most 3e9 standard deviations.
    """
    check_maps(x=(x, "image"), target=(target, "image"), valid=(valid, "mask"))
    check_same_channels(x=x, target=target)
    n = x.shape[-1]
    check_array("covariance", covariance, (*x.shape[-3:], n))
    check_batch(x=x.shape[:-3], covariance=covariance.shape[:-4])
    lower = jnp.stack([covariance[..., i, j] for i in range(n) for j in range(i + 1)], axis=-1)
    known, (a, b, lower) = mask_inputs(valid, *widen(x, target, lower))

    entries = iter(channels(lower))
    matrix = [[next(entries) for _ in range(i + 1)] for i in range(n)]
    # In units of the standard deviations, S becomes the correlation matrix.
    for row in matrix:
        known = known & (row[-1] > _SMALLEST)
    scales = [jax.lax.rsqrt(jnp.where(known, row[-1], 1)) for row in matrix]
    errors = tuple(e * scale for e, scale in zip(channels(a - b), scales, strict=True))
    known = functools.reduce(jnp.logical_and, map(is_in_range, errors), known)
    scaled = lambda row, scale: [x * scale * other for x, other in zip(row, scales, strict=False)]
    matrix = [scaled(row, scale) for row, scale in zip(matrix, scales, strict=True)]
    values, positive = _half_log_density(matrix, errors, known)
    values = values - total([jnp.log(scale) for scale in scales]) + 0.5 * n * math.log(2 * math.pi)
    return loss_map(values, known & positive, x.dtype)


def _half_log_density(
    matrix: list[list[jax.Array]], errors: tuple[jax.Array, ...], known: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Half of e^T S^-1 e + log det S, and where S is positive definite."""
    n = len(matrix)
    identity = [[float(i == j) for j in range(i + 1)] for i in range(n)]
    tiny = 8 * n * float(jnp.finfo(errors[0].dtype).eps)
    positive = known
    # The first round finds where S is positive definite. The second one replaces it elsewhere by
    # the identity, so that derivatives are finite.
    for _ in range(2):
        safe = mask(positive, matrix, identity)
        factor, pivots = decompose(safe, tiny)
        for pivot in pivots:
            positive = positive & (pivot > tiny)
    standard = solve_lower(factor, mask(positive, errors))
    halves = [0.5 * y * y + jnp.log(row[-1]) for y, row in zip(standard, factor, strict=True)]
    return total(halves), positive


@jit
def mixture_of_laplace(x: jax.Array, logits: jax.Array, log_scales: jax.Array) -> jax.Array:
    """Negative log-likelihood of residuals under a mixture of Laplace distributions (SEA-RAFT).

        log sum_m e^{w_m} - log sum_m e^{w_m - b_m - |x| e^{-b_m}} / 2

    SEA-RAFT has two distributions: the first log scale is clipped to [0, 10], the second is 0. Both
    components of its flow share them: pass `logits[..., None, :]`.

    Args:
      x: (...), residuals.
      logits: (..., M), w_m, logits of the mixture weights; the axes before M broadcast against x.
        -inf switches a distribution off.
      log_scales: (..., M), b_m, logarithms of the scales; the axes before M broadcast against x.

    Returns:
      The shape of x and the parameters, broadcast. It is 0 and passes no gradient where x or a
      parameter is not finite, or a log scale is outside [-30, 30].
    """
    for name, value in (("x", x), ("logits", logits), ("log_scales", log_scales)):
        check_array(name, value)
        if name != "x" and not (value.ndim and value.shape[-1]):
            raise ValueError(f"{name}: expected shape (..., M), M at least 1, got {value.shape}")
    check_batch(x=(*x.shape, 1), logits=logits.shape, log_scales=log_scales.shape)
    dtype = x.dtype
    x, logits, log_scales = widen(x[..., None], logits, log_scales)
    x, logits, log_scales = align_ranks(x, logits, log_scales)
    off = jnp.isneginf(logits)
    known = is_in_range(x[..., 0]) & (
        (is_in_range(logits) | off) & (jnp.abs(log_scales) <= 30)
    ).all(-1)
    known = known & ~off.all(-1)
    x, logits, log_scales = jnp.broadcast_arrays(x, logits, log_scales)
    x, logits, log_scales = mask(known, (x, logits, log_scales))
    log_likelihood = logits - log_scales - absolute(x) * jnp.exp(-log_scales) - jnp.log(2.0)
    lse = jax.nn.logsumexp
    return narrow_or_clip(known, lse(logits, axis=-1) - lse(log_likelihood, axis=-1), dtype)
