"""FaceModel against loops over joints and vertices in NumPy, and blendshapes."""

import dataclasses

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.support import as_numpy, float64

from sf3d_jax import data, head

RNG = np.random.default_rng(0)
COUNT, SHAPES, IDENTITIES = 20, 7, 4
PARENTS = np.array([-1, 0, 1, 1], np.int32)
JOINTS = len(PARENTS)
ARRAYS = data.FaceArrays(
    template=RNG.normal(size=(COUNT, 3)),
    shapes=0.3 * RNG.normal(size=(COUNT, 3, SHAPES)),
    pose_shapes=0.2 * RNG.normal(size=(COUNT, 3, 9 * (JOINTS - 1))),
    regressor=RNG.dirichlet(np.ones(COUNT), JOINTS),
    weights=RNG.dirichlet(np.ones(JOINTS), COUNT),
    parents=PARENTS,
    faces=RNG.integers(0, COUNT, (9, 3)).astype(np.int32),
)
MODEL = head.FaceModel(*ARRAYS, identities=IDENTITIES)
SHAPE, EXPRESSION = RNG.normal(size=3), RNG.normal(size=SHAPES - IDENTITIES)
POSE, TRANSLATION = RNG.normal(size=(JOINTS, 3)), RNG.normal(size=3)
ALL = SHAPE, EXPRESSION, POSE, TRANSLATION
TARGETS = {"jawOpen": RNG.normal(size=(COUNT, 3)), "eyeBlinkLeft": RNG.normal(size=(COUNT, 3))}


def define(shape, expression, pose, translation):
    """Homogeneous matrices down the tree, vertex by vertex."""
    weights = np.zeros(SHAPES)
    weights[: len(shape)] = shape
    weights[IDENTITIES : IDENTITIES + len(expression)] = expression
    shaped = ARRAYS.template + ARRAYS.shapes @ weights
    joints = ARRAYS.regressor @ shaped
    rotations = [cv2.Rodrigues(x)[0] for x in pose]
    changes = np.concatenate([(x - np.eye(3)).ravel() for x in rotations[1:]])
    posed = shaped + ARRAYS.pose_shapes @ changes
    world = []
    for j in range(JOINTS):
        local = np.eye(4)
        local[:3, :3] = rotations[j]
        local[:3, 3] = joints[j] - (joints[PARENTS[j]] if j else 0)
        world.append(world[PARENTS[j]] @ local if j else local)
    moved = np.zeros((COUNT, 3))
    for v in range(COUNT):
        for j in range(JOINTS):
            at_rest = np.append(posed[v] - joints[j], 1)
            moved[v] += ARRAYS.weights[v, j] * (world[j] @ at_rest)[:3]
    return moved + translation


def test_the_vertices_are_those_of_the_definition():
    with float64():
        got = as_numpy(MODEL.vertices(*ALL))
    np.testing.assert_allclose(got, define(*ALL), atol=1e-12)


@pytest.mark.thorough
def test_what_is_not_given_is_zero():
    with float64():
        got = as_numpy(MODEL.vertices())
        still = as_numpy(MODEL.vertices(pose=np.zeros((JOINTS, 3))))
    np.testing.assert_array_equal(got, ARRAYS.template)
    np.testing.assert_allclose(still, ARRAYS.template, atol=1e-14)


def test_frames_of_one_person_are_a_loop():
    poses = np.stack([POSE, 0 * POSE, 2 * POSE])
    expressions = np.stack([EXPRESSION, -EXPRESSION, 0 * EXPRESSION])
    with float64():
        got = as_numpy(MODEL.vertices(SHAPE, expressions, poses, TRANSLATION))
    for i in range(3):
        expected = define(SHAPE, expressions[i], poses[i], TRANSLATION)
        np.testing.assert_allclose(got[i], expected, atol=1e-12)


def test_the_gradient_is_that_of_finite_differences():
    """At zero rotations, too, where the angle has no derivative."""

    @jax.jit
    def measure(template, *given):
        def combine(template, *given):
            model = dataclasses.replace(MODEL, template=template)
            return jnp.sin(model.vertices(*given)).sum()

        return jax.value_and_grad(combine, tuple(range(5)))(template, *given)

    step = 1e-6
    with float64():
        for scale in (1.0, 0.0):
            inputs = ARRAYS.template, SHAPE, EXPRESSION, scale * POSE, TRANSLATION
            along = [np.random.default_rng(k).normal(size=x.shape) for k, x in enumerate(inputs)]
            expected = sum(np.vdot(x, y) for x, y in zip(measure(*inputs)[1], along, strict=True))
            ahead, behind = (
                measure(*(x + s * y for x, y in zip(inputs, along, strict=True)))[0]
                for s in (step, -step)
            )
            np.testing.assert_allclose((ahead - behind) / (2 * step), expected, rtol=1e-6)


def test_blend_shapes_go_by_name():
    model = head.blendshapes(ARRAYS.template, TARGETS)
    weights = {"eyeBlinkLeft": np.array([0.25, -1.0]), "jawOpen": 0.5}
    with float64():
        got = as_numpy(model.vertices(expression=weights))
        turned = as_numpy(model.vertices(expression=np.array([0.5]), pose=POSE[:1]))
        neutral = as_numpy(model.vertices(expression={}))
    for i, blink in enumerate(weights["eyeBlinkLeft"]):
        expected = ARRAYS.template + 0.5 * TARGETS["jawOpen"] + blink * TARGETS["eyeBlinkLeft"]
        np.testing.assert_allclose(got[i], expected, atol=1e-14)
    rotation = cv2.Rodrigues(POSE[0])[0]
    expected = (ARRAYS.template + 0.5 * TARGETS["jawOpen"]) @ rotation.T
    np.testing.assert_allclose(turned, expected, atol=1e-14)
    np.testing.assert_array_equal(neutral, ARRAYS.template)


@pytest.mark.thorough
def test_a_mesh_without_targets_is_a_model():
    model = head.blendshapes(np.float32(ARRAYS.template), {})
    assert model.vertices().dtype == np.float32
    np.testing.assert_array_equal(model.vertices(), np.float32(ARRAYS.template))


MORPHS = head.blendshapes(ARRAYS.template, TARGETS)
WRONG = {
    "many": (lambda: MODEL.vertices(np.ones(5)), r"shape: expected shape \(..., n\), n at most 4"),
    "long": (lambda: MODEL.vertices(expression=np.ones(4)), "expression: .*at most 3, got"),
    "joints": (lambda: MODEL.vertices(pose=np.ones((3, 3))), r"pose: .*\(..., 4, 3\), got"),
    "place": (lambda: MODEL.vertices(translation=np.ones(2)), "translation: .*3"),
    "frames": (
        lambda: MODEL.vertices(np.ones((2, 4)), np.ones((3, 3))),
        r"batch axes do not broadcast: shape \(2,\), expression \(3,\)",
    ),
    "name": (
        lambda: MORPHS.vertices(expression={"smile": 1.0}),
        "expression: the model has no 'smile'; its names are jawOpen, eyeBlinkLeft",
    ),
    "no names": (lambda: MODEL.vertices(expression={"smile": 1.0}), "names are none, so pass an"),
    "weights": (
        lambda: dataclasses.replace(MODEL, weights=ARRAYS.weights[1:]).vertices(),
        r"FaceModel\.weights: expected shape \(20, 4\)",
    ),
    "identities": (
        lambda: dataclasses.replace(MODEL, identities=8).vertices(),
        "identities: expected 0 to 7, the shapes, got 8",
    ),
    "names": (
        lambda: dataclasses.replace(MODEL, names=("smile",)).vertices(),
        "names: expected 3, one per expression, got 1",
    ),
    "target": (
        lambda: head.blendshapes(ARRAYS.template, {"smile": np.ones((19, 3))}),
        r"targets\['smile'\]: expected shape \(20, 3\), got \(19, 3\)",
    ),
    "neutral": (lambda: head.blendshapes(np.ones(3), {}), r"neutral: expected shape \(V, 3\)"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_named(name):
    call, message = WRONG[name]
    with pytest.raises(ValueError, match=message):
        call()


def test_parents_come_before_their_joints():
    for parents, joint in (
        ([-1, 2, 0, 1], 1),
        ([-1, 0, 2, 1], 2),
        ([-1, -1, 0, 1], 1),
        ([-1, 0, 9, 1], 2),
    ):
        model = dataclasses.replace(MODEL, parents=np.array(parents, np.int32))
        message = rf"FaceModel\.parents: expected a joint before joint {joint}, 0 to {joint - 1}, "
        with pytest.raises(ValueError, match=message + f"got {parents[joint]}; sort"):
            model.vertices(pose=POSE)
    # The first joint has none, however a file says so.
    for first in (2**32 - 1, 0):
        parents = np.array([first, *PARENTS[1:]], np.uint32)
        with float64():
            got = as_numpy(dataclasses.replace(MODEL, parents=parents).vertices(*ALL))
        np.testing.assert_allclose(got, define(*ALL), atol=1e-12)


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("parents", np.float64(PARENTS), "parents: expected an array of integers, got float64"),
        ("parents", PARENTS.tolist(), "parents: expected an array of integers, got list"),
        ("weights", None, "weights: expected an array, got NoneType"),
        ("regressor", None, "regressor: expected an array, got NoneType"),
        ("pose_shapes", np.ones(3, np.int32), "pose_shapes: expected a floating-point array"),
    ],
)
def test_a_part_of_another_type_is_named(name, value, message):
    with pytest.raises(TypeError, match=rf"FaceModel\.{message}"):
        dataclasses.replace(MODEL, **{name: value}).vertices(pose=POSE)
