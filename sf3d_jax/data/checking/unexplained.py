"""Reports disagreements that no fault explains.

Noise and the errors of networks must not be reported. They differ from wrong data in two ways:
noise differs from pixel to pixel, so its median over a block is small; and maps that are exact to a
thousandth in one respect were not estimated by a network, so stricter limits apply to them.
"""

from sf3d_jax.data.checking.evidence.fields import Case
from sf3d_jax.data.checking.evidence.kinds import IMAGES, Levels
from sf3d_jax.data.checking.evidence.levels import Level, certainty, finite_median, length
from sf3d_jax.data.checking.evidence.points import select_known_points
from sf3d_jax.data.checking.evidence.record import Unexplained
from sf3d_jax.data.checking.report import Finding
from sf3d_jax.data.checking.search import State

_SHARED = 0.5
# Error in pixels that a network may make all over an image.
_PLAUSIBLE = 5.0


def report_unexplained(state: State) -> list[Finding]:
    """Reports the disagreements left after undoing explained faults, the largest first."""
    findings = _report_closures(state.levels)
    images, without_flow = state.levels[IMAGES], state.without_flow
    if images is not None and without_flow is not None and _measure_flow(state.case) > _PLAUSIBLE:
        sure = certainty(images, without_flow)
        if images.level > 1.1 * without_flow.level and sure > 5:
            findings.append(_report_images(images, without_flow))
    return sorted(findings, key=lambda finding: -finding.confidence)


def _report_closures(levels: Levels) -> list[Finding]:
    exact = [e for e, x in levels.items() if e.is_exact(x)]
    findings = []
    for evidence, level in levels.items():
        said = evidence.unexplained
        if said is None or level is None or level.systematic < _SHARED * level.typical:
            continue
        is_exact = any(other is not evidence for other in exact)
        relative, absolute = said.exact_limits if is_exact else said.limits
        if level.level > relative and level.systematic > absolute:
            findings.append(_report_closure(said, level))
    return findings


def _report_closure(said: Unexplained, level: Level) -> Finding:
    numbers = {"median": level.typical, "shared by neighbours": level.systematic}
    numbers["relative"] = level.level
    message = f"{said.message}: median difference {level.typical:.3g}{said.unit}"
    confidence = float(min(0.9, 0.3 + level.level))
    return Finding(said.name, message, numbers, said.explanation, confidence)


def _report_images(images: Level, without: Level) -> Finding:
    message = "the images agree less along the flow than without any flow"
    numbers = {"along the flow": images.level, "without": without.level}
    why = "flow and images belong to different frames, or there is a fault of an unknown kind"
    return Finding("images_disagree", message, numbers, why, 0.7)


def _measure_flow(case: Case) -> float:
    """Computes the median length of the flow in pixels."""
    flow = case.own.flow
    return 0.0 if flow is None else finite_median(length(select_known_points(case).at(flow)))
