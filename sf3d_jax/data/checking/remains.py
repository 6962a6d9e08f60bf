"""What disagrees although nothing explains it.

Noise and the errors of networks must not be named. They differ from wrong data in two ways: noise
differs from pixel to pixel, so that the median over a block is small; and a set of maps that is
exact in one respect, to a thousandth, is none of a network's, so that more may be asked of it.
"""

import numpy as np

from sf3d_jax.data.checking.evidence import Levels
from sf3d_jax.data.checking.evidence.levels import Level
from sf3d_jax.data.checking.explain import certainty
from sf3d_jax.data.checking.report import Finding

_EXACT = 1e-3
_SHARED = 0.5
# Pixels by which a network may be wrong all over an image.
_PLAUSIBLE = 5.0


def remaining(levels: Levels, without_flow: Level | None, flow_size: float) -> list[Finding]:
    """The findings.

    Args:
      levels: what disagrees after all that is explained was undone.
      without_flow: what the images say of no flow at all.
      flow_size: the middle of the flow's length in pixels.

    Returns:
      The largest disagreement first.
    """
    exact = {
        name: level.level < _EXACT
        for name in ("depths", "still_flow", "flow_back", "change_back")
        if (level := levels[name]) is not None
    }
    others = lambda name: any(known for other, known in exact.items() if other != name)
    findings = []
    for name, limits in _LIMITS.items():
        level = levels[name]
        if level is None or level.systematic < _SHARED * level.typical:
            continue
        relative, absolute = limits[0] if others(name) else limits[1]
        if level.level > relative and level.systematic > absolute:
            findings.append(_finding(name, level))
    images = levels["images"]
    if images is not None and without_flow is not None and flow_size > _PLAUSIBLE:
        sure = certainty(images, without_flow)
        if images.level > 1.1 * without_flow.level and sure > 5:
            findings.append(_no_better(images, without_flow))
    return sorted(findings, key=lambda finding: -finding.confidence)


# (level, systematic part in its unit) that is too much, of data that is exact otherwise, and else.
_LIMITS = {
    "depths": ((0.01, 0.01), (0.1, 0.1)),
    "flow_back": ((0.015, 0.25), (0.35, 4.0)),
    "change_back": ((0.05, 0.0), (np.inf, np.inf)),
    "same_depth": ((0.003, 0.003), (0.2, 0.2)),
    "vectors": ((0.02, 0.01), (0.2, 0.1)),
}
_WORDS = {
    "depths": (
        "depth_closure",
        "inverse depth plus change is not the next inverse depth at the end of the flow",
        "a map of another frame, or a fault that is not known here",
    ),
    "flow_back": (
        "flow_closure",
        "the flow there and back does not lead to where it began",
        "a backward map of another pair of frames, or a fault that is not known here",
    ),
    "change_back": (
        "change_closure",
        "the changes of the inverse depth there and back do not cancel",
        "a backward map of another pair of frames, or a fault that is not known here",
    ),
    "same_depth": (
        "other_direction",
        "the next inverse depth is not the first one of the other direction",
        "the two samples are not of the same pair of frames",
    ),
    "vectors": (
        "scene_flow_closure",
        "the scene flow is not that of flow, inverse depth, change and cameras",
        "other axes, another unit, or a fault that is not known here",
    ),
}


def _finding(name: str, level: Level) -> Finding:
    word, message, why = _WORDS[name]
    unit = " px" if name == "flow_back" else ""
    numbers = {"median": level.typical, "shared by neighbours": level.systematic}
    numbers["relative"] = level.level
    message = f"{message}: by {level.typical:.3g}{unit} in the middle"
    return Finding(word, message, numbers, why, float(min(0.9, 0.3 + level.level)))


def _no_better(images: Level, without: Level) -> Finding:
    message = "the images agree less along the flow than without any flow"
    numbers = {"along the flow": images.level, "without": without.level}
    why = "a flow of another pair of frames, images of others, or a fault that is not known here"
    return Finding("images_disagree", message, numbers, why, 0.7)
