"""Which files the flags of `sf3d convert` mean, and which of them belong together."""

import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from sf3d_jax.cli.inputs import flag


def expand(name: str, paths: Iterable[Path]) -> list[Path]:
    """The files meant by a flag: a folder stands for its files, 2 before 10.

    Args:
      name: of the field, for the message.
      paths: files and folders. Whether a file exists is found out when it is read.

    Returns:
      Files.

    Raises:
      ValueError: a folder is empty.
    """
    files: list[Path] = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            continue
        found = [p for p in path.iterdir() if p.is_file() and p.name[0] != "."]
        if not found:
            raise ValueError(f"{flag(name)}: the folder {path} holds no files")
        files += sorted(found, key=lambda p: _natural_order(p.name))
    return files


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
      that were typed one by one and have no numbers belong together in their order.

    Raises:
      ValueError: a flow has no partner, or the names do not say which one it is.
    """
    from sf3d_jax.data import pair_files

    files = expand(name, paths)
    is_typed = not any(path.is_dir() for path in (*paths, *flow_paths))
    are_words = not any(re.search(r"\d", path.stem) for path in (*files, *flows))
    if is_typed and len(files) == len(flows) and (len(files) == 1 or are_words):
        return files
    if is_typed and are_words:
        raise ValueError(f"{flag(name)}: {len(files)} files for {len(flows)} files of --flow")
    try:
        paired = pair_files(flows, files)
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"{flag(name)}: {error}") from None
    if paired.left_out:
        count, first = len(paired.left_out), paired.left_out[0]
        listed = f"{first}" if count == 1 else f"{first}, ..."
        note = f"{count} of {len(files)} files left out, without a flow: {listed}"
        print(f"sf3d: {flag(name)}: {note}", file=sys.stderr)
    return list(paired.files)


def _natural_order(name: str) -> list[tuple[int, int, str]]:
    """A key that puts frame_2 before frame_10."""
    parts = re.split(r"([0-9]+)", name)
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts]
