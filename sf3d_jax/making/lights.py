"""Light on a head in a room: soft lights, and what walls, ceiling and floor send back.

A matte surface with the unit normal n and the reflectance r sends out

    r (A(a, r) H(n) + sum_i c_i S_i^g max(0, (n . l_i + w_i) / (1 + w_i)))

in each colour: H is the light of the room by spherical harmonics, a the share of the room that is
seen (`shading.occlusion`) and S_i that of the light i from l_i with the colour c_i. The light of an
area wraps about the surface beyond n . l = 0, by half its angular radius. Skin passes red light on
below its surface, so that red wraps further and bleeds into shadows: w and g differ by colour. This
is wrap lighting: S. Green, Real-time approximations to subsurface scattering, GPU Gems (2004),
chapter 16. Light that is caught in a hollow comes back from its walls, in their colour: A(a, r) is
the fit of J. Jimenez et al., Practical real-time strategies for accurate indirect occlusion, 2016.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics import Array, jit
from sf3d_jax.making.shading.harmonics import find_basis, project_light
from sf3d_jax.making.shading.visibility import spread_directions

# How much further than the light itself red, green and blue wrap, and the powers of shadows.
WRAP = np.array([0.16, 0.05, 0.0])
BLEED = np.array([0.7, 1.0, 1.1])
# Coefficients of the cubic of Jimenez et al.: each is slope * r + offset.
BOUNCES = ((2.0404, -0.3324), (-4.7951, 0.6417), (2.7552, 0.6903))
# Normals of a face, over which its light is measured.
FACE = np.array([[0, 0, 1], [0.5, 0, 0.87], [-0.5, 0, 0.87], [0, 0.4, 0.92], [0, -0.3, 0.95]])
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
ROOM_DIRECTIONS = 1000
# Share of the light of the room that comes from the first light.
FROM_KEY = 0.5


class Lights(NamedTuple):
    """The lights of a subject, fixed in the world.

    Attributes:
      room: [9, 3], coefficients of H, linear RGB.
      directions: [L, 3], unit vectors to the lights, world axes.
      colors: [L, 3], linear RGB.
      sizes: [L], angular radii in radians.
    """

    room: np.ndarray
    directions: np.ndarray
    colors: np.ndarray
    sizes: np.ndarray


def draw_lights(generator: np.random.Generator) -> Lights:
    """Draws the lights of a room: a window or a lamp, another light on the other side, the ceiling.

    Args:
      generator: source of chance.

    Returns:
      Lights in float32 that show a face which looks along z with about its reflectance.
    """
    within = generator.uniform
    side = 1 if within() < 0.5 else -1
    is_window = within() < 0.6
    key = _direction(side * within(0.35, 1.05), within(0.1, 0.5) if is_window else within(0.3, 0.8))
    other = _direction(-side * within(0.5, 1.3), within(0.0, 0.5))
    top = _direction(within(-0.5, 0.5), within(0.9, 1.3))
    sizes = np.array([within(0.25, 0.45), within(0.1, 0.25)])[:: 1 if is_window else -1]
    tints = [_tint(within(-0.14, 0.0)), _tint(within(0.05, 0.3))][:: 1 if is_window else -1]
    shares = np.array([within(0.7, 1.1), within(0.08, 0.28), within(0.08, 0.24)])
    colors = shares[:, None] * np.stack([*tints, _tint(within(-0.05, 0.1))])
    room = _draw_room(generator, np.stack([key, other, top]), colors)
    lights = Lights(room, np.stack([key, other, top]), colors, np.append(sizes, 0.35))
    return _meter(lights, within(0.85, 1.05), within(0.55, 0.95))


def dim(lights: Lights, brightness: float) -> Lights:
    """The lights while the first of them has another brightness, and what the room sends back."""
    colors = lights.colors * np.array([[brightness], *[[1.0]] * (len(lights.colors) - 1)])
    room = lights.room * (1 + FROM_KEY * (brightness - 1))
    return lights._replace(room=np.asarray(room, np.float32), colors=np.asarray(colors, np.float32))


@jit
def shade(
    lights: Lights,
    normals: Array,
    reflectance: Array,
    ambient: Array,
    lit: Array,
) -> jax.Array:
    """Light that arrives at a surface and is sent out if it is white, as seen on this one.

    Args:
      lights: the lights.
      normals: (N, 3), of any length but 0, world axes.
      reflectance: (N, 3), linear.
      ambient: (N), the share of the room that is seen.
      lit: (N, L), the shares of the lights.

    Returns:
      (N, 3), linear RGB, the bracket of the formula above; finite where a normal is 0.
    """
    normals = jnp.asarray(normals)
    length = jnp.sqrt(jnp.maximum((normals**2).sum(-1, keepdims=True), 1e-30))
    unit = normals / length
    power = jnp.asarray(BLEED, unit.dtype)[None]
    total = bounce(ambient, reflectance) * find_room(lights, unit)
    for i in range(len(lights.sizes)):
        cosine = (unit * lights.directions[i][None]).sum(-1, keepdims=True)
        wrap = lights.sizes[i] / 2 + jnp.asarray(WRAP, unit.dtype)[None]
        facing = jnp.maximum((cosine + wrap) / (1 + wrap), 0)
        total = total + lights.colors[i][None] * facing * lit[:, i : i + 1] ** power
    return total


def find_room(lights: Lights, unit: jax.Array) -> jax.Array:
    """H for unit normals (N, 3): (N, 3), not negative."""
    basis = find_basis(*unit.T)
    return jnp.maximum(
        sum(y[:, None] * c[None] for y, c in zip(basis, lights.room, strict=True)), 0
    )


def bounce(ambient: Array, reflectance: Array) -> jax.Array:
    """A(a, r): the share of the room (N), with what comes back from the surface itself: (N, 3)."""
    a = ambient[:, None]
    cubic, square, line = (slope * reflectance + offset for slope, offset in BOUNCES)
    return jnp.maximum(a, ((a * cubic + square) * a + line) * a)


def _draw_room(
    generator: np.random.Generator, directions: np.ndarray, colors: np.ndarray
) -> np.ndarray:
    """Coefficients of a room: a light ceiling, coloured walls and a darker floor."""
    within = generator.uniform
    walls = within(0.45, 0.75) * _tint(within(-0.05, 0.12)) * (1 + 0.06 * generator.normal(size=3))
    floor = within(0.15, 0.4) * _tint(within(0.0, 0.2))
    ceiling = within(0.7, 0.9) * _tint(within(0.0, 0.05))
    over = spread_directions(ROOM_DIRECTIONS)
    up = np.clip((over[:, 1:2] + 0.9) / 1.8, 0, 1)
    base = np.where(up < 0.5, floor + 2 * up * (walls - floor), walls)
    base = np.where(up > 0.7, walls + (up - 0.7) / 0.3 * (ceiling - walls), base)
    # The walls about a light are brighter.
    near = np.maximum(over @ directions.T, 0) ** 2
    return project_light(over, 0.6 * base * (0.45 + near @ (colors / colors.sum())))


def _meter(lights: Lights, brightness: float, balance: float) -> Lights:
    """Sets the brightness on a white face, and takes out a share of the colour of the light."""
    single = lambda *shape: np.ones(shape, np.float32)
    count, lights = len(FACE), Lights(*(np.asarray(x, np.float32) for x in lights))
    white, lit = single(count, 3), single(count, len(lights.sizes))
    found = shade(lights, FACE.astype(np.float32), white, single(count), lit)
    color = np.asarray(found, np.float64).mean(0)
    gain = brightness / (color @ LUMINANCE) * (color @ LUMINANCE / color) ** balance
    lights = lights._replace(room=gain * lights.room, colors=gain * lights.colors)
    return Lights(*(np.asarray(x, np.float32) for x in lights))


def _direction(azimuth: float, elevation: float) -> np.ndarray:
    """The unit vector to a light; radians to the subject's left and up."""
    return np.array(
        [
            np.sin(azimuth) * np.cos(elevation),
            np.sin(elevation),
            np.cos(azimuth) * np.cos(elevation),
        ]
    )


def _tint(warmth: float) -> np.ndarray:
    """The colour of light, of brightness about 1: below 0 as of the sky, above 0 as of a lamp."""
    return np.array([1 + warmth, 1.0, 1 - 1.4 * warmth])
