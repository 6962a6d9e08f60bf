"""A user's mesh as a head to draw: its morph targets, or a sequence of its vertices, move it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.data.maps.images import read_image
from sf3d_jax.data.meshes.formats import read_mesh
from sf3d_jax.data.meshes.mesh import Mesh, find_equal_vertices
from sf3d_jax.head.covering import Cover, cover
from sf3d_jax.head.skin.pieces import place_corners
from sf3d_jax.head.skin.textures import paint_from_texture
from sf3d_jax.making.heads.head import Head, turn
from sf3d_jax.making.heads.motions import draw_poses, list_arrays, read_motion, read_poses
from sf3d_jax.making.heads.surface import (
    find_box,
    find_parts,
    find_unit,
    is_inside_out,
    measure_spread,
    paint_plainly,
    reverse,
)
from sf3d_jax.making.motion.curves import complete_side
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan

# Targets that part lips and lids, so that the rest shape tells them apart.
OPENING = ("jawOpen", "eyeWideLeft", "eyeWideRight")

# An image shows the box about a mesh and a margin, or FACES times the face if that is less. The
# face is what moves by more than a share of the largest displacement of the targets.
MARGIN, FACES, MOVING = 1.15, 2.2, 0.1

# The head turns about a point this far up its box.
PIVOT = 0.2

# Most that the size of a recorded head may differ from that of its mesh; centimetres differ by 100.
MOST_SCALE = 2.0


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """A mesh in metres, with what all subjects share.

    Attributes:
      mesh: the mesh, with faces that are counterclockwise from outside.
      groups: [T], surfaces.
      cover: its pieces.
      unit: metres per unit of its file.
      given_faces: [T, 3], faces as in the file.
    """

    mesh: Mesh
    groups: np.ndarray
    cover: Cover
    unit: float
    given_faces: np.ndarray


def open_mesh(subject: SubjectPlan, options: Options) -> Head:
    """Opens a mesh for a subject. All subjects have its shape, and each moves on its own.

    Args:
      subject: the subject.
      options: options of the data set; `head` is the file.

    Returns:
      The head.

    Raises:
      FormatError: a file cannot be read, or does not fit.
      OSError: a file is missing.
    """
    loaded = _load(options.head, options.gaussians)
    neutral, targets = loaded.mesh.vertices, loaded.mesh.targets
    opened = neutral + sum(x for name, x in targets.items() if complete_side(name) in OPENING)
    find_vertices = _find_motion(subject, options, loaded)
    target, extent = _frame(neutral, targets)
    if options.motion is not None:
        # A recorded head may be anywhere.
        target = target + find_box(find_vertices(0))[0] - find_box(neutral)[0]
    return Head(
        faces=loaded.mesh.faces,
        groups=loaded.groups,
        rest=opened,
        neutral=neutral,
        cover=loaded.cover,
        target=target,
        extent=extent,
        find_vertices=find_vertices,
        paint=functools.partial(_paint, subject, options, loaded),
    )


@functools.lru_cache(maxsize=1)
def _load(path: str, gaussians: int) -> _Loaded:
    mesh = read_mesh(path)
    unit = find_unit(mesh.vertices)
    # Files that repeat a vertex along the seams of a texture have one surface on both sides.
    joined = find_equal_vertices(mesh.vertices, mesh.targets.values())[1][mesh.faces]
    parts = find_parts(joined, len(mesh.vertices))
    turned = is_inside_out(mesh.vertices, joined, parts)
    faces = reverse(mesh.faces, turned)
    groups = parts
    if mesh.groups is not None:
        pairs = np.stack([parts, mesh.groups], 1)
        groups = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32)
    targets = {name: unit * x for name, x in mesh.targets.items()}
    of_texture = None if mesh.face_uv is None else reverse(mesh.face_uv, turned)
    scaled = mesh._replace(
        vertices=unit * mesh.vertices, faces=faces, face_uv=of_texture, targets=targets
    )
    return _Loaded(scaled, groups, cover(scaled.vertices, faces, gaussians), unit, mesh.faces)


def _frame(neutral: np.ndarray, targets: Mapping[str, np.ndarray]) -> tuple[np.ndarray, float]:
    """What the cameras look at, and the length that an image shows."""
    middle, longest = find_box(neutral)
    if not targets:
        return middle, MARGIN * longest
    moved = np.max([np.linalg.norm(x, axis=-1) for x in targets.values()], axis=0)
    if not moved.max() > 0:
        return middle, MARGIN * longest
    face, width = find_box(neutral[moved > MOVING * moved.max()])
    if FACES * width >= MARGIN * longest:
        return middle, MARGIN * longest
    return np.array([face[0], face[1], middle[2]]), FACES * width


def _find_motion(
    subject: SubjectPlan, options: Options, loaded: _Loaded
) -> Callable[[int], np.ndarray]:
    """A function from the number of a frame to its vertices."""
    neutral, targets = loaded.mesh.vertices, loaded.mesh.targets
    low, high = neutral.min(0), neutral.max(0)
    pivot = low + [0.5, PIVOT, 0.5] * (high - low)
    if options.motion is None:
        find_pose = draw_poses(subject, options, targets)
    elif "vertices" in list_arrays(options.motion):
        return _read_sequence(options.motion, options.frames, loaded)
    else:
        find_pose = read_poses(options.motion, options.frames, targets)

    def find_vertices(frame: int) -> np.ndarray:
        pose = find_pose(frame)
        return turn(deform(neutral, targets, pose.expression), pivot, pose.rotation)

    return find_vertices


def _read_sequence(path: str, frames: int, loaded: _Loaded) -> Callable[[int], np.ndarray]:
    """The vertices of a file, which may hold the faces too, as those of moving meshes do."""
    mesh = loaded.mesh
    shapes = {"vertices": (len(mesh.vertices), 3)}
    arrays = read_motion(path, frames, shapes, {"faces": (len(mesh.faces), 3)})
    if "faces" in arrays and not np.array_equal(arrays["faces"], loaded.given_faces):
        raise FormatError(path, "the faces of the head in 'faces'", "others")
    _check_scale(path, arrays["vertices"][0], mesh.vertices / loaded.unit)
    return lambda frame: loaded.unit * arrays["vertices"][frame]


def _check_scale(path: str, moved: np.ndarray, still: np.ndarray) -> None:
    """Refuses vertices in another unit than the head's."""
    spreads = [measure_spread(x) for x in (moved, still)]
    if max(spreads) > MOST_SCALE * min(spreads):
        expected = "'vertices' in the unit of the head, as large as the head in frame 0"
        found = "a spread of {:.3g} about their mean, where the head has {:.3g}".format(*spreads)
        raise FormatError(path, expected, found)


def deform(
    neutral: np.ndarray, targets: Mapping[str, np.ndarray], weights: Mapping[str, float]
) -> np.ndarray:
    """Adds weighted displacements to a shape.

    Args:
      neutral: [V, 3].
      targets: {name: displacement [V, 3]}.
      weights: {name: weight}; others are 0.

    Returns:
      [V, 3].
    """
    vertices = neutral.copy()
    for name, weight in weights.items():
        if weight:
            vertices += weight * targets[name]
    return vertices


def _paint(subject: SubjectPlan, options: Options, loaded: _Loaded) -> np.ndarray:
    """Reflectance of the pieces: the texture, or else plain skin."""
    mesh, pieces = loaded.mesh, loaded.cover
    texture = mesh.texture if options.texture is None else read_image(options.texture)
    if mesh.uv is not None and mesh.face_uv is not None and texture is not None:
        corners = place_corners(pieces.corners, mesh.uv[mesh.face_uv[pieces.triangles]])
        return paint_from_texture(corners, texture)
    if options.texture is not None:
        expected = "texture coordinates for the texture"
        raise FormatError(options.head, expected, "none; leave the option texture out")
    middles = place_corners(pieces.corners, mesh.vertices[mesh.faces[pieces.triangles]]).mean(1)
    return paint_plainly(subject.draw_from("skin"), middles)
