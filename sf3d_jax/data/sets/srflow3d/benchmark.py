"""The evaluation on SRFlow3D: matches estimates with the ground truth, in either layout.

Inverse depths and their changes are scaled by one number. The caller gives it, or it is measured
from the depths as in the data set.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data.maps import read_flow, read_map
from sf3d_jax.data.maps.images import read_mask
from sf3d_jax.data.maps.kinds import ScalarMap
from sf3d_jax.data.sets._benchmark import (
    Arguments,
    Item,
    Read,
    Reader,
    Scoring,
    fill_up,
    find_estimates,
    find_truths,
    has_maps,
    read_item,
)
from sf3d_jax.data.sets._listing import list_subfolders
from sf3d_jax.data.sets._missing import MissingArgument
from sf3d_jax.data.sets.srflow3d import layout
from sf3d_jax.data.sets.srflow3d.scale import measure_scale
from sf3d_jax.metrics import DepthChange, Metric, SRFlow3D

METRICS: tuple[type[Metric], ...] = (SRFlow3D, DepthChange)
NEEDS = "pixels with a true value within the mask"
LAYOUT = (
    "train/flow_F/SUBJECT/0000.flo or train/scaled_inv_depth_CF/SUBJECT/0000.npy, or the same for "
    "test, flow_B and scaled_inv_depth_CB, or flow and scaled_inv_depth_change, in both folders"
)

_MOTIONS = (layout.FORWARD, layout.BACKWARD, layout.FORWARD_ONLY)


def items(prediction: Path, truth: Path) -> list[Item]:
    """Lists the images that have an estimate and a truth.

    Args:
      prediction: folder with the layout of `truth`.
      truth: folder of the data set, with train or test, or of one split.

    Returns:
      The images.
    """
    listed = [
        item
        for split in ("", *sorted(list_subfolders(truth)))
        for motion in _MOTIONS
        for item in _list_motion_items(prediction / split, truth / split, motion)
    ]
    return [item for item in listed if item.estimates]


def _list_motion_items(
    prediction: Path, truth: Path, motion: layout.MotionPlaces
) -> Iterator[Item]:
    """Lists the images of a split with one kind of motion."""
    kinds = {"flow": motion.flow, "scaled_change": motion.change}
    estimated = {
        name: place
        for name, place in kinds.items()
        if any(
            has_maps(prediction / place.folder / s)
            for s in list_subfolders(prediction / place.folder)
        )
    }
    places = {f"true_{name}": place for name, place in kinds.items()}
    places |= {"scaled": layout.FRAMES["scaled_inv_depth"], "depth": layout.FRAMES["depth"]}
    places |= {"mask": layout.FRAMES["mask"]}
    for subject in sorted(list_subfolders(truth / motion.flow.folder)):
        found = {name: place.frames(truth, subject) for name, place in places.items()}
        for number in sorted(found["true_flow"].numbers):
            truths = find_truths(found, number)
            wanted = {n: place for n, place in estimated.items() if f"true_{n}" in truths}
            estimates = find_estimates(prediction, wanted, number, subject)
            name = f"{truth.name} {motion.flow.folder} {subject} {number:04}"
            yield Item(name, estimates, truths)


def arguments(item: Item, scoring: Scoring) -> Arguments:
    """Reads the arguments of the metrics for one image.

    Args:
      item: files of the image.
      scoring: scale, and intrinsics, which errors in 3D need.

    Returns:
      The arguments of SRFlow3D and, if the inverse-depth change is estimated, of DepthChange.

    Raises:
      FormatError: a file is malformed or has a different size.
      MissingArgument: there is no depth to measure the scale from.
      OSError: a file is missing.
      ValueError: no pixel has a depth and an inverse depth.
    """
    read = fill_up(read_item(item, _READERS), scoring.size)
    of_flow: Read = {n: read[n] for n in ("flow", "true_flow", "mask") if n in read}
    if not {"true_scaled_change", "scaled"} <= read.keys():
        return {"SRFlow3D": of_flow}
    scale = np.float32(_find_scale(item, read, scoring.scale))
    unscale = lambda x: ScalarMap(x.values / scale, x.valid)
    inv_depth, change = unscale(read["scaled"]), unscale(read["true_scaled_change"])
    of_flow |= {"true_inv_depth": inv_depth, "true_inv_depth_change": change}
    if scoring.intrinsics is not None:
        of_flow["camera"] = Camera.pinhole(*scoring.intrinsics, inv_depth.values.shape)
    if "scaled_change" not in read:
        return {"SRFlow3D": of_flow}
    of_flow["inv_depth_change"] = unscale(read["scaled_change"])
    of_change = {
        "inv_depth_change": of_flow["inv_depth_change"],
        "true_inv_depth_change": ScalarMap(change.values, change.valid & read.get("mask", True)),
        "true_inv_depth": inv_depth,
    }
    return {"SRFlow3D": of_flow, "DepthChange": of_change}


def _find_scale(item: Item, read: Read, given: float | None) -> float:
    """Returns the given scale, or measures scaled inverse depth times depth."""
    if given is not None:
        return given
    if "depth" not in read:
        text = f"{item.truths['scaled']}: its scale needs the depth of the same name"
        raise MissingArgument(text, "scale")
    scale = measure_scale(read["depth"].values, read["scaled"].values, read.get("mask"))
    if scale is None:
        raise ValueError(f"{item.truths['depth']}: no pixel has a depth and an inverse depth")
    return scale


_READERS: dict[str, Reader] = {
    "flow": read_flow,
    "true_flow": read_flow,
    "scaled_change": read_map,
    "true_scaled_change": read_map,
    "scaled": read_map,
    "depth": read_map,
    "mask": read_mask,
}
