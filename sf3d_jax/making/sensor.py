"""The camera's sensor: exposure, white balance, highlights and noise.

A pixel that linear light x reaches becomes, in each colour,

    y = k(g x),   z = y + sqrt(y / w + (r / w)^2) e,

with the gain g of exposure and white balance, the shoulder k that cameras give to highlights,
k(x) = x below K and K + d t / (1 + t) with t = (x - K) / d above, the charge w in electrons of a
white pixel, the read noise r in electrons, and e a standard normal number: shot and read noise, as
in G. E. Healey and R. Kondepudy, Radiometric CCD camera calibration and noise estimation, PAMI
1994. The image holds the sRGB codes of z. The noise of a frame has a stream of its own, so that it
does not depend on which frames were drawn before.
"""

from typing import NamedTuple

import numpy as np

from sf3d_jax.making.colors import encode_image
from sf3d_jax.making.planning import SubjectPlan

# Electrons of white and of read noise. The image of a good camera, a few of whose pixels make one
# of a made image, at the speed that a room needs; and of a small one.
KINDS = {"camera": (9000.0, 6.0), "webcam": (1800.0, 7.0)}
# Deviations of the exposure in stops and of the white balance of red and blue, as shares.
EXPOSURE, BALANCE = 0.12, 0.02
KNEE, REACH = 0.8, 0.3


class Sensor(NamedTuple):
    """The sensor of one subject's camera.

    Attributes:
      gain: [3], g.
      white: w, electrons.
      read: r, electrons.
    """

    gain: np.ndarray
    white: float
    read: float


def draw_sensor(subject: SubjectPlan, kind: str) -> Sensor | None:
    """Draws the settings of a camera.

    Args:
      subject: the subject.
      kind: "camera", "webcam", or "ideal".

    Returns:
      The sensor, or None for an ideal one.
    """
    if kind == "ideal":
        return None
    white, read = KINDS[kind]
    exposure, red, blue = subject.draw_from("sensor").normal(size=3)
    gain = 2 ** (EXPOSURE * exposure) * np.array([1 + BALANCE * red, 1, 1 + BALANCE * blue])
    return Sensor(gain, white, read)


def take_image(
    linear: np.ndarray, sensor: Sensor | None, subject: SubjectPlan, frame: int
) -> np.ndarray:
    """The image that a camera stores of the light on its sensor.

    Args:
      linear: [H, W, 3], float32, linear RGB.
      sensor: the sensor, or None for the codes of the light itself.
      subject: the subject.
      frame: number of the frame, which has its own noise.

    Returns:
      [H, W, 3], uint8, sRGB.
    """
    if sensor is None:
        return encode_image(linear)
    light = bend(np.maximum(linear, 0) * sensor.gain.astype(np.float32))
    generator = subject.draw_from("sensor", f"frame {frame}")
    noise = generator.standard_normal(light.shape, np.float32)
    floor = np.float32((sensor.read / sensor.white) ** 2)
    return encode_image(light + np.sqrt(light * np.float32(1 / sensor.white) + floor) * noise)


def bend(x: np.ndarray) -> np.ndarray:
    """The shoulder k of the formula above."""
    over = np.maximum(x - np.float32(KNEE), 0) / np.float32(REACH)
    return np.minimum(x, np.float32(KNEE)) + np.float32(REACH) * over / (1 + over)
