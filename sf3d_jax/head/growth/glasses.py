"""Glasses: two rims, a bridge and two temples, as closed tubes without lenses."""

import functools

import numpy as np

from sf3d_jax.head.growth.part import Ints, Part
from sf3d_jax.head.growth.styles import Style
from sf3d_jax.head.person.landmarks import LEFT_EYE, RIGHT_EYE, SKIN, Floats
from sf3d_jax.head.person.rig import load_rig, turn_head
from sf3d_jax.head.person.rounding import snap
from sf3d_jax.head.skin.noise import Array

_SIDES, _RIM, _TEMPLE, _BRIDGE = 6, 44, 22, 9
_WRAP = 0.035  # how much the frame is bent about the face, per centimetre


def wear_glasses(skin: Floats, style: Style) -> Part:
    """Makes the glasses of a person.

    Args:
      skin: (V, 3), the person at rest, in centimetres.
      style: what the person wears; it has glasses.

    Returns:
      The glasses, which turn with the skull.
    """
    assert style.glasses is not None
    half_width, half_height, square, radius = style.glasses
    template = load_rig().template
    parts = template.vertex_parts
    eyes = [skin[parts == part].mean(0) for part in (LEFT_EYE, RIGHT_EYE)]
    middle = 0.5 * (eyes[0] + eyes[1])
    height = middle[1] - 0.25
    depth = _find_depth(skin[parts == SKIN], middle, half_height) + radius + 0.1
    reach = 0.5 * abs(eyes[0][0] - eyes[1][0])
    width = min(half_width, reach - 0.55)
    tubes = []
    for sign in (1, -1):
        line = _outline(width, half_height, square)
        x = middle[0] + sign * (reach + 0.1) + sign * line[:, 0]
        rim = np.stack([x, height + line[:, 1], np.zeros(len(x))], 1)
        rim[:, 2] = depth - _WRAP * (rim[:, 0] - middle[0]) ** 2
        tubes.append(_bend_tube(rim if sign > 0 else rim[::-1], radius, is_ring=True))
        outer = middle[0] + sign * (reach + 0.1 + width)
        tubes.append(_make_temple(skin[parts == SKIN], outer, height, depth, middle[0], radius))
    tubes.append(_make_bridge(middle, reach + 0.1 - width, height, depth, half_height, radius))
    starts = np.cumsum([0, *(len(vertices) for vertices, _ in tubes)])
    rest = snap(np.concatenate([vertices for vertices, _ in tubes]))
    faces = np.concatenate([f + start for (_, f), start in zip(tubes, starts, strict=False)])
    share = np.ones(len(rest))

    def move(_: Floats, rotation: tuple[float, float, float]) -> Floats:
        moved = rest.copy()
        turn_head(moved, share, rotation)
        return moved

    paint = functools.partial(_paint_frame, style.frame)
    return Part("glasses", rest, faces, rest, rest, paint, move)


def _paint_frame(color: Array, coordinates: Array, _: Array) -> Array:
    return np.broadcast_to(color, (len(coordinates), 3))


def _find_depth(skin: Floats, middle: Floats, half_height: float) -> float:
    """Where the frame has to be in front of: the root of the nose, and the brows."""
    x, y, z = (skin - [middle[0], middle[1], 0]).T
    nose = z[(np.abs(x) < 0.5) & (np.abs(y - 0.2) < 0.5)].max()
    brow = z[(np.abs(x) > 1.5) & (np.abs(x) < 4.5) & (np.abs(y) < half_height + 0.2)].max()
    return float(max(nose, brow + 0.25))


def _outline(half_width: float, half_height: float, square: float) -> Floats:
    """A line about a lens, from an ellipse to a rounded rectangle: (P, 2)."""
    angle = 2 * np.pi * np.arange(_RIM) / _RIM
    cosine, sine = np.cos(angle), np.sin(angle)
    # |x / a|^p + |y / b|^p = 1 for p = 2 to 5.
    power = 2 + 3 * square
    radius = (np.abs(cosine) ** power + np.abs(sine) ** power) ** (-1 / power)
    line = np.stack([half_width * radius * cosine, half_height * radius * sine], 1)
    # Wider above than below.
    line[:, 0] *= 1 + 0.05 * line[:, 1] / half_height
    return line


def _make_temple(
    skin: Floats, outer: float, height: float, depth: float, middle: float, radius: float
) -> tuple[Floats, Ints]:
    """The bar from a rim over the ear."""
    sign = 1 if outer > middle else -1
    x, y, z = skin.T
    beside = (np.abs(y - height) < 1.2) & (z > 1.8) & (z < 4.0) & (sign * (x - middle) > 0)
    far = float(np.abs(x[beside] - middle).max()) + radius + 0.12
    front = depth - _WRAP * (outer - middle) ** 2
    knots = np.array(
        [
            [outer, height + 0.55, front],
            [middle + sign * max(far - 0.15, abs(outer - middle) + 0.1), height + 0.6, front - 1.0],
            [middle + sign * far, height + 0.6, 3.5],
            [middle + sign * (far + 0.05), height + 0.55, 0.5],
            [middle + sign * (far + 0.1), height + 0.2, -1.5],
            [middle + sign * (far - 0.3), height - 1.3, -2.8],
        ]
    )
    at = np.linspace(0, len(knots) - 1, _TEMPLE)
    line = np.stack([np.interp(at, np.arange(len(knots)), knots[:, k]) for k in range(3)], 1)
    line[1:-1] = (line[:-2] + 2 * line[1:-1] + line[2:]) / 4
    return _bend_tube(line, radius, is_ring=False)


def _make_bridge(
    middle: Floats, gap: float, height: float, depth: float, half_height: float, radius: float
) -> tuple[Floats, Ints]:
    """The arch over the nose."""
    t = np.linspace(-1, 1, _BRIDGE)
    rise = 0.35 * half_height + 0.25 * (1 - t * t)
    line = [middle[0] + (gap + 0.08) * t, height + rise, depth + 0.12 * (1 - t * t)]
    return _bend_tube(np.stack(line, 1), radius, is_ring=False)


def _bend_tube(line: Floats, radius: float, *, is_ring: bool) -> tuple[Floats, Ints]:
    """A tube about a line (P, 3), closed at its ends or in itself, oriented outwards."""
    count = len(line)
    if is_ring:
        ahead = np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0)
    else:
        ahead = np.gradient(line, axis=0)
    ahead /= np.sqrt((ahead * ahead).sum(1, keepdims=True))
    helper = np.array([0.0, 0.0, 1.0]) if is_ring else np.array([0.0, 1.0, 0.0])
    first = np.cross(ahead, helper)
    first /= np.sqrt((first * first).sum(1, keepdims=True))
    second = np.cross(ahead, first)
    angle = 2 * np.pi * np.arange(_SIDES) / _SIDES
    ring = np.cos(angle)[:, None] * first[:, None] + np.sin(angle)[:, None] * second[:, None]
    vertices = (line[:, None] + radius * ring).reshape(-1, 3)
    pairs = np.indices((count if is_ring else count - 1, _SIDES))
    i, j = pairs[0].ravel(), pairs[1].ravel()
    following, right = (i + 1) % count, (j + 1) % _SIDES
    a, b, c, d = (
        _SIDES * row + column
        for row, column in ((i, j), (i, right), (following, j), (following, right))
    )
    faces = np.concatenate([np.stack([a, b, c], 1), np.stack([b, d, c], 1)])
    if not is_ring:
        ends = np.arange(1, _SIDES - 1)
        first_end = np.stack([0 * ends, ends + 1, ends], 1)
        last_end = np.stack([0 * ends, ends, ends + 1], 1) + _SIDES * (count - 1)
        faces = np.concatenate([faces, first_end, last_end])
    return vertices, faces
