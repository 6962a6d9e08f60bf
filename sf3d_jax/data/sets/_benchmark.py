"""Code shared by the benchmarks: find and read the files of one image, and compare their sizes.

A folder of estimates has the layout of a submission to the benchmark, or of the data set itself. A
kind of estimate without any file is not evaluated; every other kind needs an estimate for each
file of the ground truth.
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
from sf3d_jax.data.sets._listing import Folder, FrameFiles, Place
from sf3d_jax.metrics import Metric

_FLOW_ENDINGS = (".flo5", ".flo", ".png", ".pfm", ".npy")
_MAP_ENDINGS = (".dsp5", ".png", ".pfm", ".npy")

# The content of each file by the name of the argument it becomes: a map, or (map, valid).
Read = dict[str, Any]
Reader = Callable[[Path], Any]
# The arguments of a metric's `update`, by the name of the metric.
Arguments = dict[str, dict[str, Any]]


class Item(NamedTuple):
    """One image to evaluate.

    Attributes:
      name: human-readable name of the image.
      estimates: files by the name of the argument they become; they may be missing.
      truths: existing files of the ground truth, by the name of the argument they become.
    """

    name: str
    estimates: dict[str, Path]
    truths: dict[str, Path]


class Scoring(NamedTuple):
    """Values from the caller that the files do not contain.

    Attributes:
      scale: scaled inverse depth times depth in metres; None to measure it.
      intrinsics: (fx, fy, cx, cy) in pixels, or None.
      size: (height, width) to pad maps to; None to leave them as they are.
    """

    scale: float | None = None
    intrinsics: tuple[float, float, float, float] | None = None
    size: tuple[int, int] | None = None


class Evaluated(Protocol):
    """What the module of a benchmark defines for the evaluation.

    Attributes:
      METRICS: metrics to compute; the names of scores begin with the metric's name, except for
        the first metric.
      NEEDS: what a score requires, for the error when there is none.
      LAYOUT: files expected in the folders of the estimates and of the truth, for the error.
    """

    METRICS: tuple[type[Metric], ...]
    NEEDS: str
    LAYOUT: str

    def items(self, prediction: Path, truth: Path) -> list[Item]:
        """Lists the images that have an estimate and a truth.

        Args:
          prediction: folder of the estimates.
          truth: folder of the ground truth.

        Returns:
          The images.
        """

    def arguments(self, item: Item, scoring: Scoring) -> Arguments:
        """Reads the arguments of the metrics for one image.

        Args:
          item: files of the image.
          scoring: values that the files do not contain.

        Returns:
          The arguments, without metrics that the image has no data for.

        Raises:
          FormatError: a file is malformed or has a different size.
          OSError: a file is missing.
        """


class Submitted(Protocol):
    """What the module of a benchmark defines for submissions.

    Attributes:
      TASKS: kinds of files that each task needs.
      SIZES: sizes of the images, (height, width).
      IS_DENSE: whether an estimate needs a value at every pixel.
    """

    TASKS: dict[str, tuple[str, ...]]
    SIZES: set[tuple[int, int]]
    IS_DENSE: bool

    def expected_files(self) -> dict[str, list[Path]]:
        """Lists the files of a full submission: by kind, their paths inside the folder."""

    def write_estimate(self, path: Path, kind: str, values: np.ndarray, valid: np.ndarray) -> None:
        """Writes one file of a submission.

        Args:
          path: file to write.
          kind: a key of `expected_files`.
          values: flow [H, W, 2] or disparity [H, W], in pixels.
          valid: bool [H, W].

        Raises:
          OSError: the file cannot be written.
          ValueError: the format cannot hold the values.
        """


def has_maps(folder: Path) -> bool:
    """Whether a folder holds a map in any format, whatever its name."""
    # With this extension only maps are listed, not images of maps that may lie beside them.
    return bool(Folder(folder, ".pfm"))


def find_estimate(path: Path, kind: str) -> Path:
    """Finds the estimate for a file, in the file's own format or in another one.

    Args:
      path: path of the file in the benchmark's layout, inside the folder of the estimates.
      kind: "flow", or any other name for a scalar map.

    Returns:
      The existing file, or `path` itself if there is none.
    """
    endings = (path.suffix, *(_FLOW_ENDINGS if kind == "flow" else _MAP_ENDINGS))
    choices = [path.with_suffix(ending) for ending in endings]
    return next((p for p in choices if p.exists()), path)


def find_estimates(
    prediction: Path, places: Mapping[str, Place], number: int, scene: str = ""
) -> dict[str, Path]:
    """Finds the estimates for a frame, each in any format.

    Args:
      prediction: folder of the estimates.
      places: where the estimated kinds lie, by the name of the argument they become.
      number: frame number.
      scene: folder of the scene, as in `Place.frames`.

    Returns:
      One file of each kind, whether it exists or not.
    """
    return {
        name: find_estimate(prediction / place.path(number, scene), name)
        for name, place in places.items()
    }


def find_truths(found: Mapping[str, FrameFiles], number: int) -> dict[str, Path]:
    """Finds the ground truth of a frame.

    Args:
      found: files of the ground truth, by the name of the argument they become.
      number: frame number.

    Returns:
      The existing files.
    """
    return {name: files.file(number) for name, files in found.items() if number in files.numbers}


def read_item(item: Item, readers: Mapping[str, Reader], *, twice: str | None = None) -> Read:
    """Reads all files of an image, estimates first because they are more likely to be wrong.

    Args:
      item: files of the image.
      readers: reader of each file, by the name of the argument.
      twice: name prefix of maps that have twice the rows and columns of the others.

    Returns:
      The content of the files, by name.

    Raises:
      FormatError: a file is malformed or its size differs from the truth, or an estimate has no
        value at any pixel.
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
    """Pads the maps of an image with invalid rows below and invalid columns to the right.

    The padding has no true values, so it changes no score. Holes in an estimate are still filled
    from the same nearest values, because these do not move.

    Args:
      read: maps of one image, by name.
      size: (height, width) after padding; larger images stay as they are.
      twice: name prefix of maps that get twice the size, as for `read_item`.

    Returns:
      The padded maps.
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
    height, width = (n // factor(first) for n in _get_size(read[first]))
    for name, path in (item.truths | item.estimates).items():
        wanted = factor(name) * height, factor(name) * width
        if _get_size(read[name]) != wanted:
            found, right = (f"{w} x {h} pixels" for h, w in (_get_size(read[name]), wanted))
            raise FormatError(path, f"{right} beside {item.truths[first]}", found)


def _get_size(x: Any) -> tuple[int, ...]:
    return np.shape(x[0] if isinstance(x, tuple) else x)[:2]


def read_any_disparity(path: Path) -> ScalarMap:
    """Reads disparity. 0 means infinitely far away, except in a PNG, where it means no value.

    Args:
      path: file to read.

    Returns:
      The non-negative disparity in pixels.

    Raises:
      FormatError: the file does not contain disparity.
      OSError: the file is missing.
    """
    reader = read_disparity if path.suffix.lower() == ".png" else read_map
    values, valid = reader(path)
    return ScalarMap(np.abs(values), valid)


def read_codes(path: Path) -> np.ndarray:
    """Reads the first channel of an image without conversion: [H, W]."""
    picture = read_picture(path, import_cv2().IMREAD_UNCHANGED)
    return picture if picture.ndim == 2 else picture[..., 0]
