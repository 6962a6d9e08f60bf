"""How a face moves: expression weights and the head's turn as smooth functions of time.

Every unit follows a wave

    w(t) = m + s sum_k a_k sin(2 pi f_k t + p_k),   k = 1 ... 4,

whose frequencies are .15 to .9 Hz, and .08 to .45 Hz for the turn of the head, so that nothing
moves faster than people do. A weight that cannot
be negative is a softplus of its wave, log(1 + exp(h w)) / h, and w / (1 + w^4)^(1/4) of that stays
below 1. Blinks are bumps exp(-((t - t_i) / .085 s)^2). Units of ARKit are coupled as in faces: both
sides of a pair move nearly alike, both eyes look the same way, lids do not widen in a blink, and
the tongue comes out of an open mouth only. Other names get waves of their own.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable

import numpy as np

# Waves of ARKit's units: the middle and the size of each; "Side" stands for both sides.
# A middle below 0 makes a unit rest most of the time.
UNITS: dict[str, tuple[float, float]] = {
    "browDownSide": (-0.05, 0.30),
    "browInnerUp": (0.00, 0.40),
    "browOuterUpSide": (0.00, 0.40),
    "cheekPuff": (-0.20, 0.30),
    "cheekSquintSide": (-0.05, 0.25),
    "eyeSquintSide": (-0.05, 0.25),
    "eyeWideSide": (-0.05, 0.25),
    "jawForward": (-0.10, 0.20),
    "jawOpen": (0.12, 0.22),
    "mouthClose": (-0.05, 0.25),
    "mouthDimpleSide": (-0.05, 0.25),
    "mouthFrownSide": (-0.08, 0.30),
    "mouthFunnel": (-0.08, 0.28),
    "mouthLowerDownSide": (0.00, 0.28),
    "mouthPressSide": (-0.08, 0.25),
    "mouthPucker": (-0.05, 0.30),
    "mouthRollLower": (-0.12, 0.22),
    "mouthRollUpper": (-0.12, 0.22),
    "mouthShrugLower": (-0.08, 0.25),
    "mouthShrugUpper": (-0.08, 0.25),
    "mouthSmileSide": (0.12, 0.40),
    "mouthStretchSide": (-0.08, 0.25),
    "mouthUpperUpSide": (-0.02, 0.28),
    "noseSneerSide": (-0.08, 0.28),
    "tongueOut": (-0.30, 0.30),
}
OTHER = (-0.05, 0.30)

# Units that go both ways: the half range of each wave.
JAW_SIDE, MOUTH_SIDE = 0.18, 0.18
GAZE = {"across": 0.35, "up": 0.25}  # as shares of the units' full turn
TURN = {"yaw": 0.20, "pitch": 0.09, "roll": 0.06}  # radians

TERMS = 4
FREQUENCIES = (0.15, 0.9)  # Hz
TURN_FREQUENCIES = (0.08, 0.45)  # Hz
SOFTNESS = 12.0
LEANING = 0.15  # how much of a pair's wave belongs to one side alone
BLINK = 0.085  # s
SHUT = 0.98
BETWEEN_BLINKS = (1.2, 4.0)  # s

Draw = Callable[[str], np.random.Generator]


@dataclasses.dataclass(frozen=True)
class Wave:
    """A band-limited function of time: w(t) in the formula above.

    Attributes:
      middle: m.
      amplitudes: [4], s a_k.
      frequencies: [4], f_k, Hz.
      phases: [4], p_k, radians.
    """

    middle: float
    amplitudes: np.ndarray
    frequencies: np.ndarray
    phases: np.ndarray

    def at(self, time: float) -> float:
        """The value at a time in seconds."""
        angles = 2 * np.pi * self.frequencies * time + self.phases
        return self.middle + float(self.amplitudes @ np.sin(angles))


class Curves:
    """The motion of one subject."""

    def __init__(self, draw: Draw, names: Iterable[str], seconds: float) -> None:
        """Draws the motion at random.

        Args:
          draw: opens the source of chance that belongs to a name.
          names: names of the units to move: ARKit's, with Left and Right or _L and _R, or others.
          seconds: length of the motion; the same motion for shorter times.
        """
        self._names = {name: complete_side(name) for name in names}
        self._draw = draw
        self._waves: dict[str, Wave] = {}
        self._blinks = _draw_blinks(draw("blinks"), seconds)
        known = self._couple(0.0)
        self._others = {unit for unit in self._names.values() if unit not in known}

    def expression(self, time: float) -> dict[str, float]:
        """Weights of all units at a time.

        Args:
          time: seconds.

        Returns:
          {name: weight}, from 0 to 1, of all names in their order.
        """
        weights = self._couple(time)
        for unit in self._others:
            # A side of a unit that ARKit does not divide moves as the unit; the rest on its own.
            whole = weights.get(find_base(unit))
            weights[unit] = self._pair(unit, OTHER, time) if whole is None else whole
        return {name: weights[unit] for name, unit in self._names.items()}

    def rotation(self, time: float) -> tuple[float, float, float]:
        """The turn of the head at a time.

        Args:
          time: seconds.

        Returns:
          Yaw, pitch and roll in radians.
        """
        yaw, pitch, roll = (
            self.wave(name, (0.0, size), time, TURN_FREQUENCIES) for name, size in TURN.items()
        )
        return yaw, pitch, roll

    def wave(
        self,
        name: str,
        range_: tuple[float, float],
        time: float,
        band: tuple[float, float] = FREQUENCIES,
    ) -> float:
        """The wave of a name.

        Args:
          name: name of a unit or of any other parameter.
          range_: its middle and its size.
          time: seconds.
          band: least and largest frequency, Hz.

        Returns:
          w(t) in the formula above.
        """
        if name not in self._waves:
            self._waves[name] = _draw_wave(self._draw(name), *range_, band)
        return self._waves[name].at(time)

    def _couple(self, time: float) -> dict[str, float]:
        """Weights of ARKit's units."""
        one = {}
        for unit, range_ in UNITS.items():
            sides = ("Left", "Right") if unit.endswith("Side") else ("",)
            for side in sides:
                name = unit.removesuffix("Side") + side
                one[name] = self._pair(name, range_, time)
        one |= self._look(time)
        one |= _split("jaw", self.wave("jawSide", (0.0, JAW_SIDE), time))
        one |= _split("mouth", self.wave("mouthSide", (0.0, MOUTH_SIDE), time))
        return _restrain(one, self._blink(time))

    def _look(self, time: float) -> dict[str, float]:
        """Weights of the eyes' turns: both look the same way."""
        across = self.wave("gaze across", (0.0, GAZE["across"]), time)
        up = self.wave("gaze up", (0.0, GAZE["up"]), time)
        weights: dict[str, float] = {}
        for side, outwards in (("Left", across), ("Right", -across)):
            weights |= {
                f"eyeLookOut{side}": max(outwards, 0.0),
                f"eyeLookIn{side}": max(-outwards, 0.0),
                f"eyeLookUp{side}": max(up, 0.0),
                f"eyeLookDown{side}": max(-up, 0.0),
            }
        return {name: min(weight, 1.0) for name, weight in weights.items()}

    def _blink(self, time: float) -> float:
        return SHUT * float(np.exp(-(((time - self._blinks) / BLINK) ** 2)).max())

    def _pair(self, name: str, range_: tuple[float, float], time: float) -> float:
        """A weight from 0 to 1; the sides of a pair share most of their wave."""
        base = find_base(name)
        value = self.wave(base, range_, time)
        if base != name:
            value += LEANING * self.wave(name, (0.0, range_[1]), time)
        soft = np.logaddexp(0, SOFTNESS * value) / SOFTNESS
        return float(soft / (1 + soft**4) ** 0.25)


def complete_side(name: str) -> str:
    """The name of a unit with its side in ARKit's form: mouthSmile_L is mouthSmileLeft.

    Args:
      name: name of a unit.

    Returns:
      The name.
    """
    for ending, side in (("_L", "Left"), ("_R", "Right"), ("_l", "Left"), ("_r", "Right")):
        if name.endswith(ending):
            return name.removesuffix(ending) + side
    return name


def find_base(name: str) -> str:
    """The name of a unit without its side.

    Args:
      name: name of a unit, in ARKit's form.

    Returns:
      The name.
    """
    return re.sub("(Left|Right)$", "", name)


def _draw_wave(
    generator: np.random.Generator, middle: float, size: float, band: tuple[float, float]
) -> Wave:
    frequencies = generator.uniform(*band, TERMS)
    phases = generator.uniform(0, 2 * np.pi, TERMS)
    # The terms' powers add up to that of one sine of the size on average.
    amplitudes = size * generator.normal(size=TERMS) / np.sqrt(TERMS)
    return Wave(middle, amplitudes, frequencies, phases)


def _draw_blinks(generator: np.random.Generator, seconds: float) -> np.ndarray:
    """Times of blinks, from the one before time 0 to one after the end."""
    count = 2 + int(seconds / BETWEEN_BLINKS[0])
    return np.cumsum(generator.uniform(*BETWEEN_BLINKS, count)) - BETWEEN_BLINKS[0]


def _split(part: str, aside: float) -> dict[str, float]:
    """The weights of two opposite units of one motion to the subject's left."""
    left, right = max(aside, 0.0), max(-aside, 0.0)
    return {f"{part}Left": min(left, 1.0), f"{part}Right": min(right, 1.0)}


def _restrain(weights: dict[str, float], blink: float) -> dict[str, float]:
    """Weakens units that exclude one another."""
    is_open = 1 / (1 + np.exp(-25 * (weights["jawOpen"] - 0.15)))
    smile = max(weights["mouthSmileLeft"], weights["mouthSmileRight"])
    factors = {
        "tongueOut": is_open,
        "cheekPuff": 1 - is_open,
        "mouthClose": weights["jawOpen"],  # it closes the lips of an open jaw
        "mouthRollLower": 1 - is_open,
        "mouthRollUpper": 1 - is_open,
        "mouthPucker": 1 - smile,
        "mouthFunnel": 1 - smile,
    }
    for side in ("Left", "Right"):
        weights[f"eyeBlink{side}"] = blink
        factors[f"mouthFrown{side}"] = 1 - smile
        factors[f"mouthPress{side}"] = 1 - is_open
        factors[f"eyeWide{side}"] = factors[f"eyeSquint{side}"] = 1 - blink
    return {name: float(weight * factors.get(name, 1.0)) for name, weight in weights.items()}
