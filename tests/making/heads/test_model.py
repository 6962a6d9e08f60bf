"""A user's face model: random people and motions, recorded motions, what does not fit."""

import numpy as np
import pytest
from helpers.small_heads import save_model

from sf3d_jax import data
from sf3d_jax.head import FaceModel
from sf3d_jax.making import Options, plan
from sf3d_jax.making.heads import open_head


def open_model(tmp_path, index=0, **options):
    path = tmp_path / "model.npz"
    if not path.exists():
        save_model(path)
    chosen = Options(subjects=2, test=1, frames=5, gaussians=800, head=str(path), **options)
    return open_head(plan(chosen).subjects[index], chosen)


def save_motion(tmp_path, **arrays):
    path = tmp_path / "motion.npz"
    np.savez(path, **arrays)
    return str(path)


def test_people_and_motions_are_drawn(tmp_path):
    first, second = (open_model(tmp_path, index) for index in (0, 1))
    template = data.read_face_model(tmp_path / "model.npz").template
    assert 1e-4 < np.abs(first.neutral - template).max() < 0.05
    assert np.abs(first.neutral - second.neutral).max() > 1e-4
    assert np.abs(first.find_vertices(0) - first.find_vertices(4)).max() > 1e-4
    # The jaw is open in the rest shape.
    assert np.abs(first.rest - first.neutral).max() > 1e-3
    assert np.array_equal(open_model(tmp_path).find_vertices(3), first.find_vertices(3))


def test_a_recorded_motion_is_that_of_the_model(tmp_path):
    rng = np.random.default_rng(0)
    shape, offset = rng.normal(size=(1, 3)), rng.normal(size=(1, 194, 3)) / 1000
    rows = {"expr": 2, "rotation": 3, "neck_pose": 3, "jaw_pose": 3, "eyes_pose": 6}
    motion = {name: rng.normal(size=(5, n)) / 5 for name, n in {**rows, "translation": 3}.items()}
    path = save_motion(tmp_path, shape=shape, static_offset=offset, **motion)
    head = open_model(tmp_path, motion=path)
    arrays = data.read_face_model(tmp_path / "model.npz")
    model = FaceModel(*arrays._replace(template=arrays.template + offset[0]), identities=6)
    pose = np.concatenate([motion[n] for n in list(rows)[1:]], 1).reshape(5, 5, 3)
    for k in (0, 4):
        single = lambda x: x.astype(np.float32)
        expected = model.vertices(
            single(shape[0]),
            single(motion["expr"][k]),
            single(pose[k]),
            single(motion["translation"][k]),
        )
        np.testing.assert_allclose(head.find_vertices(k), expected, atol=1e-6)


WRONG = [
    (dict(expr=np.zeros((5, 9))), "2 coefficients or fewer in 'expr'"),
    (dict(shape=np.zeros(7), expr=np.zeros((5, 1))), "6 coefficients or fewer in 'shape'"),
    (dict(jaw_pose=np.zeros((4, 3))), "5 frames or more in 'jaw_pose'"),
    (dict(jaw_pose=np.zeros((5, 4))), r"the shape \[any, 3\] of 'jaw_pose'"),
    (dict(jawOpen=np.zeros(5)), "arrays named expr, .* found 'jawOpen'"),
    (
        dict(eyes_pose=np.full((5, 6), -20.0)),
        "radians.* in 'eyes_pose', found -20 to -20;.*degrees",
    ),
    (dict(expression=np.zeros((5, 1))), r"found 'expression'; did you mean 'expr'\?"),
    (dict(static_offset=np.zeros((9, 3)), expr=np.zeros((5, 1))), "of 'static_offset'"),
]


@pytest.mark.parametrize("arrays, says", WRONG, ids=[says[:24] for _, says in WRONG])
def test_a_motion_that_does_not_fit_is_refused(tmp_path, arrays, says):
    with pytest.raises(data.FormatError, match=says):
        open_model(tmp_path, motion=save_motion(tmp_path, **arrays))
