"""What commands say while they work: how far they are, and why nothing is seen for a while."""

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
# Seconds between two lines where there is no terminal, as in the log of a job.
_PAUSE = 5.0
_PATIENCE = 2.0


class Progress(Protocol):
    """Shows how far the work is."""

    def __call__(self, done: int, total: int, name: str, /) -> None:
        """Shows how many are done, how many there are, and the name of the one at work."""


@contextlib.contextmanager
def show_progress(unit: str) -> Iterator[Progress]:
    """A bar that goes away at the end; without a terminal, a line every few seconds.

    Args:
      unit: what is counted.

    Yields:
      A function to be called before each file, and at the end.
    """
    if not sys.stderr.isatty():
        yield _lines(unit)
        return
    from tqdm import tqdm

    # Not at once: what is refused before the first file has no bar.
    with tqdm(unit=unit, leave=False, delay=0.1, dynamic_ncols=True) as bar:

        def show(done: int, total: int, name: str) -> None:
            bar.total = total
            bar.set_postfix_str(name, refresh=False)
            bar.update(done - bar.n)

        yield show


def track(items: Sequence[_T], unit: str, name: Callable[[_T], str] = str) -> Iterator[_T]:
    """Goes through items and shows how far it is.

    Args:
      items: what is worked on.
      unit: what is counted.
      name: of an item, to be shown.

    Yields:
      Each item.
    """
    with show_progress(unit) as show:
        for done, item in enumerate(items):
            show(done, len(items), name(item))
            yield item
        show(len(items), len(items), "")


def say(line: str) -> None:
    """Prints a line above a bar that may be there.

    Args:
      line: to be printed.
    """
    from tqdm import tqdm

    tqdm.write(line)
    sys.stdout.flush()


@contextlib.contextmanager
def say_if_slow(
    message: str = "compiling programs for this size; the first time takes a minute or two",
) -> Iterator[None]:
    """Says why nothing is seen, if the block takes longer than two seconds.

    Args:
      message: what the time goes into.

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
    """What is wrong with a file, and the flag that would help.

    Args:
      problem: of a file.

    Returns:
      A line.
    """
    if problem.argument is None:
        return problem.text
    return f"{problem.text}, or {flag(problem.argument)}"


def _lines(unit: str) -> Progress:
    """Prints a plain line every few seconds and a last one; none for work that is over before."""
    last = time.monotonic()
    is_begun = is_over = False

    def show(done: int, total: int, name: str) -> None:
        nonlocal last, is_begun, is_over
        is_due = time.monotonic() - last >= _PAUSE and not is_over
        if is_due or (done == total and is_begun and not is_over):
            last = time.monotonic()
            is_begun, is_over = True, done == total
            print(f"{done} of {total} {unit}s, {name}".rstrip(", "), file=sys.stderr, flush=True)

    return show
