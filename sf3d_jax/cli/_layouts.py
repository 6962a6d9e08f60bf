"""Where the files of a benchmark lie: which truths there are, and which estimates belong to them.

A folder of estimates is laid out as a submission to the benchmark, or as the data set itself.
A kind of estimate of which there is no file at all is not evaluated; of any other kind every
file is wanted for which there is a truth.
"""

import functools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

_FLOW_ENDINGS = (".flo5", ".flo", ".png", ".pfm", ".npy")
_MAP_ENDINGS = (".dsp5", ".png", ".pfm", ".npy")

# The folders of flow and of the change of the scaled inverse depth, in SRFlow3D's layouts.
_SRFLOW3D = (
    ("flow_F", "scaled_inv_depth_CF"),
    ("flow_B", "scaled_inv_depth_CB"),
    ("flow", "scaled_inv_depth_change"),
)


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
        estimates = {n: existing(prediction / f / stem, n, ".png") for n, f in wanted.items()}
        items.append(Item(stem, estimates, truths))
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
        own = lambda name: ".flo5" if name == "flow" else ".dsp5"
        estimates = {name: existing(p, name, own(name)) for name, p in estimates.items()}
        yield Item(f"{scene.name} {way} {frame}", estimates, truths)


def things(prediction: Path, truth: Path) -> list[Item]:
    """The images of FlyingThings3D, laid out as the data set itself.

    Those of optical_flow/SPLIT/LETTER/SCENE/DIRECTION/SIDE, with the disparity and its change.
    """
    items = []

    @functools.cache
    def has(kind: str, split: str, *rest: str) -> bool:
        """Whether there is any estimate of a kind, whatever its scene."""
        folders = (prediction / kind / split).glob("/".join(("*", "*", *rest)))
        return any(_stems(folder) for folder in folders)

    for folder in sorted((truth / "optical_flow").glob("*/*/*/into_*/*")):
        split, letter, scene, way, side = folder.parts[-5:]
        for stem, path in _stems(folder).items():
            number = stem.split("_")[1] if "_" in stem else stem
            where = {
                "flow": Path("optical_flow", split, letter, scene, way, side, stem),
                "disparity_change": Path(
                    "disparity_change", split, letter, scene, way, side, number
                ),
                "disparity": Path("disparity", split, letter, scene, side, number),
            }
            truths = {f"true_{k}": existing(truth / p, k, ".pfm") for k, p in where.items()}
            truths = {k: p for k, p in truths.items() if p.exists()} | {"true_flow": path}
            estimates = {
                k: existing(prediction / p, k, ".pfm")
                for k, p in where.items()
                if f"true_{k}" in truths and has(p.parts[0], split, *p.parts[4:-1])
            }
            items.append(Item(f"{split} {letter} {scene} {way} {side} {number}", estimates, truths))
    return _with_estimates(items)


def srflow3d(prediction: Path, truth: Path) -> list[Item]:
    """The images of SRFlow3D, SPLIT/KIND/SUBJECT/NNNN, in either of its layouts.

    The change of the inverse depth is in scaled_inv_depth_CF and _CB, with the flows flow_F and
    flow_B, or in scaled_inv_depth_change, with the flow `flow`.
    """
    items: list[Item] = []
    for split in (truth, *_subfolders(truth)):
        inside = prediction / split.relative_to(truth)
        for flow, change in _SRFLOW3D:
            kinds = {"flow": flow, "scaled_change": change}
            has = {n for n, kind in kinds.items() if any(map(_stems, _subfolders(inside / kind)))}
            kinds = {name: kind for name, kind in kinds.items() if name in has}
            for subject in _subfolders(split / flow):
                items += _srflow3d_items(inside, split, subject.name, (flow, change), kinds)
    return _with_estimates(items)


def _srflow3d_items(
    inside: Path, split: Path, subject: str, motion: tuple[str, str], kinds: dict[str, str]
) -> Iterable[Item]:
    flow, change = motion
    folders = {"true_flow": flow, "true_scaled_change": change}
    folders |= {"scaled": "scaled_inv_depth", "depth": "depth"}
    found = {name: _stems(split / folder / subject) for name, folder in folders.items()}
    # A mask may be a picture of any kind.
    found["mask"] = {path.stem: path for path in _files(split / "mask" / subject)}
    for stem in found["true_flow"]:
        truths = {name: files[stem] for name, files in found.items() if stem in files}
        estimates = {
            name: existing(inside / kind / subject / stem, name, truths[f"true_{name}"].suffix)
            for name, kind in kinds.items()
            if f"true_{name}" in truths
        }
        yield Item(f"{split.name} {flow} {subject} {stem}", estimates, truths)


LAYOUTS: dict[str, Callable[[Path, Path], list[Item]]] = {
    "kitti": kitti,
    "spring": spring,
    "things": things,
    "srflow3d": srflow3d,
}


def existing(path: Path, kind: str, ending: str) -> Path:
    """The file of that stem, in the benchmark's own format or in another one.

    Args:
      path: without an ending.
      kind: "flow", or of a scalar map any other name.
      ending: the benchmark's own.

    Returns:
      The file that is there, or else that with the benchmark's ending.
    """
    endings = (ending, *(_FLOW_ENDINGS if kind == "flow" else _MAP_ENDINGS))
    choices = [path.with_name(path.name + end) for end in endings]
    return next((p for p in choices if p.exists()), choices[0])


def _with_estimates(items: list[Item]) -> list[Item]:
    return [item for item in items if item.estimates]


def _folders_with_files(root: Path, folders: dict[str, str]) -> dict[str, str]:
    return {name: folder for name, folder in folders.items() if _stems(root / folder)}


def _subfolders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def _stems(folder: Path) -> dict[str, Path]:
    """The maps of a folder by stem, in order."""
    endings = {*_FLOW_ENDINGS, *_MAP_ENDINGS}
    return {path.stem: path for path in _files(folder) if path.suffix.lower() in endings}


def _files(folder: Path) -> list[Path]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [p for p in files if p.is_file() and not p.name.startswith(".")]


def _frames(folder: Path) -> dict[str, Path]:
    """The files of a folder of Spring by the number at the end of their stem."""
    return {stem.rsplit("_", 1)[-1]: path for stem, path in _stems(folder).items()}
