"""Maps as plain NumPy .npy files, of any real dtype."""

import io
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike, write_bytes


def read_flow(path: PathLike) -> np.ndarray:
    """Reads flow.

    Args:
      path: of the file.

    Returns:
      float32 [H, W, 2], (u, v) in pixels, as the file has them.

    Raises:
      FormatError: the file is no whole .npy file of real numbers of the shape [H, W, 2].
    """
    flow = _read(path)
    if flow.ndim != 3 or flow.shape[2] != 2 or flow.size == 0:
        raise FormatError(path, "an array of the shape [H, W, 2]", f"{list(flow.shape)}")
    return flow


def read_scalar(path: PathLike) -> np.ndarray:
    """Reads a scalar map.

    Args:
      path: of the file.

    Returns:
      float32 [H, W], as the file has them.

    Raises:
      FormatError: the file is no whole .npy file of real numbers of the shape [H, W] or [H, W, 1].
    """
    values = _read(path)
    if values.shape[2:] not in [(), (1,)] or values.ndim < 2 or values.size == 0:
        expected = "an array of the shape [H, W] or [H, W, 1]"
        raise FormatError(path, expected, f"{list(values.shape)}")
    return values.reshape(values.shape[:2])


def write(path: PathLike, values: np.ndarray) -> None:
    """Writes a .npy file.

    Args:
      path: of the file.
      values: float32 [H, W] or [H, W, 2].
    """
    stream = io.BytesIO()
    np.save(stream, values, allow_pickle=False)
    write_bytes(path, stream.getvalue())


def _read(path: PathLike) -> np.ndarray:
    data = Path(path).read_bytes()
    stream = io.BytesIO(data)
    try:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, MemoryError) as error:
        raise FormatError(path, "a whole .npy file of numbers", f"{error}") from error
    if stream.tell() != len(data):
        raise FormatError(path, f"{stream.tell()} bytes for {list(array.shape)}", f"{len(data)}")
    if not np.can_cast(array.dtype, np.float32, "same_kind"):
        raise FormatError(path, "real numbers", f"the dtype {array.dtype}")

    with np.errstate(over="ignore"):  # a float64 beyond float32 is infinite: no value
        return np.ascontiguousarray(array, np.float32)
