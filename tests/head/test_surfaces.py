"""surface_features and sure_pixels: what blends of pieces tell of a pixel."""

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.meshes import sphere

import sf3d_jax as sf3d
from sf3d_jax import gaussians, head

VERTICES, FACES = sphere()
COUNT = 400
COVER = head.cover(VERTICES, FACES, COUNT)
GROUPS = np.where(VERTICES[FACES].mean(1)[:, 2] > 0, 7, np.where(FACES.min(-1) % 2, 2, -5))
FEATURES = head.surface_features(COVER, FACES, VERTICES, GROUPS)
# Pixels of one piece each.
SINGLE = FEATURES[np.arange(500) % COUNT]
CORNERS = COVER.corners @ VERTICES[FACES[COVER.triangles]]
# Two pieces of one group, far apart.
TWO = np.flatnonzero(GROUPS[COVER.triangles] == 7)[[0, -1]]
PAIR = CORNERS[TWO]
SIZE = (20, 25)
# So sharp that a pixel has a side of 1 micrometre at 1 m.
SHARP = sf3d.Camera.pinhole(1e6, 1e6, 12.0, 9.5, SIZE)


def annotate(features, *, alpha=0.8, backward=None, **changes):
    """An annotation of blended features (n, K), of alike pixels otherwise."""
    blended = np.zeros((SIZE[0] * SIZE[1], features.shape[-1]), np.float32)
    blended[: len(features)] = alpha * features
    one = np.ones(SIZE, np.float32)
    flow, vectors = np.zeros((*SIZE, 2), np.float32), np.zeros((*SIZE, 3), np.float32)
    valid = np.arange(blended.shape[0]).reshape(SIZE) < len(features)
    parts = {
        **{"colors": vectors, "alpha": alpha * one, "inv_depth": one, "flow": flow},
        **{"inv_depth_change": one, "scene_flow": vectors, "valid": valid, "edge": ~valid},
        **{"overflow": np.int32(0), "features": blended.reshape(*SIZE, -1), "backward": backward},
    }
    return gaussians.Annotation(**{**parts, **changes})


def find_sure(features, camera=SHARP, **options):
    """The answer for blends (n, K)."""
    return np.asarray(head.sure_pixels(annotate(features, **options), camera)).ravel()


def blend(pieces, weights):
    return (np.float64(FEATURES)[pieces] * weights[..., None]).sum(-2)


def pick_about_corners(count, seed=0):
    """Random pieces that share a corner, and are of one group: [count, 4] and weights."""
    rng = np.random.default_rng(seed)
    keys = np.round(CORNERS.reshape(-1, 3), 9)
    own = np.repeat(np.unique(GROUPS, return_inverse=True)[1][COVER.triangles], 3)
    _, number = np.unique(np.column_stack([keys, own]), axis=0, return_inverse=True)
    owner = np.repeat(np.arange(COUNT), 3)
    there = [owner[number == n] for n in rng.integers(0, number.max() + 1, count)]
    pieces = np.stack([rng.choice(x, 4) for x in there])
    weights = rng.dirichlet(np.full(4, 0.7), count)
    return pieces, weights


def test_the_features_are_bits_places_and_squares():
    numbers = np.unique(GROUPS, return_inverse=True)[1][COVER.triangles]
    assert FEATURES.dtype == np.float32 and FEATURES.shape == (COUNT, 2 + 5)
    np.testing.assert_array_equal(FEATURES[:, 0] + 2 * FEATURES[:, 1], numbers)
    means = CORNERS.mean(1)
    np.testing.assert_allclose(FEATURES[:, 2:5], means - means.mean(0), atol=1e-8)
    reach = np.max([np.linalg.norm(CORNERS[:, k] - means, axis=-1) for k in range(3)], axis=0)
    expected = np.linalg.norm(means - means.mean(0), axis=-1) ** 2 - 0.7 * reach**2
    np.testing.assert_allclose(FEATURES[:, 5], expected, atol=1e-9)
    assert (FEATURES[:, 6] == 1).all()


def test_one_group_needs_no_bits():
    zeros = np.zeros(len(FACES), np.int64)
    assert head.surface_features(COVER, FACES, VERTICES, zeros).shape == (COUNT, 5)


def test_pieces_about_a_corner_are_one_place():
    pieces, weights = pick_about_corners(500)
    assert find_sure(blend(pieces, weights)).mean() > 0.95
    # Whatever the weights, if the pixel is as wide as the pieces.
    wide = sf3d.Camera.pinhole(100.0, 100.0, 12.0, 9.5, SIZE)
    assert find_sure(blend(pieces, weights), wide).all()


def test_pieces_far_apart_are_two_places():
    rng = np.random.default_rng(2)
    groups = GROUPS[COVER.triangles]
    first = rng.integers(0, COUNT, 500)
    second = np.array([rng.choice(np.flatnonzero(groups == groups[i])) for i in first])
    share = rng.uniform(0.1, 0.9, 500)
    places = CORNERS.mean(1)
    distance = np.linalg.norm(places[first] - places[second], axis=-1)
    reach = np.max(np.linalg.norm(CORNERS - places[:, None], axis=-1), axis=-1)
    spread = np.sqrt(share * (1 - share)) * distance
    bound = np.sqrt(0.7 * (share * reach[first] ** 2 + (1 - share) * reach[second] ** 2))
    sure = find_sure(blend(np.stack([first, second], -1), np.stack([share, 1 - share], -1)))[:500]
    known = np.abs(spread - bound) > 1e-3 * bound
    assert (sure == (spread < bound))[known].all() and 50 < sure.sum() < 450


def test_a_pixel_as_large_as_its_surface_may_see_it_all():
    pieces = np.random.default_rng(0).integers(0, 40, (500, 30))
    pieces = pieces[:, :1] * 0 + np.flatnonzero(GROUPS[COVER.triangles] == 7)[pieces]
    features = blend(pieces, np.full(pieces.shape, 1 / 30))
    wide = sf3d.Camera.pinhole(4.0, 4.0, 12.0, 9.5, SIZE)
    assert not find_sure(features).any() and find_sure(features, wide).all()


@pytest.mark.parametrize(
    "share, is_sure", [(0.02, True), (0.04, False), (0.96, False), (0.98, True)]
)
def test_a_pixel_takes_three_percent_of_other_surfaces_at_most(share, is_sure):
    features = np.repeat(FEATURES[:1], 2, axis=0)
    features[:, :2] = [[share, 0], [1, share]]
    assert (find_sure(features)[:2] == is_sure).all()


def test_sure_pixels_are_valid_both_ways_and_no_edges():
    features = SINGLE
    valid, edge, back = (np.random.default_rng(k).random(SIZE) < 0.8 for k in range(3))
    still = np.zeros((*SIZE, 3), np.float32)
    backward = gaussians.Motion(still[..., :2], still[..., 0], still, back)
    forward = annotate(features, valid=valid, edge=~edge)
    np.testing.assert_array_equal(head.sure_pixels(forward, SHARP), valid & edge)
    both = forward._replace(backward=backward)
    np.testing.assert_array_equal(head.sure_pixels(both, SHARP), valid & edge & back)


def find_sure_rows(share, depth, camera=SHARP):
    """Sure pixels of a map of two pieces of one group, the second with a share (H, W)."""
    near, far = np.float64(FEATURES)[TWO]
    blended = (1 - share)[..., None] * near + share[..., None] * far
    annotation = annotate(blended.reshape(-1, blended.shape[-1]), inv_depth=np.float32(1 / depth))
    return np.asarray(head.sure_pixels(annotation, camera))


def turn(x, side):
    """The same map, running to the right, to the left, down or up."""
    x = x[:, ::-1] if side % 2 else x
    return x if side < 2 else np.broadcast_to(x[0, : SIZE[0], None], SIZE)


@pytest.mark.parametrize("side", range(4))
def test_a_pixel_beyond_the_end_of_its_surface_is_not_sure(side):
    """The surface ends at the tenth pixel, and the next one sees two."""
    row = np.broadcast_to(np.arange(SIZE[1]), SIZE)
    for mixture, is_beyond in ((0.45, True), (0.35, False), (0.9, True)):
        share = np.where(row == 11, mixture, row > 11)
        expected = turn((row != 11) & ~(is_beyond & (row == 10)), side)
        share, depth = turn(share, side), 1 + 0.006 * turn(share, side)
        np.testing.assert_array_equal(find_sure_rows(share, depth), expected)
        # Where nothing is mixed, depths may have any steps.
        assert find_sure_rows(np.zeros(SIZE), depth).all()


def test_pixels_beyond_an_end_are_those_of_the_definition():
    rng = np.random.default_rng(3)
    share = rng.choice([0, 0, 1, 0.05, 0.1, 0.3, 0.6], SIZE)
    depth = 1 + 0.01 * rng.integers(0, 8, SIZE) + 1e-3 * rng.random(SIZE)
    # The squared deviation of two pieces, over that of the blur: some fail by less than four times.
    camera = sf3d.Camera.pinhole(100.0, 100.0, 12.0, 9.5, SIZE)
    (at, there), (reach, other) = (
        PAIR.mean(1),
        np.square(PAIR - PAIR.mean(1)[:, None]).sum(-1).max(1),
    )
    spread = share * (1 - share) * np.square(at - there).sum()
    spread -= 0.7 * ((1 - share) * reach + share * other)
    failure = spread / (5 * (depth / 100) ** 2)
    is_one, is_mixed = failure <= 1, failure > 4
    assert (is_one & (share == 0.05)).any() and (~is_one & ~is_mixed).any()
    expected = is_one.copy()
    rows, columns = SIZE
    for i in range(rows):
        for j in range(columns):
            for di, dj in ((0, 1), (0, -1), (1, 0), (-1, 0)):
                (a, b), (c, d) = (i + di, j + dj), (i + 2 * di, j + 2 * dj)
                if not (0 <= c < rows and 0 <= d < columns and is_mixed[a, b]):
                    continue
                z, after, last = depth[i, j], depth[a, b], depth[c, d]
                if z < after and z < last and after - z >= 0.4 * (last - z):
                    expected[i, j] = False
    np.testing.assert_array_equal(find_sure_rows(share, depth, camera), expected)
    assert 50 < expected.sum() < is_one.sum() - 50


def test_the_precision_of_the_colours_does_not_matter():
    """alpha has their type, and its rounding would change the means by a few thousandths."""
    alpha = np.broadcast_to(np.float32(0.8).astype(jnp.bfloat16), SIZE)
    assert find_sure(SINGLE).all()
    rounded = annotate(SINGLE)._replace(alpha=alpha)
    assert np.asarray(head.sure_pixels(rounded, SHARP)).all()


@pytest.mark.non_finite
def test_a_pixel_that_is_not_finite_is_not_sure():
    features = SINGLE.copy()
    features[7] = np.nan
    expected = np.arange(500) != 7
    np.testing.assert_array_equal(find_sure(features), expected)
    nothing = annotate(features, valid=np.zeros(SIZE, bool), alpha=np.nan)
    assert not np.asarray(head.sure_pixels(nothing, SHARP)).any()


def test_a_vertex_that_is_not_finite_has_no_place():
    rest = VERTICES.copy()
    rest[9] = np.nan
    got = head.surface_features(COVER, FACES, rest, GROUPS)
    own = (FACES[COVER.triangles] == 9).any(-1)
    assert np.isfinite(got).all() and not got[own, 2:6].any() and got[~own, 2:6].any(-1).all()
    assert (got[:, 6] == 1).all()
    # The middle is that of the other pieces.
    shifts = got[~own, 2:5] - FEATURES[~own, 2:5]
    np.testing.assert_allclose(shifts, np.broadcast_to(shifts[0], shifts.shape), atol=1e-8)


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match=r"groups: expected shape \(64\), got \(3,\)"):
        head.surface_features(COVER, FACES, VERTICES, GROUPS[:3])
    with pytest.raises(TypeError, match="groups: expected an array of integers"):
        head.surface_features(COVER, FACES, VERTICES, np.float64(GROUPS))
    with pytest.raises(ValueError, match=r"faces: .* 9 vertices"):
        head.surface_features(COVER, FACES, VERTICES[:9], GROUPS)
    annotation = annotate(FEATURES)
    with pytest.raises(TypeError, match="annotation: expected an Annotation"):
        head.sure_pixels(None, SHARP)
    with pytest.raises(ValueError, match="annotation: has no features; pass features="):
        head.sure_pixels(annotation._replace(features=None), SHARP)
    with pytest.raises(ValueError, match="features: expected at least 5"):
        head.sure_pixels(annotation._replace(features=annotation.colors), SHARP)
    with pytest.raises(TypeError, match="camera: expected a Camera"):
        head.sure_pixels(annotation, None)
    other = sf3d.Camera.pinhole(1e6, 1e6, 12.0, 9.5, (25, 20))
    with pytest.raises(ValueError, match=r"camera: .* \(20, 25\), got \(25, 20\); pass the first"):
        head.sure_pixels(annotation, other)
