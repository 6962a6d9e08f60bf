"""The procedural person as a head to draw."""

import functools
from collections.abc import Callable

import numpy as np

from sf3d_jax.head.covering import Cover, cover
from sf3d_jax.head.person import landmarks
from sf3d_jax.head.person.expression import EXPRESSIONS
from sf3d_jax.head.person.person import Person
from sf3d_jax.head.skin.pieces import average_over_pieces, measure_spacing, place_corners
from sf3d_jax.making.heads.head import Head
from sf3d_jax.making.heads.motions import Pose, draw_poses, read_poses
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan

# An image shows this much about this point, metres: the head, and less than all of its shoulders.
EXTENT = 0.28
TARGET = np.array([0.0, 0.0, 0.0])

# Pieces per area, relative to the sides and the back of the head. The triangles of the neck are the
# largest; cameras hardly see what lies lower than the shoulders.
FACE, NECK, UNSEEN = 2.0, 1.5, 0.4
FACE_DEPTH, NECK_HEIGHT, UNSEEN_HEIGHT = 0.04, -0.12, -0.165  # metres

# What lies inside the mouth. There less light arrives: a share that falls with the depth, metres.
INSIDE = [landmarks.MOUTH, landmarks.UPPER_TEETH, landmarks.LOWER_TEETH, landmarks.TONGUE]
DARKEST, DARK_DEPTH, LIT_DEPTH = 0.1, 0.04, 0.075


def open_person(subject: SubjectPlan, options: Options) -> Head:
    """Makes the person of a subject.

    Args:
      subject: the subject.
      options: options of the data set.

    Returns:
      The head.

    Raises:
      FormatError: the file of the motion does not fit.
      OSError: it is missing.
    """
    person = Person(int(subject.draw_from("identity").integers(2**32)))
    pieces = _cover_template(options.gaussians)
    find_pose = _find_pose(subject, options)

    def find_vertices(frame: int) -> np.ndarray:
        pose = find_pose(frame)
        return person.vertices(pose.expression, rotation=pose.rotation)

    return Head(
        faces=person.faces,
        groups=person.parts,
        rest=person.template,
        neutral=person.rest,
        cover=pieces,
        target=TARGET,
        extent=EXTENT,
        find_vertices=find_vertices,
        paint=functools.partial(_paint, person, pieces),
        sides=person.groups,
    )


@functools.lru_cache(maxsize=1)
def _cover_template(count: int) -> Cover:
    """Pieces of the template, which all people share; they are smaller on the face."""
    person = Person(0)
    middles = person.template[person.faces].mean(1)
    density = np.where(middles[:, 2] > FACE_DEPTH, FACE, 1.0)
    density[middles[:, 1] < NECK_HEIGHT] = NECK
    density[middles[:, 1] < UNSEEN_HEIGHT] = UNSEEN
    return cover(person.template, person.faces, count, weight=density)


def _find_pose(subject: SubjectPlan, options: Options) -> Callable[[int], Pose]:
    """A function from the number of a frame to its expression and the turn of the head."""
    if options.motion is not None:
        return read_poses(options.motion, options.frames, EXPRESSIONS, is_face=True)
    return draw_poses(subject, options, EXPRESSIONS)


def _paint(person: Person, pieces: Cover) -> np.ndarray:
    """Reflectance of the pieces: the mean over each, darker inside the mouth."""
    corners = person.template[person.faces[pieces.triangles]]
    spacing = measure_spacing(place_corners(pieces.corners, corners))
    parts = person.parts[pieces.triangles]
    colors = average_over_pieces(
        pieces.corners,
        corners,
        lambda points, piece: person.albedo(points, parts[piece], spacing[piece]),
    )
    depth = corners.mean(1)[:, 2]
    light = np.clip((depth - DARK_DEPTH) / (LIT_DEPTH - DARK_DEPTH), DARKEST, 1)
    return np.where(np.isin(parts, INSIDE)[:, None], colors * light[:, None], colors)
