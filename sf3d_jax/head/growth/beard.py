"""Beards: a shell over the skin of jaw, chin and upper lip, and loose hairs along its edge.

The shell is a copy of the skin that stands off along the skin's normals, so it moves with every
expression. Where it ends it goes under the skin.
"""

import functools
from typing import NamedTuple

import numpy as np

from sf3d_jax.head.growth.part import Part, drop_vertices
from sf3d_jax.head.growth.roots import bind, find_plane, list_skin, normalize
from sf3d_jax.head.growth.scalp import find_normals
from sf3d_jax.head.growth.spikes import make_spikes
from sf3d_jax.head.growth.styles import FULL, MOUSTACHE, Style
from sf3d_jax.head.person.chance import draw_shares
from sf3d_jax.head.person.landmarks import MOUTH_HEIGHT, Floats
from sf3d_jax.head.person.rig import load_rig
from sf3d_jax.head.skin.layers.complexion import find_lips
from sf3d_jax.head.skin.layers.places import Places
from sf3d_jax.head.skin.noise import Array, blend, draw_noise

_STREAM = 0x62726473  # "brds" in ASCII, tells the stream from others
_LOCKS, _EDGE, _STRANDS, _TONE = range(990, 994)
_HAIRS, _UNDER = 520, 0.12
_GREY = np.array([0.50, 0.49, 0.47], np.float32)


class _Colors(NamedTuple):
    """Colour of the hairs, share of grey ones, number of the noise."""

    hair: Array
    grey: float
    pattern: int


def grow_beard(skin: Floats, style: Style, seed: int, pattern: int) -> list[Part]:
    """Makes the beard of a person.

    Args:
      skin: (V, 3), the person at rest, in centimetres.
      style: what the person wears, with a moustache, a goatee or a full beard.
      seed: the person.
      pattern: number of the person's noise.

    Returns:
      The shell and the loose hairs.
    """
    template = load_rig().template
    points = template.vertices
    grown = find_area(points, style, pattern)
    long_at = 0.45 + 0.55 * blend((-7.5 - points[:, 1]) / 3) * blend((points[:, 2] - 2) / 4)
    lines = (points * [1.0, 0.25, 1.0]).astype(np.float32)
    relief = draw_noise(lines, 0.9, pattern + 16 * _LOCKS, octaves=2, gain=0.7)
    lift = style.beard_length * long_at * (1 + 0.28 * relief)
    lift = lift * np.clip(1.3 * grown - 0.3, 0, 1) - _UNDER * (grown < 0.22)
    chosen = list_skin(template)
    faces = template.faces[chosen].astype(np.int64)
    keep = np.asarray((grown[faces] > 0.02).any(1))
    faces, used = drop_vertices(faces, keep, len(points))
    lift = np.asarray(lift[used], float)[:, None]

    def move(moved: Floats, _: tuple[float, float, float]) -> Floats:
        own = moved[used]
        return own + lift * find_normals(own, faces)

    colors = _Colors(style.hair.color * np.float32(0.8), style.cut.grey, pattern)
    coordinates = np.column_stack([points[used], relief[used]])
    paint = functools.partial(_paint_beard, colors)
    metric = points[used] * [1.0, 0.6, 1.0]
    shell = Part("beard", move(skin, (0.0, 0.0, 0.0)), faces, metric, coordinates, paint, move)
    return [shell, _grow_loose(skin, style, grown, seed, colors)]


def find_area(points: Floats, style: Style, pattern: int) -> Array:
    """Where the beard grows: 0 to 1 at points of the template (N, 3)."""
    at = Places(points.astype(np.float32), np.full(len(points), 0.2, np.float32), pattern)
    x, y, z = at.axes
    lip = at.bump([0, -5.95, 8.6], [3.4, 1.1, 3.0]) * blend((-4.95 - y) / 0.4)
    chin = at.bump([0, -9.9, 6.8], [3.2, 3.6, 4.4])
    jaw = np.maximum(
        at.bump([0, -9.5, 4.5], [8.5, 4.6, 8.5]), at.bump([6.2, -4.2, 1.4], [3.0, 6.5, 3.0])
    )
    beside = at.bump([2.9, -7.4, 7.0], [1.3, 2.4, 2.5])
    if style.beard == MOUSTACHE:
        area = 2.0 * lip
    elif style.beard == FULL:
        cheeks = blend((-3.4 - y - 0.55 * np.maximum(4.5 - x, 0)) / 1.2)
        area = 1.7 * np.maximum(jaw * cheeks, np.maximum(lip, chin * blend((-8.2 - y) / 0.4)))
    else:
        area = 1.7 * np.maximum(np.maximum(lip, beside), chin * blend((-8.0 - y) / 0.4))
    below = blend((y + 13.2) / 1.5) * blend((z + 0.6) / 1.2)
    near = np.abs(y - MOUTH_HEIGHT) < 0.25
    bare = (1 - blend(3 * find_lips(at))) * np.where(near & (x < 2.6), 0, 1)
    ragged = 1 + 0.35 * at.noise(_EDGE, 1.1, 2)
    return np.clip(area * below * bare * ragged, 0, 1).astype(np.float32)


def _grow_loose(skin: Floats, style: Style, grown: Array, seed: int, colors: _Colors) -> Part:
    """Single hairs of the beard, more of them along its edge."""
    template = load_rig().template
    dice = draw_shares(seed, (_STREAM,), 5 * _HAIRS).reshape(_HAIRS, 5)
    triangles = list_skin(template)
    share = grown[template.faces[triangles]].mean(1)
    edge = triangles[(share > 0.15) & (share < 0.95)]
    chosen = edge[(dice[:, 0] * len(edge)).astype(int)]
    middle, normal = find_plane(template, chosen)
    down = np.array([0.0, -1.0, 0.25]) - 0.25 * normal
    down = down - (down * normal).sum(1, keepdims=True) * normal
    down += 0.5 * (dice[:, 1:2] - 0.5) * np.cross(normal, [0.0, 1.0, 0.0])
    ahead = normalize(normalize(down) + (0.35 + 0.4 * style.beard_length) * normal)
    length = (0.35 + 0.5 * style.beard_length) * (0.6 + 0.6 * dice[:, 2])
    bend = -0.25 * normal + [0, -0.15, 0]
    made = make_spikes(middle - 0.03 * normal, ahead, bend, length, 0.03 + 0.03 * dice[:, 3], 1)
    vertices, faces, _ = made
    per = len(vertices) // len(middle)
    bound = bind(template, vertices, np.repeat(chosen, per))
    root, along = np.repeat(middle, per, axis=0), np.repeat(ahead, per, axis=0)
    metric = vertices - 0.6 * ((vertices - root) * along).sum(1, keepdims=True) * along
    coordinates = np.column_stack([vertices, np.full(len(vertices), 0.4)])
    return Part(
        "beard hairs",
        bound.place(skin),
        faces,
        metric,
        coordinates,
        functools.partial(_paint_beard, colors),
        lambda moved, _: bound.place(moved),
    )


def _paint_beard(colors: _Colors, coordinates: Array, spacing: Array) -> Array:
    x = np.asarray(coordinates, np.float32)
    lines = np.ascontiguousarray(x[:, :3] * np.array([1, 0.18, 1], np.float32))
    strands = draw_noise(lines, 0.36, colors.pattern + 16 * _STRANDS, 0.5 * spacing, octaves=3)
    wide = draw_noise(lines, 1.6, colors.pattern + 16 * _TONE, spacing)
    white = np.float32(0.55 * min(1.0, 1.4 * colors.grey)) * blend(0.5 + 0.6 * strands)
    color = colors.hair + white[:, None] * (_GREY - colors.hair)
    depth = 0.5 + 0.5 * blend((x[:, 3] + 1.2) / 1.8)
    return color * (depth * np.maximum(1 + 0.3 * strands + 0.12 * wide, 0.2))[:, None]
