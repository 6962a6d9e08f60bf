"""Light on a head: an ambient part and several soft directional lights, in linear RGB.

A surface with unit normal n and reflectance r sends out

    r (a + sum_i c_i max(0, (n . l_i + s) / (1 + s)))

of light i from the direction l_i with colour c_i; s is its softness: light from an area wraps about
the surface beyond n . l = 0.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

SOFTNESS = 0.25


class Lights(NamedTuple):
    """The lights of a subject, fixed in the world.

    Attributes:
      ambient: [3], a, linear RGB.
      directions: [L, 3], unit vectors to the lights, world axes.
      colors: [L, 3], linear RGB.
    """

    ambient: np.ndarray
    directions: np.ndarray
    colors: np.ndarray


def draw_lights(generator: np.random.Generator) -> Lights:
    """Draws lights at random: a key light, a fill light from the other side, and one from above.

    Args:
      generator: source of chance.

    Returns:
      Lights in float32 that show a face which looks along z with about its reflectance.
    """
    within = generator.uniform
    side = 1 if within() < 0.5 else -1
    key = _direction(side * within(0.3, 1.0), within(0.2, 0.9))
    fill = _direction(-side * within(0.5, 1.2), within(-0.1, 0.4))
    top = _direction(within(-0.4, 0.4), within(1.0, 1.4))
    strengths = np.array([within(0.55, 0.85), within(0.15, 0.35), within(0.1, 0.25)])
    ambient = within(0.2, 0.4) * _tint(generator)
    colors = strengths[:, None] * np.stack([_tint(generator) for _ in strengths])
    lights = Lights(ambient, np.stack([key, fill, top]), colors)
    return Lights(*(np.asarray(x, np.float32) for x in lights))


def shade(lights: Lights, normals: jax.Array) -> jax.Array:
    """Light that a white surface sends out.

    Args:
      lights: the lights.
      normals: (N, 3), of any length but 0, world axes.

    Returns:
      (N, 3), linear RGB, by the formula above; ambient light alone where a normal is 0.
    """
    length = jnp.sqrt(jnp.maximum((normals**2).sum(-1, keepdims=True), 1e-30))
    cosine = (normals / length) @ lights.directions.T
    lit = jnp.maximum((cosine + SOFTNESS) / (1 + SOFTNESS), 0)
    return jnp.asarray(lights.ambient)[None] + lit @ lights.colors


def _direction(azimuth: float, elevation: float) -> np.ndarray:
    """The unit vector to a light; radians to the subject's left and up."""
    return np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ]
    )


def _tint(generator: np.random.Generator) -> np.ndarray:
    """A colour between warm and cool light, of brightness about 1."""
    warmth = generator.uniform(-0.08, 0.1)
    return np.array([1 + warmth, 1.0, 1 - warmth])
