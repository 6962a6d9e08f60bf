"""The names of data sets and benchmarks, as people write them."""

import difflib
from collections.abc import Collection


def did_you_mean(given: object, known: Collection[str]) -> str:
    """What an error adds where a name is nearly one that is known, in any case and spelling.

    Args:
      given: the name, of any type.
      known: the names that there are.

    Returns:
      A question that follows the error; empty if no name is alike.
    """
    simple = {_simplify(name): name for name in known}
    near = difflib.get_close_matches(_simplify(str(given)), simple, 1)
    return f"; did you mean {simple[near[0]]!r}?" if near else ""


def _simplify(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
