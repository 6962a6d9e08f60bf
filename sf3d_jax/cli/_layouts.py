"""Where the files of a benchmark lie: which truths there are, and which estimates belong to them.

A folder of estimates is laid out as a submission to the benchmark, or as the data set itself.
A kind of estimate of which there is no file at all is not evaluated; of any other kind every
file is wanted for which there is a truth.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

FLOW_ENDINGS = (".flo5", ".flo", ".png", ".pfm", ".npy")
MAP_ENDINGS = (".dsp5", ".png", ".pfm", ".npy")


class Item(NamedTuple):
    """One image to evaluate.

    Attributes:
      name: of the image, to a person.
      estimates: files by name of the argument that they become. Whether they are there is found
        out when they are read.
      truths: likewise; these are there.
    """

    name: str
    estimates: dict[str, Path]
    truths: dict[str, Path]


def kitti(prediction: Path, truth: Path) -> list[Item]:
    """The images of KITTI 2015: disp_0, disp_1 and flow with NNNNNN_10.png in each."""
    folders = {"flow": "flow", "disparity": "disp_0", "next_disparity": "disp_1"}
    of_truth = {}
    for name, folder in folders.items():
        for end in ("occ", "noc"):
            base, _, number = folder.partition("_")
            of_truth[f"{name}_{end}"] = f"{base}_{end}" + (f"_{number}" if number else "")
    of_truth["objects"] = "obj_map"
    has = _folders_with_files(prediction, folders)
    found = {name: _stems(truth / folder) for name, folder in of_truth.items()}
    items = []
    for stem in sorted(set().union(*(found[n] for n in found if n != "objects"))):
        truths = {name: stems[stem] for name, stems in found.items() if stem in stems}
        known = {name.rsplit("_", 1)[0] for name in truths}
        wanted = {name: folder for name, folder in has.items() if name in known}
        items.append(Item(stem, _named(prediction, wanted, stem), truths))
    return _with_estimates(items)


def spring(prediction: Path, truth: Path) -> list[Item]:
    """The images of Spring, by scene, camera and direction of time.

    As on its server, the first disparity of a frame counts once for each direction.
    """
    items: list[Item] = []
    kinds = {p.name for scene in _subfolders(prediction) for p in _subfolders(scene) if _stems(p)}
    for scene in _subfolders(truth):
        for side in ("left", "right"):
            for way in ("FW", "BW"):
                items += _spring_items(prediction, scene, kinds, f"{way}_{side}", side)
    return _with_estimates(items)


def _spring_items(
    prediction: Path, scene: Path, kinds: set[str], way: str, side: str
) -> Iterable[Item]:
    folders = {
        "flow": f"flow_{way}",
        "next_disparity": f"disp2_{way}",
        "disparity": f"disp1_{side}",
    }
    maps = {"nonrigid": f"rigidmap_{way}", "sky": f"skymap_{side}"}
    for name, folder in folders.items():
        maps[f"detail_{name}"] = f"detailmap_{folder}"
        maps[f"unmatched_{name}"] = f"matchmap_{folder}"
    found = {f"true_{name}": _frames(scene / folder) for name, folder in folders.items()}
    maps_found = {name: _frames(scene / "maps" / folder) for name, folder in maps.items()}
    # Of a frame without a motion in this direction the disparity counts in the other one.
    frames = {*found["true_flow"], *found["true_next_disparity"]}
    if not frames and way.startswith("FW"):
        frames = {*found["true_disparity"]}
    for frame in sorted(frames):
        truths = {
            name: files[frame] for name, files in (found | maps_found).items() if frame in files
        }
        estimates = {
            name: prediction / scene.name / folder / f"{folder}_{frame}"
            for name, folder in folders.items()
            if folder in kinds and f"true_{name}" in truths
        }
        endings = lambda name: FLOW_ENDINGS if name == "flow" else MAP_ENDINGS
        estimates = {name: existing(p, endings(name)) for name, p in estimates.items()}
        yield Item(f"{scene.name} {way} {frame}", estimates, truths)


def things(prediction: Path, truth: Path) -> list[Item]:
    """The images of FlyingThings3D, laid out as the data set itself.

    Those of optical_flow/SPLIT/LETTER/SCENE/DIRECTION/SIDE, with the disparity and its change.
    """
    items = []
    for folder in sorted((truth / "optical_flow").glob("*/*/*/into_*/*")):
        split, letter, scene, way, side = folder.parts[-5:]
        where = {
            "flow": Path("optical_flow", *folder.parts[-5:]),
            "disparity_change": Path("disparity_change", *folder.parts[-5:]),
            "disparity": Path("disparity", split, letter, scene, side),
        }
        same = Path("*", "*")
        given = {
            "flow": Path("optical_flow", split, same, way, side),
            "disparity_change": Path("disparity_change", split, same, way, side),
            "disparity": Path("disparity", split, same, side),
        }
        has = {n for n, g in given.items() if any(_stems(p) for p in prediction.glob(str(g)))}
        for stem, path in _stems(folder).items():
            stems = {"flow": stem, "disparity": stem.split("_")[1] if "_" in stem else stem}
            stems["disparity_change"] = stems["disparity"]
            in_truth = {n: existing(truth / where[n] / stems[n], MAP_ENDINGS) for n in where}
            in_truth["flow"] = path
            truths = {f"true_{n}": p for n, p in in_truth.items() if p.exists()}
            estimates = {
                n: existing(
                    prediction / where[n] / stems[n], FLOW_ENDINGS if n == "flow" else MAP_ENDINGS
                )
                for n in where
                if n in has and f"true_{n}" in truths
            }
            name = f"{split} {letter} {scene} {way} {side} {stems['disparity']}"
            items.append(Item(name, estimates, truths))
    return _with_estimates(items)


def srflow3d(prediction: Path, truth: Path) -> list[Item]:
    """The images of SRFlow3D, SPLIT/KIND/SUBJECT/NNNN, in either of its layouts.

    The change of the inverse depth is in scaled_inv_depth_CF and _CB, with the flows flow_F and
    flow_B, or in scaled_inv_depth_change, with the flow `flow`.
    """
    ways = {
        ("flow_F", "scaled_inv_depth_CF"): "forward",
        ("flow_B", "scaled_inv_depth_CB"): "backward",
        ("flow", "scaled_inv_depth_change"): "forward",
    }
    splits = [p for p in (truth, *_subfolders(truth)) if any((p / f).is_dir() for f, _ in ways)]
    items = []
    for split in splits:
        inside = prediction / split.relative_to(truth)
        for (flow, change), way in ways.items():
            kinds = {"flow": flow, "scaled_change": change}
            both = {"scaled": "scaled_inv_depth", "depth": "depth", "mask": "mask"}
            has = {n for n, kind in kinds.items() if any(map(_stems, _subfolders(inside / kind)))}
            for subject in _subfolders(split / flow):
                found = {
                    **{f"true_{n}": _stems(split / k / subject.name) for n, k in kinds.items()},
                    **{n: _stems(split / k / subject.name) for n, k in both.items()},
                }
                for stem in found["true_flow"]:
                    truths = {n: files[stem] for n, files in found.items() if stem in files}
                    wanted = {
                        n: f"{kind}/{subject.name}"
                        for n, kind in kinds.items()
                        if n in has and f"true_{n}" in truths
                    }
                    name = f"{split.name} {subject.name} {stem} {way}"
                    items.append(Item(name, _named(inside, wanted, stem), truths))
    return _with_estimates(items)


LAYOUTS: dict[str, Callable[[Path, Path], list[Item]]] = {
    "kitti": kitti,
    "spring": spring,
    "things": things,
    "srflow3d": srflow3d,
}


def existing(path: Path, endings: Iterable[str]) -> Path:
    """The file of that stem with one of the endings, or with the first if there is none.

    Args:
      path: without an ending.
      endings: in the order of preference.

    Returns:
      A path.
    """
    choices = [path.with_name(path.name + ending) for ending in endings]
    return next((p for p in choices if p.exists()), choices[0])


def _with_estimates(items: list[Item]) -> list[Item]:
    return [item for item in items if item.estimates]


def _named(folder: Path, wanted: dict[str, str], stem: str) -> dict[str, Path]:
    """The files of that stem below the folder, by kind; KITTI's ending if there is none."""
    endings = lambda name: FLOW_ENDINGS if name == "flow" else MAP_ENDINGS
    order = lambda name: sorted(endings(name), key=lambda e: e != ".png")
    return {name: existing(folder / sub / stem, order(name)) for name, sub in wanted.items()}


def _folders_with_files(root: Path, folders: dict[str, str]) -> dict[str, str]:
    return {name: folder for name, folder in folders.items() if _stems(root / folder)}


def _subfolders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def _stems(folder: Path) -> dict[str, Path]:
    """The files of a folder by stem, in order."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return {p.stem: p for p in files if p.is_file() and not p.name.startswith(".")}


def _frames(folder: Path) -> dict[str, Path]:
    """The files of a folder of Spring by the number at the end of their stem."""
    return {stem.rsplit("_", 1)[-1]: path for stem, path in _stems(folder).items()}
