"""Loose wisps on the hair, which make its outline and its hairline irregular."""

import functools

import numpy as np

from sf3d_jax.head.growth.hairs import HairColor, comb, paint_strands
from sf3d_jax.head.growth.part import Part
from sf3d_jax.head.growth.scalp import find_normals
from sf3d_jax.head.growth.spikes import make_spikes
from sf3d_jax.head.growth.styles import CURLY, LONG, MEDIUM, Style
from sf3d_jax.head.person.chance import draw_shares
from sf3d_jax.head.person.landmarks import Floats
from sf3d_jax.head.person.rig import turn_head
from sf3d_jax.head.person.rounding import snap

# Tells the stream from those that others draw from the same seed: "wisp" in ASCII.
_STREAM = 0x77697370
_LINE, _LOOSE = 170, 110
_STRETCH = 0.25


def grow_wisps(hair: Part, share: Floats, style: Style, seed: int, pattern: int) -> Part:
    """Makes the wisps of a person's hair.

    Args:
      hair: the hair.
      share: (V,), share of the head's turn of its vertices.
      style: what the person wears.
      seed: the person.
      pattern: number of the person's noise.

    Returns:
      The wisps.
    """
    chosen, dice = _choose(hair, seed)
    normals = find_normals(hair.vertices, hair.faces)[chosen]
    roots = hair.vertices[chosen] - 0.12 * normals
    cut = style.cut
    down = _find_fall(hair.vertices[chosen], normals, style)
    side = np.cross(normals, down)
    is_curly = cut.kind == CURLY
    lift = (0.9 if is_curly else 0.22) + 0.25 * dice[:, :1]
    ahead = down + lift * normals + (0.8 if is_curly else 0.35) * (dice[:, 1:2] - 0.5) * side
    ahead /= np.sqrt((ahead * ahead).sum(1, keepdims=True))
    sag = 0.35 if cut.kind in (MEDIUM, LONG) else 0.12
    bend = 0.3 * (dice[:, 2:3] - 0.5) * side - lift * 0.45 * normals + [0, -sag, 0]
    length = (0.5 if is_curly else 0.8) + 1.1 * dice[:, 3] * min(1.0, 0.4 + cut.thickness)
    width = 0.05 + 0.09 * dice[:, 4]
    vertices, faces, place = make_spikes(roots, ahead, bend, length, width)
    per = len(vertices) // len(roots)
    own = np.repeat(chosen, per)
    lines, along = comb(vertices, cut)
    spread = np.repeat(dice[:, 5] * 40, per)
    coordinates = np.column_stack(
        [lines + spread[:, None], along, vertices, 0.5 + 0 * place, 9 + 0 * place]
    )
    root = np.repeat(roots, per, axis=0)
    ahead_all = np.repeat(ahead, per, axis=0)
    away = vertices - root
    along_own = (away * ahead_all).sum(1, keepdims=True)
    metric = root + away - (1 - _STRETCH) * along_own * ahead_all
    rest, turned = snap(vertices), share[own]

    def move(_: Floats, rotation: tuple[float, float, float]) -> Floats:
        moved = rest.copy()
        turn_head(moved, turned, rotation)
        return moved

    color = HairColor(style.hair.color, cut, pattern)
    return Part(
        "wisps", rest, faces, metric, coordinates, functools.partial(paint_strands, color), move
    )


def _choose(hair: Part, seed: int) -> tuple[np.ndarray, Floats]:
    """Vertices of the hair that carry wisps, and six numbers from 0 to 1 for each."""
    count = _LINE + _LOOSE
    dice = draw_shares(seed, (_STREAM,), 7 * count).reshape(count, 7)
    rise, used = hair.coordinates[:, -1], np.unique(hair.faces)
    line = used[(rise[used] > 0.15) & (rise[used] < 1.6)]
    loose = used[(rise[used] > 1.6) & (np.abs(hair.vertices[used, 0]) > 3.0)]
    chosen = np.concatenate(
        [
            group[(some * len(group)).astype(int)]
            for group, some in ((line, dice[:_LINE, 6]), (loose, dice[_LINE:, 6]))
            if len(group)
        ]
    )
    return chosen, dice[: len(chosen)]


def _find_fall(points: Floats, normals: Floats, style: Style) -> Floats:
    """The unit direction along the hair, tangent to it: away from where it is combed from, down."""
    step = 1e-2
    _, along = comb(points, style.cut)
    slope = [comb(points + step * axis, style.cut)[1] - along for axis in np.eye(3)]
    fall = np.stack(slope, 1) / step
    fall -= (fall * normals).sum(1, keepdims=True) * normals
    return fall / np.maximum(np.sqrt((fall * fall).sum(1, keepdims=True)), 1e-3)
