"""What the benchmarks share: the files of one image to evaluate, found, read and compared in size.

A folder of estimates is laid out as a submission to the benchmark, or as the data set itself. A
kind of estimate without any file is not evaluated; of any other kind, every file is wanted for
which there is a truth.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.data._files.pictures import read_picture
from sf3d_jax.data.maps import read_disparity, read_map
from sf3d_jax.data.maps.kinds import ScalarMap
from sf3d_jax.data.opencv import import_cv2
from sf3d_jax.data.sets._listing import Folder, Place

_FLOW_ENDINGS = (".flo5", ".flo", ".png", ".pfm", ".npy")
_MAP_ENDINGS = (".dsp5", ".png", ".pfm", ".npy")

# What was read of each file, by the name of the argument that it becomes: a map, or (map, valid).
Read = dict[str, Any]
Reader = Callable[[Path], Any]
# The arguments of a metric's `update`, by the name of the metric.
Arguments = dict[str, dict[str, Any]]


class Item(NamedTuple):
    """One image to evaluate.

    Attributes:
      name: of the image, for people.
      estimates: files by the name of the argument that they become; they may be missing.
      truths: files that are there, likewise.
    """

    name: str
    estimates: dict[str, Path]
    truths: dict[str, Path]


class Scoring(NamedTuple):
    """What the caller knows and the files do not say.

    Attributes:
      scale: scaled inverse depth times depth in metres; None to measure it.
      intrinsics: (fx, fy, cx, cy) in pixels, or None.
    """

    scale: float | None = None
    intrinsics: tuple[float, float, float, float] | None = None


class MissingArgument(ValueError):
    """The files do not say what the caller could say.

    Attributes:
      argument: the name of the argument that is missing.
    """

    def __init__(self, text: str, argument: str) -> None:
        """Keeps the name of the argument apart from what is wrong."""
        super().__init__(text, argument)
        self.text, self.argument = text, argument

    def __str__(self) -> str:
        """What is wrong, and the argument that would help."""
        return f"{self.text}, or {self.argument}="


def has_maps(folder: Path) -> bool:
    """Whether a folder holds a map of any format, whatever its name."""
    # Of this ending only maps are listed, not the pictures of maps that may lie beside them.
    return bool(Folder(folder, ".pfm"))


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder, in order; none if it is missing."""
    return sorted(Folder(folder, "").subfolders)


def find_estimate(path: Path, kind: str) -> Path:
    """The estimate for a file, in the file's own format or in another one.

    Args:
      path: of the file as the benchmark has it, in the folder of the estimates.
      kind: "flow", or any other name for a scalar map.

    Returns:
      The file that is there, or else the path as it is.
    """
    endings = (path.suffix, *(_FLOW_ENDINGS if kind == "flow" else _MAP_ENDINGS))
    choices = [path.with_suffix(ending) for ending in endings]
    return next((p for p in choices if p.exists()), path)


def place_file(top: Path, place: Place, number: int, scene: str = "") -> Path:
    """The file of a frame as it is published, be it there or missing.

    Args:
      top: the folder that the place's folder lies in.
      place: of the kind.
      number: of the frame.
      scene: the folder of a scene inside that of the kind, where there is one.

    Returns:
      Its path.
    """
    name = place.stem.format(number, number + 1) + place.ending
    return top / place.folder / scene / place.inside / name


def read_item(item: Item, readers: Mapping[str, Reader]) -> Read:
    """Reads all files of an image; estimates first, as those are what may be wrong.

    Args:
      item: its files.
      readers: by the name of the argument.

    Returns:
      What was read, by name.

    Raises:
      FormatError: a file is not what it should be.
      OSError: a file is missing.
    """
    files = item.estimates | item.truths
    return {name: readers[name](path) for name, path in files.items()}


def check_item_sizes(item: Item, read: Read, *, twice: str | None = None) -> None:
    """Refuses maps of another size than the truth.

    Args:
      item: the files.
      read: what was read of them, by name.
      twice: how the names of maps begin that have twice the rows and columns of the others.

    Raises:
      FormatError: a map has another size.
    """
    factor = lambda name: 2 if twice is not None and name.startswith(twice) else 1
    first = next(iter(item.truths))
    height, width = (n // factor(first) for n in _size(read[first]))
    for name, path in (item.truths | item.estimates).items():
        wanted = factor(name) * height, factor(name) * width
        if _size(read[name]) != wanted:
            found, right = (f"{w} x {h} pixels" for h, w in (_size(read[name]), wanted))
            raise FormatError(path, f"{right} beside {item.truths[first]}", found)


def _size(x: Any) -> tuple[int, ...]:
    return np.shape(x[0] if isinstance(x, tuple) else x)[:2]


def read_any_disparity(path: Path) -> ScalarMap:
    """Reads disparity in which 0 is infinitely far away; but in a PNG, 0 is no value.

    Args:
      path: of the file.

    Returns:
      The disparity in pixels, not negative.

    Raises:
      FormatError: the file does not hold disparity.
      OSError: it is missing.
    """
    reader = read_disparity if path.suffix.lower() == ".png" else read_map
    values, valid = reader(path)
    return ScalarMap(np.abs(values), valid)


def read_codes(path: Path) -> np.ndarray:
    """Reads the first channel of a picture as it is: [H, W]."""
    picture = read_picture(path, import_cv2().IMREAD_UNCHANGED)
    return picture if picture.ndim == 2 else picture[..., 0]
