"""What the drawing needs to know of a head, whatever it is made of."""

import dataclasses
from collections.abc import Callable

import numpy as np

from sf3d_jax.head.covering import Cover
from sf3d_jax.making.shading.finish import Finish


@dataclasses.dataclass(frozen=True)
class Head:
    """A subject's head and its motion. Lengths are metres, in the axes of a head.

    Attributes:
      faces: [T, 3], int32, counterclockwise from outside.
      groups: [T], int32, the surface of each triangle, for `surface_features`.
      rest: [V, 3], float64, the shape with an open mouth and open lids.
      neutral: [V, 3], float64, the shape without expression.
      cover: pieces of the faces.
      target: [3], what cameras look at.
      extent: length that the shorter side of an image shows.
      find_vertices: gives the [V, 3] vertices of a frame, float64.
      paint: gives the [N, 3] linear reflectance of the cover's pieces, float32.
      sides: [T], int32, numbers that differ on the two sides of every opening, such as lips; what
        is behind one side is not drawn. None if they are not known.
      find_relief: gives, for a frame or None for the face at rest, the [N, 3] share of the light
        that folds of the skin leave, and what they add to the [N, 3] unit normals of the pieces.
        None for a head without folds.
      finish: how the pieces shine, and which vertices are eyes. None for skin everywhere.
    """

    faces: np.ndarray
    groups: np.ndarray
    rest: np.ndarray
    neutral: np.ndarray
    cover: Cover
    target: np.ndarray
    extent: float
    find_vertices: Callable[[int], np.ndarray]
    paint: Callable[[], np.ndarray]
    sides: np.ndarray | None = None
    find_relief: Callable[[int | None], tuple[np.ndarray, np.ndarray]] | None = None
    finish: Finish | None = None


def turn(points: np.ndarray, pivot: np.ndarray, rotation: tuple[float, float, float]) -> np.ndarray:
    """Turns points about a pivot.

    Args:
      points: [V, 3].
      pivot: [3].
      rotation: yaw, pitch and roll in radians: positive yaw turns a face to the subject's left,
        positive pitch up, and positive roll lifts its left side. The roll is first, the yaw last.

    Returns:
      [V, 3], Ry(yaw) Rx(-pitch) Rz(roll) (points - pivot) + pivot.
    """
    yaw, pitch, roll = rotation
    about_x, about_y, about_z = (
        _rotate_plane(-pitch, 1, 2),
        _rotate_plane(yaw, 2, 0),
        _rotate_plane(roll, 0, 1),
    )
    matrix = about_y @ about_x @ about_z
    return (points - pivot) @ matrix.T + pivot


def _rotate_plane(angle: float, first: int, second: int) -> np.ndarray:
    """The rotation that turns one axis towards another."""
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = np.cos(angle)
    matrix[second, first] = np.sin(angle)
    matrix[first, second] = -np.sin(angle)
    return matrix
