"""Colours: their names and numbers, the codes of an image, and a soft random pattern.

Light adds up in linear RGB, so that Gaussians are shaded and blended there; images store sRGB.
"""

import re

import numpy as np

from sf3d_jax.head.skin.srgb import linear_to_srgb

NAMES = {"white": (1.0, 1.0, 1.0), "black": (0.0, 0.0, 0.0), "gray": (0.5, 0.5, 0.5)}
NAMES["grey"] = NAMES["gray"]
FORMS = 'a name (white, black, gray), "#rrggbb" or "#rgb", or "R G B" with numbers from 0 to 1'
WAVES = 24


def parse_color(text: str) -> np.ndarray:
    """Reads a colour.

    Args:
      text: "white", "black" or "gray"; "#rrggbb" in hexadecimal digits, or "#rgb", whose digits
        count twice; or three numbers from 0 to 1, separated by spaces or commas. All are sRGB.

    Returns:
      [3], float64, sRGB, from 0 to 1.

    Raises:
      ValueError: the text has another form.
    """
    if text in NAMES:
        return np.array(NAMES[text])
    if re.fullmatch(r"#([0-9a-fA-F]{3}){1,2}", text):
        digits = text[1:] if len(text) == 7 else "".join(2 * digit for digit in text[1:])
        return np.frombuffer(bytes.fromhex(digits), np.uint8) / 255
    try:
        numbers = [float(part) for part in text.replace(",", " ").split()]
    except ValueError:
        numbers = []
    if len(numbers) != 3 or not all(0 <= x <= 1 for x in numbers):
        raise ValueError(f"expected {FORMS}, got {text!r}")
    return np.array(numbers)


def encode_image(linear: np.ndarray) -> np.ndarray:
    """sRGB codes of linear RGB; light brighter than 1 saturates.

    Args:
      linear: [H, W, 3].

    Returns:
      [H, W, 3], uint8.
    """
    return np.round(255 * linear_to_srgb(linear)).astype(np.uint8)


def draw_waves(
    generator: np.random.Generator, points: np.ndarray, frequencies: tuple[float, float]
) -> np.ndarray:
    """A soft random pattern in space: the mean of sines in random directions.

    Args:
      generator: source of chance.
      points: [N, 3].
      frequencies: the least and the largest size of a sine's angular frequency, per unit of points.

    Returns:
      [N], of mean 0 and deviation .14.
    """
    sizes = generator.uniform(*frequencies, (WAVES, 1))
    vectors = sizes * generator.normal(size=(WAVES, 3))
    phases = generator.uniform(0, 2 * np.pi, WAVES)
    total = np.zeros(len(points))
    for vector, phase in zip(vectors, phases, strict=True):
        total += np.sin((points * vector).sum(-1) + phase)
    return total / WAVES
