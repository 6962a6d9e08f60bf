"""Where the files of FlyingChairs lie; see `FlyingChairs` for the folder tree."""

from pathlib import Path

from sf3d_jax.data.sets._listing import Folder, FrameFiles, Place, list_subfolders

SPLITS = ("train", "val", "all")
FOLDER = "data"
IMAGES = {
    "image": Place(FOLDER, "{:05d}_img1", ".ppm"),
    "next_image": Place(FOLDER, "{:05d}_img2", ".ppm"),
}
FLOW = Place(FOLDER, "{:05d}_flow", ".flo")
# The list of the data set, and RAFT's name for the same list.
LISTS = ("FlyingChairs_train_val.txt", "chairs_split.txt")
_RELEASE = "FlyingChairs_release"
# File names of the successors, and the patterns with which `FolderPairs` reads them.
_OTHERS = {
    "FlyingChairs2": (
        Place("", "{:07d}-img_0", ".png"),
        "image='*-img_0.png', next_image='*-img_1.png', flow='*-flow_01.flo'",
    ),
    "ChairsSDHom": (
        Place("t0", "{:05d}", ".png"),
        "image='t0/*.png', next_image='t1/*.png', flow='flow/*.pfm'",
    ),
}


def find_pairs(root: Path) -> dict[str, FrameFiles]:
    """Finds the files of the pairs, by kind.

    Args:
      root: folder of the release, its parent, or the folder of the files.

    Returns:
      The files in the first of these folders that has any: "image" and "next_image" if there are
      images, and "flow" if there are flows.
    """
    for folder in (root / FOLDER, root / _RELEASE / FOLDER, root):
        pictures, maps = Folder(folder, ".ppm"), Folder(folder, ".flo")
        images = {kind: FrameFiles(pictures, place.stem) for kind, place in IMAGES.items()}
        kinds = images if any(frames.numbers for frames in images.values()) else {}
        flow = FrameFiles(maps, FLOW.stem)
        if flow.numbers:
            kinds = {**kinds, "flow": flow}
        if kinds:
            return kinds
    return {}


def find_list(root: Path, folder: Path) -> Path | None:
    """Finds the list of the pairs of each split, in or above the folder of the files.

    Args:
      root: folder of the data set, as the caller gave it.
      folder: folder of the files.

    Returns:
      The path of the list; None if there is none.
    """
    places = dict.fromkeys((folder.parent, folder, root))
    return next((p / name for p in places for name in LISTS if (p / name).is_file()), None)


def describe_other(root: Path) -> str:
    """Says how to read a folder that holds one of the successors; empty if it does not."""
    splits = ("train", "val", "test", "data/train", "data/test")
    there = list_subfolders(root) | {f"data/{name}" for name in list_subfolders(root / "data")}
    for folder in (root, *(root / name for name in splits if name in there)):
        for name, (place, patterns) in _OTHERS.items():
            if place.frames(folder).numbers:
                return f"; {folder} looks like {name}: FolderPairs({str(folder)!r}, {patterns})"
    return ""
