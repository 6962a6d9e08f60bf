"""What differs between people's textures, drawn from a seed.

Each group of traits has a stream of its own, so that another trait at the end of a group, or
another group, changes nothing else: stream n of seed s is that of
`SeedSequence(s, spawn_key=(TEXTURE, n))`, whose words NumPy keeps stable between versions.
"""

from typing import NamedTuple

import numpy as np

from sf3d_jax.head.person.chance import draw_shares
from sf3d_jax.head.person.profile import Profile, draw_profile
from sf3d_jax.head.skin.makeup import Makeup, draw_makeup
from sf3d_jax.head.skin.pigments import Array, color_hair
from sf3d_jax.head.skin.tones import find_melanin

# Tells the streams of the texture from those that others draw from the same seed: "skin" in ASCII.
_TEXTURE = 0x736B696E
_COMPLEXION, _MARKS, _HAIR, _BROWS, _EYES, _MOUTH, _PATTERN = range(7)
_AGEING, _MAKEUP = range(16, 18)

# Irises from blue by grey green, hazel and amber to brown and nearly black, linear reflectance.
_IRISES = np.array(
    [
        [0.15, 0.27, 0.41],
        [0.16, 0.24, 0.28],
        [0.14, 0.18, 0.09],
        [0.16, 0.105, 0.04],
        [0.085, 0.040, 0.016],
        [0.035, 0.017, 0.010],
    ]
)
_GREY = np.array([0.42, 0.41, 0.39], np.float32)
# Skin with less melanin than the first may have freckles, and hair and irises that are not dark;
# with less than the second, any.
_PALE, _PALEST = 0.78, 0.2


class Complexion(NamedTuple):
    """Skin.

    Attributes:
      melanin: brown pigment, as in `color_skin`.
      blood: blood in the skin.
      carotene: yellow pigment.
      flush: how red the cheeks, the nose and the ears are, 0 to 1.
      mottling: how uneven the skin is, 0 to 1.
      freckles: share of the cells that have a freckle; 0 for most people.
      moles: share of the cells that have a mole.
      pores: how large the pores are, 0 to 1.
      pimples: share of the cells that have a red spot; 0 for most people.
      stains: share of the cells that have a brown spot of age.
      scar: how visible a scar is, 0 to 1; 0 for most people.
      wrinkles: how deep the folds of the face at rest are, 0 (young) to 1.
      bags: how dark the skin below the eyes is, 0 to 1.
    """

    melanin: float
    blood: float
    carotene: float
    flush: float
    mottling: float
    freckles: float
    moles: float
    pores: float
    pimples: float
    stains: float
    scar: float
    wrinkles: float
    bags: float


class Hair(NamedTuple):
    """Hair of the scalp, of the beard and of the brows.

    Attributes:
      color: (3,) reflectance.
      cover: how much of the scalp the hair hides, 0 (bald) to 1.
      hairline: height of the hairline over the eyes at the middle, in centimetres.
      temples: how far the hairline recedes at the temples, in centimetres.
      beard: how dark the shaved beard is, 0 to 1.
      curl: how far the strands wind, in centimetres.
      brow_height: height of the brows above that of all people, in centimetres.
      brow_arch: rise of the brow's arch relative to that of all people.
      brow_width: largest half width of a brow, in centimetres.
      brow_density: how dense the brows are, 0 to 1.
    """

    color: Array
    cover: float
    hairline: float
    temples: float
    beard: float
    curl: float
    brow_height: float
    brow_arch: float
    brow_width: float
    brow_density: float


class Eyes(NamedTuple):
    """Irises and whites.

    Attributes:
      iris: (3,) reflectance of the iris.
      collar: (3,) reflectance of the ring around the pupil.
      iris_size: radius of the iris relative to that of all people.
      pupil_size: radius of the pupil relative to that of all people.
      veins: how bloodshot the eyes are, 0 to 1.
    """

    iris: Array
    collar: Array
    iris_size: float
    pupil_size: float
    veins: float


class Traits(NamedTuple):
    """One person's texture in numbers.

    Attributes:
      skin: the complexion.
      hair: hair, beard and brows.
      eyes: irises and whites.
      lips: blood in the lips beyond that of the skin.
      teeth: how yellow the teeth are, 0 to 1.
      makeup: what is painted on the skin.
      pattern: number of the person's noise.
    """

    skin: Complexion
    hair: Hair
    eyes: Eyes
    lips: float
    teeth: float
    makeup: Makeup
    pattern: int


def draw_traits(seed: int) -> Traits:
    """Draws one person's traits.

    Args:
      seed: a number from 0 on.

    Returns:
      The traits; equal seeds give equal traits.
    """
    profile = draw_profile(seed)
    skin = _draw_complexion(seed, profile)
    pale = _find_paleness(skin.melanin)
    lips, teeth = _draw(seed, _MOUTH, 2)
    return Traits(
        skin=skin,
        hair=_draw_hair(seed, pale),
        eyes=_draw_eyes(seed, pale),
        lips=_between(0.22, 0.52, lips),
        teeth=min(1.0, 0.5 * teeth + 0.006 * profile.age),
        makeup=draw_makeup(_draw(seed, _MAKEUP, 10), profile, skin.melanin),
        pattern=_draw_pattern(seed),
    )


def _draw_complexion(seed: int, profile: Profile) -> Complexion:
    _, blood, carotene, flush, mottling = _draw(seed, _COMPLEXION, 5)
    has_freckles, freckles, moles = _draw(seed, _MARKS, 3)
    weather, pores, has_pimples, pimples, scar, bags = _draw(seed, _AGEING, 6)
    melanin = find_melanin(profile.tone)
    pale = _find_paleness(melanin)
    # Old, pale and much in the sun: each makes more of folds and brown spots.
    old = max(0.0, profile.age - 25) / 55
    young = max(0.0, 35 - profile.age) / 17
    return Complexion(
        melanin=melanin,
        blood=_between(0.14, 0.28, blood),
        carotene=_between(-0.08, 0.14, carotene),
        flush=flush,
        mottling=_between(0.3, 1.0, mottling),
        freckles=0.45 * freckles * pale if has_freckles < 0.45 else 0.0,
        moles=0.03 * moles**2,
        pores=min(1.0, _between(0.1, 0.6, pores) + 0.2 * old + 0.1 * profile.masculinity),
        pimples=0.05 * pimples**2 * young if has_pimples < 0.4 else 0.0,
        stains=0.25 * old * old * weather,
        scar=_between(0.4, 1.0, scar / 0.15) if scar < 0.15 else 0.0,
        wrinkles=min(1.0, old * _between(0.6, 1.15, weather) * _between(1.0, 1.25, pale)),
        bags=_between(0.0, 0.7, bags) + 0.3 * old,
    )


def _draw_hair(seed: int, pale: float) -> Hair:
    dark, is_red, red, is_grey, grey, cover, line, temples, beard, curl = _draw(seed, _HAIR, 10)
    height, arch, width, density = _draw(seed, _BROWS, 4)
    # Dark skin has dark hair; pale skin has any.
    brown = _between(3.4, _between(3.0, 0.25, pale), dark)
    ginger = _between(0.1, 1.0, red) if is_red < 0.12 * pale else 0.12 * red
    color = color_hair(brown, ginger)
    white = np.float32(grey if is_grey < 0.15 else 0)
    return Hair(
        color=color + white * (_GREY - color),
        cover=0.0 if cover < 0.08 else _between(0.75, 1.0, cover),
        hairline=_between(5.2, 6.9, line),
        temples=1.6 * temples**2,
        beard=max(0.0, _between(-1.0, 1.0, beard)),
        curl=0.45 * curl**2,
        brow_height=_between(-0.12, 0.15, height),
        brow_arch=_between(0.4, 1.1, arch),
        brow_width=_between(0.26, 0.44, width),
        brow_density=_between(0.6, 1.0, density),
    )


def _draw_eyes(seed: int, pale: float) -> Eyes:
    hue, ring, iris, pupil, veins = _draw(seed, _EYES, 5)
    # Irises are brown unless the skin is pale.
    inner = _between(1.0, _between(0.75, 0.0, pale), hue)
    outer = min(1.0, inner + 0.35 * ring)
    return Eyes(
        iris=_color_iris(inner),
        collar=_color_iris(outer),
        iris_size=_between(0.95, 1.03, iris),
        pupil_size=_between(0.7, 1.1, pupil),
        veins=veins**2,
    )


def _color_iris(place: float) -> Array:
    """The iris at a place from 0 (blue) to 1 (nearly black)."""
    at = np.linspace(0, 1, len(_IRISES))
    return np.array([np.interp(place, at, channel) for channel in _IRISES.T], np.float32)


def _find_paleness(melanin: float) -> float:
    return min(1.0, max(0.0, (_PALE - melanin) / (_PALE - _PALEST)))


def _draw(seed: int, stream: int, count: int) -> list[float]:
    """Numbers from 0 to 1 of a stream; more of them do not change the first ones."""
    return draw_shares(seed, (_TEXTURE, stream), count).tolist()


def _between(low: float, high: float, share: float) -> float:
    return low + share * (high - low)


def _draw_pattern(seed: int) -> int:
    sequence = np.random.SeedSequence(seed, spawn_key=(_TEXTURE, _PATTERN))
    return int(sequence.generate_state(1, np.uint32)[0])
