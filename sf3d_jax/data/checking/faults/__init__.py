"""Faults that a sample may have, and their repairs.

Each fault is a `Fault` record; each file yields the faults of one subject.
"""

from collections.abc import Iterator

from sf3d_jax.data.checking.evidence.fields import Case
from sf3d_jax.data.checking.faults.camera import camera_faults
from sf3d_jax.data.checking.faults.change import change_faults
from sf3d_jax.data.checking.faults.depth import depth_faults
from sf3d_jax.data.checking.faults.fault import Hypothesis
from sf3d_jax.data.checking.faults.flow import flow_faults
from sf3d_jax.data.checking.faults.masks import mask_faults
from sf3d_jax.data.checking.faults.scene_flow import scene_flow_faults
from sf3d_jax.data.checking.faults.units import unit_faults

_SUBJECTS = (
    flow_faults,
    mask_faults,
    depth_faults,
    change_faults,
    camera_faults,
    unit_faults,
    scene_flow_faults,
)


def all_hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yields every fault that a case may have."""
    for faults in _SUBJECTS:
        yield from faults(case)
