"""The names under which JSON files keep the parts of a camera, and the shapes that they have.

Names are compared without case, underscores, hyphens, spaces, and a plural s.
"""

from typing import NamedTuple

Shapes = tuple[tuple[int, ...], ...]


class Name(NamedTuple):
    """What a name stands for.

    Attributes:
      role: the part of a camera.
      shapes: of one camera; with one more axis before them they are a column of several.
      rank: of poses, lower ones are trusted more.
    """

    role: str
    shapes: Shapes
    rank: int = 0


def simple(key: str) -> str:
    """A key without case, underscores, hyphens, spaces, and a plural s.

    Args:
      key: as it stands in a file.

    Returns:
      Such as worldtocamera for World-to-Camera.
    """
    for mark in "_- ":
        key = key.replace(mark, "")
    key = key.lower().replace("matrices", "matrix")
    return key[:-1] if len(key) > 1 and key.endswith("s") else key


_NUMBER: Shapes = ((),)
_PAIR: Shapes = ((2,),)
_VECTOR: Shapes = ((3,), (3, 1))
_POSE: Shapes = ((4, 4), (3, 4), (16,), (12,))
_LENS: Shapes = tuple((n, 1) for n in (4, 5, 8, 12, 14)) + tuple((n,) for n in range(1, 15))

NAMES: dict[str, Name] = {}


def _add(role: str, shapes: Shapes, names: str, rank: int = 0, endings: str = "") -> None:
    for name in names.split():
        for ending in ("", *endings.split()):
            NAMES[simple(name + ending)] = Name(role, shapes, rank)


_add(
    "matrix",
    ((3, 3), (4, 4), (9,), (4,)),
    "k kmat kmatrix intrinsic intrinsicmatrix intr camintrinsic cameraintrinsic cameramatrix "
    "intrinsicsmatrix cameraintrinsicmatrix camintrinsicmatrix",
)

# Poses: names that say the direction, then those that imply it, then those that say nothing.
_SUFFIXES = "matrix mat transform"
_add("w2c", _POSE, "w2c world2cam world2camera worldtocam worldtocamera", 0, _SUFFIXES)
_add("c2w", _POSE, "c2w cam2world camera2world camtoworld cameratoworld", 0, _SUFFIXES)
_add("opengl", _POSE, "transformmatrix", 0)
_add("transposed", _POSE, "worldviewtransform", 0)
_add(
    "w2c",
    _POSE,
    "extrinsic extr camextrinsic cameraextrinsic rt extrinsicsmatrix extrinsicmatrix",
    1,
)
_add("c2w", _POSE, "pose campose camerapose posematrix", 1)
_add("w2c", _POSE, "matrix transform transformation", 3)

_add("rotation", ((3, 3), (9,)), "r rot rotation rotationmatrix rmat rotmat")
_add("rotationvector", _VECTOR, "rvec rotvec rotationvector rodrigues axisangle")
_add("wxyz", ((4,),), "qvec quaternionwxyz quatwxyz qwxyz rotationwxyz wxyz")
_add("xyzw", ((4,),), "quaternionxyzw quatxyzw qxyzw rotationxyzw xyzw")
_add("translation", (*_VECTOR, *_POSE), "t tvec tran translation translationvector tvector")
_add("position", _VECTOR, "position")

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

_add("distortion", _LENS, "distortion dist distcoeff distcoef distortioncoefficient d")
for _number in ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"):
    _add(_number, _NUMBER, _number)

_add("height", _NUMBER, "h height imageheight imgheight imgh imh")
_add("width", _NUMBER, "w width imagewidth imgwidth imgw imw")
_add("size", _PAIR, "size imagesize imgsize resolution imageresolution hw wh shape imageshape")

# Text.
MODELS = {simple(x) for x in ("model", "camera_model", "lens_model", "camera_type")}

# What may name the frame of an object in a list, the best first. The last may mean anything else
# as well, so that they count only where they differ.
FRAME_NAMES = (
    "frame frameid frameindex frameidx framenumber timestepindex timestep timestepid filepath "
    "imagepath imagename imgname filename file image"
).split()
OTHER_NAMES = [simple(x) for x in ("name", "id", "index", "idx")]
