"""Faults that a sample may have, and their repairs.

Each fault is a `Fault` record; each file yields the faults of one subject.
"""

from collections.abc import Iterator

from sf3d_jax.data.checking.evidence.fields import Case
from sf3d_jax.data.checking.faults.camera import list_camera_faults
from sf3d_jax.data.checking.faults.change import list_change_faults
from sf3d_jax.data.checking.faults.depth import list_depth_faults
from sf3d_jax.data.checking.faults.fault import Hypothesis
from sf3d_jax.data.checking.faults.flow import list_flow_faults
from sf3d_jax.data.checking.faults.masks import list_mask_faults
from sf3d_jax.data.checking.faults.scene_flow import list_scene_flow_faults
from sf3d_jax.data.checking.faults.units import list_unit_faults

_SUBJECTS = (
    list_flow_faults,
    list_mask_faults,
    list_depth_faults,
    list_change_faults,
    list_camera_faults,
    list_unit_faults,
    list_scene_flow_faults,
)


def list_hypotheses(case: Case) -> Iterator[Hypothesis]:
    """Yields every fault that a case may have."""
    for faults in _SUBJECTS:
        yield from faults(case)
