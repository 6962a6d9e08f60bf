"""What the pictures of a folder were drawn from, so that `sf3d render --resume` mixes none.

The file has a line of JSON with the facts, and behind it the name of every frame that is drawn, as
JSON, too, in a line of its own. A line that an interruption cut off is a frame that is not drawn.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

NAME = "render.jsonl"

# Anything that JSON has, as it is read again.
Facts = Mapping[str, object]


def hash_file(path: Path) -> str:
    """A hash of what a file holds.

    Args:
      path: of the file.

    Returns:
      SHA-256 in hexadecimal.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def begin_record(folder: Path, facts: Facts) -> None:
    """Begins a record without frames; one that is there is replaced.

    Args:
      folder: of the pictures.
      facts: what they are drawn from.
    """
    from sf3d_jax import data

    data.write_bytes(folder / NAME, f"{json.dumps(facts)}\n".encode())


def add_frame(folder: Path, name: str) -> None:
    """Notes that a frame is drawn.

    Args:
      folder: with a record.
      name: of the frame.
    """
    with (folder / NAME).open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(name)}\n")


def read_record(folder: Path, facts: Facts) -> set[str] | None:
    """Reads which frames of a folder are drawn from given facts.

    Args:
      folder: of the pictures.
      facts: what the others are to be drawn from.

    Returns:
      The names of the frames, or None if there is no record.

    Raises:
      ValueError: the facts are others, which are named, or the file is no record.
    """
    path = folder / NAME
    if not path.exists():
        return None
    first, *others = path.read_text(encoding="utf-8", errors="replace").split("\n")
    found = _parse(first)
    if not isinstance(found, dict):
        raise ValueError(f"{path}: expected the record of `sf3d render`; remove the file")
    differing = [name for name in {**facts, **found} if found.get(name) != facts.get(name)]
    if differing:
        raise ValueError(
            f"--resume: the frames in {folder} were drawn with another {' and '.join(differing)}; "
            "draw into another folder, or without --resume"
        )
    # The last line is empty, or was cut off.
    return {name for name in map(_parse, others[:-1]) if isinstance(name, str)}


def _parse(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None
