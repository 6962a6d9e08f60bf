"""The evaluation on FlyingThings3D: matches estimates with the ground truth.

Both have the layout of the data set. Flow and disparities are lifted to scene flow with the camera
of the data set and a baseline of one unit.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

import jax.numpy as jnp
import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.conversion import depth_change
from sf3d_jax.conversion.scene_flow import scene_flow
from sf3d_jax.data.cameras.sizes import THINGS
from sf3d_jax.data.maps import read_flow, read_map
from sf3d_jax.data.maps.kinds import FlowMap, ScalarMap
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
from sf3d_jax.data.sets._listing import Place, list_subfolders
from sf3d_jax.data.sets._sequences import DIRECTIONS, SIDES
from sf3d_jax.data.sets.things import layout
from sf3d_jax.data.sets.things.cameras import find_sign, things_camera
from sf3d_jax.metrics import FlyingThings3D, Metric

METRICS: tuple[type[Metric], ...] = (FlyingThings3D,)
NEEDS = "true disparity as well as true flow, and pixels below 250 px and 250 m"
LAYOUT = (
    "optical_flow/TEST/A/0000/into_future/left/OpticalFlowIntoFuture_0006_L.pfm, or the same for "
    "past, right, disparity or disparity_change, in both folders"
)

# The metric's names of the layout's kinds.
_NAMES = {"flow": "flow", "disparity": "disparity", "change": "disparity_change"}


def items(prediction: Path, truth: Path) -> list[Item]:
    """Lists the images of optical_flow that have an estimate and a truth.

    Args:
      prediction: folder with optical_flow, disparity and disparity_change.
      truth: the same folder of the data set.

    Returns:
      The images.
    """
    top = truth / "optical_flow"
    scenes = [
        f"{split}/{letter}/{scene}"
        for split in sorted(list_subfolders(top))
        for letter in sorted(list_subfolders(top / split))
        for scene in sorted(list_subfolders(top / split / letter))
    ]
    has_any = functools.cache(functools.partial(_has_any, prediction))
    listed: list[Item] = []
    for scene in scenes:
        for direction, side in itertools.product(DIRECTIONS, SIDES):
            kinds = {_NAMES[k]: place for k, place in layout.get_truth(direction, side).items()}
            estimated = {n for n, place in kinds.items() if has_any(place, scene.split("/")[0])}
            listed += _list_scene_items(prediction, truth, scene, kinds, estimated)
    return [item for item in listed if item.estimates]


def _has_any(prediction: Path, place: Place, split: str) -> bool:
    """Whether there is any estimate of a kind in a split, in any scene."""
    folders = (prediction / place.folder / split).glob(f"*/*/{place.inside}")
    return any(map(has_maps, folders))


def _list_scene_items(
    prediction: Path, truth: Path, scene: str, kinds: dict[str, Place], estimated: set[str]
) -> Iterator[Item]:
    found = {f"true_{name}": place.frames(truth, scene) for name, place in kinds.items()}
    for number in sorted(found["true_flow"].numbers):
        truths = find_truths(found, number)
        wanted = {
            name: place
            for name, place in kinds.items()
            if name in estimated and f"true_{name}" in truths
        }
        estimates = find_estimates(prediction, wanted, number, scene)
        yield Item(f"{scene} {kinds['flow'].inside} {number:04}", estimates, truths)


def arguments(item: Item, scoring: Scoring) -> Arguments:
    """Reads the arguments of FlyingThings3D for one image, as `Evaluated.arguments` says.

    Without an estimated disparity, the true one is used, as RAFT-3D does. Maps of another size are
    treated as resized, each axis by its own ratio.
    """
    read = read_item(item, _READERS)
    size = read["true_flow"].valid.shape
    read = fill_up(read, scoring.size)
    of_metric: Read = {name: read[name] for name in ("flow", "true_flow") if name in read}
    if "true_disparity" not in read:
        return {"FlyingThings3D": of_metric}
    disparity, known = read["true_disparity"]
    # The camera of the images before padding, which leaves the intrinsics as they are.
    camera = things_camera(THINGS).resize(size)
    camera = dataclasses.replace(camera, size=disparity.shape)
    same = _convert_disparities(disparity, disparity, disparity, camera)
    of_metric["true_inv_depth"] = np.asarray(same.inv_depth), np.asarray(same.valid) & known
    for kind in ("true_", ""):
        if {f"{kind}flow", f"{kind}disparity_change"} <= read.keys():
            first = f"{kind}disparity" if f"{kind}disparity" in read else "true_disparity"
            parts = read[f"{kind}flow"], read[first], read[f"{kind}disparity_change"]
            of_metric[f"{kind}vectors"] = _lift(*parts, camera)
    return {"FlyingThings3D": of_metric}


def _lift(
    flow: FlowMap, disparity: ScalarMap, change: ScalarMap, camera: Camera
) -> tuple[np.ndarray, np.ndarray]:
    """Computes the scene flow in baselines, and where it is known."""
    # In releases with negative disparities, the sign of the changes is flipped, too.
    first = disparity.values
    depths = _convert_disparities(first, first, first + change.values, camera)
    flows = jnp.asarray(flow.flow)
    vectors, valid = scene_flow(flows, depths.inv_depth, depths.inv_depth_change, camera)
    known = flow.valid & disparity.valid & change.valid & np.asarray(depths.valid)
    return np.asarray(vectors), known & np.asarray(valid)


def _convert_disparities(
    signed: np.ndarray, first: np.ndarray, second: np.ndarray, camera: Camera
) -> depth_change.InverseDepths:
    """Converts two disparities to inverse depths per baseline, with the sign of `signed`."""
    focal = np.float32(camera.focal[0])
    before, after = (jnp.asarray(find_sign(signed) * x) for x in (first, second))
    return depth_change.from_disparities(before, after, jnp.asarray(focal))


_READERS: dict[str, Reader] = {
    f"{end}{name}": read_flow if name == "flow" else read_map
    for name in _NAMES.values()
    for end in ("", "true_")
}
