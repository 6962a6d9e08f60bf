"""Confidence: how well the images alone determine a flow, without the smoothness that fills it in.

Over a window around a pixel, with images in units of their contrast and channels averaged,

    texture       the smaller eigenvalue of the mean of grad I0 grad I0^T
    disagreement  half the mean of |grad I1(p + F) - grad I0(p)|^2

    confidence    texture / (texture + disagreement + noise^2)

so it is 1/2 where the slopes that determine the motion in every direction are as large as the
slopes that the motion leaves unexplained. It is small or 0 along a single edge, in a plain region,
in noise that differs between the images, and in an image with a single row or column. noise^2
stands for rounding plus a thousandth of the greater eigenvalue, because interpolated slopes are not
exactly perpendicular to an edge.
"""

import jax
import jax.numpy as jnp

from sf3d_jax.fit._pyramid.level import Features, add_channels, warp_other
from sf3d_jax.fit._pyramid.maps import Size, grid, is_inside
from sf3d_jax.fit._pyramid.windows import mean

_RADIUS = 4
_BORDER = 2.0
_ASKEW = 1e-3


def find_confidence(
    features: Features, noise: jax.Array, motion: jax.Array, size: Size
) -> jax.Array:
    """Computes the confidence in a motion.

    Args:
      features: features of both frames at this size.
      noise: (2n, 1, 1), rounding error of the images.
      motion: (2n, K, h, w), (u, v) first, in pixels.
      size: (rows, columns).

    Returns:
      (2n, h, w), from 0 to 1.
    """
    columns, rows = grid(motion)
    u, v = columns + motion[:, 0], rows + motion[:, 1]
    warped, seen = warp_other(features, u, v, size)
    # Exclude the outermost pixels, whose slopes depend on how the image is extended.
    inner = is_inside(columns, rows, size, margin=-_BORDER)
    seen = seen & is_inside(u, v, size) & inner
    own = features.image
    iu, iv = own.along, own.down
    off = ((warped.along - iu) ** 2 + (warped.down - iv) ** 2) / 2
    sums = jnp.stack([add_channels(x) for x in (iu * iu, iu * iv, iv * iv, off)], axis=1)
    share = mean(seen.astype(u.dtype), _RADIUS, size)
    known = share > 0
    share = jnp.where(known, share, 1) * iu.shape[1]
    means = mean(jnp.where(seen[:, None], sums, 0), _RADIUS, size) / share[:, None]
    uu, uv, vv, off = (means[:, i] for i in range(4))
    # Divide the product of the eigenvalues by the greater one, which keeps the digits of a small
    # one.
    greater = (uu + vv) / 2 + jnp.sqrt(((uu - vv) / 2) ** 2 + uv**2)
    positive = greater > 0
    texture = jnp.where(positive, uu * vv - uv * uv, 0) / jnp.where(positive, greater, 1)
    texture = jnp.where(known, jnp.maximum(texture, 0), 0)
    total = texture + off + noise**2 + _ASKEW * greater
    return texture / jnp.where(total > 0, total, 1)
