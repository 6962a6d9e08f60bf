"""How dark the skin of people is: from the share of people who are paler to the melanin of one.

The individual typology angle of a colour in CIELAB,

    ITA = arctan((L* - 50) / b*),

falls as melanin rises, and its classes span all people: very light over 55 degrees, light over 41,
intermediate over 28, tan over 10, brown over -30, and dark (A. Chardon et al., Skin colour typology
and suntanning pathways, Int. J. Cosmet. Sci. 13, 1991; S. Del Bino and F. Bernerd, Variations in
skin colour and the biological consequences of ultraviolet radiation exposure, Br. J. Dermatol. 169,
2013). No publication tells how many people on Earth are of each class. The shares below are chosen
so that each class is seen often, and no face is lighter or darker than those that were measured.

Lightness, redness and yellowness go with the melanin as in faces: K. Xiao et al., Characterising
the variations in ethnic skin colours, Skin Res. Technol. 23, 2017 (redness hardly differs between
groups, the forehead is darker than the cheek); K. Han et al., Skin color of Koreans, Skin Res.
Technol. 12, 2006 (means of L* 61.7, a* 9.6, b* 17.1; the forehead is darkest, with L* 58.0, the
cheek is reddest, with a* 11.9).
"""

import numpy as np

# The classes' borders, the share of people who are paler, and the melanin of `color_skin` that has
# the angle with as much blood as most faces have.
ANGLES = np.array([58.5, 55.0, 41.0, 28.0, 10.0, -10.0, -30.0, -55.0])
PALER = np.array([0.0, 0.08, 0.29, 0.52, 0.72, 0.84, 0.93, 1.0])
_MELANIN = np.array([0.155, 0.226, 0.456, 0.628, 0.84, 1.08, 1.373, 1.953])


def find_melanin(tone: float) -> float:
    """Melanin of a person's skin, as in `color_skin`.

    Args:
      tone: share of all people whose skin is paler, 0 to 1.

    Returns:
      The amount, which rises with the tone.
    """
    return float(np.interp(tone, PALER, _MELANIN))
