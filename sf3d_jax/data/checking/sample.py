"""Checks one sample."""

import numpy as np

from sf3d_jax._checks import name_type
from sf3d_jax.data.checking.evidence.fields import Case, make_fields
from sf3d_jax.data.checking.evidence.points import choose_pixels
from sf3d_jax.data.checking.evidence.record import AGREES
from sf3d_jax.data.checking.facts import (
    RESOLUTION,
    check_mask,
    check_shapes,
    check_values,
    convert_to_numpy,
)
from sf3d_jax.data.checking.report import Finding, Report
from sf3d_jax.data.checking.search import Explanation, State, explain
from sf3d_jax.data.checking.unexplained import report_unexplained
from sf3d_jax.samples import Sample, Sequence

_MAPS = (
    *("image", "next_image", "flow", "inv_depth", "inv_depth_change", "next_inv_depth"),
    "scene_flow",
)


def check(sample: Sample, *, backward: Sample | None = None) -> Report:
    """Finds faults in a sample: signs, orders, units, grids, poses, masks.

    Redundant parts are compared: the images along the flow; inverse depth plus change with the next
    inverse depth at the end of the flow; flow and change with those of a still world between the
    cameras (a quarter of the pixels must stand still); the flow there and back; the scene flow with
    the other maps. If they disagree, each common fault is undone in turn, and one that makes them
    agree is reported. Noise is not reported, since no fault explains it.

    Some faults cannot be seen in one sample and are not reported:

    - If the cameras do not move, or less than a quarter of the scene stands still: poses, focal
      lengths, principal points, and ray lengths or a unit in *all* depths and changes, unless there
      is scene flow. A principal point at the centre of a much larger or smaller image is reported.
    - If the world's origin is the first camera: poses that were inverted before it was put there.
    - Exchanged cameras look like inverted poses if the world's origin is at one of them; depths
      that were not inverted may look like a change of depth. Then both explanations are reported,
      one as an alternative.
    - Faults below the noise: half a pixel of the principal point only shows in exact data.
    - A scale shared by all depths, changes and translations.

    Args:
      sample: NumPy or JAX arrays without batch axes, at least one map; poses in any world. NaN and
        infinity are allowed, and are reported where a mask calls them valid.
      backward: the sample of the opposite direction: its first frame is the next one of `sample`,
        and its flow leads back. Used for comparison only.

    Returns:
      The report; it has no findings if everything agrees or nothing can be compared.

    Raises:
      TypeError: an argument is not a Sample.
      ValueError: the sample has no map, or has a batch of cameras.
    """
    for argument, x in (("sample", sample), ("backward", backward)):
        if not isinstance(x, Sample) and not (x is None and argument == "backward"):
            advice = (
                f"; pass one of its pairs, {argument}.pair(i)" if isinstance(x, Sequence) else ""
            )
            raise TypeError(f"{argument}: expected a Sample, got {name_type(x)}{advice}")
    name = sample.name if isinstance(sample.name, str) else None
    sample, findings = check_shapes(convert_to_numpy(sample))
    if not _has_maps(sample):
        if findings:
            return Report(tuple(findings), name=name)
        raise ValueError("sample: expected an image or a map, got none")
    findings += check_values(sample)
    if any(finding.name == "nothing_known" for finding in findings):
        # Explanations based on empty maps would be worthless.
        return Report(tuple(findings), name=name)
    with np.errstate(all="ignore"):
        state = explain(_make_case(sample, backward))
        explained = _report_explanations(state)
        if any(x.name == RESOLUTION for x in explained) or _has_right_intrinsics(state):
            findings = [x for x in findings if x.name != RESOLUTION]
        findings = [*explained, *findings, *check_mask(state.case)]
        findings += report_unexplained(state)
    levels = {evidence.words: x.level for evidence, x in state.given.items() if x is not None}
    return Report(tuple(findings), levels, name)


def _has_maps(sample: Sample) -> bool:
    return any(getattr(sample, name) is not None for name in _MAPS)


def _make_case(sample: Sample, backward: Sample | None) -> Case:
    own, other = make_fields(sample), None
    if backward is not None:
        backward, _ = check_shapes(convert_to_numpy(backward))
        if _has_maps(backward):
            other = make_fields(backward)
            other = other if other.size == own.size else None
    return Case(own, other, *choose_pixels(own.size, sample.valid))


def _has_right_intrinsics(state: State) -> bool:
    """Whether evidence that depends on the intrinsics agrees: scene flow or still-world motion."""
    camera, after = state.case.own.camera, state.case.own.next_camera
    if camera is None:
        return False
    moves = after is not None and not np.allclose(camera.pose, after.pose)
    return any(
        level is not None and evidence.floors(level) <= AGREES
        for evidence, level in state.given.items()
        if evidence.reads >= {"camera", "scene_flow"} or (moves and "camera" in evidence.reads)
    )


def _report_explanations(state: State) -> list[Finding]:
    """Makes a finding per fault; a fault that only helps the next one takes its confidence."""
    findings: list[Finding] = []
    share, alternatives = 0.0, state.alternatives
    for step in reversed(state.steps):
        share = step.share if step.evidence else share
        findings = [*_report_step(step, share, alternatives), *findings]
        alternatives = ()
    return findings


def _report_step(step: Explanation, share: float, alternatives: tuple[str, ...]) -> list[Finding]:
    hypothesis = step.hypothesis
    numbers, parts = dict(hypothesis.numbers), []
    for evidence, before, after in step.changes:
        numbers[f"{evidence.name} before"] = before.level
        numbers[f"{evidence.name} after"] = after.level
        parts.append(f"{evidence.words}: {before.level:.3g}, after the fix {after.level:.3g}")
    message = "; ".join(parts) or "seen together with the next finding"
    if len(hypothesis.names) > 1:
        message = f"{' and '.join(hypothesis.names)} together. {message}"
    # Equally good explanations share the confidence.
    confidence = min(1.0, max(0.0, share)) / (1 + len(alternatives))
    return [
        Finding(name, message, numbers, hypothesis.explanation, confidence, alternatives)
        for name in hypothesis.names
    ]
