"""What may have gone wrong, each as the way from the sample that is given to the one that is meant.

A fault is undone in this direction of time, in the other one, or in both: a convention of a whole
data set is wrong in both.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from sf3d_jax.data.checking.evidence.views import Case, View

Repair = Callable[[View], View | None]
Measured = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Hypothesis:
    """One explanation.

    Attributes:
      names: of the faults it is made of, nearly always one.
      explanation: what is wrong and what to do.
      apply: gives the case as it is meant; None where it says nothing.
      measured: numbers that belong to it.
      cost: how far-fetched it is; decides between those that explain as much.
      strict: whether it has numbers that were fitted, and so must explain nearly everything.
    """

    names: tuple[str, ...]
    explanation: str
    apply: Callable[[Case], Case | None]
    measured: Measured = dataclasses.field(default_factory=dict)
    cost: float = 1.0
    strict: bool = False


def each_direction(
    name: str | tuple[str, ...],
    explanation: str,
    repair: Repair,
    *,
    cost: float = 1.0,
    strict: bool = False,
    measured: Measured | None = None,
) -> Iterator[Hypothesis]:
    """The fault in both directions of time, in this one only, and in the other one only."""
    names = (name,) if isinstance(name, str) else name
    own = _on_own(repair)

    def other(case: Case) -> Case | None:
        view = None if case.other is None else repair(case.other)
        return None if view is None else dataclasses.replace(case, other=view)

    def both(case: Case) -> Case | None:
        half = own(case)
        return None if half is None else other(half)

    numbers = measured or {}
    yield Hypothesis(names, explanation, own, numbers, cost + 0.1, strict)
    yield Hypothesis(names, f"{explanation} (both directions)", both, numbers, cost, strict)
    said = f"{explanation} (only in the sample of the other direction)"
    yield Hypothesis(names, said, other, numbers, cost + 0.2, strict)


def own_only(
    name: str | tuple[str, ...],
    explanation: str,
    repair: Repair,
    *,
    cost: float = 1.0,
    strict: bool = False,
    measured: Measured | None = None,
) -> Hypothesis:
    """The fault where the other direction does not matter."""
    names = (name,) if isinstance(name, str) else name
    return Hypothesis(names, explanation, _on_own(repair), measured or {}, cost, strict)


def _on_own(repair: Repair) -> Callable[[Case], Case | None]:
    """The repair of what is checked, and not of the other direction."""

    def apply(case: Case) -> Case | None:
        view = repair(case.own)
        return None if view is None else dataclasses.replace(case, own=view)

    return apply


def compose(*repairs: Repair) -> Repair:
    """One repair after the other."""

    def repair(view: View) -> View | None:
        found: View | None = view
        for step in repairs:
            found = None if found is None else step(found)
        return found

    return repair


def scaled(fields: tuple[str, ...], factor: float) -> Repair:
    """Those of the maps that are there, times a factor."""
    times = lambda field: lambda r, c: field(r, c) * factor

    def repair(view: View) -> View | None:
        maps = {n: x for n in fields if (x := getattr(view, n)) is not None}
        made: dict[str, Any] = {n: times(x) for n, x in maps.items()}
        return dataclasses.replace(view, **made)

    return repair
