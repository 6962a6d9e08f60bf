"""Flow and masks of TartanAir V2 in .npz files, computed by the tools of the data set.

    flow_fwd             float32 [1, 2, H, W]   u, v in pixels, 0 where the point leaves the image
    fov_mask_fwd         bool [1, H, W]         where the point stays in the image
    covisible_mask_fwd   bool [1, H, W]         where the next frame shows the point

The same arrays with `_bwd`, from the second frame to the first, are not read.

Source: `customize_flow` of github.com/castacks/tartanairpy.
"""

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.data.arrays import finite, zero_unless
from sf3d_jax.data.maps import npy
from sf3d_jax.data.maps.kinds import FlowMap

_CONTENT = "flow computed by the tools of TartanAir V2 (.npz)"
# The maximum size of an array in bytes; larger ones are not unpacked.
_LARGEST = 2**28
# Exceptions for damaged archives (RuntimeError: a password or an unknown compression).
_BROKEN = zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError


def read_computed_flow(path: Path) -> FlowMap:
    """Reads the forward flow of an .npz of TartanAir V2.

    Args:
      path: file to read.

    Returns:
      The flow, valid where the point stays in the image.

    Raises:
      FormatError: the file is not such an archive.
      OSError: the file is missing.
    """
    data = path.read_bytes()
    values = _take(path, data, "flow_fwd", (2,))
    inside = _take(path, data, "fov_mask_fwd", ())
    if inside.shape != values.shape[1:]:
        expected = f"the shape {[1, *values.shape[1:]]} of fov_mask_fwd"
        raise FormatError(path, expected, f"{[1, *inside.shape]}")
    flow = np.ascontiguousarray(np.moveaxis(values, 0, -1))
    valid = (inside != 0) & finite(flow)
    return FlowMap(zero_unless(valid, flow), valid)


def read_computed_occlusion(path: Path) -> np.ndarray:
    """Reads where the next frame does not show the point, from an .npz of TartanAir V2.

    Args:
      path: file to read.

    Returns:
      bool [H, W], True where the point is hidden or outside the image.

    Raises:
      FormatError: the file is not such an archive.
      OSError: the file is missing.
    """
    return _take(path, path.read_bytes(), "covisible_mask_fwd", ()) == 0


def _take(path: Path, data: bytes, name: str, channels: tuple[int, ...]) -> np.ndarray:
    """Reads an array [1, *channels, H, W] from an archive, without its first axis."""
    array = npy.parse_array(path, _unpack(path, data, f"{name}.npy"))
    if array.shape[:-2] != (1, *channels) or array.size == 0:
        expected = f"the shape [{', '.join(map(str, (1, *channels)))}, H, W] of {name}"
        raise FormatError(path, expected, f"{list(array.shape)}")
    return array[0]


def _unpack(path: Path, data: bytes, member: str) -> bytes:
    found = "no complete archive of arrays"
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if member not in archive.namelist():
                found = f"no array {member.removesuffix('.npy')!r}"
            elif archive.getinfo(member).file_size > _LARGEST:
                found = f"an array of more than {_LARGEST} bytes"
            else:
                return archive.read(member)
    except _BROKEN:
        pass
    raise FormatError(path, _CONTENT, found)
