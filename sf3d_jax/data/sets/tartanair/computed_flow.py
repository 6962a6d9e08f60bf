"""Flow of TartanAir V2 as the tools of the data set compute it, with masks, in an .npz.

    flow_fwd             float32 [1, 2, H, W]   u, v in pixels, 0 where the point leaves the image
    fov_mask_fwd         bool [1, H, W]         where it stays in the image
    covisible_mask_fwd   bool [1, H, W]         where the next frame shows it

and the same as `_bwd`, from the second frame to the first, which is not read.

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

_CONTENT = "flow that the tools of TartanAir V2 computed (.npz)"
# The bytes of an array of such a file; larger ones are not unpacked.
_LARGEST = 2**28
# What damaged archives raise (RuntimeError: a password or an unknown compression).
_BROKEN = zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError


def read_computed_flow(path: Path) -> FlowMap:
    """Reads the forward flow of an .npz of TartanAir V2.

    Args:
      path: file to read.

    Returns:
      The flow, valid where the point stays in the image.

    Raises:
      FormatError: the file is not one of those.
      OSError: it is missing.
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
    """Reads what the next frame does not show, of an .npz of TartanAir V2.

    Args:
      path: file to read.

    Returns:
      bool [H, W], True behind something and outside of the image.

    Raises:
      FormatError: the file is not one of those.
      OSError: it is missing.
    """
    return _take(path, path.read_bytes(), "covisible_mask_fwd", ()) == 0


def _take(path: Path, data: bytes, name: str, channels: tuple[int, ...]) -> np.ndarray:
    """An array [1, *channels, H, W] of an archive, without its first axis."""
    array = npy.parse_array(path, _unpack(path, data, f"{name}.npy"))
    if array.shape[:-2] != (1, *channels) or array.size == 0:
        expected = f"the shape [{', '.join(map(str, (1, *channels)))}, H, W] of {name}"
        raise FormatError(path, expected, f"{list(array.shape)}")
    return array[0]


def _unpack(path: Path, data: bytes, member: str) -> bytes:
    found = "no whole archive of arrays"
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
