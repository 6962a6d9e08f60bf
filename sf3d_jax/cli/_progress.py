"""What commands say while a folder of files is worked through, and of its bad files."""

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

from sf3d_jax.cli.inputs import flag

if TYPE_CHECKING:
    from sf3d_jax.data import Problem


class Progress(Protocol):
    """Shows how far the work is."""

    def __call__(self, done: int, total: int, name: str, /) -> None:
        """Shows how many are done, how many there are, and the name of the one at work."""


@contextlib.contextmanager
def show_progress(unit: str) -> Iterator[Progress]:
    """A progress bar that goes away at the end.

    Args:
      unit: what is counted.

    Yields:
      A function to be called before each file, and at the end.
    """
    from tqdm import tqdm

    # Not at once: what is refused before the first file has no bar.
    with tqdm(unit=unit, leave=False, delay=0.1) as bar:

        def show(done: int, total: int, name: str) -> None:
            bar.total = total
            bar.set_postfix_str(name, refresh=False)
            bar.update(done - bar.n)

        yield show


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
