"""What a mesh hides of itself, against rays that are counted and against closed forms."""

import numpy as np
from helpers.ray_caster import meet

from sf3d_jax.making.shading.normals import Normals
from sf3d_jax.making.shading.occlusion import LEAST_AMBIENT, LEAST_LIT, bake_occlusion
from sf3d_jax.making.shading.visibility import find_visibility, spread_directions


def make_cup(steps=24, radius=0.05):
    """A dish: the upper half of a sheet over a square, pressed into a hollow in its middle."""
    line = np.linspace(-2 * radius, 2 * radius, steps)
    x, y = (z.ravel() for z in np.meshgrid(line, line))
    hollow = np.sqrt(np.maximum(radius**2 - x**2 - y**2, 0))
    number = np.arange(steps * steps).reshape(steps, steps)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, 1:], number[1:, :-1]
    faces = np.concatenate([np.stack([a, b, c], -1), np.stack([a, c, d], -1)]).reshape(-1, 3)
    return np.stack([x, y, -hollow], 1), faces


def count_rays(vertices, faces, normals, directions, start):
    """Whether rays from points just above the vertices meet nothing: [V, D]."""
    triangles = vertices[faces]
    free = np.ones((len(vertices), len(directions)), bool)
    for v, point in enumerate(vertices + start * normals):
        moved = triangles - point
        for d, direction in enumerate(directions):
            with np.errstate(invalid="ignore"):
                depth, inside = meet(moved, direction[None])
            free[v, d] = not ((inside >= 0).all(-1) & (depth > 0)).any()
    return free


def test_what_is_seen_is_what_rays_reach():
    vertices, faces = make_cup(18)
    normals, directions = Normals(faces)(vertices), spread_directions(24)
    found = find_visibility(vertices, faces, normals, directions, cell=0.002)
    free = count_rays(vertices, faces, normals, directions, start=0.003)
    above = found.above > 0
    assert np.array_equal(above, normals @ directions.T > 0.05)
    # Borders of shadows are a vertex wide; away from them, both agree.
    wrong = np.abs(found.seen - free)[above]
    assert wrong.mean() < 0.06 and (wrong > 0.6).mean() < 0.02
    assert 0.05 < 1 - free[above].mean() and (found.seen[~above] == 0).all()


def test_a_hollow_is_dark_and_a_plane_is_not():
    vertices, faces = make_cup(49)
    baked = bake_occlusion(vertices, faces, Normals(faces)(vertices))
    out = np.hypot(*vertices[:, :2].T) / 0.05
    # The share of the sky over a point deep in a hemisphere is a half.
    deepest = baked.ambient[out < 0.2].mean()
    assert abs((deepest - LEAST_AMBIENT) / (1 - LEAST_AMBIENT) - 0.5) < 0.05
    assert baked.ambient[out > 1.8].min() > 0.95


def test_a_light_from_the_side_does_not_reach_the_bottom_of_a_hollow():
    vertices, faces = make_cup(49)
    baked = bake_occlusion(vertices, faces, Normals(faces)(vertices))
    low = np.array([[np.sin(1.1), 0, np.cos(1.1)]])
    lit = baked.find_lit(low, np.array([0.1]))[:, 0]
    x, y = vertices[:, :2].T / 0.05
    near = (np.abs(y) < 0.3) & (np.abs(x) < 0.3)
    far = (np.abs(y) < 0.3) & (x < -0.75) & (x > -0.9)
    assert lit[near].mean() < 0.5 and lit[far].mean() > 0.8
    assert lit.min() >= LEAST_LIT and lit.max() <= 1 + 1e-6


def test_the_turn_of_a_head_is_found():
    vertices, faces = make_cup()
    vertices = vertices + np.random.default_rng(0).normal(size=vertices.shape) * 0.01
    baked = bake_occlusion(vertices, faces, Normals(faces)(vertices))
    c, s = np.cos(0.3), np.sin(0.3)
    rotation = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    found = baked.find_turn(vertices @ rotation.T + [0.1, 0.2, 0.3])
    np.testing.assert_allclose(found, rotation, atol=1e-12)
