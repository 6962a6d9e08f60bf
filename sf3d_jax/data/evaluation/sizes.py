"""One size for all images of an evaluation, so that they share a compiled program."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sf3d_jax.data.sets._benchmark import Item

# Pixels; larger sizes in a header are ignored, as arrays of this size are allocated.
_LARGEST = 2**23
# Errors raised for damaged and mislabelled files, and for HDF5 without h5py.
_BROKEN = (
    OSError,
    ValueError,
    LookupError,
    EOFError,
    AttributeError,
    TypeError,
    ImportError,
    struct.error,
)


def find_common_size(items: Sequence[Item]) -> tuple[int, int] | None:
    """Finds the size that all estimates fit in, from their headers.

    Args:
      items: images of the evaluation.

    Returns:
      (height, width); None if no header can be read, or if the size is implausibly large.
    """
    estimates = (next((p for p in x.estimates.values() if p.exists()), None) for x in items)
    sizes = [size for path in estimates if path is not None and (size := _peek_size(path))]
    if not sizes:
        return None
    height, width = (max(n) for n in zip(*sizes, strict=True))
    return (height, width) if height * width <= _LARGEST else None


def _peek_size(path: Path) -> tuple[int, int] | None:
    """Reads a size from a header; None if it is implausible, as the reader will report that."""
    try:
        height, width = _read_size(path)
    except _BROKEN:
        return None
    return (height, width) if min(height, width) > 0 and height * width <= _LARGEST else None


def _read_size(path: Path) -> tuple[int, int]:
    ending = path.suffix.lower()
    if ending in (".flo5", ".dsp5"):
        import h5py

        with h5py.File(path) as file:
            return file[next(iter(file), "")].shape[:2]
    if ending == ".npy":
        return np.load(path, mmap_mode="r", allow_pickle=False).shape[:2]
    with path.open("rb") as file:
        head = file.read(256)
    if ending == ".pfm":
        _, width, height, *_ = head.split(maxsplit=3)
        return int(height), int(width)
    width, height = struct.unpack_from(
        *((">II", head, 16) if ending == ".png" else ("<ii", head, 4))
    )
    return height, width
