"""Progress of a command, and notes that explain a long silence."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from sf3d_jax.cli.inputs import flag

if TYPE_CHECKING:
    from sf3d_jax.data import Problem

_T = TypeVar("_T")
# Seconds between two lines of progress without a terminal, as in the log of a job.
_PAUSE = 5.0
# Seconds after which a silent block is explained.
_PATIENCE = 2.0


class Progress(Protocol):
    """Shows how far the work has come."""

    def __call__(self, done: int, total: int, name: str, /) -> None:
        """Shows the number of finished items, their total, and the name of the current one."""


@contextlib.contextmanager
def show_progress(unit: str, *, with_rate: bool = False) -> Iterator[Progress]:
    """Shows a bar that disappears at the end; without a terminal, a line every few seconds.

    Args:
      unit: singular noun for the items.
      with_rate: whether the lines, as the bar does, give the items per second and the time left.

    Yields:
      A function to call before each item and at the end. The rate is that of the items after the
      first one that is finished then.
    """
    if not sys.stderr.isatty():
        yield _make_line_printer(unit, with_rate)
        return
    from tqdm import tqdm

    # The delay keeps the bar away if the input is refused before the first file.
    with tqdm(unit=unit, leave=False, delay=0.1, dynamic_ncols=True) as bar:

        def show(done: int, total: int, name: str) -> None:
            if bar.total is None:
                bar.initial = bar.n = bar.last_print_n = done
            bar.total = total
            bar.set_postfix_str(name, refresh=False)
            bar.update(done - bar.n)

        yield show


def track(items: Sequence[_T], unit: str, name: Callable[[_T], str] = str) -> Iterator[_T]:
    """Iterates over items and shows the progress.

    Args:
      items: items to work on.
      unit: singular noun for the items.
      name: gives the name of an item, to be shown.

    Yields:
      Each item.
    """
    with show_progress(unit) as show:
        for done, item in enumerate(items):
            show(done, len(items), name(item))
            yield item
        show(len(items), len(items), "")


def say(line: str) -> None:
    """Prints a line, above the progress bar if there is one.

    Args:
      line: text to print.
    """
    from tqdm import tqdm

    tqdm.write(line)
    sys.stdout.flush()


@contextlib.contextmanager
def say_if_slow(
    message: str = "compiling programs for this size; the first time takes a minute or two",
) -> Iterator[None]:
    """Prints a message if the block takes longer than two seconds.

    Args:
      message: what takes the time.

    Yields:
      Nothing.
    """
    tell = lambda: print(f"  {message}", file=sys.stderr, flush=True)
    timer = threading.Timer(_PATIENCE, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def describe_problem(problem: "Problem") -> str:
    """Describes a problem with a file, and names the flag that would help.

    Args:
      problem: missing or bad file.

    Returns:
      One line.
    """
    if problem.argument is None:
        return problem.text
    return f"{problem.text}, or {flag(problem.argument)}"


def _make_line_printer(unit: str, with_rate: bool) -> Progress:
    """Makes a function that prints a line every few seconds and, if it printed any, a last one."""
    last = time.monotonic()
    before = first = -1
    start = last
    is_begun = is_over = False

    def show(done: int, total: int, name: str) -> None:
        nonlocal before, first, start, last, is_begun, is_over
        if before < 0:
            before = done
        elif first < 0 and done > before:
            # The first item takes the time that the work needs to begin.
            first, start = done, time.monotonic()
        is_due = time.monotonic() - last >= _PAUSE and not is_over
        if is_due or (done == total and is_begun and not is_over):
            last = time.monotonic()
            is_begun, is_over = True, done == total
            rate = (done - first) / (last - start) if with_rate and last > start else 0.0
            parts = [f"{done} of {total} {unit}s", name, *_describe_rate(rate, total - done, unit)]
            print(", ".join(filter(None, parts)), file=sys.stderr, flush=True)

    return show


def _describe_rate(rate: float, left: int, unit: str) -> Iterator[str]:
    """Describes a rate in items per second and, until all are done, the time that is left."""
    if rate > 0:
        yield f"{rate:.3g} {unit}s/s"
        if left:
            hours, seconds = divmod(round(left / rate), 3600)
            yield f"{hours}:{seconds // 60:02d}:{seconds % 60:02d} left"
