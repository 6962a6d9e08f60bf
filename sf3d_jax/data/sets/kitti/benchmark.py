"""The benchmark of KITTI 2015: matches estimates with the ground truth, and writes submissions."""

from pathlib import Path

import numpy as np

from sf3d_jax.data.maps import read_flow, write_disparity, write_flow
from sf3d_jax.data.maps.kinds import ScalarMap
from sf3d_jax.data.sets._benchmark import (
    Arguments,
    Item,
    Reader,
    Scoring,
    fill_up,
    find_estimates,
    find_truths,
    has_maps,
    read_any_disparity,
    read_codes,
    read_item,
)
from sf3d_jax.data.sets.kitti import layout
from sf3d_jax.metrics import KittiSceneFlow, Metric

METRICS: tuple[type[Metric], ...] = (KittiSceneFlow,)
NEEDS = "pixels with a true value"
LAYOUT = (
    "flow/000000_10.png, disp_0/000000_10.png or disp_1/000000_10.png in the first folder, and "
    "flow_occ/000000_10.png, disp_occ_0/000000_10.png or disp_occ_1/000000_10.png in the second"
)
SIZES = layout.SIZES
# A submission may lack values at some pixels.
IS_DENSE = False

# The kinds of files that each task needs.
TASKS: dict[str, tuple[str, ...]] = {
    "stereo": ("disp_0",),
    "optical flow": ("flow",),
    "scene flow": ("disp_0", "disp_1", "flow"),
}

_TRUTHS = {"occ": layout.TRUTH, "noc": layout.TRUTH_INSIDE}


def items(prediction: Path, truth: Path) -> list[Item]:
    """Lists the images that have an estimate and a truth.

    Args:
      prediction: folder with flow, disp_0 and disp_1.
      truth: folder with flow_occ, disp_occ_0 and so on.

    Returns:
      The images.
    """
    places = {f"{kind}_{of}": p[kind] for kind in layout.TRUTH for of, p in _TRUTHS.items()}
    found = {name: place.frames(truth) for name, place in places.items()}
    objects = {"objects": layout.OBJECTS.frames(truth)}
    estimated = {k: p for k, p in layout.PREDICTIONS.items() if has_maps(prediction / p.folder)}
    listed = []
    for number in sorted(set().union(*(frames.numbers for frames in found.values()))):
        truths = find_truths(found, number)
        known = {name.rpartition("_")[0] for name in truths}
        wanted = {kind: place for kind, place in estimated.items() if kind in known}
        estimates = find_estimates(prediction, wanted, number)
        listed.append(Item(f"{number:06}_10", estimates, truths | find_truths(objects, number)))
    return [item for item in listed if item.estimates]


def arguments(item: Item, scoring: Scoring) -> Arguments:
    """Reads the arguments of KittiSceneFlow for one image, as `Evaluated.arguments` says."""
    return {"KittiSceneFlow": fill_up(read_item(item, _READERS), scoring.size)}


def expected_files() -> dict[str, list[Path]]:
    """Lists the files of a full submission: by kind, their paths inside the folder."""
    return {
        place.folder: [place.path(number) for number in range(layout.TEST_PAIRS)]
        for place in (layout.PREDICTIONS[k] for k in ("disparity", "next_disparity", "flow"))
    }


def write_estimate(path: Path, kind: str, values: np.ndarray, valid: np.ndarray) -> None:
    """Writes a 16-bit PNG, with 0 where there is no value, as `Submitted.write_estimate` says."""
    known = valid if kind == "flow" else valid & (values > 0)
    if not known.any():
        raise ValueError("expected a value at some pixel, found none")
    writer = write_flow if kind == "flow" else write_disparity
    writer(path, values, known)


def _read_disparity(path: Path) -> ScalarMap:
    """Reads disparity. Values that are not positive are holes, as in the benchmark's own files."""
    values, valid = read_any_disparity(path)
    return ScalarMap(values, valid & (values > 0))


def _read_objects(path: Path) -> np.ndarray:
    return read_codes(path).astype(np.int32)


_KINDS: dict[str, Reader] = {
    "flow": read_flow,
    "disparity": _read_disparity,
    "next_disparity": _read_disparity,
}
_READERS: dict[str, Reader] = {
    f"{kind}{end}": reader for kind, reader in _KINDS.items() for end in ("", "_occ", "_noc")
} | {"objects": _read_objects}
