"""Highlights by their formula in plain float64, one piece at a time."""

import numpy as np
from helpers.plain_light import harmonics

from sf3d_jax.making.lights import draw_lights
from sf3d_jax.making.shading.highlights import F0, MOST, Surface, find_highlights

CENTER = np.array([0.1, 0.2, 1.2])


def mirror_plainly(surface, lights):
    found = np.zeros((len(surface.means), 3))
    for k in range(len(found)):
        n, v = (x / np.linalg.norm(x) for x in (surface.normals[k], CENTER - surface.means[k]))
        alpha, gloss, ambient = (
            float(x[k]) for x in (surface.roughness, surface.gloss, surface.ambient)
        )
        fresnel = lambda x: F0 + (1 - F0) * (1 - x) ** 5
        seen = max(n @ v, 1e-3)
        room = np.maximum(harmonics(*(2 * (n @ v) * n - v)) @ np.float64(lights.room), 0)
        found[k] = gloss * fresnel(seen) * (ambient * (1 - alpha)) ** 2 * room
        for i, light in enumerate(np.float64(lights.directions)):
            half = (light + v) / np.linalg.norm(light + v)
            a2 = min(alpha + lights.sizes[i] / 2, 1) ** 2
            spread = a2 / ((n @ half) ** 2 * (a2 - 1) + 1) ** 2
            toward = max(n @ light, 0)
            strength = gloss * fresnel(v @ half) * spread * toward / (4 * max(toward, seen))
            found[k] += min(strength, MOST) * surface.lit[k, i] * lights.colors[i]
    return found


def test_highlights_are_those_of_the_formula():
    rng = np.random.default_rng(0)
    lights = draw_lights(rng)
    single = lambda *shape: rng.random(shape, np.float32)
    normals = rng.normal(size=(60, 3)).astype(np.float32) + np.float32([0, 0, 2])
    means = 0.1 * single(60, 3)
    surface = Surface(
        means, normals, single(60), 0.05 + 0.5 * single(60), single(60), single(60, 3)
    )
    found = find_highlights(surface, lights, np.float32(CENTER))
    np.testing.assert_allclose(found, mirror_plainly(surface, lights), rtol=2e-3, atol=2e-5)


def test_a_smooth_surface_mirrors_a_light_where_it_is_and_nowhere_else():
    lights = draw_lights(np.random.default_rng(1))
    dark = lights._replace(room=0 * lights.room, sizes=0 * lights.sizes)
    view = CENTER / np.linalg.norm(CENTER)
    half = dark.directions[0] + view
    normals = np.float32([half, half + np.array([0, 1.2, 0])])
    one = np.ones(2, np.float32)
    shares = np.float32([[1, 0, 0]] * 2)
    surface = Surface(np.zeros((2, 3), np.float32), normals, one, 0.1 * one, one, shares)
    bright, off = np.asarray(find_highlights(surface, dark, np.float32(CENTER))).mean(1)
    assert bright > 0.3 and off < 0.01 * bright
