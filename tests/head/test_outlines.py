"""sure_pixels where a sheet ends before another one, against the float64 ray caster."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.ray_caster import cast_motion

import sf3d_jax as sf3d
from sf3d_jax import gaussians, head

pytestmark = [pytest.mark.thorough, pytest.mark.optimized]
COUNT, SIZE, AROUND = 20_000, (240, 240), 40
CAMERA = sf3d.Camera.pinhole(900.0, 900.0, 120.0, 120.0, SIZE, np.eye(4, dtype=np.float32)[:3])
MOTION = np.array([0.004, 0.003, 0])


def make_sheet(first, last, depth):
    """A grid that faces the camera: vertices (V, 3) and faces (T, 3)."""
    x, y = np.meshgrid(np.linspace(first, last, AROUND), np.linspace(-0.2, 0.2, AROUND))
    vertices = np.stack([x, y, np.full_like(x, depth)], -1).reshape(-1, 3)
    a = (np.arange(AROUND - 1)[:, None] * AROUND + np.arange(AROUND - 1)).ravel()
    below = a + AROUND
    faces = [np.stack(x, -1) for x in ((a, below, a + 1), (a + 1, below, below + 1))]
    return vertices, np.concatenate(faces).astype(np.int32)


def find_sure(angle, gap, dtype=jnp.float32):
    """Sure pixels, errors of their flow, and their share; the near sheet moves by 5 pixels."""
    (far, faces), (near, others) = make_sheet(-0.2, 0.2, 1.0), make_sheet(-0.2, 0.012, 1.0 - gap)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    near[:, :2] = near[:, :2] @ turn.T
    rest = np.concatenate([far, near - [0, 0, 0.02]])
    faces = np.concatenate([faces, others + len(far)])
    states = np.concatenate([far, near]), np.concatenate([far, near + MOTION])
    cover = head.cover(rest, faces, COUNT)
    features = head.surface_features(cover, faces, rest, np.zeros(len(faces), np.int32))
    colors = jnp.full((len(features), 3), 0.5, dtype)
    first, second = (head.carry(cover, faces, np.float32(x), colors) for x in states)
    annotation = gaussians.render_motion(
        first, second, CAMERA, features=features, antialias=True, max_intersections=2**19
    )
    assert int(annotation.overflow) == 0
    sure = np.asarray(head.sure_pixels(annotation, CAMERA))
    truth = cast_motion(*states, faces, CAMERA, CAMERA)
    assert truth.hit.all()
    off = np.linalg.norm(np.float64(annotation.flow) - truth.flow, axis=-1)
    return sure, off[sure], sure.mean()


@pytest.mark.parametrize("angle", [0, 0.3, np.pi / 4])
@pytest.mark.parametrize("gap", [0.003, 0.006, 0.009])
def test_no_sure_pixel_has_the_motion_of_the_other_sheet(angle, gap):
    _, off, share = find_sure(angle, gap)
    assert off.max() < 0.3 and np.quantile(off, 0.999) <= 0.1 and off.mean() <= 0.006
    assert share >= 0.92


def test_colours_of_half_precision_lose_no_pixels():
    single, _, _ = find_sure(0.3, 0.006)
    half, off, _ = find_sure(0.3, 0.006, jnp.bfloat16)
    assert half[single].mean() > 0.999 and off.max() < 0.3
