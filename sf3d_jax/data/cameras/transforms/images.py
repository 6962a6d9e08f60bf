"""The sizes of the images beside a transforms.json, read from their headers alone."""

from pathlib import Path

import numpy as np

from sf3d_jax.data._files import PathLike
from sf3d_jax.data._files.headers import JPEG, PNG
from sf3d_jax.data._files.pictures import read_picture
from sf3d_jax.data.cameras.checks import Size
from sf3d_jax.data.cameras.transforms.columns import find_true
from sf3d_jax.data.opencv import import_cv2

_ENDINGS = ("", ".png", ".jpg", ".jpeg", ".PNG", ".JPG")
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # markers of a JPEG that begin a frame


def read_image_sizes(path: PathLike, names: list[str | None], wanted: np.ndarray) -> np.ndarray:
    """Reads the size of each frame's image.

    A name may lack its extension. If an image is missing, its frame gets the size of the others,
    provided they all have the same one.

    Args:
      path: JSON file; the images are relative to its folder.
      names: image name of each frame.
      wanted: [N], frames whose image is looked up.

    Returns:
      [N, 2], (h, w); NaN where no image gives a size.

    Raises:
      FormatError: an image exists but its size cannot be read.
    """
    sizes = np.full((len(names), 2), np.nan)
    known: dict[str, Size | None] = {}
    for i in find_true(wanted):
        name = names[i]
        if name and name not in known:
            known[name] = _find_image_size(Path(path).parent, name)
        sizes[i] = known.get(name or "") or (np.nan, np.nan)
    found = {size for size in known.values() if size is not None}
    if len(found) == 1:
        sizes[np.isnan(sizes).any(-1)] = found.pop()
    return sizes


def _find_image_size(folder: Path, name: str) -> Size | None:
    for ending in _ENDINGS:
        image = folder / f"{name}{ending}"
        try:
            found = image.is_file()
        except (OSError, ValueError):  # not a valid file name
            found = False
        if found:
            return _read_image_size(image)
    return None


def _read_image_size(image: Path) -> Size:
    """Reads (H, W) of an image of any bit depth."""
    with image.open("rb") as file:
        head = file.read(2**16)
    if head.startswith(PNG) and len(head) >= 24:
        width, height = (int.from_bytes(head[at : at + 4], "big") for at in (16, 20))
        return height, width
    if head.startswith(JPEG) and (size := _find_jpeg_size(head)) is not None:
        return size
    height, width = read_picture(image, import_cv2().IMREAD_UNCHANGED).shape[:2]
    return height, width


def _find_jpeg_size(head: bytes) -> Size | None:
    """Finds the size of a JPEG's first frame; None if the first bytes do not hold it."""
    at = len(JPEG)
    while at + 9 <= len(head) and head[at] == 0xFF:
        if head[at + 1] in _FRAMES:
            height, width = (int.from_bytes(head[at + x : at + x + 2], "big") for x in (5, 7))
            return (height, width) if height and width else None
        at += 2 + int.from_bytes(head[at + 2 : at + 4], "big")
    return None
