"""The texture of the procedural head: `paint`."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from sf3d_jax.head.growth.styles import draw_style
from sf3d_jax.head.person import landmarks
from sf3d_jax.head.skin.layers.complexion import find_lips, paint_skin
from sf3d_jax.head.skin.layers.cosmetics import apply_makeup
from sf3d_jax.head.skin.layers.eyes import paint_eyeball
from sf3d_jax.head.skin.layers.hair import paint_hair
from sf3d_jax.head.skin.layers.mouth import paint_inside, paint_teeth, paint_tongue
from sf3d_jax.head.skin.layers.places import Array, Places
from sf3d_jax.head.skin.traits import Traits, draw_traits

# As many points at once as keep all intermediate arrays in the processor's cache.
_CHUNK = 8192
# Points farther away are not on a head; the numbers of their lattice cells could overflow.
_FARTHEST = 1e4


def _paint_outside(at: Places, traits: Traits) -> Array:
    lips, powder = find_lips(at), 1 - traits.makeup.powder
    plain = traits.skin._replace(mottling=traits.skin.mottling * powder)
    skin = paint_skin(at, plain, lips, traits.lips)
    skin = apply_makeup(skin, at, traits.makeup, lips)
    return paint_hair(skin, at, traits.hair, lips)


_LAYERS: dict[int, Callable[[Places, Traits], Array]] = {
    landmarks.SKIN: lambda at, traits: _paint_outside(at, traits),
    landmarks.MOUTH: paint_inside,
    landmarks.UPPER_TEETH: lambda at, traits: paint_teeth(at, traits.teeth, 1),
    landmarks.LOWER_TEETH: lambda at, traits: paint_teeth(at, traits.teeth, -1),
    landmarks.LEFT_EYE: lambda at, traits: paint_eyeball(at, traits.eyes, 1),
    landmarks.RIGHT_EYE: lambda at, traits: paint_eyeball(at, traits.eyes, -1),
    landmarks.TONGUE: lambda at, _: paint_tongue(at),
}


def paint(
    points: npt.ArrayLike, parts: npt.ArrayLike, seed: int, spacing: npt.ArrayLike = 0.0
) -> Array:
    """Reflectance of points of a person's head.

    Args:
      points: (N, 3), on the rest shape of all people, in centimetres; x to the subject's left, y
        up, z forward, the origin as in `person.landmarks`.
      parts: (N,) whole numbers, places in `landmarks.PARTS`.
      seed: the person, from 0 on.
      spacing: scalar or (N,), distance between samples of the surface, in centimetres. Waves and
        spots that are shorter than two samples fade out; 0 keeps them all.

    Returns:
      (N, 3) float32, linear reflectance from 0 to 1. A point with a NaN or infinite coordinate or
      spacing gets 0, and changes no other.

    Raises:
      ValueError: `points`, `parts` or `spacing` has another shape, `parts` has another number, or a
        spacing is negative.
    """
    with np.errstate(over="ignore"):
        points, spacing = np.asarray(points, np.float32), np.asarray(spacing, np.float32)
    parts = np.asarray(parts)
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points: expected shape (N, 3), got {points.shape}")
    if parts.shape != points.shape[:1]:
        raise ValueError(f"parts: expected shape {points.shape[:1]}, got {parts.shape}")
    if spacing.shape not in ((), parts.shape):
        raise ValueError(f"spacing: expected a number or {parts.shape}, got {spacing.shape}")
    if (spacing < 0).any():
        raise ValueError(f"spacing: expected distances from 0 on, got {spacing.min()}")
    if unknown := set(np.unique(parts).tolist()) - set(_LAYERS):
        known = ", ".join(f"{i} ({name})" for i, name in enumerate(landmarks.PARTS))
        raise ValueError(f"parts: expected {known}, got {sorted(unknown)[0]}")
    spacing = np.broadcast_to(spacing, parts.shape)
    traits = draw_traits(seed)
    traits = traits._replace(hair=draw_style(seed, traits).hair)
    colors = np.zeros(points.shape, np.float32)
    for part, layer in _LAYERS.items():
        chosen = np.flatnonzero((parts == part) & np.isfinite(points).all(1) & np.isfinite(spacing))
        for start in range(0, len(chosen), _CHUNK):
            i = chosen[start : start + _CHUNK]
            at = Places(np.clip(points[i], -_FARTHEST, _FARTHEST), spacing[i], traits.pattern)
            colors[i] = np.clip(layer(at, traits), 0, 1)
    return colors
