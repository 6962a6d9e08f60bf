"""The procedural person as a head to draw."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.head.covering import Cover, cover
from sf3d_jax.head.growth.wardrobe import Wardrobe
from sf3d_jax.head.person import landmarks
from sf3d_jax.head.person.expression import EXPRESSIONS
from sf3d_jax.head.person.landmarks import SKIN
from sf3d_jax.head.person.person import Person
from sf3d_jax.head.skin.pieces import average_over_pieces, measure_spacing, place_corners
from sf3d_jax.head.skin.relief import Relief
from sf3d_jax.making.heads.finish import find_finish
from sf3d_jax.making.heads.head import Head
from sf3d_jax.making.heads.motions import Pose, draw_poses, read_poses
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan
from sf3d_jax.making.shading.finish import Finish

# An image shows this much about this point, metres: the head, and less than all of its shoulders.
EXTENT = 0.28
TARGET = np.array([0.0, 0.0, 0.0])

# Pieces per area, relative to the sides and the back of the head. The triangles of the neck are the
# largest.
FACE, NECK = 2.0, 1.5
FACE_DEPTH, NECK_HEIGHT = 0.04, -0.12  # metres

# The same for what is worn, in the order of KINDS.
WORN = np.array([1.4, 1.0, 1.4, 1.0, 1.0, 1.0, 2.5, 0.4])
# Size of these pieces, beside that of the pieces of the skin.
GROWTH = np.array([1.04, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
# How they shine: gloss over that of smooth skin, and roughness.
WORN_FINISH = np.array(
    [
        *((0.35, 0.5), (0.25, 0.5), (0.25, 0.55), (0.2, 0.55)),
        *((0.2, 0.5), (0.2, 0.55), (2.0, 0.12), (0.1, 0.8)),
    ]
)
METRE = 100.0  # centimetres

# What lies inside the mouth. There less light arrives: a share that falls with the depth, metres.
INSIDE = [landmarks.MOUTH, landmarks.UPPER_TEETH, landmarks.LOWER_TEETH, landmarks.TONGUE]
DARKEST, DARK_DEPTH, LIT_DEPTH = 0.1, 0.04, 0.075


class _Dressed(NamedTuple):
    """A person with all that is worn, as one mesh: first what shows of the person.

    Attributes:
      person: the person.
      worn: hair, clothes and the like.
      shown: (S,), the triangles of the person that are not under a beard or clothes.
      faces: (T, 3), int32.
    """

    person: Person
    worn: Wardrobe
    shown: np.ndarray
    faces: np.ndarray


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
    dressed = _dress(Person(int(subject.draw_from("identity").integers(2**32))))
    person, worn, shown, faces = dressed
    pieces = _cover(dressed, options.gaussians)
    find_pose = _find_pose(subject, options)

    def find_vertices(frame: int) -> np.ndarray:
        pose = find_pose(frame)
        skin = person.vertices(pose.expression, rotation=pose.rotation)
        return np.concatenate([skin, worn.move(skin, pose.rotation)])

    relief = _open_relief(dressed, pieces)

    def find_relief(frame: int | None) -> tuple[np.ndarray, np.ndarray]:
        if frame is None:
            return relief({})
        pose = find_pose(frame)
        return relief(pose.expression, pose.rotation)

    return Head(
        faces=faces,
        groups=np.concatenate(
            [person.parts[shown], _number(worn.surfaces, SKIN, person.part_names)]
        ),
        rest=np.concatenate([person.template, worn.vertices]),
        neutral=np.concatenate([person.rest, worn.vertices]),
        cover=pieces,
        target=TARGET,
        extent=EXTENT,
        find_vertices=find_vertices,
        paint=functools.partial(_paint, dressed, pieces),
        sides=np.concatenate([person.groups[shown], _number(worn.sides, 0, person.group_names)]),
        find_relief=find_relief,
        finish=_find_finish(dressed, pieces),
    )


def _number(surfaces: np.ndarray, skin: int, names: tuple[str, ...]) -> np.ndarray:
    """Numbers of the surfaces of what is worn (T,), beside those of the person."""
    return np.where(surfaces == 0, skin, surfaces - 1 + len(names)).astype(np.int32)


def _dress(person: Person) -> _Dressed:
    worn = Wardrobe(person)
    shown = np.flatnonzero(~worn.find_hidden(person))
    faces = np.concatenate([person.faces[shown], worn.faces + len(person.template)])
    return _Dressed(person, worn, shown, faces)


def _cover(dressed: _Dressed, count: int) -> Cover:
    """Pieces of a person and of what is worn; they are smaller on the face."""
    person, worn, shown, faces = dressed
    middles = person.template[person.faces[shown]].mean(1)
    density = np.where(middles[:, 2] > FACE_DEPTH, FACE, 1.0)
    density[middles[:, 1] < NECK_HEIGHT] = NECK
    density = np.concatenate([density, WORN[worn.kinds]])
    vertices = np.concatenate([person.template, worn.metric])
    triangles, corners = cover(vertices, faces, count, weight=density)
    # No light may pass between the pieces of dark hair.
    growth = np.concatenate([np.ones(len(shown)), GROWTH[worn.kinds]])[triangles, None, None]
    middle = corners.mean(1, keepdims=True)
    return Cover(triangles, middle + growth * (corners - middle))


def _find_pose(subject: SubjectPlan, options: Options) -> Callable[[int], Pose]:
    """A function from the number of a frame to its expression and the turn of the head."""
    if options.motion is not None:
        return read_poses(options.motion, options.frames, EXPRESSIONS, is_face=True)
    return draw_poses(subject, options, EXPRESSIONS)


def _open_relief(dressed: _Dressed, pieces: Cover) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """A function from an expression and a turn of the head to the folds of the person's skin."""
    person, (is_skin, skin) = dressed.person, _take_skin(dressed, pieces)
    corners = place_corners(skin.corners, person.template[person.faces[skin.triangles]])
    relief = Relief(METRE * corners, person.parts[skin.triangles], person.seed)
    # What is worn has no folds.
    shape = (len(is_skin), 3)

    def find(*pose: Any) -> tuple[np.ndarray, np.ndarray]:
        left, bend = np.ones(shape, np.float32), np.zeros(shape, np.float32)
        left[is_skin], bend[is_skin] = relief.find(*pose)
        return left, bend

    return find


def _find_finish(dressed: _Dressed, pieces: Cover) -> Finish:
    """How skin and eyes shine, and what is worn."""
    is_skin, skin = _take_skin(dressed, pieces)
    found = find_finish(dressed.person, skin)
    others = pieces.triangles[~is_skin] - len(dressed.shown)
    gloss, roughness = WORN_FINISH[dressed.worn.kinds[others]].T
    worn = np.zeros(len(dressed.worn.vertices), bool)

    def join(skin: npt.ArrayLike, others: npt.ArrayLike) -> np.ndarray:
        whole = np.zeros(len(is_skin), np.float32)
        whole[is_skin], whole[~is_skin] = skin, others
        return whole

    return Finish(
        join(found.gloss, gloss),
        join(found.roughness, roughness),
        eyes=np.concatenate([found.eyes, worn]),
        inside=np.concatenate([found.inside, worn]),
    )


def _take_skin(dressed: _Dressed, pieces: Cover) -> tuple[np.ndarray, Cover]:
    """Which pieces are the person's own, and these with the numbers of the person's triangles."""
    is_skin = pieces.triangles < len(dressed.shown)
    triangles = dressed.shown[pieces.triangles[is_skin]].astype(np.int32)
    return is_skin, Cover(triangles, pieces.corners[is_skin])


def _paint(dressed: _Dressed, pieces: Cover) -> np.ndarray:
    """Reflectance of the pieces: the mean over each."""
    is_skin = pieces.triangles < len(dressed.shown)
    colors = np.zeros((len(is_skin), 3), np.float32)
    for own, paint in ((is_skin, _paint_skin), (~is_skin, _paint_worn)):
        colors[own] = paint(dressed, Cover(*(x[own] for x in pieces)))
    return colors


def _paint_worn(dressed: _Dressed, pieces: Cover) -> np.ndarray:
    worn, triangles = dressed.worn, pieces.triangles - len(dressed.shown)
    corners = worn.vertices[worn.faces[triangles]]
    spacing = measure_spacing(place_corners(pieces.corners, corners))
    # The corners of a triangle in barycentric coordinates.
    unit = np.broadcast_to(np.eye(3), corners.shape)
    return average_over_pieces(
        pieces.corners,
        unit,
        lambda points, piece: worn.paint(triangles[piece], points, spacing[piece]),
    )


def _paint_skin(dressed: _Dressed, pieces: Cover) -> np.ndarray:
    """What shows of the person, darker inside the mouth."""
    person, owners = dressed.person, dressed.shown[pieces.triangles]
    corners = person.template[person.faces[owners]]
    spacing = measure_spacing(place_corners(pieces.corners, corners))
    parts = person.parts[owners]
    colors = average_over_pieces(
        pieces.corners,
        corners,
        lambda points, piece: person.albedo(points, parts[piece], spacing[piece]),
    )
    depth = corners.mean(1)[:, 2]
    light = np.clip((depth - DARK_DEPTH) / (LIT_DEPTH - DARK_DEPTH), DARKEST, 1)
    return np.where(np.isin(parts, INSIDE)[:, None], colors * light[:, None], colors)
