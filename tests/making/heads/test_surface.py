"""Meshes of unknown origin: unit, connected parts, and the side that is outside."""

import numpy as np
import pytest

from sf3d_jax.making.heads.head import turn
from sf3d_jax.making.heads.surface import find_parts, find_unit, is_inside_out, reverse

# A tetrahedron whose triangles are counterclockwise from outside.
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])


@pytest.mark.parametrize(
    "longest, unit", [(0.3, 1), (1.9, 1), (28, 0.01), (399, 0.01), (900, 0.001)]
)
def test_large_meshes_are_in_centimetres_or_millimetres(longest, unit):
    assert find_unit(longest * CORNERS) == unit


def test_parts_are_those_of_scipy():
    import scipy.sparse as sparse

    rng = np.random.default_rng(0)
    faces = rng.integers(0, 300, (90, 3))
    found = find_parts(faces, 300)
    rows, columns = faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel()
    graph = sparse.coo_matrix((np.ones(len(rows)), (rows, columns)), (300, 300))
    expected = sparse.csgraph.connected_components(graph, directed=False)[1][faces[:, 0]]
    same = lambda x: x[:, None] == x
    assert np.array_equal(same(found), same(expected))
    assert found.min() == 0 and found.max() == len(set(found)) - 1


def test_a_long_strip_is_one_part():
    strip = np.arange(5000)[:, None] + np.arange(3)
    assert not find_parts(strip[::-1], 5002).any()


def test_closed_parts_are_turned_outwards_and_open_ones_stay():
    vertices = np.concatenate([CORNERS, CORNERS + 3, CORNERS + 6])
    inside_out, sheet = FACES[:, ::-1] + 4, FACES[:1, ::-1] + 8
    faces = np.concatenate([FACES, inside_out, sheet])
    found = reverse(faces, is_inside_out(vertices, faces, find_parts(faces, 12)))
    assert np.array_equal(found[:4], FACES)
    assert np.array_equal(found[4:8], FACES[:, [0, 1, 2]] + 4)
    assert np.array_equal(found[8:], sheet)


def test_turns_are_to_the_left_up_and_over():
    pivot, small = np.array([1.0, 2.0, 3.0]), 1e-3
    nose, ear = pivot + np.array([[0, 0, 1.0], [1.0, 0, 0]])
    moved = lambda point, *rotation: turn(point[None], pivot, rotation)[0] - point
    np.testing.assert_allclose(moved(nose, small, 0, 0), [small, 0, 0], atol=1e-6)
    np.testing.assert_allclose(moved(nose, 0, small, 0), [0, small, 0], atol=1e-6)
    np.testing.assert_allclose(moved(ear, 0, 0, small), [0, small, 0], atol=1e-6)
    far = turn(np.random.default_rng(0).normal(size=(9, 3)), pivot, (0.3, -0.2, 0.1))
    back = np.random.default_rng(0).normal(size=(9, 3))
    distances = lambda x: np.linalg.norm(x - pivot, axis=1)
    np.testing.assert_allclose(distances(far), distances(back))
