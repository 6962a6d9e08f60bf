"""The procedural person as a head to draw."""

import numpy as np

from sf3d_jax.head.covering import cover
from sf3d_jax.making.curves import Curves
from sf3d_jax.making.heads.head import Head
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan

# A picture of a person shows this much about the point between the eyes' centres, metres.
EXTENT = 0.303
TARGET = np.array([0.0, -0.005, 0.0])


def open_person(subject: SubjectPlan, options: Options) -> Head:
    """An ellipsoid."""
    n, m = 24, 32
    t, p = np.meshgrid(
        np.linspace(0.05, np.pi - 0.05, n), np.arange(m) * 2 * np.pi / m, indexing="ij"
    )
    unit = np.stack([np.sin(t) * np.sin(p), np.cos(t), np.sin(t) * np.cos(p)], -1).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(n - 1), np.arange(m), indexing="ij")
    k = (j + 1) % m
    a, b, c, d = i * m + j, (i + 1) * m + j, (i + 1) * m + k, i * m + k
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    rest = unit * [0.08, 0.11, 0.1]
    pieces = cover(rest, faces, options.gaussians)
    curves = Curves(
        lambda k: subject.draw_from("motion", k), ["jawOpen"], options.frames / options.fps
    )

    def find_vertices(frame: int) -> np.ndarray:
        yaw, *_ = curves.rotation(frame / options.fps)
        turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
        return rest @ turn.T

    paint = lambda: (
        np.tile(subject.draw_from("skin").uniform(0.3, 0.7, 3), (len(pieces.triangles), 1))
        * np.random.default_rng(0).uniform(0.8, 1, (len(pieces.triangles), 1))
    )
    return Head(
        faces.astype(np.int32),
        np.zeros(len(faces), np.int32),
        rest,
        rest,
        pieces,
        TARGET,
        EXTENT,
        find_vertices,
        paint,
    )
