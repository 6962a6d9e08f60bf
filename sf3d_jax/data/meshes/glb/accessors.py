"""Arrays of a .glb: the accessors."""

import numpy as np

from sf3d_jax.data.meshes.glb.container import Glb
from sf3d_jax.data.meshes.glb.items import Item

_TYPES = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_CHANNELS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}


def read_array(
    glb: Glb, number: int, kind: str, where: Item, *, count: int | None = None
) -> np.ndarray:
    """Reads an accessor of floats, or of normalised or plain integers.

    Args:
      glb: file.
      number: number of the accessor.
      kind: its type, "VEC2" or "VEC3".
      where: object that names it, used in error messages.
      count: expected number of rows; None for any, if the accessor has a buffer view.

    Returns:
      float64 [N, C]. Normalised integers become c / 255, c / 65535, max(c / 127, -1) or
      max(c / 32767, -1).

    Raises:
      FormatError: the accessor is another one, or its bytes are not all there.
    """
    accessor = glb.find("accessors", number, where)
    dtype = _find_dtype(accessor, kind)
    values = _read_dense(glb, accessor, dtype, _CHANNELS[kind], count)
    if "sparse" in accessor:
        values = _replace_sparse(glb, accessor.item("sparse"), values)
    if accessor.flag("normalized") and dtype.kind != "f":
        return np.maximum(values / np.float64(np.iinfo(dtype).max), -1)
    return values.astype(np.float64)


def read_indices(glb: Glb, number: int, where: Item) -> np.ndarray:
    """Reads an accessor of indices as int64 [N]."""
    accessor = glb.find("accessors", number, where)
    dtype = _find_dtype(accessor, "SCALAR")
    if dtype.kind != "u":
        raise accessor.refuse("componentType", "unsigned integers", str(dtype))
    values = _read_dense(glb, accessor, dtype, 1, None)
    if "sparse" in accessor:
        values = _replace_sparse(glb, accessor.item("sparse"), values)
    return values[:, 0].astype(np.int64)


def _find_dtype(accessor: Item, kind: str) -> np.dtype:
    if accessor.text("type") != kind:
        raise accessor.error("type", f"{kind}", accessor.text("type"))
    return _find_component(accessor)


def _find_component(item: Item) -> np.dtype:
    code = item.integer("componentType")
    if code not in _TYPES:
        raise item.refuse("componentType", f"one of {[*_TYPES]}", f"{code}")
    return np.dtype(_TYPES[code])


def _read_dense(
    glb: Glb, accessor: Item, dtype: np.dtype, channels: int, count: int | None
) -> np.ndarray:
    """Reads the rows [N, channels] in the dtype of the file; zeros without a buffer view."""
    rows = accessor.integer("count")
    if count is not None and rows != count:
        raise accessor.refuse("count", f"{count}", f"{rows}")
    if "bufferView" not in accessor:
        if count is None:
            expected = "a bufferView with the numbers"
            raise accessor.refuse("", expected, "none; the mesh may be compressed")
        return np.zeros((rows, channels), dtype)
    return _read_view(glb, accessor, dtype, rows, channels)


def _read_view(glb: Glb, item: Item, dtype: np.dtype, rows: int, channels: int) -> np.ndarray:
    """Reads rows [rows, channels] of the bytes of a buffer view, a view of them."""
    number = item.integer("bufferView")
    data, start, length = glb.view(number, item)
    size, offset = dtype.itemsize * channels, item.integer("byteOffset", 0)
    stride = glb.find("bufferViews", number, item).integer("byteStride", 0) or size
    needed = offset + stride * (rows - 1) + size if rows else 0
    if stride < size or needed > length:
        expected = f"{needed} bytes for {rows} rows of {size} bytes, {stride} apart"
        raise item.refuse("", expected, f"{length}")
    strides = stride, dtype.itemsize
    return np.ndarray((rows, channels), dtype, data, start + offset if rows else 0, strides)


def _replace_sparse(glb: Glb, sparse: Item, values: np.ndarray) -> np.ndarray:
    """Replaces the rows that a sparse accessor lists."""
    rows = sparse.integer("count")
    if rows > len(values):
        raise sparse.refuse("count", f"at most {len(values)}", f"{rows}")
    indices, replaced = sparse.item("indices"), sparse.item("values")
    dtype = _find_component(indices)
    if dtype.kind != "u":
        raise indices.refuse("componentType", "unsigned integers", str(dtype))
    places = _read_view(glb, indices, dtype, rows, 1)[:, 0].astype(np.int64)
    if rows and places.max() >= len(values):
        raise indices.refuse("", f"rows of {len(values)}", f"{places.max()}")
    values = values.copy()
    values[places] = _read_view(glb, replaced, values.dtype, rows, values.shape[1])
    return values
