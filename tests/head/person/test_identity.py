"""People differ in shape, stay human, and keep their eyes round."""

import itertools

import numpy as np
import pytest
from helpers.persons import MILLIMETRE, face_region, normals, person, place, vertices_of
from helpers.thorough import parametrize

from sf3d_jax.head.person.landmarks import CHIN, EYE_RADIUS

LEAST = 2.5


def rms(a, b, weight):
    return np.sqrt((weight * ((a - b) ** 2).sum(1)).sum())


def align(a, b, weight):
    """Points a after the similarity that brings them closest to b (Umeyama, PAMI 1991)."""
    mean_a, mean_b = weight @ a, weight @ b
    a, b = a - mean_a, b - mean_b
    u, s, vt = np.linalg.svd((weight[:, None] * a).T @ b)
    sign = np.array([1, 1, np.linalg.det(u @ vt)])
    scale = (s * sign).sum() / (weight * (a * a).sum(1)).sum()
    return scale * a @ (u * sign) @ vt + mean_b


@parametrize("count", [16, 100], default=[16])
def test_any_two_people_differ_on_the_face(count):
    region, area = face_region(person(0))
    region, area = region[::4], area[::4] / area[::4].sum()
    faces = [person(seed).rest[region] * MILLIMETRE for seed in range(count)]
    even = np.full(len(region), 1 / len(region))
    for a, b in itertools.combinations(faces, 2):
        assert rms(a, b, even) >= LEAST
        # Nor is it the size or the place of the head alone.
        assert rms(align(a, b, area), b, area) >= LEAST


@parametrize("seeds", [range(16), range(16, 100)], default=[range(16)])
def test_people_are_human(seeds):
    """Ranges about those of adults (breadths of head and face, pupils, menton to sellion)."""
    for seed in seeds:
        one = person(seed)
        x, y, z = one.rest.T * MILLIMETRE
        eyes = [
            one.rest[vertices_of(one, f"{side} eye")].mean(0) * MILLIMETRE
            for side in ("left", "right")
        ]
        assert 50 < np.linalg.norm(eyes[0] - eyes[1]) < 78, seed
        template = one.template * MILLIMETRE
        cranium = (template[:, 1] > 30) & (template[:, 1] < 70)
        assert 120 < np.ptp(x[cranium]) < 180, seed
        assert 150 < np.ptp(z[cranium]) < 235, seed
        chin = np.argmin(np.linalg.norm(one.template - CHIN / 100, axis=1))
        assert 80 < np.mean(eyes, axis=0)[1] - y[chin] < 145, seed


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4])
def test_no_triangle_of_the_skin_is_turned_by_an_identity(seed):
    one = person(seed)
    skin = one.faces[one.parts == place(one, "skin")]
    turned = (normals(one.rest, skin) * normals(one.template, skin)).sum(1) < 0
    assert turned.mean() <= 0.001


@pytest.mark.parametrize("seed", [0, 1, 2, 3, 4])
def test_eyeballs_stay_spheres(seed):
    one = person(seed)
    for side in ("left", "right"):
        # Vertices are rounded to multiples of 2^-20 cm.
        ball = one.rest[vertices_of(one, f"{side} eye")] * 100
        away = np.linalg.norm(ball - ball.mean(0), axis=1)
        np.testing.assert_allclose(away, EYE_RADIUS, atol=2**-19)


def test_nobody_is_symmetric():
    one = person(1)
    eyes = [one.rest[vertices_of(one, f"{side} eye")].mean(0) for side in ("left", "right")]
    assert abs(eyes[0] * [-1, 1, 1] - eyes[1]).max() * MILLIMETRE > 0.05
