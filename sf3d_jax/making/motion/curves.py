"""The motion of one subject: weights of expressions, and the turn of the head, at any time.

Each unit has a small wave that never stops; what comes and goes adds to it: expressions, syllables,
blinks. A sum x of weights becomes x / (1 + x^4)^(1/4), which stays below 1. Units of ARKit are
coupled as in faces: both eyes look the same way, lids do not widen in a blink, and the tongue comes
out of an open mouth only. The eyes keep their direction while the head turns. Other names get waves
of their own.
"""

import re
from collections.abc import Callable, Iterable

import numpy as np

from sf3d_jax.making.motion.blinks import draw_blinks
from sf3d_jax.making.motion.events import draw_expressions, draw_micro_expressions
from sf3d_jax.making.motion.kinds import EVERYDAY, MICRO, SPEECH, Schedule, draw_kinds
from sf3d_jax.making.motion.nods import draw_nods
from sf3d_jax.making.motion.speech import draw_speech
from sf3d_jax.making.motion.steps import draw_gaze, draw_postures
from sf3d_jax.making.motion.waves import FREQUENCIES, Wave, draw_wave

# Units that come alone, and units of either side; lids, gaze and motion aside have their own rules.
ALONE = """browInnerUp cheekPuff jawForward jawOpen mouthClose mouthFunnel mouthPucker
    mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper tongueOut""".split()
PAIRED = """browDown browOuterUp cheekSquint eyeSquint eyeWide mouthDimple mouthFrown mouthLowerDown
    mouthPress mouthSmile mouthStretch mouthUpperUp noseSneer""".split()
TWO_SIDED = [name + side for name in PAIRED for side in ("Left", "Right")]

# Waves that never stop: the middle and the size of each unit, and of the two that go both ways.
IDLE = (0.0, 0.02)
ASIDE = 0.05
OTHER = (-0.05, 0.30)
DRIFT = {"yaw": 0.04, "pitch": 0.02, "roll": 0.015}  # radians
DRIFT_FREQUENCIES = (0.08, 0.45)  # Hz
# A weight that cannot be negative is log(1 + exp(h w)) / h of its wave.
SOFTNESS = 60.0
OTHER_SOFTNESS = 12.0
LEANING = 0.15  # how much of a pair's wave belongs to one side alone
# Turns of an eye, in radians, at a weight of 1: outwards or inwards, up, and down.
LOOK_ASIDE, LOOK_UP, LOOK_DOWN = 0.55, 0.42, 0.50

Draw = Callable[[str], np.random.Generator]


class Curves:
    """The motion of one subject."""

    def __init__(
        self, draw: Draw, names: Iterable[str], seconds: float, clip_seconds: float
    ) -> None:
        """Draws the motion at random.

        Args:
          draw: opens the source of chance that belongs to a name.
          names: names of the units to move: ARKit's, with Left and Right or _L and _R, or others.
          seconds: length of the motion; the same motion for shorter times.
          clip_seconds: length of its clips, each of which has a kind.
        """
        self._names = {name: complete_side(name) for name in names}
        self._draw = draw
        self._waves: dict[str, Wave] = {}
        self.kinds = draw_kinds(draw("kinds"), 1 + int(seconds / clip_seconds))
        self._schedule = Schedule(self.kinds, clip_seconds)
        # What happens in clips of which kinds.
        self._events = {
            (EVERYDAY, SPEECH): draw_expressions(draw("expressions"), seconds),
            (MICRO,): draw_micro_expressions(draw("micro"), seconds),
            (SPEECH,): draw_speech(draw("speech"), seconds),
        }
        self._blinks = draw_blinks(draw("blinks"), seconds)
        self._gaze = draw_gaze(draw("gaze"), seconds)
        may_turn = self._schedule.allow(EVERYDAY, SPEECH)
        self._postures = draw_postures(draw("postures"), seconds, may_turn)
        self._nods = draw_nods(draw("nods"), seconds)
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
            other = lambda unit: self._idle(unit, OTHER, OTHER_SOFTNESS, time)
            weights[unit] = limit(other(unit)) if whole is None else whole
        return {name: weights[unit] for name, unit in self._names.items()}

    def rotation(self, time: float) -> tuple[float, float, float]:
        """The turn of the head at a time.

        Args:
          time: seconds.

        Returns:
          Yaw, pitch and roll in radians.
        """
        angles = self._postures.at(time).copy()
        for i, (name, size) in enumerate(DRIFT.items()):
            angles[i] += self.wave(name, (0.0, size), time, DRIFT_FREQUENCIES)
        share = self._schedule.find_share((EVERYDAY, SPEECH), time)
        for nod in self._nods:
            angles[nod.axis] += share * nod.at(time)
        yaw, pitch, roll = angles.tolist()
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
          m + s sum_k a_k sin(2 pi f_k t + p_k).
        """
        if name not in self._waves:
            self._waves[name] = draw_wave(self._draw(name), *range_, band)
        return self._waves[name].at(time)

    def look(self, time: float) -> tuple[float, float]:
        """The turn of both eyes in the head, in radians to the subject's left and up."""
        yaw, pitch, _ = self.rotation(time)
        across, up = self._gaze.at(time)
        return float(across) - yaw, float(up) - pitch

    def _couple(self, time: float) -> dict[str, float]:
        """Weights of ARKit's units."""
        sums = {unit: self._idle(unit, IDLE, SOFTNESS, time) for unit in [*ALONE, *TWO_SIDED]}
        sums |= _split("jaw", self.wave("jawSide", (0.0, ASIDE), time))
        sums |= _split("mouth", self.wave("mouthSide", (0.0, ASIDE), time))
        for kinds, events in self._events.items():
            share = self._schedule.find_share(kinds, time)
            for event in events:
                event.add_to(sums, time, share)
        weights = {unit: limit(x) for unit, x in sums.items()}
        weights |= self._find_gaze(time)
        return _restrain(weights, max(blink.at(time) for blink in self._blinks))

    def _find_gaze(self, time: float) -> dict[str, float]:
        """Weights of the eyes' turns: both look the same way."""
        across, up = self.look(time)
        weights: dict[str, float] = {}
        for side, outwards in (("Left", across), ("Right", -across)):
            weights |= {
                f"eyeLookOut{side}": max(outwards, 0.0) / LOOK_ASIDE,
                f"eyeLookIn{side}": max(-outwards, 0.0) / LOOK_ASIDE,
                f"eyeLookUp{side}": max(up, 0.0) / LOOK_UP,
                f"eyeLookDown{side}": max(-up, 0.0) / LOOK_DOWN,
            }
        return {name: min(weight, 1.0) for name, weight in weights.items()}

    def _idle(self, name: str, range_: tuple[float, float], softness: float, time: float) -> float:
        """A weight from 0 on; the sides of a pair share most of their wave."""
        base = find_base(name)
        value = self.wave(base, range_, time)
        if base != name:
            value += LEANING * self.wave(name, (0.0, range_[1]), time)
        return float(np.logaddexp(0, softness * value) / softness)


def limit(weight: float) -> float:
    """x / (1 + x^4)^(1/4): a weight from 0 on becomes one below 1."""
    return weight / float(np.sqrt(np.sqrt(1 + weight**4)))


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


def _split(part: str, aside: float) -> dict[str, float]:
    """The weights of two opposite units of one motion to the subject's left."""
    return {f"{part}Left": max(aside, 0.0), f"{part}Right": max(-aside, 0.0)}


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
