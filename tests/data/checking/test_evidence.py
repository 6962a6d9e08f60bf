"""The records of evidence: what they read, and their verdicts."""

import dataclasses

import numpy as np
import pytest

from sf3d_jax import Sample
from sf3d_jax.data.checking.evidence.fields import Case, SampleFields, make_fields
from sf3d_jax.data.checking.evidence.kinds import EVIDENCE, IMAGES
from sf3d_jax.data.checking.evidence.levels import Level
from sf3d_jax.data.checking.evidence.points import choose_pixels
from sf3d_jax.data.checking.evidence.record import Evidence, Trial, Verdict
from sf3d_jax.data.closed_form import deforming_scene, next_image

NAMES = {field.name for field in dataclasses.fields(SampleFields)} - {"size"}
# These only decide which points are compared.
WHICH_POINTS = {"flow_back": {"inv_depth", "change"}}


@pytest.fixture(scope="module")
def fields():
    """All fields that a sample may have."""
    made = deforming_scene((60, 80))
    sample = Sample(
        image=np.float32(made.image) / 255,
        next_image=np.float32(next_image(made)) / 255,
        flow=np.float32(made.flow),
        inv_depth=np.float32(made.inv_depth),
        inv_depth_change=np.float32(made.inv_depth_change),
        next_inv_depth=np.float32(made.inv_depth),
        scene_flow=np.float32(made.vectors),
        valid=made.valid,
        occlusion=~made.valid,
        camera=made.camera,
        next_camera=made.next_camera,
    )
    return make_fields(sample)


def recorded(fields, seen):
    """The same fields, of which those that are asked for get into a set."""

    class Recorded(SampleFields):
        def __getattribute__(self, name):
            seen.update({name} & NAMES)
            return super().__getattribute__(name)

    return Recorded(**{f.name: getattr(fields, f.name) for f in dataclasses.fields(fields)})


def case_of(own, other=None):
    return Case(own, other, *choose_pixels(own.size, None))


def test_the_names_are_different():
    assert len({evidence.name for evidence in EVIDENCE}) == len(EVIDENCE)
    assert len({evidence.words for evidence in EVIDENCE}) == len(EVIDENCE)


@pytest.mark.parametrize("evidence", EVIDENCE, ids=lambda evidence: evidence.name)
def test_evidence_reads_nothing_but_what_its_record_names(evidence, fields):
    assert evidence.reads | evidence.reads_other <= NAMES
    was_measured = False
    for missing in (None, "flow", "change", "inv_depth", "next_inv_depth"):
        given = fields if missing is None else fields.with_maps({missing: None})
        of_own, of_other = set(), set()
        with np.errstate(all="ignore"):
            case = case_of(recorded(given, of_own), recorded(fields, of_other))
            was_measured |= evidence.measure(case) is not None
        assert of_own - WHICH_POINTS.get(evidence.name, set()) <= evidence.reads
        assert of_other <= evidence.reads_other
    assert was_measured


def test_only_evidence_of_what_is_changed_is_asked(fields):
    given = case_of(fields)
    meant = case_of(fields.transform(("flow",), lambda flow: lambda r, c: -flow(r, c)))
    trial = Trial(given, meant, False, None)
    for evidence in EVIDENCE:
        assert evidence.find_changes(trial) == evidence.reads & {"flow"}


@pytest.mark.parametrize(
    "before, after, strict, verdict",
    [
        (0.5, 0.1, False, Verdict.FOR),
        (0.5, 0.2, False, Verdict.SILENT),
        (0.5, 0.1, True, Verdict.SILENT),
        (0.5, 0.01, True, Verdict.FOR),
        (0.5, 0.9, False, Verdict.SILENT),
        (0.01, 0.9, False, Verdict.AGAINST),
        (0.01, None, False, Verdict.AGAINST),
    ],
)
def test_a_verdict_is_of_how_much_is_left(before, after, strict, verdict, fields):
    evidence = Evidence("any", "any", lambda case: None, frozenset(), floor=1e-3)
    optional = dataclasses.replace(evidence, is_optional=True)
    trial = Trial(case_of(fields), case_of(fields), strict, None)
    left = None if after is None else Level(after)
    assert evidence.judge(trial, Level(before), left) is verdict
    assert optional.judge(trial, Level(before), left) is (
        Verdict.SILENT if after is None else verdict
    )


def test_images_say_nothing_of_another_mask(fields):
    given = case_of(fields)
    other_mask = case_of(fields.with_maps({"valid": None}))
    trial = Trial(given, other_mask, False, None)
    assert IMAGES.judge(trial, Level(0.1), Level(0.9)) is Verdict.SILENT
