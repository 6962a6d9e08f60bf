"""How far the images themselves decide a flow, rather than the smoothness that fills it in.

Over a window around a pixel, with the images in units of their contrast, channels averaged,

    texture       the smaller eigenvalue of the mean of grad I0 grad I0^T
    disagreement  half the mean of |grad I1(p + F) - grad I0(p)|^2

    confidence    texture / (texture + disagreement + noise^2)

so 1/2 is where the slopes that tell the motion in every direction are as large as what the motion
leaves unexplained of them. Along a single edge, in a plain region, in noise that differs between
the images and in an image without a neighbour in some direction it is 0 or small. The noise is what
rounding may change of a number, and a thousandth of the greater eigenvalue: slopes that are read
between pixels are not exactly across an edge.
"""

import jax
import jax.numpy as jnp

from sf3d_jax.fit._pyramid.level import Features, add_channels, warp_other
from sf3d_jax.fit._pyramid.maps import Size, grid, is_inside, mean

_RADIUS = 4
_BORDER = 2.0
_ASKEW = 1e-3


def find_confidence(
    features: Features, noise: jax.Array, motion: jax.Array, size: Size
) -> jax.Array:
    """The confidence in a motion.

    Args:
      features: of both frames, of that size.
      noise: what rounding may change of the images.
      motion: (2, K, h, w), (u, v) first, in pixels.
      size: (rows, columns).

    Returns:
      (2, h, w), from 0 to 1.
    """
    columns, rows = grid(motion)
    u, v = columns + motion[:, 0], rows + motion[:, 1]
    warped, seen = warp_other(features, u, v, size)
    # The slopes of the outermost pixels are those of an image that goes on as it ends.
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
    # The product of the eigenvalues by the greater one: of a small one this keeps the digits.
    greater = (uu + vv) / 2 + jnp.sqrt(((uu - vv) / 2) ** 2 + uv**2)
    positive = greater > 0
    texture = jnp.where(positive, uu * vv - uv * uv, 0) / jnp.where(positive, greater, 1)
    texture = jnp.where(known, jnp.maximum(texture, 0), 0)
    total = texture + off + noise**2 + _ASKEW * greater
    return texture / jnp.where(total > 0, total, 1)
