"""How a person wears hair and beard, and what else a person wears, drawn from a seed.

Each thing has a stream of its own, so that another number of one changes no other. Age, sex and
tone come from the person's profile, and colours of hair from the person's traits.

How much grey there is follows Panhard, Lozano and Loussouarn, Greying of the human hair: a
worldwide survey, British Journal of Dermatology 167, 2012: of people from 45 to 65 years 74 % have
grey hair, and these have 27 % of it on average. Men lose hair from the temples on with age, as
Norwood, Male pattern baldness, Southern Medical Journal 68, 1975, found: about every second man of
50 shows it.
"""

from typing import NamedTuple

import numpy as np

from sf3d_jax.head.person.chance import draw_shares
from sf3d_jax.head.person.profile import Profile, draw_profile
from sf3d_jax.head.skin.noise import Array
from sf3d_jax.head.skin.traits import Hair, Traits

# Tells the streams from those that others draw from the same seed: "grow" in ASCII.
_GROWTH = 0x67726F77
_CUT, _GREY, _BEARD, _GLASSES, _CLOTHES = range(5)
_WHITE = np.array([0.50, 0.49, 0.46], np.float32)

BALD, SHORT, MEDIUM, LONG, CURLY = "bald", "short", "medium", "long", "curly"
SHAVEN, STUBBLE, MOUSTACHE, GOATEE, FULL = "shaven", "stubble", "moustache", "goatee", "full"
T_SHIRT, V_NECK, SHIRT, SWEATER, TURTLENECK = "t-shirt", "v-neck", "shirt", "sweater", "turtleneck"

# Linear reflectance of textiles: undyed, black, greys, blues, reds, greens, sand.
_TEXTILES = np.array(
    [
        [0.70, 0.68, 0.63],
        [0.025, 0.025, 0.028],
        [0.16, 0.16, 0.17],
        [0.03, 0.05, 0.13],
        [0.10, 0.19, 0.36],
        [0.30, 0.03, 0.04],
        [0.05, 0.13, 0.09],
        [0.42, 0.31, 0.20],
        [0.45, 0.22, 0.24],
        [0.10, 0.08, 0.17],
    ],
    np.float32,
)


class Cut(NamedTuple):
    """Hair of the head.

    Attributes:
      kind: BALD, SHORT, MEDIUM, LONG or CURLY.
      thickness: height of the hair over the scalp, centimetres.
      hem: height at which hanging hair ends.
      parting: place of the parting, to the left; where hair is combed from.
      has_parting: whether hair falls to both sides of a line rather than from a whorl.
      fringe: how far hair falls over the forehead.
      opening: azimuth at which hanging hair begins, radians.
      grey: share of grey hairs.
      curl: how far the strands wind.
    """

    kind: str
    thickness: float
    hem: float
    parting: float
    has_parting: bool
    fringe: float
    opening: float
    grey: float
    curl: float


class Style(NamedTuple):
    """All that a person grows and wears.

    Attributes:
      hair: traits of hair and brows, by age.
      cut: hair of the head.
      beard: SHAVEN, STUBBLE, MOUSTACHE, GOATEE or FULL.
      beard_length: its thickness at the chin, centimetres.
      glasses: shape of the frame: (half width, half height, squareness, thickness), or None.
      frame: (3,) reflectance of the frame.
      garment: what is worn.
      textile: (3,) reflectance.
      stripes: (3,) reflectance of its stripes, or None.
    """

    hair: Hair
    cut: Cut
    beard: str
    beard_length: float
    glasses: tuple[float, float, float, float] | None
    frame: Array
    garment: str
    textile: Array
    stripes: Array | None


def draw_style(seed: int, traits: Traits) -> Style:
    """Draws what a person grows and wears.

    Args:
      seed: a number from 0 on.
      traits: the same person's.

    Returns:
      The style; equal seeds give equal styles.
    """
    profile = draw_profile(seed)
    grey = _draw_grey(seed, profile)
    hair = traits.hair
    cut = _draw_cut(seed, profile, traits, grey)
    beard, length = _draw_beard(seed, profile)
    is_man = profile.masculinity > 0
    recess = _share(profile.age, 25, 75) if is_man else 0.0
    hair = hair._replace(
        color=hair.color + np.float32(grey * grey) * (_WHITE - hair.color),
        cover=0.0 if cut.kind == BALD else max(hair.cover, 0.8),
        temples=hair.temples * (0.8 + 1.2 * recess),
        hairline=hair.hairline + 0.8 * recess * hair.temples,
        beard=hair.beard if is_man else 0.0,
        curl=cut.curl,
    )
    if beard != SHAVEN:
        hair = hair._replace(beard=max(hair.beard, 0.75))
    glasses, frame = _draw_glasses(seed, profile)
    garment, textile, stripes = _draw_clothes(seed, profile)
    return Style(hair, cut, beard, length, glasses, frame, garment, textile, stripes)


def _draw_grey(seed: int, profile: Profile) -> float:
    (onset,) = _draw(seed, _GREY, 1)
    return _share(profile.age, 25 + 36 * onset, 85 + 25 * onset)


def _draw_cut(seed: int, profile: Profile, traits: Traits, grey: float) -> Cut:
    kind, length, side, parted, fringe, opening, curly, thick = _draw(seed, _CUT, 8)
    is_man = profile.masculinity > 0
    chosen = SHORT if is_man or kind < 0.2 else MEDIUM if kind < 0.55 else LONG
    if is_man and kind > 0.93:
        chosen = MEDIUM
    if is_man and kind < 0.3 * _share(profile.age, 25, 70):
        chosen = BALD
    tight = traits.skin.melanin > 1.4
    if chosen != BALD and curly < (0.75 if tight else 0.06):
        chosen = CURLY
    hangs = chosen in (MEDIUM, LONG)
    thickness = {BALD: 0.0, SHORT: 0.5 + 1.1 * thick, CURLY: 0.7 + 2.8 * thick**2}
    return Cut(
        kind=chosen,
        thickness=thickness.get(chosen, 0.9 + 0.7 * thick),
        hem=-5.0 - 4.0 * length if chosen == MEDIUM else -11.0 - 4.0 * length,
        parting=(side - 0.5) * 6.0,
        has_parting=hangs or (chosen == SHORT and parted < 0.4),
        fringe=1.6 * fringe if fringe > 0.5 and chosen != CURLY else 0.0,
        opening=0.72 + 0.3 * opening,
        grey=grey,
        curl=0.5 * curly * curly if hangs else 0.25 * curly,
    )


def _draw_beard(seed: int, profile: Profile) -> tuple[str, float]:
    kind, length = _draw(seed, _BEARD, 2)
    if profile.masculinity < 0.15:
        return SHAVEN, 0.0
    kinds = ((0.5, SHAVEN), (0.68, STUBBLE), (0.75, MOUSTACHE), (0.83, GOATEE), (1.0, FULL))
    chosen = next(name for below, name in kinds if kind <= below)
    return chosen, 0.4 + 1.0 * length * length


def _draw_glasses(
    seed: int, profile: Profile
) -> tuple[tuple[float, float, float, float] | None, Array]:
    worn, width, height, square, thick, color = _draw(seed, _GLASSES, 6)
    frames = [[0.02, 0.018, 0.018], [0.09, 0.045, 0.02], [0.30, 0.29, 0.28], [0.03, 0.035, 0.08]]
    frame = np.array(frames[int(color * len(frames))], np.float32)
    if worn > 0.2 + 0.3 * _share(profile.age, 35, 65):
        return None, frame
    shape = (2.3 + 0.35 * width, 1.55 + 0.5 * height, square, 0.07 + 0.12 * thick)
    return shape, frame


def _draw_clothes(seed: int, profile: Profile) -> tuple[str, Array, Array | None]:
    kind, color, striped, other, light = _draw(seed, _CLOTHES, 5)
    kinds = (T_SHIRT, V_NECK, SHIRT, SWEATER, TURTLENECK)
    chosen = kinds[int(kind * len(kinds))]
    first, second = (_TEXTILES[int(x * len(_TEXTILES))] for x in (color, other))
    textile = first * np.float32(0.75 + 0.35 * light)
    has_stripes = striped < 0.22 and chosen in (T_SHIRT, SWEATER)
    return chosen, textile, second if has_stripes else None


def _share(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)


def _draw(seed: int, stream: int, count: int) -> list[float]:
    """Numbers from 0 to 1 of a stream; more of them do not change the first ones."""
    return draw_shares(seed, (_GROWTH, stream), count).tolist()
