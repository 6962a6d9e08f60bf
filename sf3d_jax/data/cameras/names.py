"""The names of a camera's parts in JSON files, and the shapes of their values.

Names are compared ignoring case, underscores, hyphens, spaces and a plural s.
"""

import functools
import re
from typing import NamedTuple

Shapes = tuple[tuple[int, ...], ...]


class Name(NamedTuple):
    """The meaning of a name.

    Attributes:
      role: part of a camera.
      shapes: shapes of one value; a column of values has one more leading axis.
      rank: priority of a pose; lower ranks are more explicit.
      with_position: direction of a rotation that stands beside the camera's position.
      axes: axes of the camera unless the file states others, "opencv" or "opengl".
    """

    role: str
    shapes: Shapes
    rank: int = 0
    with_position: str = "w2c"
    axes: str = "opencv"


# A file repeats the same few keys thousands of times.
@functools.lru_cache(4096)
def simplify(key: str) -> str:
    """Strips a key of case, underscores, hyphens, spaces and a plural s.

    Args:
      key: key as spelled in the file, such as World-to-Camera.

    Returns:
      The simplified key, such as worldtocamera.
    """
    for mark in "_- ":
        key = key.replace(mark, "")
    key = key.lower().replace("matrices", "matrix")
    return key[:-1] if len(key) > 1 and key.endswith("s") else key


_NUMBER: Shapes = ((),)
_PAIR: Shapes = ((2,),)
_VECTOR: Shapes = ((3,), (3, 1))
POSE_SHAPES: Shapes = ((4, 4), (3, 4), (16,), (12,))
_LENS: Shapes = tuple((n, 1) for n in (4, 5, 8, 12, 14)) + tuple((n,) for n in range(1, 15))

NAMES: dict[str, Name] = {}


def _add(
    role: str,
    shapes: Shapes,
    names: str,
    rank: int = 0,
    endings: str = "",
    with_position: str = "w2c",
) -> None:
    for name in names.split():
        for ending in ("", *endings.split()):
            NAMES[simplify(name + ending)] = Name(role, shapes, rank, with_position)


_add(
    "matrix",
    ((3, 3), (4, 4), (9,), (4,), (2, 3)),
    "k kmat kmatrix camk intrinsic intrinsicmatrix intr camintrinsic cameraintrinsic cameramatrix "
    "intrinsicsmatrix cameraintrinsicmatrix camintrinsicmatrix",
)

# Poses by rank: names that state the direction, names that imply it, [R | t], and names that say
# nothing and take the name of the enclosing key.
POSES = ("w2c", "c2w", "opengl", "transposed")
ROTATION_AND_TRANSLATION = Name("w2c", (), 2)
SAYS_NOTHING = 3
_SUFFIXES = "matrix mat transform"
_DIRECTIONS = {
    "w2c": "w2c world2cam world2camera worldtocamera worldtocam",
    "c2w": "c2w cam2world camera2world cameratoworld camtoworld",
}
for _role, _words in _DIRECTIONS.items():
    _add(_role, POSE_SHAPES, _words, 0, _SUFFIXES)
NAMES["transformmatrix"] = Name("opengl", POSE_SHAPES, axes="opengl")
_add("transposed", POSE_SHAPES, "worldviewtransform", 0)
_add(
    "w2c",
    POSE_SHAPES,
    "extrinsic extr camextrinsic cameraextrinsic rt extrinsicsmatrix extrinsicmatrix "
    "viewmat viewmatrix tcw",
    1,
)
_add("c2w", POSE_SHAPES, "pose campose camerapose posematrix twc", 1)
_add("w2c", POSE_SHAPES, "matrix transform transformation", SAYS_NOTHING)

ROTATIONS = ("rotation", "rotationvector", "wxyz", "xyzw")
_add("rotation", ((3, 3), (9,)), "r rot rotationmatrix rmat rotmat")
_add("rotation", ((3, 3), (9,)), "rotation", with_position="c2w")
_add("rotationvector", _VECTOR, "rvec rotvec rotationvector rodrigues axisangle")
_add("wxyz", ((4,),), "qvec")
_add("wxyz", ((4,),), "quaternionwxyz quatwxyz qwxyz rotationwxyz wxyz", with_position="c2w")
_add("xyzw", ((4,),), "quaternionxyzw quatxyzw qxyzw rotationxyzw xyzw", with_position="c2w")
_add("translation", (*_VECTOR, *POSE_SHAPES), "t tvec tran translation translationvector tvector")
_add(
    "position",
    _VECTOR,
    "position campos cameraposition camcenter cameracenter camcentre cameracentre",
)

_add("flx", _NUMBER, "flx")
_add("fly", _NUMBER, "fly")
_add("fx", _NUMBER, "fx focalx focallengthx")
_add("fy", _NUMBER, "fy focaly focallengthy")
_add("focal", (*_PAIR, *_NUMBER), "f focal focallength")
_add("cx", _NUMBER, "cx ppx principalpointx")
_add("cy", _NUMBER, "cy ppy principalpointy")
_add("principalpoint", _PAIR, "principalpoint pp")
_add("fovx", _NUMBER, "fov fovx xfov hfov fieldofview cameraanglex")
_add("fovy", _NUMBER, "fovy yfov vfov cameraangley")
INTRINSICS = ("matrix", "flx", "fx", "focal", "fovx", "fovy")

_add("distortion", _LENS, "distortion dist distcoeff distcoef distortioncoefficient d")
# nerfstudio's order: k1 k2 k3 k4 p1 p2.
_add("distortionparams", ((6,), (6, 1)), "distortion_params")
for _number in ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"):
    _add(_number, _NUMBER, _number)

_add("height", _NUMBER, "h height imageheight imgheight imgh imh")
_add("width", _NUMBER, "w width imagewidth imgwidth imgw imw")
_add("size", _PAIR, "size imagesize imgsize resolution imageresolution shape imageshape")
_add("hw", _PAIR, "hw")
_add("wh", _PAIR, "wh")

# Names suggested in the error if a part is missing.
EXAMPLES = {
    "a pose": "w2c, extrinsics, viewmat, c2w, pose, transform_matrix, or R and t",
    "intrinsics": "K, intrinsics, fx, fl_x, focal, or fov",
    "height and width": "h and w, height and width, hw, wh",
}

# Keys of texts. Those in TYPES may mean anything, and count only if the text states a direction.
MODELS = {simplify(x) for x in ("model", "camera_model", "lens_model", "camera_type")}
CONVENTIONS = {
    simplify(x)
    for x in (
        "convention camera_convention pose_convention coordinate_convention coordinate_system "
        "camera_coordinate_system coord_sys axes camera_axes axes_convention"
    ).split()
}
TYPES = {simplify(x + "type") for x in ("", "pose", "extrinsic", "extrinsics", "matrix")} | {
    "direction"
}

# Keys that name the frame of an object in a list, the most specific first. OTHER_NAMES may mean
# something else, so they count only if all their values differ.
FRAME_NAMES = (
    "frame frameid frameindex frameidx framenumber timestepindex timestep timestepid filepath "
    "imagepath imagename imgname filename file image"
).split()
OTHER_NAMES = [simplify(x) for x in ("name", "id", "index", "idx")]

_AXES = {"opencv": r"opencv|colmap|^cv$|^rdf$", "opengl": r"opengl|blender|nerf|^gl$|^rub$"}
_WORDS = {role: words.replace(" ", "|") for role, words in _DIRECTIONS.items()}
_AFFIX = re.compile(
    "(?P<direction>{0})(?P<after>.*)|(?P<before>.*?)(?P<last>{0})".format(
        "|".join(sorted("|".join(_WORDS.values()).split("|"), key=len, reverse=True))
    )
)


@functools.lru_cache(4096)
def find_name(key: str) -> tuple[str, str | None] | None:
    """Finds the part of a camera that a key names.

    A direction before or after the name of a pose, a rotation or a translation is recognised, as
    in poses_c2w, cam_c2w and cam_R_w2c.

    Args:
      key: key as spelled in the file.

    Returns:
      One of NAMES, and the direction of a rotation or translation if the key states it; None for
      any other key.
    """
    name = simplify(key)
    if name in NAMES:
        return name, None
    if (found := _AFFIX.fullmatch(name)) is None:
        return None
    word = found["direction"] or found["last"]
    direction = next(role for role, words in _DIRECTIONS.items() if word in words.split())
    rest = simplify(found["after"] or found["before"] or "")
    if rest in ("", "cam", "camera") or (rest in NAMES and NAMES[rest].role in POSES):
        return direction, None
    rest = rest.removeprefix("camera").removeprefix("cam")
    if rest in NAMES and NAMES[rest].role in (*ROTATIONS, "translation"):
        return rest, direction
    return None


def read_convention(text: str) -> tuple[str | None, str | None]:
    """Reads the pose conventions stated in a text.

    Args:
      text: text such as "OpenGL", or "opencv, camera to world".

    Returns:
      "opencv" or "opengl", and "w2c" or "c2w"; None if the text states neither, or both.
    """
    words = simplify(text)
    both = []
    for choices in (_AXES, _WORDS):
        found = [choice for choice, pattern in choices.items() if re.search(pattern, words)]
        both.append(found[0] if len(found) == 1 else None)
    return both[0], both[1]
