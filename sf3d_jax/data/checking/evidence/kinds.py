"""The kinds of evidence. To add one, write a function that measures it, and add a record here.

A level is 0 if everything agrees and about 1 if nothing does. Levels are medians or quantiles, so
that a few hidden or noisy pixels do not matter.
"""

import numpy as np

from sf3d_jax.data.checking.evidence.both_ways import (
    measure_change_back,
    measure_flow_back,
    measure_same_depth,
)
from sf3d_jax.data.checking.evidence.fields import Case
from sf3d_jax.data.checking.evidence.levels import Level
from sf3d_jax.data.checking.evidence.record import Evidence, ImageEvidence, Unexplained
from sf3d_jax.data.checking.evidence.still_world import (
    QUARTER,
    measure_still_change,
    measure_still_depths,
    measure_still_flow,
    measure_still_images,
)
from sf3d_jax.data.checking.evidence.within import (
    measure_depths,
    measure_images,
    measure_mask,
    measure_surface,
    measure_vectors,
)

Levels = dict[Evidence, Level | None]

_SURFACE = frozenset({"valid", "inv_depth"})
_CAMERAS = frozenset({"camera", "next_camera"})
_NEVER = (np.inf, np.inf)
_OTHER_PAIR = "a backward map of another pair of frames, or a fault of an unknown kind"

IMAGES = ImageEvidence(
    "images",
    "images along the flow",
    measure_images,
    frozenset({"image", "next_image", "flow", "valid", "occlusion"}),
)

EVIDENCE = (
    Evidence(
        "surface",
        "negative inverse depths, share",
        measure_surface,
        _SURFACE | {"change", "next_inv_depth"},
        floor=5e-3,
        is_optional=True,
        alone_for=frozenset({"inv_depth_sign"}),
    ),
    Evidence(
        "mask",
        "valid pixels without content, share",
        measure_mask,
        _SURFACE | {"flow", "change", "next_inv_depth"},
        floor=2e-4,
        is_optional=True,
        alone_for=frozenset({"mask_inverted", "mask_shifted", "rows_reversed"}),
    ),
    IMAGES,
    Evidence(
        "depths",
        "depth + change against the next depth",
        measure_depths,
        _SURFACE | {"flow", "change", "next_inv_depth", "occlusion"},
        floor=2e-5,
        leaves=0.2,
        is_of_exact_data=True,
        unexplained=Unexplained(
            "depth_closure",
            "inverse depth plus change is not the next inverse depth at the end of the flow",
            "a map of another frame, or a fault of an unknown kind",
            limits=(0.1, 0.1),
            exact_limits=(0.01, 0.01),
        ),
    ),
    Evidence(
        "still_flow",
        "flow against that of a still world",
        measure_still_flow,
        _SURFACE | _CAMERAS | {"flow"},
        floor=1e-5,
        gain=4,
        leaves=0.2,
        quantile=QUARTER,
        is_of_exact_data=True,
    ),
    Evidence(
        "still_change",
        "change against that of a still world",
        measure_still_change,
        _SURFACE | _CAMERAS | {"change"},
        floor=1e-4,
        gain=4,
        leaves=0.2,
        quantile=QUARTER,
    ),
    ImageEvidence(
        "still_images",
        "images along a still world's flow",
        measure_still_images,
        _SURFACE | _CAMERAS | {"image", "next_image", "flow"},
    ),
    Evidence(
        "still_depths",
        "depth against the next one of a still world",
        measure_still_depths,
        _SURFACE | _CAMERAS | {"flow", "change", "next_inv_depth", "occlusion"},
        floor=2e-5,
        gain=4,
        leaves=0.2,
        quantile=QUARTER,
    ),
    Evidence(
        "flow_back",
        "flow there and back",
        measure_flow_back,
        frozenset({"flow", "next_inv_depth", "valid", "occlusion"}),
        frozenset({"flow", "inv_depth"}),
        floor=1e-4,
        is_of_exact_data=True,
        unexplained=Unexplained(
            "flow_closure",
            "the flow there and back does not return to its starting point",
            _OTHER_PAIR,
            limits=(0.35, 4.0),
            exact_limits=(0.015, 0.25),
            unit=" px",
        ),
    ),
    Evidence(
        "change_back",
        "change there and back",
        measure_change_back,
        _SURFACE | {"flow", "change", "next_inv_depth", "occlusion"},
        frozenset({"change", "inv_depth"}),
        floor=1e-3,
        is_of_exact_data=True,
        unexplained=Unexplained(
            "change_closure",
            "the changes of the inverse depth there and back do not cancel",
            _OTHER_PAIR,
            limits=_NEVER,
            exact_limits=(0.05, 0.0),
        ),
    ),
    Evidence(
        "same_depth",
        "next depth against the other direction's",
        measure_same_depth,
        frozenset({"inv_depth", "next_inv_depth"}),
        frozenset({"inv_depth"}),
        floor=1e-6,
        leaves=0.2,
        is_optional=True,
        unexplained=Unexplained(
            "other_direction",
            "the next inverse depth differs from the first one of the other direction",
            "the two samples do not belong to the same pair of frames",
            limits=(0.2, 0.2),
            exact_limits=(0.003, 0.003),
        ),
    ),
    Evidence(
        "vectors",
        "scene flow against the other maps'",
        measure_vectors,
        _SURFACE | _CAMERAS | {"flow", "change", "scene_flow"},
        floor=1e-5,
        unexplained=Unexplained(
            "scene_flow_closure",
            "the scene flow does not match flow, inverse depth, change and cameras",
            "other axes, another unit, or a fault of an unknown kind",
            limits=(0.2, 0.1),
            exact_limits=(0.02, 0.01),
        ),
    ),
)


def measure_all(case: Case) -> Levels:
    """Measures every kind of evidence; None where it cannot be measured."""
    return {evidence: evidence.measure(case) for evidence in EVIDENCE}
