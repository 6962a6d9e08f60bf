"""Face models of blend shapes and joints, such as FLAME (Li et al., SIGGRAPH Asia 2017), in .npz.

The arrays have the names that SMPL and FLAME give them in their pickles, of V vertices, S shapes, J
joints and T triangles:

    v_template                 [V, 3]                the neutral face
    shapedirs                  [V, 3, S]             displacement per unit of each shape
    posedirs                   [V, 3, 9 (J - 1)] or [9 (J - 1), 3 V]; optional: displacement per
                                                     unit of the rotations minus the identity
    J_regressor                [J, V], or the arrays J_regressor_data, J_regressor_indices and
                                                     J_regressor_indptr of a sparse matrix (CSR)
    weights, lbs_weights       [V, J]                influence of the joints on each vertex
    kintree_table, parents     [2, J], of which the first row counts, or [J]: parent of each joint
    f, faces                   [T, 3]                vertices of each triangle

The files of FLAME itself are pickles, which may run any code when they are loaded.
"""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.maps.archives import list_names, open_archive
from sf3d_jax.data.meshes.archives import check_shape, read_numbers, to_indices

NAMES = {
    "v_template": ("v_template",),
    "shapedirs": ("shapedirs",),
    "posedirs": ("posedirs",),
    "J_regressor": ("J_regressor",),
    "weights": ("weights", "lbs_weights"),
    "parents": ("kintree_table", "parents"),
    "faces": ("f", "faces"),
}
SPARSE = "J_regressor_data", "J_regressor_indices", "J_regressor_indptr"
# Joints of the neutral face, which follow from the regressor; the kind of model; texture
# coordinates, which do not move.
IGNORED = {"J", "bs_style", "bs_type", "vt", "ft"}
_ENDING = ".npz"
_PICKLES = ".pkl", ".pickle"
_ROTATION = 9  # numbers of a rotation matrix
_NO_PARENT = 2**32 - 1  # -1 as FLAME stores it, in unsigned 32 bits
_SUM = 1e-3  # largest difference from 1 of the weights of a vertex

_CONVERSION = """a pickle, which may run any code; if you trust it, convert it in an environment \
with chumpy and SciPy:
import numpy
model = numpy.load("{path}", allow_pickle=True, encoding="latin1").items()
numpy.savez("{stem}.npz", **{{k: numpy.array(getattr(v, "todense", lambda: v)(), float) for k, v \
in model if k in "v_template shapedirs posedirs J_regressor weights kintree_table f".split()}})"""


class FaceArrays(NamedTuple):
    """Arrays of a face model with V vertices, S shapes, J joints and T triangles, in float64.

    Attributes:
      template: [V, 3], the neutral face, in the axes and the unit of the file; FLAME's are metres,
        with y up and the face towards +z.
      shapes: [V, 3, S], displacement per unit of each shape. FLAME's are identities, then
        expressions.
      pose_shapes: [V, 3, 9 (J - 1)], displacement per unit of R - 1 of all joints but the first,
        row by row; None if the file has none.
      regressor: [J, V], gives the joints of a face at rest from its vertices.
      weights: [V, J], influence of the joints on each vertex, which adds up to 1.
      parents: int32 [J], parent of each joint, which comes before it; -1 for the first.
      faces: int32 [T, 3], vertices of each triangle.
    """

    template: np.ndarray
    shapes: np.ndarray
    pose_shapes: np.ndarray | None
    regressor: np.ndarray
    weights: np.ndarray
    parents: np.ndarray
    faces: np.ndarray


def read_face_model(path: PathLike) -> FaceArrays:
    """Reads the arrays of a face model with blend shapes and joints from an .npz.

    The names are those of FLAME and SMPL: v_template, shapedirs, posedirs (optional), J_regressor
    (dense, or J_regressor_data, J_regressor_indices and J_regressor_indptr), weights or
    lbs_weights, kintree_table or parents, and f or faces. J, bs_style, bs_type, vt and ft are
    ignored. Nothing in the file is executed.

    Args:
      path: file to read.

    Returns:
      The arrays, which fit each other.

    Raises:
      FormatError: the file is a pickle, for which the message has the lines that convert it; it is
        not a complete .npz, or an array is missing, unknown, twice, or of another shape; or joints
        do not form a tree.
    """
    ending = Path(path).suffix.lower()
    if ending != _ENDING:
        lines = _CONVERSION.format(path=path, stem=Path(path).with_suffix(""))
        found = lines if ending in _PICKLES else f"the ending {ending!r}"
        raise FormatError(path, "a face model in an .npz", found)
    with open_archive(path) as archive:
        there = _find_names(path, list_names(archive))
        template = read_numbers(path, archive, there["v_template"], axes=2)
        check_shape(path, "v_template", template, (len(template), 3))
        weights = read_numbers(path, archive, there["weights"], axes=2)
        vertices, joints = len(template), weights.shape[1]
        check_shape(path, there["weights"], weights, (vertices, joints))
        _check_sums(path, there["weights"], weights)
        shapes = read_numbers(path, archive, there["shapedirs"], axes=3)
        check_shape(path, "shapedirs", shapes, (vertices, 3, shapes.shape[2]))
        faces = read_numbers(path, archive, there["faces"], axes=2)
        check_shape(path, there["faces"], faces, (len(faces), 3))
        return FaceArrays(
            template,
            shapes,
            _read_pose_shapes(path, archive, there, vertices, joints),
            _read_regressor(path, archive, there, (joints, vertices)),
            weights,
            _read_parents(path, archive, there["parents"], joints),
            to_indices(path, there["faces"], faces, vertices),
        )


def _find_names(path: PathLike, listed: list[str]) -> dict[str, str]:
    """Finds the name of each array in the file."""
    there: dict[str, str] = {}
    for key, names in NAMES.items():
        found = [name for name in names if name in listed]
        if len(found) > 1:
            raise FormatError(path, f"one array of {' and '.join(found)}", "both")
        if found:
            there[key] = found[0]
    sparse = [name for name in SPARSE if name in listed]
    if sparse and ("J_regressor" in there or len(sparse) < len(SPARSE)):
        raise FormatError(path, f"J_regressor, or {', '.join(SPARSE)}", f"{', '.join(sparse)}")
    needed = NAMES.keys() - {"posedirs"} - ({"J_regressor"} if sparse else set())
    if lacking := [" or ".join(NAMES[key]) for key in NAMES if key in needed - there.keys()]:
        listing = ", ".join(listed)[:200] or "none"
        raise FormatError(path, "the arrays of a face model", f"no {lacking[0]}, but {listing}")
    if unknown := [x for x in listed if x not in {*there.values(), *sparse} | IGNORED]:
        words = f"{unknown[0][:80]}, whose effect is unknown; leave it out"
        raise FormatError(path, "the arrays of a face model alone", words)
    return there


def _check_sums(path: PathLike, name: str, weights: np.ndarray) -> None:
    sums = weights.sum(axis=1)
    if np.abs(sums - 1).max() > _SUM:
        worst = int(np.argmax(np.abs(sums - 1)))
        expected = f"weights of each vertex that add up to 1 in {name}"
        raise FormatError(path, expected, f"{sums[worst]:g} for vertex {worst}")


def _read_pose_shapes(
    path: PathLike, archive: zipfile.ZipFile, there: dict[str, str], vertices: int, joints: int
) -> np.ndarray | None:
    if "posedirs" not in there:
        return None
    count = _ROTATION * (joints - 1)
    values = read_numbers(path, archive, "posedirs")
    if values.shape == (count, 3 * vertices):  # as the layers of PyTorch store it
        values = np.ascontiguousarray(values.reshape(count, vertices, 3).transpose(1, 2, 0))
    check_shape(path, "posedirs", values, (vertices, 3, count))
    return values


def _read_regressor(
    path: PathLike, archive: zipfile.ZipFile, there: dict[str, str], shape: tuple[int, int]
) -> np.ndarray:
    if "J_regressor" in there:
        dense = read_numbers(path, archive, "J_regressor", axes=2)
        check_shape(path, "J_regressor", dense, shape)
        return dense
    values, columns, ends = (read_numbers(path, archive, name, axes=1) for name in SPARSE)
    check_shape(path, SPARSE[1], columns, values.shape)
    check_shape(path, SPARSE[2], ends, (shape[0] + 1,))
    counts = np.diff(to_indices(path, SPARSE[2], ends, len(values) + 1))
    if ends[0] != 0 or ends[-1] != len(values) or counts.min() < 0:
        expected = f"numbers that rise from 0 to {len(values)} in {SPARSE[2]}"
        raise FormatError(path, expected, f"{ends[:8].tolist()}")
    dense = np.zeros(shape)
    places = np.repeat(np.arange(shape[0]), counts), to_indices(path, SPARSE[1], columns, shape[1])
    np.add.at(dense, places, values)
    return dense


def _read_parents(path: PathLike, archive: zipfile.ZipFile, name: str, joints: int) -> np.ndarray:
    table = read_numbers(path, archive, name, largest=_NO_PARENT)
    parents = table[0] if name == "kintree_table" and table.ndim == 2 else table
    check_shape(path, name, parents, (joints,))
    first, rest = parents[0], parents[1:]
    if first not in (-1, _NO_PARENT) or not ((rest >= 0) & (rest < np.arange(1, joints))).all():
        expected = f"parents that come before their joints in {name}, and -1 for the first"
        raise FormatError(path, expected, f"{parents[:8].tolist()}")
    return np.concatenate([[-1], to_indices(path, name, rest, joints)]).astype(np.int32)
