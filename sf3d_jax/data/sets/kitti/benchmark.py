"""The benchmark of KITTI 2015: which estimates belong to which truth, and what a submission is."""

from pathlib import Path

import numpy as np

from sf3d_jax.data.maps import read_flow, write_disparity, write_flow
from sf3d_jax.data.sets._benchmark import (
    Arguments,
    Item,
    Reader,
    Scoring,
    check_item_sizes,
    find_estimate,
    has_maps,
    place_file,
    read_any_disparity,
    read_codes,
    read_item,
)
from sf3d_jax.data.sets.kitti import layout
from sf3d_jax.metrics import KittiSceneFlow, Metric

METRICS: tuple[type[Metric], ...] = (KittiSceneFlow,)
NEEDS = "pixels with a true value"
SIZES = layout.SIZES
# Whether a submission needs a value at every pixel.
IS_DENSE = False

# Which kinds of files each task needs.
TASKS: dict[str, tuple[str, ...]] = {
    "stereo": ("disp_0",),
    "optical flow": ("flow",),
    "scene flow": ("disp_0", "disp_1", "flow"),
}

_TRUTHS = {"occ": layout.TRUTH, "noc": layout.TRUTH_INSIDE}


def items(prediction: Path, truth: Path) -> list[Item]:
    """Lists the images that have an estimate and a truth.

    Args:
      prediction: the folder with flow, disp_0 and disp_1.
      truth: the folder with flow_occ, disp_occ_0 and so on.

    Returns:
      The images.
    """
    places = {f"{kind}_{of}": p[kind] for kind in layout.TRUTH for of, p in _TRUTHS.items()}
    found = {name: place.frames(truth) for name, place in places.items()}
    objects = layout.OBJECTS.frames(truth)
    estimated = {k: p for k, p in layout.PREDICTIONS.items() if has_maps(prediction / p.folder)}
    listed = []
    for number in sorted(set().union(*(frames.numbers for frames in found.values()))):
        truths = {name: f.file(number) for name, f in found.items() if number in f.numbers}
        known = {name.rpartition("_")[0] for name in truths}
        if number in objects.numbers:
            truths["objects"] = objects.file(number)
        estimates = {
            kind: find_estimate(place_file(prediction, place, number), kind)
            for kind, place in estimated.items()
            if kind in known
        }
        listed.append(Item(f"{number:06}_10", estimates, truths))
    return [item for item in listed if item.estimates]


def arguments(item: Item, scoring: Scoring) -> Arguments:
    """Reads what the metric takes of one image.

    Args:
      item: its files.
      scoring: nothing is taken from it.

    Returns:
      The arguments of KittiSceneFlow.

    Raises:
      FormatError: a file is not what it should be, or of another size.
      OSError: a file is missing.
    """
    del scoring
    read = read_item(item, _READERS)
    check_item_sizes(item, read)
    return {"KittiSceneFlow": read}


def expected_files() -> dict[str, list[Path]]:
    """The files of a whole submission: by kind, their paths inside the folder."""
    return {
        place.folder: [place.file(number) for number in range(layout.TEST_PAIRS)]
        for place in (layout.PREDICTIONS[k] for k in ("disparity", "next_disparity", "flow"))
    }


def write_estimate(path: Path, kind: str, values: np.ndarray, valid: np.ndarray) -> None:
    """Writes one file of a submission, a PNG of 16 bits, with 0 where there is no value.

    Args:
      path: of the file.
      kind: as in `expected_files`.
      values: the flow, [H, W, 2], or the disparity, [H, W], in pixels.
      valid: bool [H, W].

    Raises:
      OSError: the file cannot be written.
      ValueError: the format cannot hold the values.
    """
    writer = write_flow if kind == "flow" else write_disparity
    writer(path, values, valid)


def _read_objects(path: Path) -> np.ndarray:
    return read_codes(path).astype(np.int32)


_KINDS: dict[str, Reader] = {
    "flow": read_flow,
    "disparity": read_any_disparity,
    "next_disparity": read_any_disparity,
}
_READERS: dict[str, Reader] = {
    f"{kind}{end}": reader for kind, reader in _KINDS.items() for end in ("", "_occ", "_noc")
} | {"objects": _read_objects}
