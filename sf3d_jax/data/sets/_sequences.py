"""Sequences of frames that are numbered, one file a frame and kind, and the pairs among them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self, cast

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.sets._dataset import Dataset, Entry
from sf3d_jax.data.sets._listing import Frames

Direction = Literal["forward", "backward"]
Side = Literal["left", "right"]

DIRECTIONS: tuple[Direction, ...] = ("forward", "backward")
SIDES: tuple[Side, ...] = ("left", "right")


class TwoWays(Dataset):
    """A data set that may have a motion in both directions of time.

    Attributes:
      direction: the one that is read.
    """

    direction: Direction

    def _options(self) -> dict[str, object]:
        """What it was made with, but for the root and the direction."""
        raise NotImplementedError

    def _has_motion(self, direction: Direction) -> bool:
        """Whether there is any motion of a direction."""
        raise NotImplementedError

    def other_direction(self) -> Self | None:
        """The same frames with the motion of the other direction of time.

        Returns:
          The data set, or None if it has no such motion.
        """
        other, make = opposite(self.direction), cast(Any, type(self))
        if not self._has_motion(other):
            return None
        frames = {} if self.frames == 2 else {"frames": self.frames}
        return make(self.root, direction=other, **frames, **self._options())


def check_choice(name: str, value: str, choices: Collection[str]) -> None:
    """Refuses the value of an option.

    Args:
      name: of the option.
      value: that was given.
      choices: that there are.

    Raises:
      ValueError: it is none of them.
    """
    if value not in choices:
        listed = " or ".join(map(repr, choices))
        raise ValueError(f"{name}: expected {listed}, got {value!r}")


def step_of(direction: str) -> int:
    """How far the next frame is: 1, or -1 backward.

    Raises:
      ValueError: there is no such direction.
    """
    check_choice("direction", direction, DIRECTIONS)
    return 1 if direction == "forward" else -1


def opposite(direction: Direction) -> Direction:
    """The other direction."""
    return "backward" if direction == "forward" else "forward"


def split_folder(root: PathLike, split: str, splits: Collection[str]) -> Path:
    """The folder of a split: inside the root, or the root itself.

    Args:
      root: of the data set, or of one split.
      split: that is wanted.
      splits: that there are, by the names of their folders.

    Raises:
      FileNotFoundError: the root is another split.
      ValueError: there is no such split.
    """
    check_choice("split", split, splits)
    inside = Path(root) / split
    if inside.is_dir():
        return inside
    if Path(root).name in splits and Path(root).name != split:
        raise FileNotFoundError(f"{inside}: there is no such folder, and {root} is another split")
    return Path(root)


def choose(found: Iterable[str], wanted: Collection[str] | None, root: PathLike) -> list[str]:
    """The sequences to read, in order.

    Args:
      found: the sequences that are there.
      wanted: those to read; all if None.
      root: of the data set, for the message.

    Raises:
      FileNotFoundError: a sequence that is wanted is not there.
    """
    there = set(found)
    if wanted is None:
        return sorted(there)
    if lacking := sorted(set(wanted) - there):
        raise FileNotFoundError(f"{root}: there is no {lacking[0]}; there are {sorted(there)[:20]}")
    return sorted(set(wanted))


def first_frames(
    frames: Collection[int] | None, motion: Collection[int] | None, step: int
) -> list[int]:
    """The first frames of the pairs of a sequence.

    A pair is one if both of its frames are there, or if its motion is: a file that is missing in
    the middle of a sequence is missed when the pair is read. Before the first and behind the last
    frame there is no pair, although some data sets have a motion that leads there.

    Args:
      frames: of which there is an image; None if there are no images.
      motion: of which there is a flow; None if there is no flow.
      step: 1, or -1 backward.

    Returns:
      Their numbers, in order.
    """
    moving, there = set(motion or ()), set(frames or ())
    pairs = {n for n in there if n + step in there}
    if there:
        inside = range(min(there), max(there) + 1)
        moving = {n for n in moving if n in inside and n + step in inside}
    return sorted(pairs | moving)


def pairs(
    sequence: str,
    kinds: Mapping[str, Frames],
    of_both: Sequence[str],
    *,
    digits: int,
    step: int = 1,
    shared: Mapping[str, Path] | None = None,
) -> Iterator[Entry]:
    """The samples of a sequence.

    Args:
      sequence: its name.
      kinds: its files by kind; those of "flow" are a motion.
      of_both: kinds that are read of the next frame, too, as "next_" and the kind. The first of
        them that is there tells which frames there are.
      digits: of the number of a frame, as its files name it.
      step: 1, or -1 backward.
      shared: files of all frames.

    Returns:
      Them in the order of their first frames; see `first_frames`.
    """
    both = [kind for kind in of_both if kind in kinds]
    frames = kinds[both[0]].numbers if both else None
    motion = kinds["flow"].numbers if "flow" in kinds else None
    for number in first_frames(frames, motion, step):
        files = {kind: of.file(number) for kind, of in kinds.items()} | dict(shared or {})
        files |= {f"next_{kind}": kinds[kind].file(number + step) for kind in both}
        yield Entry(sequence, f"{number:0{digits}d}", f"{number + step:0{digits}d}", files)
