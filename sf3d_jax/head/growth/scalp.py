"""Hair of the head as a shell over the scalp: thick in locks, thin at the hairline.

Over each direction of a dome the hair stands off the skin by a thickness that grows from the
hairline on and varies across the strands. Hanging hair leaves the head where it is widest. What
lies under the skin is left out.
"""

import functools

import numpy as np

from sf3d_jax.head.growth.domes import Dome, make_dome
from sf3d_jax.head.growth.hairs import HairColor, comb, paint_strands
from sf3d_jax.head.growth.part import Part, drop_vertices, weave
from sf3d_jax.head.growth.roots import normalize
from sf3d_jax.head.growth.styles import CURLY, LONG, MEDIUM, SHORT, Style
from sf3d_jax.head.person.landmarks import EAR, Floats
from sf3d_jax.head.person.rig import Rig, load_rig, turn_head
from sf3d_jax.head.person.rounding import snap
from sf3d_jax.head.skin.layers.hair import rise_over_hairline
from sf3d_jax.head.skin.layers.places import Places
from sf3d_jax.head.skin.noise import blend, draw_noise

_CENTER = (0.0, 1.5, -1.2)
_COLUMNS, _ROWS, _LOWEST = 160, 44, 2.8
_LOCKS, _TUFTS, _CURLS, _HEM = range(900, 904)
# How deep hair ends under the skin beyond the hairline. Hanging hair falls from the widest part of
# the head, at most so far below the centre, and goes inwards by a share of its way down.
_UNDER, _WIDEST_DROP, _INWARDS = 0.35, 8.0, 0.06


@functools.cache
def load_dome() -> Dome:
    """The directions of the hair."""
    return make_dome(load_rig().template, _CENTER, _COLUMNS, _ROWS, _LOWEST)


def grow_hair(skin: Floats, style: Style, pattern: int) -> tuple[Part, Floats]:
    """Makes a person's hair.

    Args:
      skin: (V, 3), the person at rest, in centimetres.
      style: what the person wears; its cut is not bald.
      pattern: number of the person's noise.

    Returns:
      The hair, and the share of the head's turn of its vertices (V,).
    """
    rig, dome = load_rig(), load_dome()
    base = _hang(dome, dome.measure_radius(skin), style)
    rise = _find_rise(dome, rig, base, style, pattern)
    strands, along = comb(base.reshape(-1, 3), style.cut)
    lift, relief = _thicken(base.reshape(-1, 3), strands, along, rise.ravel(), style, pattern)
    faces = weave(_COLUMNS, _ROWS)
    normals = find_normals(base.reshape(-1, 3), faces)
    points = (base.reshape(-1, 3) + lift[:, None] * normals).reshape(base.shape)
    points, beyond = _cut_hem(points, style, pattern)
    top = points[:, :1].mean(0)
    shown = ((rise > -0.9) & (beyond < 4)).ravel()
    keep = shown[faces].all(1)
    count = _COLUMNS * _ROWS
    cap = np.stack([np.full(_COLUMNS, count), *_pair_first()], 1)
    faces = np.concatenate([faces, cap])
    keep = np.concatenate([keep, np.ones(len(cap), bool)])
    vertices = snap(np.concatenate([points.reshape(-1, 3), top]))
    lines, far = comb(vertices, style.cut)
    extra = [np.append(x, x[::_ROWS].mean()) for x in (relief, rise.ravel())]
    share = np.append(dome.average(rig.neck).ravel(), 1.0)
    share = np.where(np.append(rise.ravel(), 9) > 0, np.maximum(share, 0.25), share)
    faces, used = drop_vertices(faces, keep, len(vertices))
    coordinates = np.column_stack([lines, far, vertices, *extra])
    metric = np.column_stack([lines, _find_stretch(style) * far])
    rest, share = vertices[used], snap(share[used])

    def move(_: Floats, rotation: tuple[float, float, float]) -> Floats:
        moved = rest.copy()
        turn_head(moved, share, rotation)
        return moved

    color = HairColor(style.hair.color, style.cut, pattern)
    paint = functools.partial(paint_strands, color)
    return Part("hair", rest, faces, metric[used], coordinates[used], paint, move), share


def _find_stretch(style: Style) -> float:
    """How much strands are shortened when pieces are measured."""
    return 0.8 if style.cut.kind == CURLY else 0.4


def find_normals(vertices: Floats, faces: np.ndarray) -> Floats:
    """Unit normals of vertices (V, 3), weighted by area; 0 where there is no face."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    normal = np.cross(b - a, c - a)
    total: Floats = np.stack(
        [np.bincount(faces.ravel(), np.repeat(normal[:, i], 3), len(vertices)) for i in range(3)],
        1,
    )
    return normalize(total)


def _pair_first() -> tuple[np.ndarray, np.ndarray]:
    """The first vertices of neighbouring columns."""
    column = np.arange(_COLUMNS)
    return column * _ROWS, (column + 1) % _COLUMNS * _ROWS


def _hang(dome: Dome, radius: Floats, style: Style) -> Floats:
    """What the hair lies on: the skin, or where hair hangs, a surface that goes straight down."""
    if style.cut.kind in (MEDIUM, LONG):
        level = np.sqrt(dome.directions[..., 0] ** 2 + dome.directions[..., 2] ** 2)
        reach, drop = radius * level, -radius * dome.directions[..., 1]
        widest = np.maximum.accumulate(np.where(drop < _WIDEST_DROP, reach, 0), axis=1)
        # Straight down from where the head is widest, a little inwards.
        straight = widest / (level + _INWARDS * np.maximum(-dome.directions[..., 1], 0))
        side = _find_side(dome, style)[:, None] * (reach < widest + 1e-9) + (drop > _WIDEST_DROP)
        radius = radius + np.minimum(side, _find_side(dome, style)[:, None]) * (straight - radius)
    return dome.center + radius[..., None] * dome.directions


def _find_side(dome: Dome, style: Style) -> Floats:
    """1 where hair hangs, 0 before the face: (C,)."""
    off = np.minimum(dome.azimuths, 2 * np.pi - dome.azimuths)
    return blend((off - style.cut.opening) / 0.3).astype(float)


def _find_rise(dome: Dome, rig: Rig, base: Floats, style: Style, pattern: int) -> Floats:
    """How far a point is within the hair, in centimetres: (C, R)."""
    places = dome.center + dome.measure_radius(rig.template.vertices)[..., None] * dome.directions
    flat = places.reshape(-1, 3).astype(np.float32)
    at = Places(flat, np.zeros(len(flat), np.float32), pattern)
    rise = rise_over_hairline(at, style.hair).astype(float).reshape(places.shape[:2])
    x, _, z = np.moveaxis(places, -1, 0)
    if style.cut.fringe:
        over = style.cut.fringe * blend((6.5 - np.abs(x)) / 3) * blend((z - 3) / 2)
        ragged = draw_noise(
            (flat * [1.2, 0.2, 1.2]).astype(np.float32), 1.6, pattern + 7, octaves=2
        )
        rise = rise + over * (1 + 0.35 * ragged.reshape(rise.shape))
    if style.cut.kind in (MEDIUM, LONG):
        wavy = draw_noise((flat * [1.0, 0.5, 0.3]).astype(np.float32), 2.5, pattern + 23, octaves=2)
        side = 6.0 * (_find_side(dome, style)[:, None] - 0.45) + 0.5 * wavy.reshape(rise.shape)
        rise = np.where(base[..., 1] < 6, np.maximum(rise, side), rise)
    return rise


def _thicken(
    points: Floats, strands: Floats, along: Floats, rise: Floats, style: Style, pattern: int
) -> tuple[Floats, Floats]:
    """Height of the hair over its base (N,), and the part of it that locks make, about -1 to 1."""
    cut = style.cut
    if cut.kind == CURLY:
        at = points.astype(np.float32)
        bumps = draw_noise(at, 1.9, pattern + 16 * _CURLS, octaves=2, gain=0.7)
        relief = np.asarray(0.7 * bumps, float)
        size = 0.10 + 0.12 * cut.thickness
    else:
        lines = np.column_stack([strands, 0.07 * along]).astype(np.float32)
        lines += np.float32(cut.curl) * _wind(points, pattern)[:, None]
        locks = draw_noise(lines, 2.6, pattern + 16 * _LOCKS, octaves=2, gain=0.6)
        bumps = draw_noise(points.astype(np.float32), 2.0, pattern + 16 * _TUFTS, octaves=2)
        relief = np.asarray(0.55 * locks + 0.15 * bumps, float)
        size = 0.06 + 0.16 * cut.thickness
    full = np.asarray(blend(rise / (1.6 + 1.0 * cut.thickness)), float)
    x, y, z = points.T
    crown = np.asarray(1 + 0.3 * blend((y - 3) / 6), float)
    if cut.kind == SHORT:
        # Short at the sides and in the nape.
        crown = np.asarray(0.3 + 1.0 * blend((y + 1) / 8), float)
    height = full * (cut.thickness * crown + size * relief)
    if cut.kind in (MEDIUM, LONG):
        ear = ((np.abs(x) - EAR[0]) / 4) ** 2 + ((y - EAR[1]) / 4.5) ** 2 + ((z - EAR[2]) / 4) ** 2
        height = height + 0.5 * full * np.maximum(1 - ear, 0)
    height = height - _UNDER * blend(-rise / 0.5)
    return height, relief


def _wind(points: Floats, pattern: int) -> np.ndarray:
    return draw_noise(points.astype(np.float32), 2.5, pattern + 16 * _TUFTS + 9, octaves=2)


def _cut_hem(points: Floats, style: Style, pattern: int) -> tuple[Floats, np.ndarray]:
    """Ends hanging hair: rows below the hem go inwards. Gives the rows beyond it too: (C, R)."""
    beyond = np.zeros(points.shape[:2], int)
    if style.cut.kind not in (MEDIUM, LONG):
        return points, beyond
    rim = points[:, _ROWS // 2].astype(np.float32)
    hem = style.cut.hem + 0.45 * draw_noise(rim, 1.4, pattern + 16 * _HEM, octaves=2, gain=0.8)
    below = points[..., 1] < hem[:, None]
    beyond = np.cumsum(below, axis=1)
    points = points.copy()
    points[..., 1] = np.where(below, hem[:, None] + 0.3 * np.minimum(beyond - 1, 3), points[..., 1])
    inward = np.where(below, np.array([1, 0.93, 0.75, 0.4])[np.clip(beyond - 1, 0, 3)], 1)
    points[..., 0] *= inward
    points[..., 2] = (points[..., 2] + 2.5) * inward - 2.5
    return points, beyond
