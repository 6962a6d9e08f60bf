"""The mouth of a person who speaks, without words: syllables with the shapes of vowels.

People speak 4 to 7 syllables a second, in phrases of a few seconds (Pellegrino, Coupe and Marsico,
"A cross-language perspective on speech information rate", Language 2011). Between vowels the lips
close for some consonants, and else nearly so.
"""

from collections.abc import Iterator

import numpy as np

from sf3d_jax.making.motion.events import Event
from sf3d_jax.making.motion.pulses import Pulse, scatter, stretch

PAUSE = stretch(0.4, 2.5)
PHRASE = stretch(0.8, 4.0)
SYLLABLE = stretch(1 / 7, 1 / 4)
# The mouth of each vowel, as weights of ARKit's units.
VOWELS: dict[str, dict[str, float]] = {
    "a": {"jawOpen": 0.38, "mouthLowerDownSide": 0.25, "mouthUpperUpSide": 0.12},
    "e": {"jawOpen": 0.22, "mouthStretchSide": 0.25, "mouthLowerDownSide": 0.25},
    "i": {"jawOpen": 0.12, "mouthSmileSide": 0.25, "mouthLowerDownSide": 0.2},
    "o": {"jawOpen": 0.27, "mouthFunnel": 0.45},
    "u": {"jawOpen": 0.13, "mouthPucker": 0.5, "mouthFunnel": 0.2},
}
# Consonants: closed lips (m, b, p), the lower lip on the teeth (f, v), and all others.
CONSONANTS: dict[str, dict[str, float]] = {
    "m": {"mouthPressSide": 0.4, "mouthRollLower": 0.2, "mouthRollUpper": 0.2},
    "f": {"mouthRollLower": 0.45, "mouthUpperUpSide": 0.1},
    "t": {},
}
HOW_OFTEN = {"m": 0.2, "f": 0.1, "t": 0.7}
LOUDNESS = (0.5, 1.2)


def draw_speech(generator: np.random.Generator, seconds: float) -> list[Event]:
    """Draws the syllables of phrases.

    Args:
      generator: source of chance.
      seconds: length of the motion.

    Returns:
      Events, in order of their times.
    """
    events: list[Event] = []
    silent_until = -np.inf
    for start in scatter(generator, seconds, PAUSE):
        phrase = list(_draw_phrase(generator, start, start + PHRASE(generator)))
        if start < silent_until or not phrase:
            continue
        silent_until = phrase[-1].sides[0].end
        events += phrase
    return events


def _draw_phrase(generator: np.random.Generator, start: float, end: float) -> Iterator[Event]:
    loudness = float(generator.uniform(*LOUDNESS))
    time = start
    while time < end:
        length = SYLLABLE(generator)
        vowel = VOWELS[str(generator.choice(list(VOWELS)))]
        consonant = CONSONANTS[str(generator.choice(list(HOW_OFTEN), p=list(HOW_OFTEN.values())))]
        stress = loudness * float(generator.uniform(0.6, 1.1))
        # Neighbours overlap: what one vowel leaves, the next one takes.
        opened = Pulse(time, 0.6 * length, 0.2 * length, 0.7 * length, stress)
        closed = Pulse(time - 0.3 * length, 0.3 * length, 0.1 * length, 0.3 * length, stress)
        if consonant:
            yield Event((closed, closed), consonant)
        yield Event((opened, opened), vowel)
        time += length
