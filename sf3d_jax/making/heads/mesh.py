"""A user's mesh as a head to draw: its morph targets, or a sequence of its vertices, move it."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.data.maps.images import read_image
from sf3d_jax.data.meshes import Mesh, read_mesh
from sf3d_jax.head.covering import Cover, cover
from sf3d_jax.head.skin.pieces import place_corners
from sf3d_jax.head.skin.textures import paint_from_texture
from sf3d_jax.making.curves import Curves, complete_side
from sf3d_jax.making.heads.head import Head, turn
from sf3d_jax.making.heads.motions import read_motion
from sf3d_jax.making.heads.surface import face_outwards, find_parts, find_unit
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan

# Targets that part lips and lids, so that the rest shape tells them apart.
OPENING = ("jawOpen", "eyeWideLeft", "eyeWideRight")

# An image shows the box about a mesh and a margin, or so many times the face if that is less. The
# face is what moves by more than a share of the largest displacement of the targets.
MARGIN, FACES, MOVING = 1.15, 2.2, 0.1

# Reflectance of skin, and angular frequencies of its blotches per metre.
LIGHT_SKIN, DARK_SKIN = np.array([0.62, 0.42, 0.33]), np.array([0.16, 0.08, 0.05])
BLOTCHES = (50.0, 400.0)

# The head turns about a point this far up its box.
PIVOT = 0.2


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """A mesh in metres, with what all subjects share.

    Attributes:
      mesh: the mesh, with faces that are counterclockwise from outside.
      groups: [T], surfaces.
      cover: its pieces.
      unit: metres per unit of its file.
    """

    mesh: Mesh
    groups: np.ndarray
    cover: Cover
    unit: float


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
    target, extent = _frame(neutral, targets)
    return Head(
        faces=loaded.mesh.faces,
        groups=loaded.groups,
        rest=opened,
        neutral=neutral,
        cover=loaded.cover,
        target=target,
        extent=extent,
        find_vertices=_find_motion(subject, options, loaded),
        paint=functools.partial(_paint, subject, options, loaded),
    )


@functools.lru_cache(maxsize=1)
def _load(path: str, gaussians: int) -> _Loaded:
    mesh = read_mesh(path)
    unit = find_unit(mesh.vertices)
    parts = find_parts(mesh.faces, len(mesh.vertices))
    faces = face_outwards(mesh.vertices, mesh.faces, parts)
    groups = parts
    if mesh.groups is not None:
        pairs = np.stack([parts, mesh.groups], 1)
        groups = np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int32)
    targets = {name: unit * x for name, x in mesh.targets.items()}
    scaled = mesh._replace(vertices=unit * mesh.vertices, faces=faces, targets=targets)
    return _Loaded(scaled, groups, cover(scaled.vertices, faces, gaussians), unit)


def _frame(neutral: np.ndarray, targets: dict[str, np.ndarray]) -> tuple[np.ndarray, float]:
    """What the cameras look at, and the length that an image shows."""
    middle, longest = _find_box(neutral)
    if not targets:
        return middle, MARGIN * longest
    moved = np.max([np.linalg.norm(x, axis=-1) for x in targets.values()], axis=0)
    if not moved.max() > 0:
        return middle, MARGIN * longest
    face, width = _find_box(neutral[moved > MOVING * moved.max()])
    if FACES * width >= MARGIN * longest:
        return middle, MARGIN * longest
    return np.array([face[0], face[1], middle[2]]), FACES * width


def _find_box(points: np.ndarray) -> tuple[np.ndarray, float]:
    """The middle of the box about points, and the longer of its width and height."""
    low, high = points.min(0), points.max(0)
    return (low + high) / 2, float((high - low)[:2].max())


def _find_motion(
    subject: SubjectPlan, options: Options, loaded: _Loaded
) -> Callable[[int], np.ndarray]:
    """A function from the number of a frame to its vertices."""
    neutral, targets = loaded.mesh.vertices, loaded.mesh.targets
    low, high = neutral.min(0), neutral.max(0)
    pivot = np.array(
        [(low[0] + high[0]) / 2, low[1] + PIVOT * (high[1] - low[1]), (low[2] + high[2]) / 2]
    )
    if options.motion is not None:
        rows = {"vertices": (len(neutral), 3), "rotation": (3,), **dict.fromkeys(targets, ())}
        arrays = read_motion(options.motion, options.frames, rows)
        if "vertices" in arrays:
            if others := [name for name in arrays if name != "vertices"]:
                raise FormatError(options.motion, "'vertices' alone", f"{others[0]!r} beside it")
            return lambda frame: loaded.unit * arrays["vertices"][frame]
        rotation = arrays.pop("rotation", np.zeros((options.frames, 3)))
        return lambda frame: turn(
            deform(neutral, targets, {name: x[frame] for name, x in arrays.items()}),
            pivot,
            rotation[frame],
        )
    curves = Curves(
        functools.partial(subject.draw_from, "motion"), targets, options.frames / options.fps
    )

    def find_vertices(frame: int) -> np.ndarray:
        time = frame / options.fps
        return turn(deform(neutral, targets, curves.expression(time)), pivot, curves.rotation(time))

    return find_vertices


def deform(
    neutral: np.ndarray, targets: dict[str, np.ndarray], weights: dict[str, float]
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


def paint_plainly(generator: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """Reflectance of skin without features, from light to dark, with soft blotches.

    Args:
      generator: source of chance.
      points: [N, 3], metres.

    Returns:
      [N, 3], float32, linear.
    """
    tone = LIGHT_SKIN + generator.random() * (DARK_SKIN - LIGHT_SKIN)
    waves = draw_waves(generator, points, BLOTCHES)
    return (tone * (1 + 0.5 * waves[:, None])).astype(np.float32)
