"""Recognises the data set in a folder by the names of its subfolders."""

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from sf3d_jax._checks import check_choice, list_choices
from sf3d_jax.data._files import PathLike
from sf3d_jax.data.sets._dataset import Dataset
from sf3d_jax.data.sets._listing import list_subfolders
from sf3d_jax.data.sets._missing import IncompleteError
from sf3d_jax.data.sets._names import did_you_mean
from sf3d_jax.data.sets._sequences import SIDES
from sf3d_jax.data.sets.chairs import layout as chairs
from sf3d_jax.data.sets.chairs.dataset import FlyingChairs
from sf3d_jax.data.sets.hd1k import layout as hd1k
from sf3d_jax.data.sets.hd1k.dataset import HD1K
from sf3d_jax.data.sets.kitti import layout as kitti2015
from sf3d_jax.data.sets.kitti import layout_2012 as kitti2012
from sf3d_jax.data.sets.kitti.dataset import Kitti2015
from sf3d_jax.data.sets.kitti.dataset_2012 import Kitti2012
from sf3d_jax.data.sets.sintel import layout as sintel
from sf3d_jax.data.sets.sintel.dataset import Sintel
from sf3d_jax.data.sets.spring import layout as spring
from sf3d_jax.data.sets.spring.dataset import Spring
from sf3d_jax.data.sets.srflow3d import layout as srflow3d
from sf3d_jax.data.sets.srflow3d.dataset import SRFlow3D
from sf3d_jax.data.sets.tartanair import layout as tartanair
from sf3d_jax.data.sets.tartanair.dataset import TartanAir
from sf3d_jax.data.sets.tartanair.dataset_v2 import TartanAirV2
from sf3d_jax.data.sets.things import layout as things
from sf3d_jax.data.sets.things.dataset import Driving, FlyingThings3D, Monkaa
from sf3d_jax.data.sets.things.subset import FlyingThings3DSubset
from sf3d_jax.data.sets.vkitti2 import layout as vkitti2
from sf3d_jax.data.sets.vkitti2.dataset import VirtualKitti2

# Makes a data set, or raises FileNotFoundError if the folder lacks that split or camera.
_Make = Callable[[], Dataset]


class _Known(NamedTuple):
    """A data set that can be recognised.

    Attributes:
      candidates: function from a folder and a split (None for all) to possible data sets.
      looks_for: human-readable list of what the folder must contain.
      splits: names of the splits.
    """

    candidates: Callable[[Path, str | None], Iterable[_Make]]
    looks_for: str
    splits: Sequence[str] = ()


def recognise(
    path: PathLike, *, dataset: str | None = None, split: str | None = None
) -> tuple[Dataset, ...]:
    """Finds the data sets in a folder: one per split and camera, with forward motion.

    If a data set has a clean and a final rendering, the clean one is preferred.

    Args:
      path: folder of a data set, or of one of its splits, scenes or flights.
      dataset: "srflow3d", "kitti2015", "kitti2012", "spring", "flyingthings3d",
        "flyingthings3dsubset", "monkaa", "driving", "sintel", "virtualkitti2", "tartanair",
        "tartanairv2", "flyingchairs" or "hd1k"; recognised by the subfolders if None.
      split: the data set's own name of a split; all splits found if None.

    Returns:
      At least one data set.

    Raises:
      FileNotFoundError: the folder does not exist, or contains no known data set or not the split,
        or something is missing for all pairs of frames.
      ValueError: the data set or the split is unknown.
    """
    if dataset is not None and dataset not in _KNOWN:
        check_choice("dataset", dataset, _KNOWN, did_you_mean(dataset, _KNOWN))
    known = _KNOWN if dataset is None else {dataset: _KNOWN[dataset]}
    path = Path(path)
    if not path.is_dir():
        is_file = f"{path} is a file; name a folder"
        raise FileNotFoundError(is_file if path.exists() else f"no such folder: {path}")

    # The split or the scene may be the name of a folder above, which a relative path may lack.
    place = Path(os.path.abspath(path))
    splits = dict.fromkeys(name for one in known.values() for name in one.splits)
    if split is not None and not splits:
        raise ValueError(f"split: expected None, as {dataset} has no splits, got {split!r}")
    if split is not None and split not in splits:
        there = _find_splits(known.values(), place)
        check_choice("split", split, there or splits, f"; looked in {path}" if there else "")
    for one in known.values():
        if split is None or split in one.splits:
            if found := tuple(_make_existing(one.candidates(place, split))):
                return found
    if split is not None and (there := _find_splits(known.values(), place)):
        raise FileNotFoundError(f"{path}: expected the split {list_choices(there)}, got {split!r}")
    listed = "".join(f"\n  {name}: {one.looks_for}" for name, one in known.items())
    raise FileNotFoundError(f"{path}: found no known data set; looked for{listed}")


def _find_splits(known: Iterable[_Known], place: Path) -> tuple[str, ...]:
    """Finds the splits in a folder of the first data set that has any there."""
    for one in known:
        found = _make_existing(one.candidates(place, None))
        if there := dict.fromkeys(x.split for x in found if hasattr(x, "split")):
            return tuple(there)
    return ()


def _make_existing(candidates: Iterable[_Make]) -> Iterator[Dataset]:
    for make in candidates:
        try:
            yield make()
        except IncompleteError:
            raise
        except FileNotFoundError:
            continue


def _list_inside(path: Path) -> set[str]:
    """Lists the subfolders of the subfolders."""
    return list_subfolders(*(path / name for name in list_subfolders(path)))


def _list_splits(
    path: Path, split: str | None, splits: Sequence[str], fits: Callable[[Path], object]
) -> Iterator[str]:
    """Lists the splits in a folder, or the split that it is itself.

    If its name is not that of a split, it is taken for the requested or the first split.
    """
    found = [name for name in splits if fits(path / name)]
    if not found and fits(path):
        found = [path.name if path.name in splits else split or splits[0]]
    return (name for name in found if split in (None, name))


def _find_srflow3d(path: Path, split: str | None) -> Iterator[_Make]:
    for at in _list_splits(path, split, srflow3d.SPLITS, _is_srflow3d):
        yield partial(SRFlow3D, path, at)


def _is_srflow3d(path: Path) -> bool:
    there = list_subfolders(path)
    return bool(srflow3d.MARKS & there) or there >= srflow3d.MARKS_TOGETHER


def _find_kitti2015(path: Path, split: str | None) -> Iterator[_Make]:
    for at in _list_splits(path, split, kitti2015.SPLITS, _is_kitti2015):
        yield partial(Kitti2015, path, at)


def _is_kitti2015(path: Path) -> bool:
    there = list_subfolders(path)
    either = kitti2015.MARKS_OF_EITHER & there and not kitti2012.MARKS & there
    return bool(kitti2015.MARKS & there or either)


def _find_kitti2012(path: Path, split: str | None) -> Iterator[_Make]:
    for at in _list_splits(
        path, split, kitti2015.SPLITS, lambda p: kitti2012.MARKS & list_subfolders(p)
    ):
        yield partial(Kitti2012, path, at)


def _find_spring(path: Path, split: str | None) -> Iterator[_Make]:
    scenes: Collection[str] | None = None
    if spring.MARKS & list_subfolders(path):
        path, scenes = path.parent, (path.name,)
    for at in _list_splits(path, split, spring.SPLITS, lambda p: spring.MARKS & _list_inside(p)):
        for side in SIDES:
            yield partial(Spring, path, at, side=side, scenes=scenes)


def _find_sintel(path: Path, split: str | None) -> Iterator[_Make]:
    clean = {place.folder for place in sintel.IMAGES["clean"]}
    for at in _list_splits(path, split, sintel.SPLITS, lambda p: sintel.MARKS & list_subfolders(p)):
        there = list_subfolders(path / at) or list_subfolders(path)
        render: sintel.Render = "clean" if clean & there else "final"
        yield partial(Sintel, path, at, render=render)


def _inspect_things(path: Path) -> tuple[set[str], things.Render]:
    """Lists the folders below each kind of FlyingThings3D, Monkaa or Driving, and the rendering."""
    clean = any(name.startswith("frames_cleanpass") for name in list_subfolders(path))
    inside = list_subfolders(*(path / name for name in things.MARKS))
    final = any(name.startswith("frames_finalpass") for name in list_subfolders(path))
    return inside, "finalpass" if final and not clean else "cleanpass"


def _find_flyingthings3d(path: Path, split: str | None) -> Iterator[_Make]:
    inside, render = _inspect_things(path)
    for at in things.SPLITS:
        for side in SIDES:
            if at in inside and split in (None, at):
                yield partial(FlyingThings3D, path, at, side=side, render=render)


def _find_flyingthings3dsubset(path: Path, split: str | None) -> Iterator[_Make]:
    marks = things.MARKS_OF_SUBSET
    for at in _list_splits(
        path, split, things.SPLITS_OF_SUBSET, lambda p: marks & list_subfolders(p)
    ):
        there = list_subfolders(path / at) or list_subfolders(path)
        is_final = "image_final" in there and "image_clean" not in there
        for side in SIDES:
            make = partial(FlyingThings3DSubset, path, at, side=side)
            yield partial(make, render="final" if is_final else "clean")


def _find_monkaa(path: Path, split: str | None) -> Iterator[_Make]:
    inside, render = _inspect_things(path)
    if not inside & {*things.SPLITS, *things.FOCALS}:
        for side in SIDES:
            yield partial(Monkaa, path, side=side, render=render)


def _find_driving(path: Path, split: str | None) -> Iterator[_Make]:
    inside, render = _inspect_things(path)
    for focal in things.FOCALS:
        for side in SIDES:
            if focal in inside:
                yield partial(Driving, path, focal=focal, side=side, render=render)


def _find_virtualkitti2(path: Path, split: str | None) -> Iterator[_Make]:
    options: dict[str, Any] = {}
    if vkitti2.MARKS & list_subfolders(path / vkitti2.FRAMES):
        options = {"scenes": (path.parent.name,), "variations": (path.name,)}
        path = path.parent.parent
    elif any(
        vkitti2.MARKS & list_subfolders(path / name / vkitti2.FRAMES)
        for name in list_subfolders(path)
    ):
        path, options = path.parent, {"scenes": (path.name,)}
    for camera in vkitti2.CAMERAS:
        yield partial(VirtualKitti2, path, camera=camera, **options)


def _find_tartanair(path: Path, split: str | None) -> Iterator[_Make]:
    is_flight = bool(tartanair.MARKS & list_subfolders(path))
    path, options = _find_flight_root(path, tartanair.DIFFICULTIES, is_flight)
    yield partial(TartanAir, path, **options)


def _find_tartanairv2(path: Path, split: str | None) -> Iterator[_Make]:
    is_flight = any(map(tartanair.MARKS_V2.fullmatch, list_subfolders(path)))
    path, options = _find_flight_root(path, tartanair.DIFFICULTIES_V2, is_flight)
    for camera in tartanair.CAMERAS:
        yield partial(TartanAirV2, path, camera=camera, **options)


def _find_flight_root(
    path: Path, difficulties: Mapping[str, str], is_flight: bool
) -> tuple[Path, dict[str, Any]]:
    """Finds the root above a flight, difficulty or environment, and the options that select it."""
    names = {folder: name for name, folder in difficulties.items()}
    options: dict[str, Any] = {}
    if path.parent.name in names and is_flight:
        path, options = path.parent, {"flights": (path.name,)}
    if path.name in names:
        path, options = path.parent, {**options, "difficulty": names[path.name]}
    if names.keys() & list_subfolders(path):
        path, options = path.parent, {**options, "environments": (path.name,)}
    return path, options


def _find_flyingchairs(path: Path, split: str | None) -> Iterator[_Make]:
    found = chairs.find_pairs(path)
    if chairs.IMAGES.keys() <= found.keys():
        has_list = chairs.find_list(path, found["image"].folder.path) is not None
        for at in [split] if split else ["train", "val"] if has_list else ["all"]:
            yield partial(FlyingChairs, path, at)


def _find_hd1k(path: Path, split: str | None) -> Iterator[_Make]:
    for at in hd1k.SPLITS if hd1k.MARKS & list_subfolders(path) else ():
        if split in (None, at):
            yield partial(HD1K, path, at)


_KNOWN = {
    "srflow3d": _Known(
        _find_srflow3d,
        "train/ or test/ with flow_F/, or flow/ and render/, or scaled_inv_depth/",
        srflow3d.SPLITS,
    ),
    "kitti2015": _Known(
        _find_kitti2015, "training/ or testing/ with image_2/ or flow_occ/", kitti2015.SPLITS
    ),
    "kitti2012": _Known(
        _find_kitti2012,
        "training/ or testing/ with colored_0/, image_0/ or disp_occ/",
        kitti2015.SPLITS,
    ),
    "spring": _Known(_find_spring, "train/ or test/ with 0001/frame_left/", spring.SPLITS),
    "flyingthings3d": _Known(
        _find_flyingthings3d,
        "frames_cleanpass/ or optical_flow/ with TRAIN/ or TEST/",
        things.SPLITS,
    ),
    "flyingthings3dsubset": _Known(
        _find_flyingthings3dsubset,
        "train/ or val/ with image_clean/ and flow/left/into_future/",
        things.SPLITS_OF_SUBSET,
    ),
    "monkaa": _Known(_find_monkaa, "frames_cleanpass/ or optical_flow/ with the scenes"),
    "driving": _Known(_find_driving, "frames_cleanpass/ or optical_flow/ with 35mm_focallength/"),
    "sintel": _Known(_find_sintel, "training/ or test/ with clean/ or final/", sintel.SPLITS),
    "virtualkitti2": _Known(_find_virtualkitti2, "Scene01/clone/frames/"),
    "tartanair": _Known(_find_tartanair, "abandonedfactory/Easy/ or another environment"),
    "tartanairv2": _Known(_find_tartanairv2, "AbandonedFactory/Data_easy/ or another environment"),
    "flyingchairs": _Known(_find_flyingchairs, "data/ with 00001_img1.ppm", chairs.SPLITS),
    "hd1k": _Known(_find_hd1k, "hd1k_input/ or hd1k_challenge/", hd1k.SPLITS),
}
