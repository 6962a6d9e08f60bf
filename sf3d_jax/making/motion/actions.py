"""What moves together: facial actions as weights of ARKit's units, and expressions made of them.

The numbers are the action units of FACS (Ekman, Friesen and Hager, "Facial Action Coding System",
2002). The expressions of emotions, with the share of people who show each unit, are those of Du,
Tao and Martinez, "Compound facial expressions of emotion", PNAS 2014, table 1.
"""

from typing import NamedTuple

import numpy as np

# ARKit's units of each action unit; "Side" stands for both sides.
ACTIONS: dict[int, dict[str, float]] = {
    1: {"browInnerUp": 1.0},
    2: {"browOuterUpSide": 1.0},
    4: {"browDownSide": 1.0},
    5: {"eyeWideSide": 1.0},
    6: {"cheekSquintSide": 1.0, "eyeSquintSide": 0.4},
    7: {"eyeSquintSide": 1.0},
    9: {"noseSneerSide": 1.0},
    10: {"mouthUpperUpSide": 0.9, "noseSneerSide": 0.2},
    11: {"mouthUpperUpSide": 0.3, "noseSneerSide": 0.3},
    12: {"mouthSmileSide": 1.0},
    14: {"mouthDimpleSide": 1.0},
    15: {"mouthFrownSide": 1.0},
    16: {"mouthLowerDownSide": 1.0},
    17: {"mouthShrugLower": 1.0, "mouthShrugUpper": 0.3},
    18: {"mouthPucker": 1.0},
    19: {"tongueOut": 1.0, "jawOpen": 0.4},
    20: {"mouthStretchSide": 1.0},
    22: {"mouthFunnel": 1.0},
    23: {"mouthRollLower": 0.5, "mouthRollUpper": 0.5},
    24: {"mouthPressSide": 1.0},
    25: {"jawOpen": 0.12, "mouthLowerDownSide": 0.25, "mouthUpperUpSide": 0.2},
    26: {"jawOpen": 0.5},
    28: {"mouthRollLower": 1.0, "mouthRollUpper": 0.8},
    29: {"jawForward": 1.0},
    30: {"jawLeft": 1.0},
    34: {"cheekPuff": 1.0},
}


class Expression(NamedTuple):
    """Action units that are shown together.

    Attributes:
      shares: {action unit: share of people who show it}.
      frequency: how often it is shown, relative to others.
    """

    shares: dict[int, float]
    frequency: float


# How often each is shown is our choice: people in company smile most of the time.
EMOTIONS: dict[str, Expression] = {
    "happy": Expression({12: 1.0, 25: 1.0, 6: 0.51}, 6.0),
    "surprised": Expression({1: 1.0, 2: 1.0, 25: 1.0, 26: 1.0, 5: 0.66}, 1.5),
    "sad": Expression({4: 1.0, 15: 1.0, 1: 0.6, 6: 0.5, 11: 0.26, 17: 0.67}, 1.0),
    "angry": Expression({4: 1.0, 7: 1.0, 24: 1.0, 10: 0.26, 17: 0.52, 23: 0.29}, 1.0),
    "afraid": Expression({1: 1.0, 4: 1.0, 20: 1.0, 25: 1.0, 2: 0.57, 5: 0.63, 26: 0.33}, 0.7),
    "disgusted": Expression({9: 1.0, 10: 1.0, 17: 1.0, 4: 0.31, 24: 0.26}, 0.7),
}
# Movements that accompany thought and talk, and those of which a face is capable besides.
OTHERS: dict[str, Expression] = {
    "polite smile": Expression({12: 1.0, 6: 0.2, 14: 0.3}, 4.0),
    "raised brows": Expression({1: 1.0, 2: 1.0}, 3.0),
    "lowered brows": Expression({4: 1.0, 7: 0.5}, 2.5),
    "pressed lips": Expression({24: 1.0, 14: 0.5, 17: 0.3}, 2.0),
    "raised chin": Expression({17: 1.0, 15: 0.5}, 1.0),
    "dimple": Expression({14: 1.0}, 1.0),
    "pout": Expression({18: 1.0, 17: 0.3}, 0.7),
    "funnel": Expression({22: 1.0, 25: 0.5}, 0.5),
    "bitten lips": Expression({28: 1.0}, 0.6),
    "puffed cheeks": Expression({34: 1.0, 24: 0.5}, 0.5),
    "wrinkled nose": Expression({9: 1.0, 6: 0.4}, 0.7),
    "open mouth": Expression({26: 1.0, 16: 0.3}, 1.0),
    "jaw": Expression({29: 0.5, 30: 0.5}, 0.5),
    "tongue": Expression({19: 1.0, 26: 0.5}, 0.2),
}
ALL = EMOTIONS | OTHERS


def draw_units(generator: np.random.Generator, choices: dict[str, Expression]) -> dict[str, float]:
    """Draws an expression: who shows which of its action units, and how strongly.

    Args:
      generator: source of chance.
      choices: expressions by name.

    Returns:
      Weights of ARKit's units, 1 for the height of the expression or a little more; "Side" stands
      for both sides.
    """
    frequencies = np.array([x.frequency for x in choices.values()])
    name = list(choices)[int(generator.choice(len(choices), p=frequencies / frequencies.sum()))]
    weights: dict[str, float] = {}
    for action, share in choices[name].shares.items():
        is_shown, strength = generator.random() < share, generator.uniform(0.7, 1.1)
        if is_shown:
            for unit, weight in ACTIONS[action].items():
                weights[unit] = weights.get(unit, 0.0) + float(strength) * weight
    # If a jaw moves aside, it does so to either side.
    if generator.random() < 0.5 and "jawLeft" in weights:
        weights["jawRight"] = weights.pop("jawLeft")
    return weights
