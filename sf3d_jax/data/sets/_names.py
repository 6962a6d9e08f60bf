"""The names of data sets and benchmarks, as people write them."""

from collections.abc import Iterable


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """What an error adds where a name differs only in case, spaces and hyphens.

    Args:
      given: the name, of any type.
      known: the names that there are.

    Returns:
      A question that follows the error; empty if no name is alike.
    """
    alike = next((name for name in known if _simple(str(given)) == _simple(name)), None)
    return "" if alike is None else f"; did you mean {alike!r}?"


def _simple(name: str) -> str:
    return "".join(filter(str.isalnum, name.casefold()))
