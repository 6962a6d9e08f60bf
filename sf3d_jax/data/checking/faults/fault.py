"""A fault and its repair, which turns the given sample into the intended one.

A fault may affect the sample of this time direction, of the other one, or both: a wrong convention
of a whole data set affects both.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case, Field, SampleFields

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Fault(Generic[T]):
    """A possible fault of a sample, or of a case of two samples.

    Attributes:
      name: kind of fault, a fixed word.
      explanation: what is wrong and what to do.
      repair: undoes the fault; returns None if the fault cannot be present.
      cost: how far-fetched it is; breaks ties between equally good explanations.
      numbers: numbers that describe it, by name.
      strict: whether its numbers were fitted, so that it must explain nearly everything.
      also: names of faults that are undone along with it.
    """

    name: str
    explanation: str
    repair: Callable[[T], T | None]
    _: dataclasses.KW_ONLY
    cost: float = 1.0
    numbers: Mapping[str, float] = dataclasses.field(default_factory=dict)
    strict: bool = False
    also: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all faults that it undoes, nearly always one."""
        return (self.name, *self.also)


Repair = Callable[[SampleFields], SampleFields | None]
SampleFault = Fault[SampleFields]
Hypothesis = Fault[Case]


def apply_to_own(faults: Iterable[SampleFault]) -> Iterator[Hypothesis]:
    """Yields faults that affect only the sample of this time direction."""
    for fault in faults:
        yield _make_hypothesis(fault, _repair_own(fault.repair))


def apply_to_each_direction(faults: Iterable[SampleFault]) -> Iterator[Hypothesis]:
    """Yields each fault in this time direction only, in both, and in the other one only."""
    for fault in faults:
        own, other = _repair_own(fault.repair), _repair_other(fault.repair)
        yield _make_hypothesis(fault, own, cost=0.1)
        yield _make_hypothesis(fault, chain(own, other), " (both directions)")
        only = " (only in the sample of the other direction)"
        yield _make_hypothesis(fault, other, only, cost=0.2)


def _make_hypothesis(
    fault: SampleFault,
    repair: Callable[[Case], Case | None],
    where: str = "",
    *,
    cost: float = 0.0,
) -> Hypothesis:
    return Fault(
        fault.name,
        fault.explanation + where,
        repair,
        cost=fault.cost + cost,
        numbers=fault.numbers,
        strict=fault.strict,
        also=fault.also,
    )


def _repair_own(repair: Repair) -> Callable[[Case], Case | None]:
    def repair_case(case: Case) -> Case | None:
        fields = repair(case.own)
        return None if fields is None else dataclasses.replace(case, own=fields)

    return repair_case


def _repair_other(repair: Repair) -> Callable[[Case], Case | None]:
    def repair_case(case: Case) -> Case | None:
        fields = None if case.other is None else repair(case.other)
        return None if fields is None else dataclasses.replace(case, other=fields)

    return repair_case


def combine(
    first: SampleFault, second: SampleFault, explanation: str, *, cost: float
) -> SampleFault:
    """Combines two faults into one that undoes `first`, then `second`."""
    repair = chain(first.repair, second.repair)
    return Fault(first.name, explanation, repair, cost=cost, also=(second.name,))


def chain(*repairs: Callable[[T], T | None]) -> Callable[[T], T | None]:
    """Chains repairs; None if any of them does not apply."""

    def repair(given: T) -> T | None:
        meant: T | None = given
        for step in repairs:
            meant = None if meant is None else step(meant)
        return meant

    return repair


def change_values(
    needed: tuple[str, ...],
    function: Callable[[np.ndarray], np.ndarray],
    optional: tuple[str, ...] = (),
) -> Repair:
    """Makes a repair that applies a function to the needed maps and to existing optional ones."""

    def change(field: Field) -> Field:
        return lambda rows, columns: function(field(rows, columns))

    def repair(fields: SampleFields) -> SampleFields | None:
        return fields.transform((*needed, *optional), change) if fields.has(*needed) else None

    return repair


def scale_maps(names: tuple[str, ...], factor: float) -> Repair:
    """Makes a repair that multiplies the existing maps by a factor."""
    return change_values((), lambda values: values * factor, names)
