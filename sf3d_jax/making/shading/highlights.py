"""What a surface mirrors of the lights and of the room, as one camera sees it.

A light i adds  c_i S_i G F(v . h) D(n . h) / (4 max(n . l, n . v))  max(0, n . l), with

    D(x) = alpha^2 / (x^2 (alpha^2 - 1) + 1)^2,

the GGX distribution (B. Walter et al., Microfacet models for refraction through rough surfaces,
EGSR 2007; here without 1 / pi, as the colours c_i hold it), h halfway between the light and the
view, F(x) = F0 + (1 - F0) (1 - x)^5 (C. Schlick, An inexpensive BRDF model, 1994) and G the gloss.
F0 = .028, of the refractive index 1.4 of skin. A light of angular radius s widens alpha to alpha +
s / 2 (B. Karis, Real shading in Unreal Engine 4, 2013), and D keeps its energy. The room adds
G a^2 F(n . v) (1 - alpha)^2 H(r), of the direction r that the surface mirrors.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import Array, jit
from sf3d_jax.making.lights import Lights, find_room

F0 = 0.028
MOST = 2.5  # of one light at one piece: what a sensor has to bear


class Surface(NamedTuple):
    """Pieces of a surface in their light.

    Attributes:
      means: (N, 3), metres.
      normals: (N, 3), of any length.
      gloss: (N), G.
      roughness: (N), alpha.
      ambient: (N), a.
      lit: (N, L), S.
    """

    means: jax.Array
    normals: jax.Array
    gloss: Array
    roughness: Array
    ambient: jax.Array
    lit: jax.Array


@jit
def find_highlights(surface: Surface, lights: Lights, center: jax.Array) -> jax.Array:
    """What pieces mirror towards a camera.

    Args:
      surface: the pieces.
      lights: the lights.
      center: (3), the camera's, metres.

    Returns:
      (N, 3), linear RGB, by the formulas above, to be added to what they scatter.
    """
    normal, view = _unit(surface.normals), _unit(center[None] - surface.means)
    facing = _dot(normal, view)
    seen = jnp.maximum(facing, 1e-3)
    alpha, gloss = (jnp.asarray(x)[:, None] for x in (surface.roughness, surface.gloss))
    mirrored = 2 * facing * normal - view
    room = (surface.ambient[:, None] * (1 - alpha)) ** 2 * find_room(lights, mirrored)
    total = gloss * _reflect(seen) * room
    for i in range(len(lights.sizes)):
        light = lights.directions[i][None]
        half = _unit(light + view)
        wide = jnp.minimum(alpha + lights.sizes[i] / 2, 1) ** 2
        spread = wide / (_dot(normal, half) ** 2 * (wide - 1) + 1) ** 2
        toward = jnp.maximum((normal * light).sum(-1, keepdims=True), 0)
        strength = gloss * _reflect(_dot(view, half)) * spread * toward
        strength = strength / (4 * jnp.maximum(jnp.maximum(toward, seen), 1e-3))
        total = (
            total + jnp.minimum(strength, MOST) * lights.colors[i][None] * surface.lit[:, i : i + 1]
        )
    return total


def _reflect(cosine: jax.Array) -> jax.Array:
    return F0 + (1 - F0) * (1 - jnp.clip(cosine, 0, 1)) ** 5


def _dot(a: jax.Array, b: jax.Array) -> jax.Array:
    return (a * b).sum(-1, keepdims=True)


def _unit(x: jax.Array) -> jax.Array:
    return x / jnp.sqrt(jnp.maximum(_dot(x, x), 1e-30))
