"""Clothes about neck and shoulders: a shell with a hem at the neck, which goes on below the image.

Along each azimuth about the neck the cloth follows the skin from the hem down. Where the template
ends it goes on as it went.
"""

import functools

import numpy as np

from sf3d_jax.head.growth.domes import Dome, make_dome
from sf3d_jax.head.growth.part import Part, weave
from sf3d_jax.head.growth.scalp import find_normals
from sf3d_jax.head.growth.styles import SHIRT, SWEATER, T_SHIRT, TURTLENECK, V_NECK, Style
from sf3d_jax.head.person.landmarks import Floats
from sf3d_jax.head.person.rig import load_rig, turn_head
from sf3d_jax.head.person.rounding import snap
from sf3d_jax.head.skin.noise import Array, blend, draw_noise

_CENTER = (0.0, -22.0, -3.2)
_COLUMNS, _TABLE, _ROWS, _LOWEST = 72, 64, 22, 1.45
_FOLDS, _WEAVE, _SHADE = range(970, 973)
# The skin of the template is used down to this height; below, the cloth goes on to the last one.
_LAST_SKIN, _FLOOR = -14.9, -26.0
# The first rows have a lining, so close to the skin.
_LINING, _INSIDE = 6, 0.03
# Skin so far below the hem, or so far from the middle of the neck, is not drawn; collars show more.
_COVERED, _COLLARED, _SHOULDERS = 1.6, 4.5, 6.2
# Height of the hem at the front, at the sides and at the back, and thickness of the cloth.
_HEMS = {
    T_SHIRT: (-13.6, -12.2, -10.9, 0.30),
    V_NECK: (-17.5, -12.2, -10.9, 0.28),
    SHIRT: (-13.0, -10.9, -9.9, 0.32),
    SWEATER: (-13.0, -11.8, -10.4, 0.55),
    TURTLENECK: (-11.3, -10.3, -8.6, 0.55),
}


@functools.cache
def load_dome() -> Dome:
    """The directions of the clothes."""
    template = load_rig().template
    return make_dome(template, _CENTER, _COLUMNS, _TABLE, _LOWEST, without_jaw=True)


def dress(skin: Floats, style: Style, pattern: int) -> Part:
    """Makes a person's clothes.

    Args:
      skin: (V, 3), the person at rest, in centimetres.
      style: what the person wears.
      pattern: number of the person's noise.

    Returns:
      The clothes.
    """
    rig, dome = load_rig(), load_dome()
    profile = dome.center + dome.measure_radius(skin)[..., None] * dome.directions
    neck = dome.average(rig.neck)
    front, side, back, thickness = _HEMS[style.garment]
    base, share = _lay(dome, profile, neck, _find_hem(dome.azimuths, front, side, back))
    along = np.zeros(base.shape[:2])
    along[:, 1:] = np.cumsum(np.sqrt((np.diff(base, axis=1) ** 2).sum(-1)), axis=1)
    faces = weave(_COLUMNS, _ROWS)
    flat = base.reshape(-1, 3)
    lift = _thicken(flat, along.ravel(), style.garment, thickness, pattern)
    normals = find_normals(flat, faces)
    shell = (flat + lift[:, None] * normals).reshape(base.shape)
    inside = (flat + _INSIDE * normals).reshape(base.shape)
    lined = [*range(_LINING, 0, -1)]
    rest = snap(np.concatenate([inside[:, lined], shell], axis=1).reshape(-1, 3))
    along, share = (np.concatenate([x[:, lined], x], axis=1) for x in (along, share))
    faces = weave(_COLUMNS, _ROWS + _LINING)
    coordinates = np.column_stack([rest, along.ravel()])
    share = snap(share.ravel())

    def move(_: Floats, rotation: tuple[float, float, float]) -> Floats:
        moved = rest.copy()
        turn_head(moved, share, rotation)
        return moved

    paint = functools.partial(paint_cloth, style, pattern)
    return Part("clothes", rest, faces, rest, coordinates, paint, move)


def find_clothed(points: Floats, style: Style) -> np.ndarray:
    """Which points of the template's skin (N, 3) lie under clothes: (N,), bool."""
    x, y, z = points[:, 0], points[:, 1], points[:, 2] - _CENTER[2]
    cosine = z / np.maximum(np.sqrt(x * x + z * z), 1e-6)
    front, side, back, _ = _HEMS[style.garment]
    covered = _COLLARED if style.garment == SHIRT else _COVERED
    below = y - _shape_hem(cosine, front, side, back)
    return (below < -covered) | ((below < -0.7) & (x * x + z * z > _SHOULDERS**2))


def paint_cloth(style: Style, pattern: int, coordinates: Array, spacing: Array) -> Array:
    """Linear reflectance of cloth: its colour, stripes, ribs at the hem, a little uneven.

    Args:
      style: what the person wears.
      pattern: number of the person's noise.
      coordinates: (N, 4): position, and distance from the hem.
      spacing: (N,), distance between samples.
    """
    x = np.asarray(coordinates, np.float32)
    place, along = np.ascontiguousarray(x[:, :3]), x[:, 3]
    color = np.broadcast_to(style.textile, place.shape)
    if style.stripes is not None:
        phase = np.abs(np.mod(along / 1.3, 1) - 0.5)
        width = np.maximum(0.04, spacing)
        color = color + blend(0.5 + (phase - 0.28) / width)[:, None] * (style.stripes - color)
    fine = draw_noise(place, 0.16, pattern + 16 * _WEAVE, spacing, octaves=2)
    wide = draw_noise(place, 4.0, pattern + 16 * _SHADE, spacing, octaves=2)
    tone = 1 + 0.12 * fine + 0.06 * wide
    rim = 2.0 if style.garment in (SWEATER, TURTLENECK) else 1.2
    seam = blend(1 - np.abs(along - rim - 0.5) / 0.16)
    return np.clip(color * (tone * (1 - 0.35 * seam))[:, None], 0, 1)


def _find_hem(azimuths: Floats, front: float, side: float, back: float) -> Floats:
    """Height of the hem at azimuths (C,): 0 is the front."""
    return snap(_shape_hem(np.cos(azimuths), front, side, back))


def _shape_hem(cosine: Floats, front: float, side: float, back: float) -> Floats:
    ahead, behind = np.maximum(cosine, 0), np.maximum(-cosine, 0)
    return side + (front - side) * ahead * np.sqrt(ahead) + (back - side) * behind


def _lay(dome: Dome, profile: Floats, neck: Floats, hem: Floats) -> tuple[Floats, Floats]:
    """Rows from the hem (C,) down along the skin and beyond: (C, R, 3), and shares of the turn."""
    rows, shares = [], []
    for column, azimuth in enumerate(dome.azimuths):
        points, share = profile[column], neck[column]
        out = np.hypot(points[:, 0], points[:, 2] - _CENTER[2])
        height = np.minimum.accumulate(points[:, 1])
        last = max(int(np.searchsorted(-height, -_LAST_SKIN)), 2)
        out, height, share = out[:last], height[:last], share[:last]
        slope = (out[-1] - out[-9]) / (height[-1] - height[-9] - 1e-3)
        # Shoulders go on outwards and bend down; the breast and the back go down.
        side = abs(float(np.sin(azimuth)))
        reach = np.array([1.0, 2.2, 3.6, 5.2]) * (0.3 + 2.0 * side * side)
        fall = np.array([0.7, 2.0, 5.0, _FLOOR - height[-1]])
        fall = np.array([-0.7, -2.0, -5.0, fall[-1]])
        reach = np.minimum(reach, reach * np.abs(slope) * 1.2 + 1.0)
        out = np.concatenate([out, out[-1] + reach])
        height = np.concatenate([height, height[-1] + fall])
        share = np.concatenate([share, np.zeros(4)])
        length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(out), np.diff(height)))])
        start = float(np.interp(-hem[column], -height, length))
        at = start + (length[-1] - start) * (np.arange(_ROWS) / (_ROWS - 1)) ** 1.7
        radius = np.interp(at, length, out)
        sine, cosine = np.sin(azimuth), np.cos(azimuth)
        line = [radius * sine, np.interp(at, length, height), _CENTER[2] + radius * cosine]
        rows.append(np.stack(line, -1))
        shares.append(np.interp(at, length, share))
    return np.stack(rows), np.stack(shares)


def _thicken(points: Floats, along: Floats, garment: str, thickness: float, pattern: int) -> Floats:
    """Height of the cloth over the skin: (N,)."""
    folds = draw_noise(
        (points * [0.5, 1.0, 0.5]).astype(np.float32), 3.0, pattern + 16 * _FOLDS, octaves=3
    )
    height = thickness + 0.14 * folds * blend((along - 1.5) / 4)
    if garment == SHIRT:
        # The collar stands off and ends in an edge.
        height += 0.75 * blend(along / 2.2) * (along < 3.0)
    elif garment in (SWEATER, TURTLENECK):
        height += 0.18 * blend(along / 0.5) * blend((3.0 - along) / 0.6)
    height += 0.2 * blend((along - 0.5) / 2) + 0.25 * blend((along - 4) / 5)
    return np.where(along < 1e-6, 0.5 * height, height)
