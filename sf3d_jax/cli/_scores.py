"""The work of `sf3d evaluate`: the files of one image become the arguments of a metric."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

import sf3d_jax as sf3d
from sf3d_jax import data, depth_change, metrics
from sf3d_jax.cli._layouts import Item
from sf3d_jax.cli._submission import read_disparity
from sf3d_jax.data._files import FormatError
from sf3d_jax.data._files.pictures import read_picture

if TYPE_CHECKING:
    from sf3d_jax.cli.evaluate import Evaluate

# FlyingThings3D's camera: focal length and centre in pixels, and a baseline of one unit.
_THINGS = (1050.0, 1050.0, 479.5, 269.5)
# A JPEG mask is grey at its edges.
_MASK_LEVEL = 128

Score = Any
Arguments = dict[str, Any]


def empty_scores(benchmark: str, pool: str) -> dict[str, Score]:
    """The metrics of a benchmark.

    Args:
      benchmark: of `Evaluate`.
      pool: of `Metric.empty`.

    Returns:
      Metrics by name; of all but the first, the names of results begin with theirs.
    """
    names = {
        "kitti": ["KittiSceneFlow"],
        "spring": ["SpringSceneFlow"],
        "things": ["FlyingThings3D"],
        "srflow3d": ["SRFlow3D", "DepthChange"],
    }[benchmark]
    return {name: getattr(metrics, name).empty(pool=pool) for name in names}


def add(scores: dict[str, Score], item: Item, options: "Evaluate") -> dict[str, Score]:
    """Adds one image.

    Args:
      scores: as `empty_scores` returns them.
      item: its files.
      options: the command's flags.

    Returns:
      The metrics with the image.

    Raises:
      ValueError: a file is not what it should be, or of another size.
      OSError: a file is missing.
    """
    arguments = _ARGUMENTS[options.benchmark](item, options)
    return {
        name: score.update(**arguments[name]) if name in arguments else score
        for name, score in scores.items()
    }


def _kitti(item: Item, options: "Evaluate") -> dict[str, Arguments]:
    del options
    read = _read_all(item, {"objects": _read_objects})
    _check_sizes(item, read)
    return {"KittiSceneFlow": read}


def _spring(item: Item, options: "Evaluate") -> dict[str, Arguments]:
    del options
    half = {"nonrigid": _read_half, "sky": _read_half}
    read = _read_all(item, half | {"unmatched": _read_unmatched, "detail": _read_detail})
    _check_sizes(item, read, twice="true_")
    masks: Arguments = {}
    for name in [n for n in read if n.startswith(("detail_", "unmatched_"))]:
        kind, quantity = name.split("_", 1)
        masks.setdefault(kind, {})[quantity] = read.pop(name)
    return {"SpringSceneFlow": read | masks}


def _things(item: Item, options: "Evaluate") -> dict[str, Arguments]:
    del options
    # In releases with negative disparities the changes have their sign, too.
    signed = lambda path: tuple(data.read_map(path))
    read = _read_all(item, {"true_disparity": signed, "disparity": signed})
    _check_sizes(item, read)
    arguments: Arguments = {name: read[name] for name in ("flow", "true_flow") if name in read}
    if "true_disparity" not in read:
        return {"FlyingThings3D": arguments}
    disparity, known = read["true_disparity"]
    disparity = np.abs(disparity)
    same = depth_change.from_disparities(disparity, disparity, _THINGS[0])
    depth = np.asarray(same.inv_depth), np.asarray(same.valid) & known
    arguments["true_inv_depth"] = depth
    camera = sf3d.Camera.pinhole(*_THINGS, disparity.shape)
    for kind in ("true_", ""):
        # Without an estimate of the disparity, the true one is taken, as RAFT-3D does.
        first = read.get(f"{kind}disparity", read["true_disparity"])
        if {f"{kind}flow", f"{kind}disparity_change"} <= read.keys():
            parts = read[f"{kind}flow"], first, read[f"{kind}disparity_change"]
            arguments[f"{kind}vectors"] = _lifted(*parts, camera)
    return {"FlyingThings3D": arguments}


def _lifted(flow: Any, disparity: Any, change: Any, camera: sf3d.Camera) -> Any:
    (f, f_known), (d, d_known), (c, c_known) = flow, disparity, change
    depths = depth_change.from_disparities(np.abs(d), np.abs(d + c), _THINGS[0])
    inv_depth, inv_change = np.asarray(depths.inv_depth), np.asarray(depths.inv_depth_change)
    vectors, valid = sf3d.scene_flow(f, inv_depth, inv_change, camera)
    known = f_known & d_known & c_known & np.asarray(depths.valid) & np.asarray(valid)
    return np.asarray(vectors), known


def _srflow3d(item: Item, options: "Evaluate") -> dict[str, Arguments]:
    read = _read_all(item, {"mask": _read_mask})
    _check_sizes(item, read)
    arguments: Arguments = {n: read[n] for n in ("flow", "true_flow", "mask") if n in read}
    if not {"true_scaled_change", "scaled"} <= read.keys():
        return {"SRFlow3D": arguments}
    scale = _scale(item, read, options.scale)
    metric = lambda x: (x[0] / np.float32(scale), x[1])
    arguments["true_inv_depth"] = metric(read["scaled"])
    changes = {"inv_depth_change": "scaled_change", "true_inv_depth_change": "true_scaled_change"}
    arguments |= {name: metric(read[kind]) for name, kind in changes.items() if kind in read}
    if options.intrinsics is not None:
        size = read["scaled"][0].shape
        arguments["camera"] = sf3d.Camera.pinhole(*options.intrinsics, size)
    result = {"SRFlow3D": arguments}
    if "inv_depth_change" in arguments:
        truth, known = arguments["true_inv_depth_change"]
        result["DepthChange"] = {
            "inv_depth_change": arguments["inv_depth_change"],
            "true_inv_depth_change": (truth, known & read.get("mask", True)),
            "true_inv_depth": arguments["true_inv_depth"],
        }
    return result


def _scale(item: Item, read: Arguments, given: float | None) -> float:
    """What the inverse depths of SRFlow3D are multiplied by: measured where the depth is there."""
    if given is not None:
        return given
    if "depth" not in read:
        path = item.truths["scaled"]
        raise ValueError(f"{path}: its scale needs the depth of that name, or --scale")
    (scaled, known), (depth, also) = read["scaled"], read["depth"]
    use = known & also & (scaled > 0) & (depth > 0) & read.get("mask", True)
    if not use.any():
        raise ValueError(f"{item.truths['depth']}: no pixel has a depth and an inverse depth")
    return float(np.median(np.float64(scaled[use]) * depth[use]))


_ARGUMENTS: dict[str, Callable[[Item, "Evaluate"], dict[str, Arguments]]] = {
    "kitti": _kitti,
    "spring": _spring,
    "things": _things,
    "srflow3d": _srflow3d,
}


def _read_all(item: Item, readers: dict[str, Callable[[Path], Any]]) -> Arguments:
    """The maps of all files by name; estimates first, as those are what may be wrong."""
    files = item.estimates | item.truths
    return {name: _reader(name, readers)(path) for name, path in files.items()}


def _reader(name: str, readers: dict[str, Callable[[Path], Any]]) -> Callable[[Path], Any]:
    for key, reader in readers.items():
        if name == key or name.startswith(f"{key}_"):
            return reader
    if "flow" in name.split("_"):
        return lambda path: tuple(data.read_flow(path))
    if "disparity" in name and "change" not in name:
        return read_disparity
    return lambda path: tuple(data.read_map(path))


def _check_sizes(item: Item, read: Arguments, twice: str = "\0") -> None:
    """Refuses maps of another size than the truth; `twice`: how the names of larger ones begin."""
    size = lambda name: np.shape(read[name][0] if isinstance(read[name], tuple) else read[name])[:2]
    first = next(iter(item.truths))
    factor = 2 if first.startswith(twice) else 1
    wanted = tuple(n // factor for n in size(first))
    for name, path in (item.truths | item.estimates).items():
        expected = tuple(2 * n for n in wanted) if name.startswith(twice) else wanted
        if size(name) != expected:
            found, right = (f"{w} x {h} pixels" for h, w in (size(name), expected))
            raise FormatError(path, f"{right} beside {item.truths[first]}", found)


def _read_objects(path: Path) -> np.ndarray:
    return _picture(path).astype(np.int32)


def _read_mask(path: Path) -> np.ndarray:
    return _picture(path) >= _MASK_LEVEL


def _read_detail(path: Path) -> np.ndarray:
    return _picture(path) > 0


def _read_unmatched(path: Path) -> np.ndarray:
    colors = read_picture(path, cv2.IMREAD_UNCHANGED)
    return np.asarray(colors > 0 if colors.ndim == 2 else (colors[..., :2] > 0).any(-1))


def _read_half(path: Path) -> np.ndarray:
    """A map of twice the size, where the mean of the four numbers is 0.5 at least."""
    codes = _picture(path).astype(np.float32)
    # A picture of one bit has the numbers 0 and 1, which OpenCV reads as 0 and 255.
    if path.read_bytes()[24:25] == b"\x01":
        codes /= 255
    four = [codes[i::2, j::2] for i in (0, 1) for j in (0, 1)]
    if len({x.shape for x in four}) > 1:
        raise FormatError(path, "an even number of rows and columns", f"{codes.shape}")
    return np.asarray(np.stack(four).mean(axis=0) >= 0.5)


def _picture(path: Path) -> np.ndarray:
    """The first channel of a picture."""
    picture = read_picture(path, cv2.IMREAD_UNCHANGED)
    return picture if picture.ndim == 2 else picture[..., 0]
