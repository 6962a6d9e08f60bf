"""Procedural people made once, and what tests measure of them, in millimetres."""

import functools

import numpy as np

from sf3d_jax import head

MILLIMETRE = 1000.0


@functools.cache
def person(seed):
    return head.Person(seed)


def place(of, part):
    """The number of a part in a person's list of parts."""
    return of.part_names.index(part)


def vertices_of(of, *parts):
    """The vertices of some parts."""
    chosen = np.isin(of.parts, [place(of, part) for part in parts])
    return np.unique(of.faces[chosen])


def normals(vertices, faces):
    """Normals of triangles, as long as twice their area."""
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return np.cross(b - a, c - a)


def face_region(of):
    """Vertices of the skin in front, from above the brows to the chin, and the area of each.

    On the template: 45 to 110 mm in front of the middle of the head, 65 mm to either side, from
    115 mm below the eyes to 60 mm above them.
    """
    x, y, z = of.template.T * MILLIMETRE
    front = (z > 45) & (y > -115) & (y < 60) & (abs(x) < 65)
    chosen = np.zeros(len(x), bool)
    chosen[np.unique(of.faces[of.parts == place(of, "skin")])] = True
    triangle = np.linalg.norm(normals(of.template, of.faces), axis=1)
    area = np.bincount(of.faces.ravel(), np.repeat(triangle, 3), len(x))
    region = np.flatnonzero(front & chosen)
    return region, area[region] / area[region].sum()


def winding(points, vertices, faces):
    """How often a closed mesh winds about points: 1 inside, 0 outside (van Oosterom, Strackee)."""
    corners, numbers = vertices[faces], []
    for point in points:
        a, b, c = np.moveaxis(corners - point, 1, 0)
        la, lb, lc = (np.sqrt(np.einsum("ij,ij->i", x, x)) for x in (a, b, c))
        ab, bc, ca = (np.einsum("ij,ij->i", x, y) for x, y in ((a, b), (b, c), (c, a)))
        volume = np.einsum("ij,ij->i", a, np.cross(b, c))
        numbers.append(np.arctan2(volume, la * lb * lc + ab * lc + bc * la + ca * lb).sum())
    return np.array(numbers) / (2 * np.pi)
