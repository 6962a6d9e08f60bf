"""Files of the flags of `sf3d convert`, and how they are matched."""

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
# Endings of the files taken from a folder, by field. Poses are text files with any ending.
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
    """Replaces folders by their files, in natural order (2 before 10).

    Files with an ending that the flag does not read are skipped, and their number is printed.

    Args:
      name: field name used in messages.
      paths: files and folders; the existence of files is not checked.

    Returns:
      Files.

    Raises:
      ValueError: a folder is empty, or holds no file with a known ending.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = [p for p in path.iterdir() if p.is_file() and p.name[0] != "."]
        if not found:
            raise ValueError(f"{flag(name)}: the folder {path} holds no files")
        found.sort(key=lambda p: _make_sort_key(p.name))
        files += _take_readable(name, path, found)
    return files


def _take_readable(name: str, folder: Path, files: list[Path]) -> list[Path]:
    """Takes the files whose endings are known, and prints how many others there are."""
    endings = ENDINGS.get(name)
    if endings is None:
        return files
    taken = [path for path in files if path.suffix.lower() in endings]
    others = [path for path in files if path.suffix.lower() not in endings]
    if not taken:
        raise ValueError(
            f"{flag(name)}: the folder {folder} holds no files that end in {', '.join(endings)}, "
            f"only others such as {others[0].name}"
        )
    if others:
        _say_left_out(name, others, len(files), f"not ending in {', '.join(endings)}")
    return taken


def _say_left_out(name: str, left_out: Sequence[Path], count: int, why: str) -> None:
    listed = f"{left_out[0]}" if len(left_out) == 1 else f"{left_out[0]}, ..."
    note = f"skipped {len(left_out)} of {count} files, {why}: {listed}"
    print(f"sf3d: {flag(name)}: {note}", file=sys.stderr)


def find_partners(
    name: str, paths: Sequence[Path], flows: Sequence[Path], flow_paths: Sequence[Path]
) -> list[Path]:
    """Finds the file that belongs to each flow by its name; prints how many belong to none.

    Args:
      name: field name used in messages.
      paths: files and folders of the flag.
      flows: files of --flow.
      flow_paths: files and folders of --flow, as typed.

    Returns:
      One file per flow: the one of the same name, else of the same number. Files typed one by one
      without numbers in their names are matched in order. A single file is matched with a single
      flow; a note is printed if their numbers differ.

    Raises:
      ValueError: a flow has no partner, or several files may be its partner.
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
        expected = f"expected as many files as --flow has, {len(flows)}"
        raise ValueError(f"{flag(name)}: {expected}, got {len(files)}")
    try:
        paired = pair_files(flows, files)
    except FileNotFoundError as error:
        folders = ", ".join(str(path) for path in flow_paths if path.is_dir())
        advice = f"; remove files that are not flows from the folder of --flow, {folders}"
        raise ValueError(f"{flag(name)}: {error}{advice if folders else ''}") from None
    except ValueError as error:
        raise ValueError(f"{flag(name)}: {error}") from None
    if paired.left_out:
        _say_left_out(name, paired.left_out, len(files), "without a flow")
    return list(paired.files)


def _say_if_numbers_differ(name: str, path: Path, flow: Path) -> None:
    """Prints a note if a file and its flow have different numbers in their names."""
    from sf3d_jax.data import pair_files

    try:
        pair_files([flow], [path])
        return
    except FileNotFoundError:
        pass
    except ValueError:  # ambiguous names
        first, second = ({*map(int, re.findall(r"\d+", x.stem))} for x in (flow, path))
        if not (first and second) or first & second:
            return
    note = f"using {path} for {flow} as typed, although the numbers in their names differ"
    print(f"sf3d: {flag(name)}: {note}", file=sys.stderr)


def _make_sort_key(name: str) -> list[tuple[int, int, str]]:
    """Makes a sorting key that puts frame_2 before frame_10."""
    parts = re.split(r"([0-9]+)", name)
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]
