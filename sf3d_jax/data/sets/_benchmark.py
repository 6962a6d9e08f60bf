"""What the benchmarks share: the files of one image to evaluate, found, read and compared in size.

A folder of estimates is laid out as a submission to the benchmark, or as the data set itself. A
kind of estimate without any file is not evaluated; of any other kind, every file is wanted for
which there is a truth.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.data._files.pictures import read_picture
from sf3d_jax.data.maps import read_disparity, read_map
from sf3d_jax.data.maps.kinds import ScalarMap
from sf3d_jax.data.opencv import import_cv2
from sf3d_jax.data.sets._listing import Folder, Frames, Place
from sf3d_jax.metrics import Metric

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
      size: (height, width) that maps are filled up to; None to leave them as they are.
    """

    scale: float | None = None
    intrinsics: tuple[float, float, float, float] | None = None
    size: tuple[int, int] | None = None


class Evaluated(Protocol):
    """What the module of a benchmark says about the evaluation.

    Attributes:
      METRICS: the names of scores begin with that of their metric, but for the first one.
      NEEDS: without which there is not a single score, for the error.
      LAYOUT: which files are looked for in the folder of the estimates and in that of the truth,
        for the error.
    """

    METRICS: tuple[type[Metric], ...]
    NEEDS: str
    LAYOUT: str

    def items(self, prediction: Path, truth: Path) -> list[Item]:
        """Lists the images that have an estimate and a truth.

        Args:
          prediction: the folder of the estimates.
          truth: the folder of the truth.

        Returns:
          The images.
        """

    def arguments(self, item: Item, scoring: Scoring) -> Arguments:
        """Reads what the metrics take of one image.

        Args:
          item: its files.
          scoring: what the files do not say.

        Returns:
          The arguments; a metric that the image has nothing for is left out.

        Raises:
          FormatError: a file is not what it should be, or of another size.
          OSError: a file is missing.
        """


class Submitted(Protocol):
    """What the module of a benchmark says about submissions.

    Attributes:
      TASKS: which kinds of files each task needs.
      SIZES: the sizes of images, (height, width).
      IS_DENSE: whether an estimate needs a value at every pixel.
    """

    TASKS: dict[str, tuple[str, ...]]
    SIZES: set[tuple[int, int]]
    IS_DENSE: bool

    def expected_files(self) -> dict[str, list[Path]]:
        """The files of a whole submission: by kind, their paths inside the folder."""

    def write_estimate(self, path: Path, kind: str, values: np.ndarray, valid: np.ndarray) -> None:
        """Writes one file of a submission.

        Args:
          path: of the file.
          kind: as in `expected_files`.
          values: the flow, [H, W, 2], or the disparity, [H, W], in pixels.
          valid: bool [H, W].

        Raises:
          OSError: the file cannot be written.
          ValueError: the format cannot hold the values.
        """


def has_maps(folder: Path) -> bool:
    """Whether a folder holds a map of any format, whatever its name."""
    # Of this ending only maps are listed, not the pictures of maps that may lie beside them.
    return bool(Folder(folder, ".pfm"))


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


def find_estimates(
    prediction: Path, places: Mapping[str, Place], number: int, scene: str = ""
) -> dict[str, Path]:
    """The estimates for a frame; see `find_estimate`.

    Args:
      prediction: the folder of the estimates.
      places: of the kinds that are estimated, by the name of the argument that they become.
      number: of the frame.
      scene: as in `Place.frames`.

    Returns:
      A file of each kind, be it there or missing.
    """
    return {
        name: find_estimate(prediction / place.path(number, scene), name)
        for name, place in places.items()
    }


def find_truths(found: Mapping[str, Frames], number: int) -> dict[str, Path]:
    """The truth of a frame.

    Args:
      found: the files of the truth, by the name of the argument that they become.
      number: of the frame.

    Returns:
      The files that are there.
    """
    return {name: files.file(number) for name, files in found.items() if number in files.numbers}


def read_item(item: Item, readers: Mapping[str, Reader], *, twice: str | None = None) -> Read:
    """Reads all files of an image; estimates first, as those are what may be wrong.

    Args:
      item: its files.
      readers: by the name of the argument.
      twice: how the names of maps begin that have twice the rows and columns of the others.

    Returns:
      What was read, by name.

    Raises:
      FormatError: a file is not what it should be, or has another size than the truth; or an
        estimate has no value at any pixel.
      OSError: a file is missing.
    """
    files = item.estimates | item.truths
    read = {name: readers[name](path) for name, path in files.items()}
    _check_sizes(item, read, twice)
    for name, path in item.estimates.items():
        if not read[name][1].any():
            raise FormatError(path, "a value at some pixel", "none")
    return read


def fill_up(read: Read, size: tuple[int, int] | None, *, twice: str | None = None) -> Read:
    """The maps of an image with rows below and columns to the right in which nothing is known.

    No pixel there has a true value, so none counts, whatever the benchmark; and holes of an
    estimate are filled from the nearest values, which do not move.

    Args:
      read: the maps of one image, by name.
      size: (height, width) that they get; those of a larger image stay as they are.
      twice: as for `read_item`; such maps get twice the size.

    Returns:
      Maps of the same kinds.
    """
    if size is None or not read:
        return read
    factor = lambda name: 2 if twice is not None and name.startswith(twice) else 1
    return {name: _fill_up_map(x, [factor(name) * n for n in size]) for name, x in read.items()}


def _fill_up_map(x: Any, size: Sequence[int]) -> Any:
    if isinstance(x, tuple):
        return type(x)(*(_fill_up_map(part, size) for part in x))
    more = [wanted - n for wanted, n in zip(size, x.shape, strict=False)]
    if min(more) < 0 or not any(more):
        return x
    return np.pad(x, [(0, n) for n in more] + [(0, 0)] * (x.ndim - 2))


def _check_sizes(item: Item, read: Read, twice: str | None) -> None:
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
