"""Suggestions for misspelt names of data sets and benchmarks."""

import difflib
from collections.abc import Collection


def did_you_mean(given: object, known: Collection[str]) -> str:
    """Suggests a known name that is close to a given one, ignoring case and punctuation.

    Args:
      given: given name, of any type.
      known: known names.

    Returns:
      A question to append to an error; empty if no name is close.
    """
    simple = {_simplify(name): name for name in known}
    near = difflib.get_close_matches(_simplify(str(given)), simple, 1)
    return f"; did you mean {simple[near[0]]!r}?" if near else ""


def _simplify(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
