"""Counts finished frames over all workers."""

from collections.abc import Callable, Iterable

from sf3d_jax.making.planning import SubjectPlan

# Called with the number of finished frames, of all frames, and the name of the last one.
Progress = Callable[[int, int, str], None]


def ignore(done: int, total: int, name: str) -> None:
    """Shows no progress."""


class Counter:
    """Counts frames by their names, so that a frame that is made again counts once."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        """Starts at zero.

        Args:
          progress: called after each frame, or None.
          total: number of frames of the share.
        """
        self._show = progress or ignore
        self._total = total
        self._names: set[str] = set()

    def begin(self, names: Iterable[str]) -> None:
        """Adds the frames that earlier processes finished, and shows their number.

        Args:
          names: names of the frames.
        """
        self._names.update(names)
        self._show(len(self._names), self._total, "")

    def add(self, name: str) -> None:
        """Adds a frame that is finished, and shows the number if it was not counted before.

        Args:
          name: name of the frame.
        """
        if name not in self._names:
            self._names.add(name)
            self._show(len(self._names), self._total, name)


def name_frame(subject: SubjectPlan, frame: int) -> str:
    """Names a frame of a data set."""
    return f"{subject.name}/{frame:04d}"
