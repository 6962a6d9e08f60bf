"""What shape, skin, hair and clothes of a person have in common, drawn from a seed.

A stream of its own gives these numbers, so that what is drawn for the shape or for the skin alone
changes none of them. They are made of sums, products and powers of two of random words alone, so
they are the same bits on every machine.
"""

from typing import NamedTuple

from sf3d_jax.head.person.chance import draw_shares

# Tells the stream from those that others draw from the same seed: "prof" in ASCII.
_PROFILE = 0x70726F66
_YOUNGEST, _OLDEST = 18.0, 80.0
# How far men and women lie from the middle between them, and how much each group spreads.
_HALF_DISTANCE, _SPREAD = 0.6, 0.4


class Profile(NamedTuple):
    """One person in a few numbers.

    Attributes:
      age: years, 18 to 80.
      masculinity: -1 (female) to 1 (male), in two overlapping groups of equal size.
      fullness: -1 (thin) to 1 (heavy); most people are near 0.
      tone: share of all people whose skin is paler, 0 to 1.
    """

    age: float
    masculinity: float
    fullness: float
    tone: float


def draw_profile(seed: int) -> Profile:
    """Draws one person's profile.

    Args:
      seed: a number from 0 on.

    Returns:
      The profile; equal seeds give equal profiles.
    """
    age, group, spread, first, second, third, tone = draw_shares(seed, (_PROFILE,), 7).tolist()
    side = 1.0 if group < 0.5 else -1.0
    return Profile(
        age=_YOUNGEST + (_OLDEST - _YOUNGEST) * age,
        masculinity=side * _HALF_DISTANCE + _SPREAD * (2 * spread - 1),
        # The mean of three uniform numbers, which is almost normal.
        fullness=2 * (first + second + third) / 3 - 1,
        tone=tone,
    )
