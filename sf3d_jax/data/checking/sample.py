"""The check of one sample."""

import numpy as np

from sf3d_jax.data.checking.evidence import Levels
from sf3d_jax.data.checking.evidence.views import Case, chosen_pixels, known_points, view_of
from sf3d_jax.data.checking.explain import Explanation, State, explained, without_flow
from sf3d_jax.data.checking.facts import mask_facts, shape_facts, value_facts, with_arrays
from sf3d_jax.data.checking.remains import remaining
from sf3d_jax.data.checking.report import Finding, Report
from sf3d_jax.samples import Sample

_MAPS = ("flow", "inv_depth", "inv_depth_change", "next_inv_depth", "scene_flow")
_IMAGES = ("image", "next_image")

# What each kind of evidence compares, for people.
WORDS = {
    "surface": "negative inverse depths, share",
    "mask": "valid pixels without anything, share",
    "images": "images along the flow",
    "depths": "depth + change against the next depth",
    "still_flow": "flow against that of a still world",
    "still_change": "change against that of a still world",
    "still_images": "images along a still world's flow",
    "still_depths": "depth against the next one of a still world",
    "flow_back": "flow there and back",
    "change_back": "change there and back",
    "same_depth": "next depth against the other direction's",
    "vectors": "scene flow against the other maps'",
}


def check(sample: Sample, *, backward: Sample | None = None) -> Report:
    """Looks for what is wrong with a sample: signs, orders, units, grids, poses, masks.

    The parts of a sample are compared with one another where two of them say the same thing: the
    images along the flow; inverse depth plus change with the next inverse depth at the end of the
    flow; flow and change with those of a still world between the cameras, where any quarter of
    the pixels stands still; there and back; the scene flow with the other maps. Where they
    disagree, each fault that people make is undone in turn, and one that makes them agree is
    named. Noise is no finding: no fault explains it.

    What one sample cannot show is not reported:

    - Of cameras that do not move, poses, focal lengths, principal points, and a ray length or a
      unit in *all* depths and changes: nothing depends on them, unless scene flow is given.
    - Of a scene in which less than a quarter stands still, the same.
    - With the world at the first camera, poses that were inverted before it was put there.
    - Cameras of different places that were exchanged look like inverted poses if the world is at
      one of them; depths that were not inverted look like a change of depth, if both depths are
      given and nothing else tells: then both are named, one as an alternative.
    - Faults below the noise: half a pixel of the principal point takes exact data.
    - A scale that all depths, changes and translations share.

    Args:
      sample: NumPy or JAX arrays, unbatched; any of them may be missing, all but one. Poses are
        in any world. It may have NaN where a value is claimed and none is there.
      backward: the sample of the opposite direction: its first frame is the next one of
        `sample`, and its flow leads back. It is used to compare, and not checked itself.

    Returns:
      The report; without findings if all agrees, or if nothing can be compared.

    Raises:
      TypeError: an argument is no sample.
      ValueError: the sample has not a single map, or a batch of cameras.
    """
    for name, x in (("sample", sample), ("backward", backward)):
        if not isinstance(x, Sample) and not (x is None and name == "backward"):
            raise TypeError(f"{name}: expected a Sample, got {type(x).__name__}")
    sample, findings = shape_facts(with_arrays(sample))
    if all(getattr(sample, name) is None for name in (*_MAPS, *_IMAGES)):
        if findings:
            return Report(tuple(findings), name=_name(sample))
        raise ValueError("sample: expected an image or a map, got none")
    findings += value_facts(sample)
    if any(finding.name == "nothing_known" for finding in findings):
        # What would be explained by maps of nothing is not worth much.
        return Report(tuple(findings), name=_name(sample))
    case = _case(sample, backward)
    state = explained(case)
    findings = [*_explanations(state), *findings, *mask_facts(state.case)]
    findings += remaining(state.levels, without_flow(state.case), _flow_size(state.case))
    given = state.steps[0].before if state.steps else state.levels
    return Report(tuple(findings), _numbers(given), _name(sample))


def _name(sample: Sample) -> str | None:
    return sample.name if isinstance(sample.name, str) else None


def _case(sample: Sample, backward: Sample | None) -> Case:
    own, other = view_of(sample), None
    if backward is not None:
        backward, _ = shape_facts(with_arrays(backward))
        if any(getattr(backward, name) is not None for name in (*_MAPS, *_IMAGES)):
            other = view_of(backward)
            other = other if other.size == own.size else None
    return Case(own, other, *chosen_pixels(own.size, sample.valid))


def _numbers(levels: Levels) -> dict[str, float]:
    return {WORDS[name]: x.level for name, x in levels.items() if x is not None}


def _flow_size(case: Case) -> float:
    if case.own.flow is None:
        return 0.0
    points = known_points(case)
    length = np.linalg.norm(points.at(case.own.flow), axis=1)
    length = length[np.isfinite(length)]
    return float(np.median(length)) if len(length) else 0.0


def _explanations(state: State) -> list[Finding]:
    """A finding for each fault; one that only helps another is as sure as that one."""
    findings: list[Finding] = []
    share = 0.0
    for number, step in reversed(list(enumerate(state.steps))):
        share = step.share if step.evidence else share
        alternatives = state.alternatives if number == len(state.steps) - 1 else ()
        findings = [*_of_step(step, share, alternatives), *findings]
    return findings


def _of_step(step: Explanation, share: float, alternatives: tuple[str, ...]) -> list[Finding]:
    hypothesis = step.hypothesis
    numbers = dict(hypothesis.measured)
    said = []
    for name in step.evidence:
        before, after = step.before[name], step.after[name]
        assert before is not None and after is not None
        numbers[f"{name} before"], numbers[f"{name} after"] = before.level, after.level
        said.append(f"{WORDS[name]}: {before.level:.3g}, mended {after.level:.3g}")
    message = "; ".join(said) or "seen together with the next finding"
    if len(hypothesis.names) > 1:
        message = f"{' and '.join(hypothesis.names)} together. {message}"
    # Two that explain as much share what one could be sure of.
    confidence = min(1.0, max(0.0, share)) / (1 + len(alternatives))
    return [
        Finding(name, message, numbers, hypothesis.explanation, confidence, alternatives)
        for name in hypothesis.names
    ]
