"""Faults of the inverse depths: ray lengths, signs and reciprocals."""

import dataclasses
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case, Field, SampleFields
from sf3d_jax.data.checking.evidence.levels import inverse
from sf3d_jax.data.checking.evidence.numpy_camera import NumpyCamera
from sf3d_jax.data.checking.evidence.points import find_flow_ends
from sf3d_jax.data.checking.faults.fault import (
    Fault,
    Hypothesis,
    Repair,
    SampleFault,
    apply_to_each_direction,
    change_values,
)


class _Maps(NamedTuple):
    """Maps that share a fault.

    Attributes:
      words: human-readable description.
      needed: names of maps that must exist.
      optional: names of maps that are repaired if they exist.
    """

    words: str
    needed: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all these maps."""
        return (*self.needed, *self.optional)


# Faults of a data set's convention first, then those of single maps.
_MAPS = (
    _Maps("all depths and changes", ("inv_depth",), ("change", "next_inv_depth")),
    _Maps("both depths, but not the change", ("inv_depth", "next_inv_depth")),
    _Maps("the first depth, but not the next one", ("inv_depth",)),
    _Maps("the next depth, but not the first one", ("next_inv_depth",)),
    _Maps("the first depth and the change, but not the next depth", ("inv_depth", "change")),
)


def list_depth_faults(case: Case) -> Iterator[Hypothesis]:
    """Yields wrong ray lengths, signs and reciprocals, of all maps or of some."""
    for number, maps in enumerate(_MAPS):
        yield from apply_to_each_direction(_list_faults(maps, 1 + 0.1 * number))


def _list_faults(maps: _Maps, cost: float) -> Iterator[SampleFault]:
    said = f"{maps.words}: lengths along the ray, not z; divide the distance by |ray|"
    yield Fault("ray_length", said, _stretch_rays(maps, 1), cost=cost)
    said = f"{maps.words}: divided by |ray| although already along the axis; undo it"
    yield Fault("ray_length", said, _stretch_rays(maps, -1), cost=cost + 0.2)
    said = f"{maps.words}: negative disparities or depths; negate them"
    negate = change_values(maps.needed, lambda values: -values, maps.optional)
    yield Fault("inv_depth_sign", said, negate, cost=cost)
    said = f"{maps.words}: depths, not inverse depths; take the reciprocal"
    yield Fault("inv_depth_is_depth", said, _take_reciprocals(maps), cost=cost)


def _stretch_rays(maps: _Maps, power: int) -> Repair:
    """Multiplies inverse depths by the length of the rays, or divides by it for power -1."""

    def repair(fields: SampleFields) -> SampleFields | None:
        camera = fields.camera
        if camera is None or not fields.has(*maps.needed):
            return None
        second = fields.next_camera or camera
        made = {}
        for name, its_camera in (("inv_depth", camera), ("next_inv_depth", second)):
            if name in maps.names and (depth := fields.field(name)) is not None:
                made[name] = _stretch(depth, its_camera, power)
        if "change" in maps.names and fields.change is not None:
            if fields.flow is None:
                return None
            made["change"] = _stretch_change(fields, made["inv_depth"], second, power)
        return fields.with_maps(made)

    return repair


def _stretch(depth: Field, camera: NumpyCamera, power: int) -> Field:
    def at(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        pixels = np.stack([columns, rows], -1).reshape(-1, 2).astype(float)
        return depth(rows, columns) * (camera.stretch(pixels) ** power).reshape(rows.shape)

    return at


def _stretch_change(
    fields: SampleFields, new_depth: Field, second: NumpyCamera, power: int
) -> Field:
    """Converts the change; the second ray is that at the end of the flow."""
    depth, change, flow = fields.inv_depth, fields.change, fields.flow
    assert depth is not None and change is not None and flow is not None

    def at(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        longer = (second.stretch(find_flow_ends(flow, rows, columns)) ** power).reshape(rows.shape)
        after = depth(rows, columns) + change(rows, columns)
        return after * longer - new_depth(rows, columns)

    return at


def _take_reciprocals(maps: _Maps) -> Repair:
    depths = {"inv_depth", "next_inv_depth"} & {*maps.names}

    def repair(fields: SampleFields) -> SampleFields | None:
        if not fields.has(*maps.needed):
            return None
        meant = fields.transform(depths, lambda z: lambda r, c: inverse(z(r, c)))
        z, change = fields.inv_depth, fields.change
        if "change" not in maps.names or z is None or change is None:
            return meant
        return dataclasses.replace(
            meant, change=lambda r, c: inverse(z(r, c) + change(r, c)) - inverse(z(r, c))
        )

    return repair
