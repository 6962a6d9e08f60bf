"""The lenses of the frames of a transforms.json: k1 k2 ..., or nerfstudio's distortion_params.

A frame with any coefficient of its own ignores those beside the frames.
"""

from collections.abc import Callable

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.data._files.json import Json, matrix, outline
from sf3d_jax.data.cameras.lens import find_lens_model, name_params, read_coefficients
from sf3d_jax.data.cameras.transforms.columns import File, TreeLevel

_MODELS = ("camera_model", "lens_model", "camera_type")
_FLAG = "is_fisheye"
_COEFFICIENTS = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")
_PARAMS = "distortion_params"
KEYS = (*_MODELS, _FLAG, *_COEFFICIENTS, _PARAMS)

# The model of `Camera` and its coefficients.
Lens = tuple[str, tuple[float, ...] | None]


def read_lenses(file: File) -> list[Lens]:
    """Reads the lens of each frame.

    Args:
      file: the frames and the root.

    Raises:
      FormatError: a lens model is not supported, or a frame and the root contradict each other.
    """
    keys = [key for key in KEYS if key in file.frames.keys]
    known: dict[str, Lens] = {}
    lenses = []
    for i, node in enumerate(file.frames.nodes):
        own = {key: node[key] for key in keys if node.get(key) is not None}
        said = f"{own}"
        if said not in known:
            known[said] = _read_lens(file, i, own)
        lenses.append(known[said])
    return lenses


def _read_lens(file: File, i: int, own: dict[str, Json]) -> Lens:
    """Reads the lens of frame i from its own lens keys `own` and the root's."""
    where = file.frames.where(i)
    common = {key: x for key in KEYS if (x := file.root.nodes[0].get(key)) is not None}
    names = _list_model_names(file.frames, where, own) or _list_model_names(
        file.root, where, common
    )
    model = find_lens_model(file.path, where, names)
    said = own if own else common
    if own and not any(key in own for key in (*_COEFFICIENTS, _PARAMS)):
        said = common
        if model != find_lens_model(file.path, where, _list_model_names(file.root, where, common)):
            expected = f"coefficients for the lens of {where}"
            if any(np.any(common.get(key, 0)) for key in (*_COEFFICIENTS, _PARAMS)):
                raise FormatError(file.path, expected, "only those of another lens, for all frames")
    model, values = read_coefficients(file.path, where, model, _make_lookup(file, where, said))
    return model, None if values is None else tuple(values)


def _list_model_names(level: TreeLevel, where: str, said: dict[str, Json]) -> list[str]:
    """Lists the names that a node gives its lens model."""
    names = []
    for key in _MODELS:
        if (name := said.get(key)) is not None:
            if not isinstance(name, str):
                raise FormatError(
                    level.path, f"the name of a lens as {key} of {where}", outline(name)
                )
            names.append(name)
    flag = said.get(_FLAG)
    if flag is not None:
        if flag not in (0, 1):  # also accepts False and True
            expected = f"true or false as {_FLAG} of {where}"
            raise FormatError(level.path, expected, outline(flag))
        names += ["fisheye"] if flag else []
    return names


def _make_lookup(file: File, where: str, said: dict[str, Json]) -> Callable[[str], float | None]:
    """Returns a look-up from a coefficient's name to its value."""

    def number(key: str, shape: tuple[int, ...] = ()) -> np.ndarray:
        return matrix(file.path, f"{key} of {where}", said[key], shape)

    single = {key: float(number(key)) for key in _COEFFICIENTS if key in said}
    if _PARAMS not in said:
        return single.get
    params = name_params(number(_PARAMS, (6,)))
    for key, value in single.items():
        if value != params.get(key, 0.0):
            expected = f"{key} of {where} as in {_PARAMS}, {params.get(key, 0.0):g}"
            raise FormatError(file.path, expected, f"{value:g}")
    return params.get
