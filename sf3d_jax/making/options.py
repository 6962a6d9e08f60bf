"""What a data set is made of: the options of `sf3d make` that change its files."""

import dataclasses
import numbers
from pathlib import PurePath

import numpy as np

from sf3d_jax._checks import list_choices, name_type
from sf3d_jax.making.colors import FORMS, parse_color

PROCEDURAL = "procedural"
ROOM = "room"
MESHES = (".obj", ".ply", ".glb")
MODELS = (".npz",)
LIGHTS = ("moving", "flicker", "baked")
SENSORS = ("camera", "webcam", "ideal")
MASKS = ("sure", "subject")
LEAST_SIZE = 16  # pixels


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """Who moves how, before which cameras, in what light; a data set is a pure function of these.

    Attributes:
      subjects: number of people. More people keep all earlier ones and their splits.
      test: how many of them are test subjects: the first ones.
      frames: number of frames of each subject, at least 2.
      size: (height, width) in pixels.
      fps: frames per second of the motion.
      seed: seed of everything that is random; 0 is a seed as any other.
      gaussians: number of Gaussians that cover a head, about. A mesh with more triangles gets one
        for each triangle.
      head: "procedural"; a mesh (.obj, .ply, .glb), whose morph targets move; or a face model
        (.npz). All subjects, of train and test, have the shape of a mesh; a face model gives each
        a random one. x points to the subject's left, y up and z forward. Lengths are metres;
        vertices that extend over more than 4 are taken to be in centimetres, over 400 in
        millimetres.
      motion: .npz file with the motion of all subjects, of train and test, a row for each frame, or
        None to draw one for each subject. With F rows, at least as many as frames, its arrays are

        - for the procedural head, and a mesh with morph targets: `NAME` [F], weights by the name of
          the expression (ARKit's 52, from 0 to 1) or of the target; and `rotation` [F, 3], yaw,
          pitch and roll of the head in radians. Positive yaw turns the face to the subject's left,
          positive pitch turns it up, and positive roll lifts its left side.
        - for any mesh, instead of these: `vertices` [F, V, 3] in the unit and order of its file;
          its `faces` [T, 3] may be there too.
        - for a face model, FLAME's: `expr` [F, E'], the first expression coefficients; `rotation`,
          `neck_pose`, `jaw_pose` [F, 3] and `eyes_pose` [F, 6], axis times angle in radians in the
          axes of the model; `translation` [F, 3] in its unit; and, for all frames, `shape` [S'],
          which all subjects then have, and `static_offset` [V, 3], added to it. A model without
          FLAME's five joints has `rotation` alone of the four.

        Missing arrays are 0; others are refused, as are angles above 2 pi.
      texture: image for a mesh with texture coordinates, or None for the texture in its file.
      background: a colour, or "room" for a textured room with parallax; it is in the image alone.
      light: "moving", lights that stay where they are, so that brightness changes as the head
        turns and highlights pass over it; "flicker", the same, while the brightest of them changes
        its brightness smoothly in time; or "baked", brightness of the rest pose at all times,
        without highlights.
      sensor: "camera", exposure, white balance and noise as of a good camera; "webcam", with more
        noise; or "ideal", images that hold the codes of the light itself. It changes images alone.
        Brightness that is constant to the code needs light "baked" and sensor "ideal".
      mask: "sure", pixels whose annotations belong to one surface point in all directions; or
        "subject", all pixels that see the subject and have a motion to both neighbours in time.
      scale: scaled inverse depth over inverse depth, in the files.
    """

    subjects: int = 10
    test: int = 2
    frames: int = 128
    size: tuple[int, int] = (512, 512)
    fps: float = 25.0
    seed: int = 0
    gaussians: int = 100_000
    head: str = PROCEDURAL
    motion: str | None = None
    texture: str | None = None
    background: str = "white"
    light: str = "moving"
    sensor: str = "camera"
    mask: str = "sure"
    scale: float = 1.0

    def __post_init__(self) -> None:
        """Checks the options.

        Raises:
          TypeError: an option has another type.
          ValueError: an option has an impossible value; the text names it.
        """
        for name, least in (("subjects", 1), ("test", 0), ("frames", 2), ("seed", 0)):
            self._set(name, _check_integer(name, getattr(self, name), least))
        self._set("gaussians", _check_integer("gaussians", self.gaussians, 1))
        if self.test > self.subjects:
            raise ValueError(
                f"test: expected at most {self.subjects}, the number of subjects, got {self.test}"
            )
        self._set("size", _check_size(self.size))
        for name in ("fps", "scale"):
            self._set(name, _check_positive(name, getattr(self, name)))
        for name in ("head", "motion", "texture"):
            self._set(name, _check_path(name, getattr(self, name)))
        _check_head(self.head)
        _check_suffix("motion", self.motion, (".npz",))
        if self.texture is not None and not self.head.lower().endswith(MESHES):
            raise ValueError(
                f"texture: expected a head in {', '.join(MESHES)} to paint, got head {self.head!r}"
            )
        _check_background(self.background)
        for name, choices in (("light", LIGHTS), ("sensor", SENSORS), ("mask", MASKS)):
            _check_choice(name, getattr(self, name), choices)

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


def _check_integer(name: str, value: object, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise TypeError(f"{name}: expected an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name}: expected {least} or more, got {value}")
    return int(value)


def _check_size(size: object) -> tuple[int, int]:
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise TypeError(f"size: expected (height, width), got {size!r}")
    height, width = (_check_integer("size", x, LEAST_SIZE) for x in size)
    return height, width


def _check_positive(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name}: expected a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:  # an integer of more than 308 digits
        raise ValueError(f"{name}: expected a positive number, got one beyond float64") from None
    if not 0 < number < np.inf:
        raise ValueError(f"{name}: expected a positive number, got {number:g}")
    return number


def _check_path(name: str, value: object) -> str | None:
    if value is None and name != "head":
        return None
    if not isinstance(value, str | PurePath):
        raise TypeError(f"{name}: expected a path, got {value!r}")
    return str(value)


def _check_head(head: str) -> None:
    if head != PROCEDURAL and not head.lower().endswith((*MESHES, *MODELS)):
        listed = ", ".join(MESHES)
        raise ValueError(
            f"head: expected {PROCEDURAL!r}, a mesh ({listed}) or a face model (.npz), got {head!r}"
        )


def _check_suffix(name: str, path: str | None, endings: tuple[str, ...]) -> None:
    if path is not None and not path.lower().endswith(endings):
        raise ValueError(f"{name}: expected a file {' or '.join(endings)}, got {path!r}")


def _check_background(background: object) -> None:
    if not isinstance(background, str):
        raise TypeError(f"background: expected a string, got {background!r}")
    if background == ROOM:
        return
    try:
        parse_color(background)
    except ValueError:
        raise ValueError(f"background: expected {ROOM!r}, {FORMS}, got {background!r}") from None


def _check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    listed = list_choices(choices)
    if not isinstance(value, str):
        raise TypeError(f"{name}: expected {listed}, got {name_type(value)}")
    if value not in choices:
        raise ValueError(f"{name}: expected {listed}, got {value!r}")
