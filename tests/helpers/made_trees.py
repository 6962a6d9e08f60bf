"""What lies in a data set that was made, and how to make one of walls."""

import hashlib
import pathlib

from helpers import moving_wall

from sf3d_jax import making

OPTIONS = {"subjects": 4, "test": 1, "frames": 4, "size": (16, 24)}


def wall_options(**changes):
    return making.Options(**OPTIONS | changes)


def digests(out):
    """The SHA-256 of every file, hidden ones too, by its path."""
    out = pathlib.Path(out)
    return {
        path.relative_to(out).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def make_walls(out, options=None, **run):
    """Makes a data set of walls, and returns its digests."""
    before = moving_wall.put_up()
    try:
        making.make(out, options or wall_options(), **run)
    finally:
        moving_wall.subjects.open_drawing = before
    return digests(out)
