"""Frames of a subject: what is drawn, that it is true, and that it depends on the frame alone."""

import numpy as np
import pytest
from helpers.ray_caster import cast_motion

from sf3d_jax import data
from sf3d_jax.making import Options, open_subject, plan

SIZE = (40, 48)


def make_egg(rings=12, spokes=16):
    """An egg of a head's size, its nose to the front, and a target that pulls the nose."""
    down = np.pi * np.arange(1, rings + 1) / (rings + 1)
    around = 2 * np.pi * np.arange(spokes) / spokes
    t, p = np.meshgrid(down, around, indexing="ij")
    unit = np.stack([np.sin(t) * np.sin(p), np.cos(t), np.sin(t) * np.cos(p)], -1).reshape(-1, 3)
    unit = np.concatenate([unit, [[0, 1, 0], [0, -1, 0]]])
    i, j = np.meshgrid(np.arange(rings - 1), np.arange(spokes), indexing="ij")
    a, b = i * spokes + j, i * spokes + (j + 1) % spokes
    quads = [(a, a + spokes, b + spokes), (a, b + spokes, b)]
    faces = [np.stack(x, -1).reshape(-1, 3) for x in quads]
    ring, last = np.arange(spokes), (rings - 1) * spokes
    turned = (ring + 1) % spokes
    faces.append(np.stack([ring, turned, np.full(spokes, len(unit) - 2)], -1))
    faces.append(np.stack([turned + last, ring + last, np.full(spokes, len(unit) - 1)], -1))
    nose = np.exp(-((unit - [0, 0, 1]) ** 2).sum(-1) / 0.1)[:, None] * [0, 0.01, 0.02]
    faces = np.concatenate(faces).astype(np.int32)
    return data.Mesh(unit * [0.08, 0.11, 0.09], faces, targets={"nose": nose})


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    path = tmp_path_factory.mktemp("heads") / "egg.glb"
    data.write_mesh(path, make_egg())
    return Options(
        subjects=2, test=1, frames=4, size=SIZE, gaussians=3000, head=str(path), background="black"
    )


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(flat(a), flat(b), strict=True))


def flat(x):
    import jax

    return jax.tree.leaves(x)


def test_a_frame_is_the_same_whichever_were_drawn_before(options):
    subject = plan(options).subjects[1]
    in_order = open_subject(subject, options)
    frames = [in_order.draw(k) for k in range(options.frames)]
    again = open_subject(subject, options)
    assert same(again.draw(2), frames[2])
    assert same(again.draw(0), frames[0]) and same(again.draw(3), frames[3])
