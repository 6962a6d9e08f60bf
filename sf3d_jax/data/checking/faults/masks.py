"""Faults of the masks, and rows stored from bottom to top."""

import dataclasses
from collections.abc import Iterator

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case, Field, SampleFields
from sf3d_jax.data.checking.evidence.points import PixelSet, select_all_points
from sf3d_jax.data.checking.evidence.within import has_content
from sf3d_jax.data.checking.faults.fault import (
    Fault,
    Hypothesis,
    Repair,
    SampleFault,
    apply_to_each_direction,
    apply_to_own,
    change_values,
    combine,
)
from sf3d_jax.data.checking.faults.flow import V_SIGN

_ROWS_REVERSED = (
    ("flow",),
    ("inv_depth",),
    ("change",),
    ("next_inv_depth",),
    ("inv_depth", "next_inv_depth"),
    ("inv_depth", "change", "next_inv_depth"),
    ("flow", "change"),
    ("flow", "inv_depth", "change", "next_inv_depth"),
    ("image", "next_image"),
)
_FARTHEST_SHIFT = 16
_FEWEST_SHIFTED = 20


def list_mask_faults(case: Case) -> Iterator[Hypothesis]:
    """Yields maps whose rows run from bottom to top, and masks that are inverted or shifted."""
    for names in _ROWS_REVERSED:
        said = f"the rows of {' and '.join(names)} run from bottom to top; reverse them"
        cost = 1.4 + 0.05 * len(names)
        fault = Fault("rows_reversed", said, _reverse_rows(*names), cost=cost)
        yield from apply_to_each_direction([fault])
        if names == ("flow",):
            both = combine(fault, V_SIGN, f"{said}, and negate v", cost=2.4)
            yield from apply_to_each_direction([both])
    yield from apply_to_own([_invert("occlusion_inverted", "occlusion")])
    if case.own.valid is not None:
        yield from apply_to_own([_choose_fault_of_valid(case, case.own.valid)])


def _reverse_rows(*names: str) -> Repair:
    def repair(fields: SampleFields) -> SampleFields | None:
        last = fields.size[0] - 1
        reverse = lambda field: lambda rows, columns: field(last - rows, columns)
        return fields.transform(names, reverse) if fields.has(*names) else None

    return repair


def _invert(fault: str, mask: str) -> SampleFault:
    said = f"`{mask}` is True where it should be False; invert it"
    return Fault(fault, said, change_values((mask,), lambda values: 1 - values))


def _choose_fault_of_valid(case: Case, valid: Field) -> SampleFault:
    """Chooses the fault that fits all pixels best; several may fit the valid pixels alone."""
    points = select_all_points(case)
    content = has_content(case, points)
    inverted = _invert("mask_inverted", "valid")
    if content.all() or not content.any():
        return inverted
    said = "the rows of the mask run from bottom to top; reverse them"
    faults = [inverted, Fault("rows_reversed", said, _reverse_rows("valid"), cost=1.5)]
    if (shift := _find_shift(case.own.size, valid, points, content)) is not None:
        faults.append(_shift_mask(*shift))

    def misfit(fault: SampleFault) -> float:
        meant = fault.repair(case.own)
        assert meant is not None and meant.valid is not None
        return float(((points.at(meant.valid) > 0) != content).mean())

    return min(faults, key=misfit)


def _shift_mask(du: int, dv: int) -> SampleFault:
    def repair(fields: SampleFields) -> SampleFields | None:
        if (valid := fields.valid) is None:
            return None
        height, width = fields.size

        def move(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
            row, column = rows + dv, columns + du
            inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
            return np.where(inside, valid(np.where(inside, row, 0), np.where(inside, column, 0)), 0)

        return dataclasses.replace(fields, valid=move)

    said = f"the mask is shifted by {du} pixels to the right and {dv} down; move it back"
    numbers = {"right": float(du), "down": float(dv)}
    return Fault("mask_shifted", said, repair, cost=1.2, numbers=numbers)


def _find_shift(
    size: tuple[int, int], valid: Field, points: PixelSet, content: np.ndarray
) -> tuple[int, int] | None:
    """Finds the shift (u, v) of the mask against the content in pixels; None if there is none."""
    height, width = size

    def misfit(shift: tuple[int, int]) -> tuple[float, int]:
        """Returns the share of pixels that do not fit, then the distance to break ties."""
        rows, columns = points.rows + shift[1], points.columns + shift[0]
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        there = valid(rows[inside], columns[inside]) > 0
        gap = float((there != content[inside]).mean()) if inside.any() else 1.0
        return gap, abs(shift[0]) + abs(shift[1])

    if misfit((0, 0))[0] * len(content) < _FEWEST_SHIFTED:
        return None
    # Refine the best of a coarse search to whole pixels.
    u, v = (min(_FARTHEST_SHIFT, n // 8) for n in (width, height))
    coarse = [(du, dv) for dv in range(-v, v + 1, 2) for du in range(-u, u + 1, 2)]
    du, dv = min(coarse, key=misfit)
    near = [(du + i, dv + j) for i in range(-2, 3) for j in range(-2, 3)]
    best = min(near, key=misfit)
    return None if best == (0, 0) else best
