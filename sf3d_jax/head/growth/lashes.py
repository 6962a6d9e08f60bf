"""Lashes and the hairs of the brows: thin cones that grow from the skin and move with it."""

import functools

import numpy as np

from sf3d_jax.head.growth.part import Part
from sf3d_jax.head.growth.roots import bind, find_plane, find_triangles, list_skin, normalize
from sf3d_jax.head.growth.spikes import make_spikes
from sf3d_jax.head.growth.styles import Style
from sf3d_jax.head.person import landmarks
from sf3d_jax.head.person.chance import draw_shares
from sf3d_jax.head.person.landmarks import EYE, EYE_RADIUS, FISSURE, Floats
from sf3d_jax.head.person.rig import load_rig
from sf3d_jax.head.skin.layers.hair import find_brow
from sf3d_jax.head.skin.noise import Array

# Tells the streams from those that others draw from the same seed: "lash" in ASCII.
_STREAM = 0x6C617368
_UPPER, _LOWER, _BROW = 38, 22, 150
# Of lashes, from the upper lid and from the lower one, and of the hairs of brows: length and width.
_LENGTHS, _WIDTHS = (0.72, 0.36, 0.75), (0.042, 0.028, 0.040)
_MARGIN = 1.16  # distance of the lids' outer edge from the centre of the eye, in its radii
_STRETCH = 0.35


def grow_lashes(skin: Floats, style: Style, seed: int) -> Part:
    """Makes the lashes of both eyes.

    Args:
      skin: (V, 3), the person at rest, in centimetres.
      style: what the person wears.
      seed: the person.

    Returns:
      The lashes.
    """
    dice = _draw(seed, 0, 2 * (_UPPER + _LOWER))
    rows, number = [], 0
    for side in (1, -1):
        for count, up in ((_UPPER, 1), (_LOWER, -1)):
            own = dice[number : number + count]
            number += count
            rows.append(_line_lid(own, side, up))
    roots, ahead, bend, length, width = (np.concatenate(x) for x in zip(*rows, strict=True))
    color = style.hair.color * np.float32(0.25)
    return _plant("lashes", skin, (roots, ahead, bend, length, width), color)


def grow_brows(skin: Floats, style: Style, seed: int) -> Part:
    """Makes the hairs of the brows; the arguments are those of `grow_lashes`."""
    hair, template = style.hair, load_rig().template
    dice = _draw(seed, 1, 2 * _BROW)
    side = np.repeat([1.0, -1.0], _BROW)
    t = dice[:, 0] * 0.97
    ends = landmarks.BROW[[0, 2], 0]
    width = hair.brow_width * np.minimum(0.55 + 1.3 * t, 1) * (1 - 0.7 * np.maximum(t - 0.3, 0))
    x = ends[0] + t * (ends[1] - ends[0])
    y = find_brow(t.astype(np.float32), hair).astype(np.float64) + width * (1.6 * dice[:, 1] - 0.9)
    chosen = list_skin(template)
    middles = template.vertices[template.faces[chosen]].mean(1)
    chosen = chosen[(middles[:, 2] > landmarks.FACE_DEPTH) & (np.abs(middles[:, 1] - 2) < 3)]
    depth = np.interp(x, landmarks.BROW[:, 0], landmarks.BROW[:, 2])
    near = find_triangles(template, np.stack([side * x, y, depth], 1), chosen)
    middle, normal = find_plane(template, near)
    slope = (side * x - middle[:, 0]) * normal[:, 0] + (y - middle[:, 1]) * normal[:, 1]
    z = middle[:, 2] - slope / np.maximum(normal[:, 2], 0.3)
    roots = np.stack([side * x, y, z], 1) - 0.03 * normal
    # They stand up at the inner end and lie along the brow at the outer end.
    rise = np.clip(1.0 - 1.25 * t + 0.4 * (dice[:, 2] - 0.5), -0.45, 0.95)
    ahead = np.stack([side * np.sqrt(1 - rise * rise), rise, np.zeros_like(x)], 1)
    ahead -= (ahead * normal).sum(1, keepdims=True) * normal
    ahead = normalize(normalize(ahead) + 0.22 * normal)
    bend = -0.2 * normal + np.stack([0.15 * side, -0.15 + 0 * x, 0 * x], 1)
    keep = dice[:, 3] < hair.brow_density
    length = _LENGTHS[2] * (0.6 + 0.5 * dice[:, 4])
    made = (roots, ahead, bend, length, np.full(len(x), _WIDTHS[2]))
    kept = tuple(values[keep] for values in made)
    return _plant("brows", skin, kept, hair.color * np.float32(0.6))


def _line_lid(dice: Floats, side: int, up: int) -> tuple[Floats, ...]:
    """Hairs of one lid of the template: roots, directions, bends, lengths and widths."""
    count = len(dice)
    x = -0.74 + 1.6 * (np.arange(count) + 0.7 * dice[:, 0]) / count
    x *= FISSURE[0]
    radius = (FISSURE[0] ** 2 + FISSURE[1] ** 2) / (2 * FISSURE[1])
    y = up * (np.sqrt(radius**2 - x * x) - (radius - FISSURE[1]) + 0.03)
    unit = np.stack([x, y, np.sqrt(1 - x * x - y * y)], 1)
    roots = EYE + _MARGIN * EYE_RADIUS * unit
    spread = 0.55 * x + 0.25 * (dice[:, 1] - 0.5)
    tilt = (0.05 if up > 0 else -0.5) + 0.15 * (dice[:, 2] - 0.5)
    ahead = normalize(0.5 * unit + np.stack([spread, tilt, np.full(count, 0.55)], 1))
    bend = np.stack([0.15 * x, np.full(count, 0.45 if up > 0 else -0.1), np.full(count, -0.15)], 1)
    kind = 0 if up > 0 else 1
    # Longer towards the outer corner.
    length = _LENGTHS[kind] * (0.75 + 0.2 * x / FISSURE[0] + 0.2 * dice[:, 3])
    flip = np.array([side, 1, 1])
    return roots * flip, ahead * flip, bend * flip, length, np.full(count, _WIDTHS[kind])


def _plant(kind: str, skin: Floats, hairs: tuple[Floats, ...], color: Array) -> Part:
    """Binds hairs to the skin of the template."""
    template = load_rig().template
    roots, ahead, bend, length, width = hairs
    vertices, faces, _ = make_spikes(
        roots, ahead, bend, length, width, 2 if kind == "lashes" else 1
    )
    per = len(vertices) // len(roots)
    chosen = list_skin(template)
    middles = template.vertices[template.faces[chosen]].mean(1)
    low, high = roots.min(0) - 0.6, roots.max(0) + 0.6
    chosen = chosen[((middles > low) & (middles < high)).all(1)]
    near = find_triangles(template, roots, chosen)
    bound = bind(template, vertices, np.repeat(near, per))
    root, along = np.repeat(roots, per, axis=0), np.repeat(ahead, per, axis=0)
    away = vertices - root
    metric = vertices - (1 - _STRETCH) * (away * along).sum(1, keepdims=True) * along
    paint = functools.partial(_paint_plainly, color)
    return Part(
        kind, bound.place(skin), faces, metric, vertices, paint, lambda skin, _: bound.place(skin)
    )


def _paint_plainly(color: Array, coordinates: Array, _: Array) -> Array:
    return np.broadcast_to(color, (len(coordinates), 3))


def _draw(seed: int, stream: int, count: int) -> Floats:
    """Five numbers from 0 to 1 for each of some hairs."""
    return draw_shares(seed, (_STREAM, stream), 5 * count).reshape(count, 5)
