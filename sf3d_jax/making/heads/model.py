"""A user's face model as a head to draw: shapes, expressions and joints in the manner of FLAME.

A model with five joints has FLAME's: the root, the neck, the jaw, the left and the right eye. The
head then turns at the neck, the jaw opens, and both eyes look the same way. Any other model turns
at its root. Of S shapes the first three quarters are identities, as 300 of FLAME's 400 are, and the
rest are expressions.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.data.meshes.face_models import read_face_model
from sf3d_jax.head.covering import Cover, cover
from sf3d_jax.head.face_model import FaceModel
from sf3d_jax.head.skin.pieces import place_corners
from sf3d_jax.making.heads.head import Head
from sf3d_jax.making.heads.motions import read_motion
from sf3d_jax.making.heads.surface import (
    find_box,
    find_parts,
    find_unit,
    is_inside_out,
    paint_plainly,
    reverse,
)
from sf3d_jax.making.motion.curves import Curves
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan, clip_seconds

ROOT, NECK, JAW, LEFT_EYE, RIGHT_EYE = range(5)
JOINTS = 5

# Coefficients are in units of their deviation among people, and the first shapes matter the most.
SHAPES, SHAPE_SIZE, LARGEST_SHAPE = 50, 0.7, 1.5
EXPRESSIONS, EXPRESSION_SIZE = 20, 0.8

# Radians. The jaw of the rest shape parts the lips.
JAW_RANGE, JAW_AT_REST = 0.35, 0.25

MARGIN = 1.15


@dataclasses.dataclass(frozen=True)
class _Loaded:
    """A face model, with what all subjects share.

    Attributes:
      model: the model, float32, in its unit.
      faces: [T, 3], counterclockwise from outside.
      groups: [T], surfaces.
      cover: pieces of the template.
      unit: metres per unit.
    """

    model: FaceModel
    faces: np.ndarray
    groups: np.ndarray
    cover: Cover
    unit: float


def open_model(subject: SubjectPlan, options: Options) -> Head:
    """Opens a face model for a subject, whose shape is drawn at random.

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
    motion = {} if options.motion is None else _read(options, loaded.model)
    shape = motion.get("shape", _draw_shape(subject, loaded.model.identities))
    offset = motion.get("static_offset", np.zeros(3)).astype(np.float32)
    person = dataclasses.replace(loaded.model, template=loaded.model.template + offset)

    def move(**coefficients: np.ndarray) -> np.ndarray:
        given = {"shape": shape, **coefficients}
        single = {name: x.astype(np.float32) for name, x in given.items()}
        vertices = person.vertices(**single)
        return loaded.unit * np.asarray(vertices, np.float64)

    neutral, opened = move(), np.zeros((len(person.parents), 3))
    if len(opened) == JOINTS:
        opened[JAW, 0] = JAW_AT_REST
    find = _draw(subject, options, person) if options.motion is None else _play(motion, person)
    # A recorded head may be anywhere.
    target, extent = find_box(neutral if options.motion is None else move(**find(0)))
    corners = loaded.model.template[loaded.faces[loaded.cover.triangles]]
    middles = loaded.unit * place_corners(loaded.cover.corners, corners).mean(1)
    return Head(
        faces=loaded.faces,
        groups=loaded.groups,
        rest=move(pose=opened),
        neutral=neutral,
        cover=loaded.cover,
        target=target,
        extent=MARGIN * extent,
        find_vertices=lambda frame: move(**find(frame)),
        paint=lambda: paint_plainly(subject.draw_from("skin"), middles),
    )


@functools.lru_cache(maxsize=1)
def _load(path: str, gaussians: int) -> _Loaded:
    arrays = read_face_model(path)
    template, faces = arrays.template, arrays.faces
    groups = find_parts(faces, len(template))
    faces = reverse(faces, is_inside_out(template, faces, groups))
    count = arrays.shapes.shape[-1]
    single = lambda x: None if x is None else x.astype(np.float32)
    model = FaceModel(
        template=single(template),
        shapes=single(arrays.shapes),
        pose_shapes=single(arrays.pose_shapes),
        regressor=single(arrays.regressor),
        weights=single(arrays.weights),
        parents=arrays.parents,
        identities=count - count // 4,
    )
    return _Loaded(model, faces, groups, cover(template, faces, gaussians), find_unit(template))


def _draw_shape(subject: SubjectPlan, identities: int) -> np.ndarray:
    numbers = subject.draw_from("identity").normal(size=SHAPES)[:identities]
    return np.clip(SHAPE_SIZE * numbers, -LARGEST_SHAPE, LARGEST_SHAPE)


def _draw(
    subject: SubjectPlan, options: Options, model: FaceModel
) -> Callable[[int], dict[str, np.ndarray]]:
    """A random motion: from the number of a frame to its coefficients."""
    seconds = options.frames / options.fps
    draw = functools.partial(subject.draw_from, "motion")
    curves = Curves(draw, ["jawOpen"], seconds, clip_seconds(options.fps))
    joints = len(model.parents)
    count = min(EXPRESSIONS, model.shapes.shape[-1] - model.identities)

    def find(frame: int) -> dict[str, np.ndarray]:
        time = frame / options.fps
        yaw, pitch, roll = curves.rotation(time)
        pose = np.zeros((joints, 3))
        # A face's axes: it turns to its left about y, up about -x, and over about z.
        pose[NECK if joints == JOINTS else ROOT] = -pitch, yaw, roll
        if joints == JOINTS:
            pose[JAW, 0] = JAW_RANGE * curves.expression(time)["jawOpen"]
            across, up = curves.look(time)
            pose[[LEFT_EYE, RIGHT_EYE]] = -up, across, 0
        expression = [
            curves.wave(f"expression {k}", (0.0, EXPRESSION_SIZE), time) for k in range(count)
        ]
        return {"expression": np.array(expression), "pose": pose}

    return find


def _read(options: Options, model: FaceModel) -> dict[str, np.ndarray]:
    """Reads a recorded motion, and checks that it fits the model."""
    assert options.motion is not None
    joints, path = len(model.parents), options.motion
    rows = {"expr": (None,), "rotation": (3,), "translation": (3,)}
    if joints == JOINTS:
        rows |= {"neck_pose": (3,), "jaw_pose": (3,), "eyes_pose": (6,)}
    fixed = {"shape": (None,), "static_offset": (len(model.template), 3)}
    motion = read_motion(path, options.frames, rows, fixed)
    most = {"shape": model.identities, "expr": model.shapes.shape[-1] - model.identities}
    for name, count in most.items():
        if name in motion and motion[name].shape[-1] > count:
            found = f"{motion[name].shape[-1]}"
            raise FormatError(path, f"{count} coefficients or fewer in {name!r}", found)
    return motion


def _play(
    motion: dict[str, np.ndarray], model: FaceModel
) -> Callable[[int], dict[str, np.ndarray]]:
    """A recorded motion: from the number of a frame to its coefficients."""
    joints = {"rotation": [ROOT], "neck_pose": [NECK], "jaw_pose": [JAW]}
    joints["eyes_pose"] = [LEFT_EYE, RIGHT_EYE]

    def find(frame: int) -> dict[str, np.ndarray]:
        pose = np.zeros((len(model.parents), 3))
        for name, places in joints.items():
            if name in motion:
                pose[places] = motion[name][frame].reshape(-1, 3)
        found = {"pose": pose}
        for name, ours in (("expr", "expression"), ("translation", "translation")):
            if name in motion:
                found[ours] = motion[name][frame]
        return found

    return find
