"""The benchmark of Spring: matches estimates with the ground truth, and writes submissions."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError
from sf3d_jax.data.maps import read_flow, write_flow, write_map
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
from sf3d_jax.data.sets._listing import Place, list_subfolders
from sf3d_jax.data.sets._sequences import DIRECTIONS, SIDES, Direction, Side
from sf3d_jax.data.sets.spring import layout
from sf3d_jax.data.sets.spring.files import read_match_map
from sf3d_jax.metrics import Metric, SpringSceneFlow

METRICS: tuple[type[Metric], ...] = (SpringSceneFlow,)
NEEDS = "pixels with four true values"
LAYOUT = (
    "SCENE/flow_FW_left/flow_FW_left_0001.flo5, SCENE/disp1_left/disp1_left_0001.dsp5 or "
    "SCENE/disp2_FW_left/disp2_FW_left_0001.dsp5, or the same for BW or right, in both folders"
)
SIZES = layout.SIZES
# A submission needs a value at every pixel.
IS_DENSE = True

# The kinds of files that each task needs.
TASKS: dict[str, tuple[str, ...]] = {
    "stereo": ("disp1",),
    "optical flow": ("flow",),
    "scene flow": ("disp1", "disp2", "flow"),
}

# The metric's names of the layout's kinds.
_NAMES = {"flow": "flow", "moved_disparity": "next_disparity", "disparity": "disparity"}


def items(prediction: Path, truth: Path) -> list[Item]:
    """Lists the images that have an estimate and a truth, by scene, camera and direction of time.

    As on Spring's server, the first disparity of a frame counts once for each direction.

    Args:
      prediction: folder of the scenes, each with flow_FW_left and so on.
      truth: folder of the scenes of the data set.

    Returns:
      The images.
    """
    estimated = {
        kind
        for scene in list_subfolders(prediction)
        for kind in list_subfolders(prediction / scene)
        if has_maps(prediction / scene / kind)
    }
    listed = [
        item
        for scene in sorted(list_subfolders(truth))
        for side in SIDES
        for direction in DIRECTIONS
        for item in _list_scene_items(prediction / scene, truth / scene, estimated, direction, side)
    ]
    return [item for item in listed if item.estimates]


def _list_scene_items(
    prediction: Path, truth: Path, estimated: set[str], direction: Direction, side: Side
) -> Iterator[Item]:
    places = {_NAMES[kind]: place for kind, place in layout.get_truth(direction, side).items()}
    maps = {
        "nonrigid": layout.get_rigid_map(direction, side),
        "sky": layout.get_sky_map(side),
    }
    for name, place in places.items():
        maps[f"detail_{name}"] = layout.get_detail_map(place)
        maps[f"unmatched_{name}"] = layout.get_match_map(place)
    true = {f"true_{name}": place for name, place in places.items()}
    found = {name: place.frames(truth) for name, place in (true | maps).items()}
    # The disparity of a frame without motion in this direction counts in the other direction.
    numbers = found["true_flow"].numbers | found["true_next_disparity"].numbers
    if not numbers and direction == "forward":
        numbers = found["true_disparity"].numbers
    for number in sorted(numbers):
        truths = find_truths(found, number)
        wanted = {
            name: place
            for name, place in places.items()
            if place.folder in estimated and f"true_{name}" in truths
        }
        estimates = find_estimates(prediction, wanted, number)
        yield Item(f"{truth.name} {direction} {side} {number:04}", estimates, truths)


def arguments(item: Item, scoring: Scoring) -> Arguments:
    """Reads the arguments of SpringSceneFlow for one image, as `Evaluated.arguments` says."""
    read = read_item(item, _READERS, twice="true_")
    read = fill_up(read, scoring.size, twice="true_")
    several: Arguments = {}
    for kind in ("detail", "unmatched"):
        masks = {name: read.pop(f"{kind}_{name}", None) for name in _NAMES.values()}
        if masks := {name: mask for name, mask in masks.items() if mask is not None}:
            several[kind] = masks
    return {"SpringSceneFlow": read | several}


def expected_files() -> dict[str, list[Path]]:
    """Lists the files of a full submission: by kind, their paths inside the folder."""
    files: dict[str, list[Path]] = {"disp1": [], "disp2": [], "flow": []}
    for scene, frames in layout.TEST_FRAMES.items():
        add = lambda kind, place, numbers, scene=scene: files[kind].extend(
            Path(f"{scene:04}") / place.path(number) for number in numbers
        )
        for side in SIDES:
            add("disp1", _find_place("disparity", "forward", side), range(1, frames + 1))
            # The last frame has no forward motion, and the first no backward motion.
            moves: dict[Direction, range] = {
                "forward": range(1, frames),
                "backward": range(2, frames + 1),
            }
            for direction, numbers in moves.items():
                add("disp2", _find_place("moved_disparity", direction, side), numbers)
                add("flow", _find_place("flow", direction, side), numbers)
    return files


def write_estimate(path: Path, kind: str, values: np.ndarray, valid: np.ndarray) -> None:
    """Writes HDF5 with a value at every pixel, as `Submitted.write_estimate` says."""
    writer = write_flow if kind == "flow" else write_map
    writer(path, values, valid)


def _find_place(kind: str, direction: Direction, side: Side) -> Place:
    return layout.get_truth(direction, side)[kind]


def _read_detail(path: Path) -> np.ndarray:
    return read_codes(path) > 0


def _read_half(path: Path) -> np.ndarray:
    """Halves a map: True where the mean of four codes is at least 0.5."""
    codes = read_codes(path).astype(np.float32)
    # A 1-bit image has the codes 0 and 1, which OpenCV reads as 0 and 255.
    if path.read_bytes()[24:25] == b"\x01":
        codes /= 255
    four = [codes[i::2, j::2] for i in (0, 1) for j in (0, 1)]
    if len({x.shape for x in four}) > 1:
        raise FormatError(path, "an even number of rows and columns", f"{codes.shape}")
    return np.stack(four).mean(axis=0) >= 0.5


_READERS: dict[str, Reader] = {"nonrigid": _read_half, "sky": _read_half}
_READERS |= {
    f"{end}{name}": read_flow if name == "flow" else read_any_disparity
    for name in _NAMES.values()
    for end in ("", "true_")
}
_READERS |= {f"detail_{name}": _read_detail for name in _NAMES.values()}
_READERS |= {f"unmatched_{name}": read_match_map for name in _NAMES.values()}
