"""Options are checked when they are made, and an error names the option."""

import numpy as np
import pytest

from sf3d_jax.making import Options

WRONG = [
    (dict(subjects=0), "subjects: expected 1 or more, got 0"),
    (dict(subjects=2, test=3), "test: expected at most 2, the number of subjects, got 3"),
    (dict(test=-1), "test: expected 0 or more"),
    (dict(frames=1), "frames: expected 2 or more"),
    (dict(size=(512, 8)), "size: expected 16 or more, got 8"),
    (dict(size=512), r"size: expected \(height, width\), got 512"),
    (dict(fps=0.0), "fps: expected a positive number, got 0"),
    (dict(fps=float("nan")), "fps: expected a positive number"),
    (dict(seed=-1), "seed: expected 0 or more"),
    (dict(seed=1.5), "seed: expected an integer, got 1.5"),
    (dict(seed=True), "seed: expected an integer, got True"),
    (dict(gaussians=0), "gaussians: expected 1 or more"),
    (dict(head="face.fbx"), "head: expected 'procedural', a mesh .* got 'face.fbx'"),
    (dict(head=None), "head: expected a path, got None"),
    (dict(motion="walk.bvh"), "motion: expected a file .npz, got 'walk.bvh'"),
    (dict(texture="skin.png"), "texture: expected a head in .obj, .ply, .glb to paint"),
    (dict(background="pink"), "background: expected 'room', a name .* got 'pink'"),
    (dict(background="#3699"), "background: .* got '#3699'"),
    (dict(background="1 1 2"), "background: .* got '1 1 2'"),
    (dict(background=(1, 1, 1)), "background: expected a string"),
    (dict(light="soft"), "light: expected 'moving', 'flicker' or 'baked', got 'soft'"),
    (dict(sensor="film"), "sensor: expected 'camera', 'webcam' or 'ideal', got 'film'"),
    (dict(mask="all"), "mask: expected 'sure' or 'subject', got 'all'"),
    (dict(scale=0), "scale: expected a positive number, got 0"),
    (dict(scale=10**400), "scale: expected a positive number, got one beyond float64"),
    (dict(fps=-(10**400)), "fps: expected a positive number, got one beyond float64"),
    (dict(mask=np.array(["sure"])), "mask: expected 'sure' or 'subject', got an array"),
    (dict(light=None), "light: expected 'moving', 'flicker' or 'baked', got NoneType"),
    (dict(size=np.array([64, 64])), r"size: expected \(height, width\)"),
    (dict(scale="1"), "scale: expected a number, got '1'"),
]


@pytest.mark.parametrize("wrong, says", WRONG, ids=[says[:20] for _, says in WRONG])
def test_a_wrong_option_is_named(wrong, says):
    with pytest.raises((TypeError, ValueError), match=f"^{says}"):
        Options(**wrong)


@pytest.mark.parametrize(
    "options",
    [
        dict(seed=0),
        dict(seed=2**70),
        dict(subjects=1, test=0),
        dict(subjects=1, test=1),
        dict(size=[16, 2000]),
        dict(head="a.GLB", texture="b.jpg", motion="c.npz"),
        dict(head="flame.npz"),
        dict(background="#00ff7F"),
        dict(background="#369"),
        dict(background="0.1 0.2 0.3"),
        dict(background="room"),
        dict(fps=29.97, scale=2),
    ],
    ids=str,
)
def test_what_is_possible_is_not_refused(options):
    kept = Options(**options)
    for name, value in options.items():
        assert getattr(kept, name) == (tuple(value) if name == "size" else value)
