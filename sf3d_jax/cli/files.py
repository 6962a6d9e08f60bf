"""Which files the flags of `sf3d convert` mean, and which of them belong together."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from sf3d_jax.cli.inputs import flag

_DISPARITIES = (".png", ".pfm", ".npy", ".npz", ".dsp5")
_MAPS = (*_DISPARITIES, ".dpt")
_PICTURES = (
    *(".png", ".jpg", ".jpeg", ".jpe", ".jp2", ".ppm", ".pgm", ".pbm", ".pnm", ".bmp", ".dib"),
    *(".webp", ".tif", ".tiff", ".gif", ".avif", ".ras"),
)
# Of which endings the files of a folder are taken, by the field. Poses are text of any ending.
ENDINGS: Mapping[str, tuple[str, ...]] = {
    "flow": (".flo", ".png", ".pfm", ".npy", ".npz", ".flo5"),
    "disparity": _DISPARITIES,
    "next_disparity": _DISPARITIES,
    "depth": _MAPS,
    "next_depth": _MAPS,
    "inverse_depth": _MAPS,
    "inverse_depth_change": _MAPS,
    "motion_in_depth": _MAPS,
    "image": _PICTURES,
    "input": (".npz",),
}


def expand(name: str, paths: Iterable[Path]) -> list[Path]:
    """The files meant by a flag: a folder stands for those that it can read, 2 before 10.

    How many files of a folder are left out, for their ending, is said.

    Args:
      name: of the field, for the message.
      paths: files and folders. Whether a file exists is found out when it is read.

    Returns:
      Files.

    Raises:
      ValueError: a folder is empty, or holds nothing that can be read.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = [p for p in path.iterdir() if p.is_file() and p.name[0] != "."]
        if not found:
            raise ValueError(f"{flag(name)}: the folder {path} holds no files")
        found.sort(key=lambda p: _natural_order(p.name))
        files += _take_readable(name, path, found)
    return files


def _take_readable(name: str, folder: Path, files: list[Path]) -> list[Path]:
    """The files of a folder whose endings are known; says how many others there are."""
    endings = ENDINGS.get(name)
    if endings is None:
        return files
    taken = [path for path in files if path.suffix.lower() in endings]
    others = [path for path in files if path.suffix.lower() not in endings]
    if not taken:
        raise ValueError(
            f"{flag(name)}: the folder {folder} holds no files that end in {', '.join(endings)}, "
            f"only such as {others[0].name}"
        )
    if others:
        _say_left_out(name, others, len(files), f"not of an ending of {', '.join(endings)}")
    return taken


def _say_left_out(name: str, left_out: Sequence[Path], count: int, why: str) -> None:
    listed = f"{left_out[0]}" if len(left_out) == 1 else f"{left_out[0]}, ..."
    note = f"{len(left_out)} of {count} files left out, {why}: {listed}"
    print(f"sf3d: {flag(name)}: {note}", file=sys.stderr)


def find_partners(
    name: str, paths: Sequence[Path], flows: Sequence[Path], flow_paths: Sequence[Path]
) -> list[Path]:
    """The file that belongs to each flow, told by the names; says how many belong to none.

    Args:
      name: of the field, for the message.
      paths: files and folders of the flag.
      flows: the files of --flow.
      flow_paths: files and folders of --flow, as they were typed.

    Returns:
      As many files as flows: those of the same name, or else of the same number. As many files
      that were typed one by one and have no numbers belong together in their order, and a single
      one belongs to a single flow; if their numbers differ that is said.

    Raises:
      ValueError: a flow has no partner, or the names do not say which one it is.
    """
    from sf3d_jax.data import pair_files

    files = expand(name, paths)
    is_typed = not any(path.is_dir() for path in (*paths, *flow_paths))
    are_words = not any(re.search(r"\d", path.stem) for path in (*files, *flows))
    if is_typed and len(files) == len(flows) and (len(files) == 1 or are_words):
        if not are_words:
            _say_if_numbers_differ(name, files[0], flows[0])
        return files
    if is_typed and are_words:
        raise ValueError(f"{flag(name)}: {len(files)} files for {len(flows)} files of --flow")
    try:
        paired = pair_files(flows, files)
    except FileNotFoundError as error:
        folders = ", ".join(str(path) for path in flow_paths if path.is_dir())
        advice = f"; take what is not a flow out of the folder of --flow, {folders}"
        raise ValueError(f"{flag(name)}: {error}{advice if folders else ''}") from None
    except ValueError as error:
        raise ValueError(f"{flag(name)}: {error}") from None
    if paired.left_out:
        _say_left_out(name, paired.left_out, len(files), "without a flow")
    return list(paired.files)


def _say_if_numbers_differ(name: str, path: Path, flow: Path) -> None:
    """Notes a file that was typed for a flow of another frame, by the numbers in their names."""
    from sf3d_jax.data import pair_files

    try:
        pair_files([flow], [path])
        return
    except FileNotFoundError:
        pass
    except ValueError:  # they do not say
        first, second = ({*map(int, re.findall(r"\d+", x.stem))} for x in (flow, path))
        if not (first and second) or first & second:
            return
    note = f"{path} is taken for {flow}, as typed, although the numbers in their names differ"
    print(f"sf3d: {flag(name)}: {note}", file=sys.stderr)


def _natural_order(name: str) -> list[tuple[int, int, str]]:
    """A key that puts frame_2 before frame_10."""
    parts = re.split(r"([0-9]+)", name)
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]
