"""Make-up: what some people paint on lips, lids and cheeks, drawn from numbers from 0 to 1."""

from typing import NamedTuple

import numpy as np

from sf3d_jax.head.person.profile import Profile
from sf3d_jax.head.skin.pigments import Array

# Lipsticks and shadows from nude to strong ones, linear reflectance.
_LIPSTICKS = np.array(
    [[0.38, 0.19, 0.15], [0.36, 0.14, 0.13], [0.34, 0.08, 0.09], [0.24, 0.035, 0.045]]
)
_SHADOWS = np.array(
    [[0.20, 0.12, 0.08], [0.16, 0.11, 0.10], [0.12, 0.10, 0.12], [0.05, 0.04, 0.04]]
)


class Makeup(NamedTuple):
    """Paint on the skin; shares are 0 (none) to 1 (opaque).

    Attributes:
      lips: share of the lips that lipstick covers.
      lipstick: (3,) reflectance of it.
      lids: share of the upper lids that shadow covers.
      shadow: (3,) reflectance of it.
      liner: share that a dark line along the lids covers.
      blush: further blood on the cheekbones.
      powder: how much of the skin's unevenness is covered, 0 to 1.
    """

    lips: float
    lipstick: Array
    lids: float
    shadow: Array
    liner: float
    blush: float
    powder: float


def draw_makeup(numbers: list[float], profile: Profile, melanin: float) -> Makeup:
    """Draws make-up: on many women's faces, on few men's.

    Args:
      numbers: ten numbers from 0 to 1.
      profile: the person's.
      melanin: brown pigment of the skin; lipstick and shadow are darker on dark skin.

    Returns:
      The make-up.
    """
    wears, lips, red, lids, shade, liner, blush, powder, _, _ = numbers
    chance = 0.5 - 0.55 * profile.masculinity
    amount = np.float32(min(1.0, 3 * max(0.0, chance - wears)))
    depth = np.float32(1 / (1 + 0.45 * melanin))
    return Makeup(
        lips=float(amount * max(0.0, 1.1 * lips - 0.2)),
        lipstick=_pick(_LIPSTICKS, red) * depth,
        lids=float(amount * max(0.0, 0.9 * lids - 0.35)),
        shadow=_pick(_SHADOWS, shade) * depth,
        liner=float(amount * max(0.0, 1.2 * liner - 0.3)),
        blush=float(amount * 0.22 * blush),
        powder=float(amount * 0.6 * powder),
    )


def _pick(colors: Array, place: float) -> Array:
    at = np.linspace(0, 1, len(colors))
    return np.array([np.interp(place, at, channel) for channel in colors.T], np.float32)
