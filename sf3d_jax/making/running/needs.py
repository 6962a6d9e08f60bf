"""How many frames a process has to make, and the disk space that they need."""

import os
import shutil
from pathlib import Path
from typing import NamedTuple

from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import plan
from sf3d_jax.making.running.record import check_options, warn_of_level
from sf3d_jax.making.running.shares import check_process
from sf3d_jax.making.running.subject import find_frames

# Bytes a pixel. A frame has depth and scaled inverse depth, and for each of up to two motions two
# channels of flow and one of change, all of them float32. Its image and its mask are JPEGs: 0.39
# together at 512 px in a textured room.
_MAPS = 8.0
_MOTION = 12.0
_PICTURES = 0.45
# Bytes a frame of headers, the camera, the entry in the manifest, what JPEGs of few pixels need
# beyond that, and the unused ends of disk blocks.
_OVERHEAD = 20_000


class Needs(NamedTuple):
    """What a process has to do.

    Attributes:
      subjects: number of subjects of its share.
      frames: number of their frames.
      missing: number of those that are not finished.
      bytes: bytes that the missing frames need on the disk, about.
      free: bytes that are free on the disk.
    """

    subjects: int
    frames: int
    missing: int
    bytes: int
    free: int


def measure_needs(
    out: str | os.PathLike[str], options: Options, *, process: tuple[int, int] = (0, 1)
) -> Needs:
    """Measures what a process has to do, without writing anything.

    Warns if the data set was made with another instruction set than that of this process.

    Args:
      out: folder of the data set, which need not exist.
      options: options of the data set.
      process: (i, n), process i of n, from 0.

    Returns:
      The numbers of subjects and frames, and bytes needed and free.

    Raises:
      TypeError: the process is not two integers.
      ValueError: the process is not one of 0, ..., n - 1, or `out` was made with other options.
      FormatError: `out` has a making.json that cannot be read.
      FileExistsError: `out` has frames, but no making.json.
    """
    out = Path(out)
    check_process(process)
    subjects = plan(options).subjects[process[0] :: process[1]]
    check_options(out, options)
    warn_of_level(out)
    frames = len(subjects) * options.frames
    missing = frames - sum(len(find_frames(out, options, subject)) for subject in subjects)
    there = next(folder for folder in (out, *out.absolute().parents) if folder.is_dir())
    free = shutil.disk_usage(there).free
    return Needs(len(subjects), frames, missing, round(missing * _measure_frame(options)), free)


def check_space(out: str | os.PathLike[str], needs: Needs) -> None:
    """Refuses to begin what does not fit on the disk.

    Args:
      out: folder of the data set.
      needs: what the process has to do.

    Raises:
      OSError: fewer bytes are free than needed.
    """
    if needs.bytes > needs.free:
        raise OSError(
            f"{out}: {needs.missing} frames need {format_bytes(needs.bytes)}, but "
            f"{format_bytes(needs.free)} are free; make fewer or smaller frames, or use another "
            "disk"
        )


def format_bytes(number: float) -> str:
    """Formats a number of bytes with a decimal unit.

    Args:
      number: bytes.

    Returns:
      Three digits and a unit, such as "7.85 GB".
    """
    units = ("B", "kB", "MB", "GB", "TB")
    place = 0
    # What would round to 1000 of a unit is 1 of the next.
    while number >= 999.5 and place < len(units) - 1:
        number, place = number / 1000, place + 1
    return f"{number:.3g} {units[place]}"


def _measure_frame(options: Options) -> float:
    """Returns the bytes of a frame, on average over a subject."""
    height, width = options.size
    motions = 2 * (options.frames - 1) / options.frames
    return height * width * (_MAPS + motions * _MOTION + _PICTURES) + _OVERHEAD
