"""The closed parts that are not meshed from the implicit shape: eyeballs, teeth, tongue.

All lengths are centimetres, see `landmarks`. Faces are oriented outwards.
"""

import numpy as np

from sf3d_jax.head.person.landmarks import EYE, EYE_RADIUS, MOUTH_HEIGHT, Floats
from sf3d_jax.head.person.template.meshing import Ints

# The arch of the upper teeth: half axes of its ellipse about (0, ARCH_DEPTH) in x and z.
ARCH = (2.5, 3.15)
ARCH_DEPTH = 3.95
LOWER_ARCH_SCALE = 0.9
TEETH = 14
_TOOTH_SAMPLES = 7
_ARCH_END = 1.3
_HEIGHT = 1.35  # of teeth and gum

# The cross-section of an arch of teeth: (outwards, towards the biting edge), first the front from
# the gum down, then the back up again; the front of a tooth bulges.
_SECTION = np.array(
    [
        *((-0.12, -0.05), (0.1, 0.2), (0.06, 0.42), (0.1, 0.7), (0.06, 0.93), (0.0, 1.0)),
        *((-0.1, 1.0), (-0.2, 0.8), (-0.34, 0.42), (-0.4, 0.2)),
    ]
)
_TONGUE_CENTER, _TONGUE_RADII = (0.0, -7.75, 4.1), (1.45, 0.5, 2.1)


def make_eyeball(side: int) -> tuple[Floats, Ints]:
    """The sphere about the left (side = 1) or right (-1) eye's centre, its pole in the pupil."""
    vertices, faces = _sphere(26, 32)
    return EYE_RADIUS * vertices + EYE * [side, 1, 1], faces


def make_tongue() -> tuple[Floats, Ints]:
    """An ellipsoid between the arches, flatter towards its tip."""
    vertices, faces = _sphere(18, 24)
    flat = 1 - 0.35 * np.clip(vertices[:, 2:], 0, 1) ** 2
    vertices = vertices * np.concatenate([flat**0.5, flat, np.ones_like(flat)], 1)
    return vertices * _TONGUE_RADII + _TONGUE_CENTER, faces


def make_teeth(is_upper: bool) -> tuple[Floats, Ints]:
    """A closed band along the arch, fluted between the teeth."""
    count = TEETH * _TOOTH_SAMPLES + 1
    turn = np.linspace(-_ARCH_END, _ARCH_END, count)
    # The flutes: 0 between two teeth, near 1 on a tooth.
    tooth = np.abs(np.sin(np.pi * np.arange(count) / _TOOTH_SAMPLES)) ** 0.4
    height = _HEIGHT + 0.06 * np.cos(2 * turn)
    scale = 1.0 if is_upper else LOWER_ARCH_SCALE
    outward, down = _SECTION.T
    front = outward[None] + 0.07 * (tooth[:, None] - 1) * (down > 0.3) * (outward > -0.05)
    x = (scale * ARCH[0] + front) * np.sin(turn)[:, None]
    z = ARCH_DEPTH + (scale * ARCH[1] + front) * np.cos(turn)[:, None]
    edge = MOUTH_HEIGHT + (-0.2 if is_upper else -0.12)
    sign = 1 if is_upper else -1
    bite = down * (1 - 0.05 * (1 - tooth[:, None]) * (down > 0.9))
    y = edge + sign * height[:, None] * (1 - bite)
    rows = np.stack([x, y, z], -1)
    ends = rows[[0, -1]].mean(1)
    vertices = np.concatenate([rows.reshape(-1, 3), ends])
    return vertices, _orient(vertices, _band(count, len(_SECTION)))


def _sphere(rings: int, spokes: int) -> tuple[Floats, Ints]:
    """Unit sphere: `rings` rings of `spokes` vertices about the z axis, and the two poles."""
    angle = np.pi * np.arange(1, rings + 1) / (rings + 1)
    around = 2 * np.pi * np.arange(spokes) / spokes
    a, b = np.meshgrid(angle, around, indexing="ij")
    rows = np.stack([np.sin(a) * np.cos(b), np.sin(a) * np.sin(b), np.cos(a)], -1)
    vertices = np.concatenate([rows.reshape(-1, 3), [[0, 0, 1], [0, 0, -1]]])
    return vertices, _orient(vertices, _band(rings, spokes))


def _band(rows: int, columns: int) -> Ints:
    """Faces of a tube of rows x columns vertices, closed by the two vertices that follow them."""
    i, j = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    a, b = (i * columns + j).ravel(), (i * columns + (j + 1) % columns).ravel()
    ring = np.arange(columns)
    turned, last = (ring + 1) % columns, (rows - 1) * columns
    first_end, last_end = np.full(columns, rows * columns), np.full(columns, rows * columns + 1)
    return np.concatenate(
        [
            np.stack([a, a + columns, b + columns], 1),
            np.stack([a, b + columns, b], 1),
            np.stack([ring, turned, first_end], 1),
            np.stack([turned + last, ring + last, last_end], 1),
        ]
    )


def _orient(vertices: Floats, faces: Ints) -> Ints:
    """Faces turned so that the volume they enclose is positive."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    volume = (np.cross(a, b) * c).sum()
    return faces if volume > 0 else faces[:, ::-1]
