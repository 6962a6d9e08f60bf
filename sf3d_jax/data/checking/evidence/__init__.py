"""How far the parts of a sample disagree: one number for each kind of evidence.

    surface     valid pixels of which the inverse depth, now or then, is negative
    mask        valid pixels where there is nothing
    images      |I(p) - I1(p + F)| of images without their slow changes, over that of unrelated
                pixels
    depths      |d(p) + c(p) - d1(p + F)|, relative, where p + F is seen and on one surface
    still_flow, still_change    flow and change against those of a still world between the two
                cameras, of the quarter of the pixels that fits best: the rest may move
    still_images, still_depths  the same as `images` and `depths`, with the motion of a still
                world for what of the flow and the change is not given
    flow_back, change_back      F(p) + B(p + F) with the flow of the other direction, and c
    same_depth  the next inverse depth against the first one of the other direction
    vectors     the scene flow against that of flow, inverse depth, change and cameras

A level is 0 where everything agrees and about 1 where nothing does. Medians and quantiles are
used, so that what is hidden or noisy in some pixels does not count.
"""

from collections.abc import Callable, Collection

import numpy as np

from sf3d_jax.data.checking.evidence.both_ways import change_back, flow_back, same_depth, vectors
from sf3d_jax.data.checking.evidence.levels import Level
from sf3d_jax.data.checking.evidence.measures import (
    depths,
    images,
    mask,
    still_change,
    still_depths,
    still_flow,
    still_images,
    surface,
)
from sf3d_jax.data.checking.evidence.views import Case

Measure = Callable[[Case], Level | None]

# The kinds of evidence, and the parts of a view that each depends on.
_DEPTH_POINTS = ("valid", "inv_depth")
_CAMERAS = ("camera", "next_camera")
EVIDENCE: dict[str, tuple[Measure, tuple[str, ...], tuple[str, ...]]] = {
    "surface": (surface, (*_DEPTH_POINTS, "change", "next_inv_depth"), ()),
    "mask": (mask, (*_DEPTH_POINTS, "flow", "change", "next_inv_depth"), ()),
    "images": (images, ("image", "next_image", "flow", "valid", "occlusion"), ()),
    "depths": (
        depths,
        (*_DEPTH_POINTS, "flow", "change", "next_inv_depth", "occlusion"),
        (),
    ),
    "still_flow": (still_flow, (*_DEPTH_POINTS, "flow", *_CAMERAS), ()),
    "still_change": (still_change, (*_DEPTH_POINTS, "change", *_CAMERAS), ()),
    "still_images": (
        still_images,
        (*_DEPTH_POINTS, "image", "next_image", "flow", *_CAMERAS),
        (),
    ),
    "still_depths": (
        still_depths,
        (*_DEPTH_POINTS, "flow", "change", "next_inv_depth", "occlusion", *_CAMERAS),
        (),
    ),
    "flow_back": (
        flow_back,
        ("flow", "next_inv_depth", "valid", "occlusion"),
        ("flow", "inv_depth"),
    ),
    "change_back": (
        change_back,
        ("flow", "change", "inv_depth", "next_inv_depth", "valid", "occlusion"),
        ("change", "inv_depth"),
    ),
    "same_depth": (same_depth, ("inv_depth", "next_inv_depth"), ("inv_depth",)),
    "vectors": (
        vectors,
        (*_DEPTH_POINTS, "flow", "change", "scene_flow", *_CAMERAS),
        (),
    ),
}


Levels = dict[str, Level | None]


def measured(case: Case, only: Collection[str] = tuple(EVIDENCE)) -> Levels:
    """The kinds of evidence.

    Args:
      case: what is given.
      only: names of those that are wanted.

    Returns:
      The levels by name; None where it cannot be measured.
    """
    with np.errstate(all="ignore"):
        return {name: EVIDENCE[name][0](case) for name in only}


def unchanged(name: str, case: Case, old: Case) -> bool:
    """Whether a kind of evidence depends on nothing that differs between two cases.

    Args:
      name: of the evidence.
      case: one of them.
      old: the other one.

    Returns:
      True where both have the same level.
    """
    if case.same_way != old.same_way or (case.other is None) != (old.other is None):
        return False
    _, of_own, of_other = EVIDENCE[name]
    if any(getattr(case.own, n) is not getattr(old.own, n) for n in of_own):
        return False
    if case.other is None or old.other is None:
        return True
    return all(getattr(case.other, n) is getattr(old.other, n) for n in of_other)
