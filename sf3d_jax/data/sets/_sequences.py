"""Sequences of numbered frames with one file per frame and kind, and the pairs among them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, cast

from sf3d_jax._checks import check_choice
from sf3d_jax.data._files import PathLike
from sf3d_jax.data.sets._dataset import Dataset, Entry
from sf3d_jax.data.sets._listing import FrameFiles

Direction = Literal["forward", "backward"]
Side = Literal["left", "right"]

DIRECTIONS: tuple[Direction, ...] = ("forward", "backward")
SIDES: tuple[Side, ...] = ("left", "right")


class TwoWays(Dataset):
    """A data set that may have motion in both directions of time.

    Attributes:
      direction: direction that is read.
    """

    direction: Direction

    def _get_options(self) -> dict[str, object]:
        """Returns the arguments it was created with, except for the root and the direction."""
        raise NotImplementedError

    def _has_motion(self, direction: Direction) -> bool:
        """Whether there is any motion in a direction."""
        raise NotImplementedError

    def other_direction(self) -> Self | None:
        """Returns the same frames with the motion in the other direction of time.

        Returns:
          The data set, or None if it has no such motion.
        """
        other, make = reverse_direction(self.direction), cast(Any, type(self))
        if not self._has_motion(other):
            return None
        frames = {} if self.frames == 2 else {"frames": self.frames}
        return make(self.root, direction=other, **frames, **self._get_options())


def get_step(direction: str) -> int:
    """Returns the step to the next frame: 1 forward, -1 backward.

    Raises:
      ValueError: the direction is unknown.
    """
    check_choice("direction", direction, DIRECTIONS)
    return 1 if direction == "forward" else -1


def reverse_direction(direction: Direction) -> Direction:
    """Returns the other direction."""
    return "backward" if direction == "forward" else "forward"


def find_split_folder(root: PathLike, split: str, splits: Collection[str]) -> Path:
    """Finds the folder of a split: inside the root, or the root itself.

    Args:
      root: folder of the data set, or of one split.
      split: requested split.
      splits: folder names of all splits.

    Raises:
      FileNotFoundError: the root is the folder of another split.
      ValueError: the split is unknown.
    """
    check_choice("split", split, splits)
    inside = Path(root) / split
    if inside.is_dir():
        return inside
    if Path(root).name in splits and Path(root).name != split:
        raise FileNotFoundError(f"no such folder: {inside}; {root} is another split")
    return Path(root)


def choose(found: Iterable[str], wanted: Collection[str] | None, root: PathLike) -> list[str]:
    """Selects the sequences to read, in order.

    Args:
      found: available sequences.
      wanted: sequences to read; all if None.
      root: folder of the data set, for the error message.

    Raises:
      FileNotFoundError: a wanted sequence is not available.
    """
    there = set(found)
    if wanted is None:
        return sorted(there)
    if lacking := sorted(set(wanted) - there):
        raise FileNotFoundError(f"{root}: found no {lacking[0]}, only {sorted(there)[:20]}")
    return sorted(set(wanted))


def find_first_frames(
    frames: Collection[int] | None, motion: Collection[int] | None, step: int
) -> list[int]:
    """Finds the first frames of the pairs of a sequence.

    A pair counts if both of its frames exist or if its motion does, so that reading the pair
    reports a file missing in the middle of a sequence. A motion that leads beyond the first or
    last frame, as some data sets have it, makes no pair.

    Args:
      frames: frames with an image; None if there are no images.
      motion: frames with a flow; None if there is no flow.
      step: 1 forward, -1 backward.

    Returns:
      The frame numbers, in order.
    """
    moving, there = set(motion or ()), set(frames or ())
    pairs = {n for n in there if n + step in there}
    if there:
        inside = range(min(there), max(there) + 1)
        moving = {n for n in moving if n in inside and n + step in inside}
    return sorted(pairs | moving)


def list_pairs(
    sequence: str,
    kinds: Mapping[str, FrameFiles],
    of_both: Sequence[str],
    *,
    digits: int,
    step: int = 1,
    shared: Mapping[str, Path] | None = None,
) -> Iterator[Entry]:
    """Lists the pairs of a sequence, in the order of their first frames.

    Args:
      sequence: name of the sequence.
      kinds: files of the sequence by kind; "flow" is its motion.
      of_both: kinds that are also read for the next frame, as "next_" and the kind. The first of
        them that is available determines which frames exist.
      digits: number of digits of a frame number in file names.
      step: 1 forward, -1 backward.
      shared: files that all frames share.

    Returns:
      The pairs.
    """
    both = [kind for kind in of_both if kind in kinds]
    frames = kinds[both[0]].numbers if both else None
    motion = kinds["flow"].numbers if "flow" in kinds else None
    for number in find_first_frames(frames, motion, step):
        files = {kind: of.file(number) for kind, of in kinds.items()} | dict(shared or {})
        files |= {f"next_{kind}": kinds[kind].file(number + step) for kind in both}
        yield Entry(sequence, f"{number:0{digits}d}", f"{number + step:0{digits}d}", files)
