"""Many people with several expressions in one picture, for a first look at a data set."""

import dataclasses
import math
import os
import tempfile
from collections.abc import Callable

import numpy as np

from sf3d_jax.making.drawing import open_subject
from sf3d_jax.making.motion.actions import ACTIONS, EMOTIONS
from sf3d_jax.making.options import LEAST_SIZE, PROCEDURAL, Options
from sf3d_jax.making.planning import plan

# A neutral face, and the emotions that people show; each with the turn of the head (yaw, pitch,
# roll) in radians.
SHOWN: dict[str, tuple[float, float, float]] = {
    "neutral": (0.0, 0.0, 0.0),
    "happy": (0.15, 0.03, 0.04),
    "surprised": (-0.1, 0.06, 0.0),
    "sad": (0.2, -0.1, -0.05),
    "angry": (-0.15, -0.05, 0.0),
    "disgusted": (0.05, 0.05, -0.06),
}
# Units that fewer people show than this are left out; the others are this strong.
SHARE, STRENGTH = 0.5, 0.85

Progress = Callable[[int, int, str], None]


def draw_contact_sheet(
    options: Options, *, people: int = 24, side: int = 160, progress: Progress | None = None
) -> np.ndarray:
    """Draws people with six expressions each: neutral, happy, surprised, sad, angry, disgusted.

    They are the first people of the data set that `make` makes of the same options, in its light
    and before its cameras.

    Args:
      options: options of the data set. The head has to be procedural and the motion drawn; the
        numbers of subjects and frames do not matter.
      people: how many people.
      side: the shorter side of each picture in pixels; the longer one is in proportion to that of
        the data set.
      progress: called with the number of people that are drawn, that of all, and the name of the
        last one.

    Returns:
      (R H, C W, 3), uint8, sRGB: pictures of size (H, W), one person after the other along each of
      R rows.

    Raises:
      TypeError: an argument has another type.
      ValueError: the head is not procedural, or there is a motion, or a number is too small.
    """
    for name, number, least in (("people", people, 1), ("side", side, LEAST_SIZE)):
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            raise ValueError(f"{name}: expected an integer of at least {least}, got {number!r}")
    if options.head != PROCEDURAL:
        raise ValueError(f"head: expected {PROCEDURAL!r} for a contact sheet, got {options.head!r}")
    if options.motion is not None:
        raise ValueError(f"motion: expected none for a contact sheet, got {options.motion!r}")
    with tempfile.TemporaryDirectory() as folder:
        motion = os.path.join(folder, "expressions.npz")
        np.savez(motion, allow_pickle=False, **list_expressions())
        height, width = (round(side * x / min(options.size)) for x in options.size)
        shown = dataclasses.replace(
            options,
            subjects=people,
            test=0,
            frames=len(SHOWN),
            size=(height, width),
            motion=motion,
        )
        rows = []
        for subject in plan(shown).subjects:
            drawn = open_subject(subject, shown)
            rows.append([drawn.draw(frame).image for frame in range(len(SHOWN))])
            if progress is not None:
                progress(len(rows), people, subject.name)
    return arrange(rows)


def list_expressions() -> dict[str, np.ndarray]:
    """The motion whose frames are the expressions of a sheet, as in a file of `Options.motion`."""
    frames = [_find_weights(name) for name in SHOWN]
    units = sorted({unit for frame in frames for unit in frame})
    motion = {unit: np.array([frame.get(unit, 0.0) for frame in frames]) for unit in units}
    return motion | {"rotation": np.array(list(SHOWN.values()))}


def _find_weights(name: str) -> dict[str, float]:
    """Weights of ARKit's units; none for a face without an emotion."""
    weights: dict[str, float] = {}
    shares = EMOTIONS[name].shares if name in EMOTIONS else {}
    for action, share in shares.items():
        for unit, weight in ACTIONS[action].items() if share >= SHARE else ():
            sides = ("Left", "Right") if unit.endswith("Side") else ("",)
            for side in sides:
                one = unit.removesuffix("Side") + side
                weights[one] = min(weights.get(one, 0.0) + STRENGTH * weight, 1.0)
    return weights


def arrange(people: list[list[np.ndarray]]) -> np.ndarray:
    """Puts pictures into one that is about square: people along rows, side by side.

    Args:
      people: for each person the pictures [H, W, 3], uint8, as many for each.

    Returns:
      The sheet, white where there are no people.
    """
    strips = [np.concatenate(row, axis=1) for row in people]
    height, width, _ = strips[0].shape
    across = max(1, round(math.sqrt(len(strips) * height / width)))
    blank = np.full_like(strips[0], 255)
    strips += [blank] * (-len(strips) % across)
    rows = [np.concatenate(strips[i : i + across], 1) for i in range(0, len(strips), across)]
    return np.concatenate(rows)
