"""Distances between landmarks of adult heads, as measured, and those of one person.

Means and standard deviations of 2,543 men and 1,454 women: Zhuang and Bradtmiller, Head-and-face
anthropometric survey of U.S. respirator users, J. Occup. Environ. Hyg. 2(11), 567-576, 2005, the
table of summary statistics. Millimetres there, centimetres elsewhere in this package.
"""

from typing import NamedTuple

import numpy as np

from sf3d_jax.head.person.chance import draw_shares
from sf3d_jax.head.person.landmarks import Floats
from sf3d_jax.head.person.profile import Profile

# Tells the stream from those that others draw from the same seed: "meas" in ASCII.
_MEASURES = 0x6D656173
# Masculinity of a group lies about +-_GROUP with this deviation (see `profile`).
_GROUP, _GROUP_SPREAD = 0.6, 0.4 / 3**0.5
# Share of the variance that is the size of the whole head.
_COMMON = 0.25
# The most standard deviations between a person and the mean of the group.
_MOST = 2.0
_OWN = (1 - _COMMON) ** 0.5


class Distance(NamedTuple):
    """A measured distance: means and standard deviations in millimetres."""

    man: float
    man_deviation: float
    woman: float
    woman_deviation: float


SURVEY: dict[str, Distance] = {
    "head breadth": Distance(153.0, 6.0, 146.8, 5.6),
    "head length": Distance(197.3, 7.4, 187.5, 7.2),
    "bizygomatic breadth": Distance(143.5, 6.9, 135.1, 6.5),
    "bigonial breadth": Distance(120.4, 10.4, 110.1, 8.9),
    "minimum frontal breadth": Distance(105.5, 5.7, 102.9, 5.4),
    "menton-sellion length": Distance(122.7, 7.0, 113.4, 6.1),
    "subnasale-sellion length": Distance(52.0, 4.1, 48.2, 3.8),
    "nose breadth": Distance(36.6, 4.1, 33.2, 3.9),
    "nose protrusion": Distance(21.1, 2.7, 19.8, 2.7),
    "lip length": Distance(51.1, 4.2, 48.0, 4.0),
    "interpupillary distance": Distance(64.5, 3.6, 61.9, 3.5),
}
_NAMES = list(SURVEY)
# Long faces have long noses, and wide heads wide faces: how far what is own follows another's own.
_FOLLOWS = (
    ("subnasale-sellion length", "menton-sellion length", 0.5),
    ("bizygomatic breadth", "head breadth", 0.5),
    ("bigonial breadth", "minimum frontal breadth", 0.4),
)


def draw_distances(seed: int, profile: Profile) -> Floats:
    """Draws one person's distances.

    A mean follows masculinity linearly, so that men and women have the survey's means; what the
    spread of masculinity leaves of the variance is drawn: one number for the size of all, and one
    for each distance, all almost normal and within two deviations.

    Args:
      seed: the person.
      profile: the person's masculinity.

    Returns:
      (11,), centimetres, in the order of `SURVEY`.
    """
    uniform = draw_shares(seed, (_MEASURES,), 3 * (len(SURVEY) + 1)).reshape(-1, 3)
    # The sum of three uniform numbers has the variance 1/4.
    normal = 2 * (uniform[:, 0] + uniform[:, 1] + uniform[:, 2] - 1.5)
    spread = _COMMON**0.5 * normal[0] + _OWN * normal[1:]
    for name, of, share in _FOLLOWS:
        follower = _NAMES.index(name)
        spread[follower] += _OWN * (
            share * normal[1 + _NAMES.index(of)]
            + ((1 - share**2) ** 0.5 - 1) * normal[1 + follower]
        )
    spread = np.clip(spread, -_MOST, _MOST)
    table = np.array(list(SURVEY.values()))
    middle, half = (table[:, 0] + table[:, 2]) / 2, (table[:, 0] - table[:, 2]) / 2
    share = 0.5 + 0.5 * profile.masculinity
    deviation = table[:, 3] + share * (table[:, 1] - table[:, 3])
    left = np.sqrt(deviation**2 - (half * _GROUP_SPREAD / _GROUP) ** 2)
    return (middle + half * profile.masculinity / _GROUP + left * spread) / 10
