"""cover: pieces of alike size, made by cutting the longest one each time, and what it refuses."""

import numpy as np
import pytest
from helpers.meshes import sphere
from hypothesis import given, settings
from hypothesis import strategies as st

from sf3d_jax import head

VERTICES, FACES = sphere()
TRIANGLE = np.array([[0, 1, 2]])


def bisect(piece):
    """The length of the longest edge of a piece, (3, 3), and its halves."""
    edges = [np.linalg.norm(piece[(k + 1) % 3] - piece[(k + 2) % 3]) for k in range(3)]
    k = int(np.argmax(edges))
    tip, left, right = (piece[(k + i) % 3] for i in range(3))
    middle = (left + right) / 2
    return edges[k], [np.array([tip, left, middle]), np.array([tip, middle, right])]


def name(piece):
    """A name of a piece, whatever the order of its corners."""
    return tuple(map(tuple, sorted(np.round(piece, 9).tolist())))


def place(cover, vertices, faces):
    return cover.corners @ vertices[faces[cover.triangles]]


def random_mesh(seed, triangles):
    rng = np.random.default_rng(seed)
    vertices = rng.normal(size=(3 * triangles, 3)) * rng.uniform(0.1, 3, size=3)
    return vertices, np.arange(3 * triangles).reshape(-1, 3)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 300))
def test_the_longest_piece_is_cut_each_time(seed, triangles, count):
    vertices, faces = random_mesh(seed, triangles)
    pieces = head.cover(vertices, faces, count)
    assert len(pieces.triangles) == max(count, triangles)
    wanted = {name(piece) for piece in place(pieces, vertices, faces)}
    left, found, cut = list(vertices[faces]), [], []
    while left:
        piece = left.pop()
        length, halves = bisect(piece)
        is_whole = name(piece) in wanted
        (found if is_whole else cut).append(length)
        left += [] if is_whole else halves
        assert len(cut) < count
    assert len(found) == len(pieces.triangles)
    assert min(cut, default=np.inf) > max(found) - 1e-9


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 300))
def test_the_pieces_of_a_triangle_are_its_parts_and_run_round_as_it_does(seed, triangles, count):
    vertices, faces = random_mesh(seed, triangles)
    owners, corners = head.cover(vertices, faces, count)
    assert owners.dtype == np.int32 and (np.diff(owners) >= 0).all()
    assert (corners >= 0).all() and (corners.sum(-1) == 1).all()
    shares = np.linalg.det(corners)
    assert (shares > 0).all()
    np.testing.assert_allclose(np.bincount(owners, shares, triangles), 1, rtol=1e-12)
    np.testing.assert_array_equal(corners, np.float32(corners))


def test_equal_triangles_are_cut_to_the_exact_count():
    grid = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0), [0.0]), -1).reshape(-1, 3)
    squares = np.array([i for i in range(20) if i % 5 < 4])
    faces = np.concatenate([squares[:, None] + [0, 1, 6], squares[:, None] + [0, 6, 5]])
    for count in (32, 33, 63, 64, 100, 1000):
        assert len(head.cover(grid, faces, count).triangles) == count


def test_fewer_pieces_than_triangles_are_the_triangles():
    pieces = head.cover(VERTICES, FACES, 3)
    np.testing.assert_array_equal(pieces.triangles, np.arange(len(FACES)))
    np.testing.assert_array_equal(pieces.corners, np.broadcast_to(np.eye(3), (len(FACES), 3, 3)))


def test_slivers_become_round():
    needle = np.array([[0, 0, 0], [1, 0, 0], [0.5, 0.01, 0]])
    corners = place(head.cover(needle, TRIANGLE, 500), needle, TRIANGLE)
    longest = [bisect(piece)[0] for piece in corners]
    areas = np.linalg.norm(np.cross(*np.moveaxis(np.diff(corners, axis=1), 1, 0)), axis=-1)
    assert np.median(np.square(longest) / areas) < 15  # 100 before


def test_the_cover_depends_on_ratios_alone():
    expected = head.cover(VERTICES, FACES, 300)
    for scale in (2.0**-500, 2.0**500):
        for x, y in zip(head.cover(scale * VERTICES, FACES, 300), expected, strict=True):
            np.testing.assert_array_equal(x, y)


def test_weights_are_pieces_per_area():
    weight = np.where(np.arange(len(FACES)) < len(FACES) // 2, 4.0, 1.0)
    count = np.bincount(head.cover(VERTICES, FACES, 20_000, weight=weight).triangles)
    edges = VERTICES[FACES[:, 1:]] - VERTICES[FACES[:, :1]]
    density = count / np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=-1)
    assert 3 < np.median(density[weight == 4]) / np.median(density[weight == 1]) < 5


def test_a_weight_of_zero_leaves_a_triangle_whole():
    weight = np.ones(len(FACES))
    weight[7] = 0
    assert np.bincount(head.cover(VERTICES, FACES, 900, weight=weight).triangles)[7] == 1
    assert len(head.cover(VERTICES, FACES, 900, weight=np.zeros(len(FACES))).triangles) == len(
        FACES
    )


def test_triangles_without_area_are_covered_too():
    point = np.zeros((3, 3))
    assert len(head.cover(point, TRIANGLE, 50).triangles) == 1
    line = np.array([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]])
    assert len(head.cover(line, TRIANGLE, 50).triangles) == 50
    assert len(head.cover(point, np.zeros((0, 3), int), 50).triangles) == 0


def test_a_vertex_that_no_face_has_does_not_count():
    vertices = np.concatenate([VERTICES, [[np.nan, np.inf, 1e300]]])
    for x, y in zip(
        head.cover(vertices, FACES, 300), head.cover(VERTICES, FACES, 300), strict=True
    ):
        np.testing.assert_array_equal(x, y)


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


BILLIONS = np.broadcast_to(FACES[:1], (2**31, 3))
FAULTS = {
    "nan": ((changed(VERTICES, 5, np.nan), FACES, 9), "vertices: .*nan.* at vertex 5, of face"),
    "infinite": ((changed(VERTICES, 5, np.inf), FACES, 9), "vertices: .*inf.* at vertex 5"),
    "no such vertex": ((VERTICES, changed(FACES, 3, 99), 9), r"faces: .* 34 .*99.* at face 3"),
    "negative": ((VERTICES, changed(FACES, 3, -1), 9), "faces: .*-1.* at face 3"),
    "vertex 2^31": ((VERTICES, changed(np.int64(FACES), 3, 2**31), 9), "faces: .*2147483648"),
    "2^31 faces": ((VERTICES, BILLIONS, 9), "faces: expected at most .*2147483648"),
    "quads": ((VERTICES, np.zeros((4, 4), int), 9), r"faces: expected shape \(T, 3\)"),
    "flat": ((VERTICES[:, :2], FACES, 9), r"vertices: expected shape \(V, 3\)"),
    "no piece": ((VERTICES, FACES, 0), "count: expected 1 to"),
    "2^31 pieces": ((VERTICES, FACES, 2**31), "count: expected 1 to"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_is_wrong_is_named(name):
    arguments, message = FAULTS[name]
    with pytest.raises(ValueError, match=message):
        head.cover(*arguments)


@pytest.mark.parametrize(
    "weight, message",
    [
        (np.ones(3), r"weight: expected shape \(64,\)"),
        (np.full(len(FACES), -1.0), "weight: .*-1.0 at face 0"),
        (np.full(len(FACES), np.nan), "weight: .*nan at face 0"),
    ],
)
def test_a_wrong_weight_is_named(weight, message):
    with pytest.raises(ValueError, match=message):
        head.cover(VERTICES, FACES, 100, weight=weight)


def test_numbers_of_a_wrong_kind_are_named():
    with pytest.raises(TypeError, match="faces: expected integers, got float64"):
        head.cover(VERTICES, np.float64(FACES), 9)
    with pytest.raises(TypeError, match=r"count: expected an integer, got 9\.5"):
        head.cover(VERTICES, FACES, 9.5)
