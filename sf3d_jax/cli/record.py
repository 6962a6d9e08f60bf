"""Record of what a folder was rendered from, so that `sf3d render --resume` mixes no scenes.

The first line of the file is a JSON object with the inputs. Each further line is a JSON string, the
name of a finished frame. A frame whose line was cut off by an interruption counts as unfinished.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

NAME = "render.jsonl"

# The inputs by name, with values that JSON returns unchanged.
Facts = Mapping[str, object]


def hash_file(path: Path) -> str:
    """Hashes the content of a file.

    Args:
      path: file to read.

    Returns:
      SHA-256 in hexadecimal.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def begin_record(folder: Path, facts: Facts) -> None:
    """Starts a record without frames, replacing an existing one.

    Args:
      folder: folder of the rendered frames.
      facts: inputs of the rendering.
    """
    from sf3d_jax import data

    data.write_bytes(folder / NAME, f"{json.dumps(facts)}\n".encode())


def add_frame(folder: Path, name: str) -> None:
    """Records that a frame is finished.

    Args:
      folder: folder with a record.
      name: frame name.
    """
    with (folder / NAME).open("a", encoding="utf-8") as file:
        file.write(f"{json.dumps(name)}\n")


def read_record(folder: Path, facts: Facts) -> set[str] | None:
    """Reads which frames of a folder are finished.

    Args:
      folder: folder of the rendered frames.
      facts: inputs of this rendering.

    Returns:
      The names of the frames, or None if there is no record.

    Raises:
      ValueError: the record has other inputs, which the message names, or is not a record.
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
            "use another folder, or drop --resume to draw them again"
        )
    # The last line is empty or was cut off.
    return {name for name in map(_parse, others[:-1]) if isinstance(name, str)}


def _parse(line: str) -> object:
    try:
        return json.loads(line)
    except ValueError:
        return None
