"""Pictures of textured Gaussians against pictures of the mesh with 16 samples a pixel.

The bar is 33.5 dB over a picture of 512 x 512 pixels with 100,000 Gaussians.
"""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
from helpers.ray_caster import cast
from helpers.shared_files import SHARED

import sf3d_jax as sf3d
from sf3d_jax.gaussians import render, room_for
from sf3d_jax.head import Person, carry, cover, is_facing, select
from sf3d_jax.head.skin.noise import draw_noise
from sf3d_jax.head.skin.pieces import average_over_pieces, measure_spacing, place_corners
from sf3d_jax.head.skin.srgb import linear_to_srgb

pytestmark = pytest.mark.thorough

COUNT, SIZE, FOCAL, DISTANCE, SAMPLES = 100_000, 512, 1300.0, 1.1, 4
BACKGROUND = np.array([0.7, 0.74, 0.78], np.float32)
DECIBELS = 33.5
# Pixels this near to the outline or to the background are not asked for holes.
MARGIN = 3


def camera_of(samples):
    """The camera in front of the head, or the one with `samples` x `samples` rays a pixel."""
    size, focal = SIZE * samples, FOCAL * samples
    pose = np.array([[1, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, DISTANCE]], np.float32)
    middle = (size - 1) / 2
    return sf3d.Camera.pinhole(focal, focal, middle, middle, (size, size), jnp.asarray(pose))


def draw_truth(vertices, faces, rest, color):
    """The mean of the rays of each pixel, and the share of them that meet the mesh."""
    hits = cast(vertices, faces, camera_of(SAMPLES))
    hit = hits.triangles >= 0
    triangles, shares = hits.triangles[hit], hits.shares[hit]
    image = np.tile(BACKGROUND, (*hit.shape, 1))
    image[hit] = color((rest[faces[triangles]] * shares[..., None]).sum(1), triangles, 0.0)
    fold = lambda x: x.reshape(SIZE, SAMPLES, SIZE, SAMPLES, -1).mean((1, 3))
    return fold(image), fold(hit.astype(float))[..., 0]


def average(pieces, corners, color):
    spacing = measure_spacing(place_corners(pieces.corners, corners))
    look_up = lambda x, i: color(x, pieces.triangles[i], spacing[i])
    return average_over_pieces(pieces.corners, corners, look_up)


def take_middle(pieces, corners, color):
    middle = place_corners(pieces.corners, corners).mean(1)
    return color(middle, pieces.triangles, 0.0).astype(np.float32)


def draw_gaussians(vertices, faces, rest, color, paint):
    pieces = cover(vertices, faces, COUNT)
    colors = paint(pieces, rest[faces[pieces.triangles]], color)
    points = jnp.asarray(vertices, jnp.float32)
    keep = is_facing(pieces, faces, points, camera_of(1))
    gaussians = carry(pieces, faces, points, jnp.asarray(colors))
    gaussians = select(gaussians, keep, room_for(int(keep.sum())))
    return render(gaussians, camera_of(1), background=jnp.asarray(BACKGROUND), antialias=True)


def compare(vertices, faces, rest, color, paint=average):
    """PSNR in sRGB in decibels, and the smallest opacity within the outline."""
    truth, share = draw_truth(vertices, faces, rest, color)
    drawn = draw_gaussians(vertices, faces, rest, color, paint)
    error = linear_to_srgb(np.asarray(drawn.colors, np.float64)) - linear_to_srgb(truth)
    whole = share == 1
    for step in range(-MARGIN, MARGIN + 1):
        for axis in (0, 1):
            whole = whole & (np.roll(share, step, axis) == 1)
    return -10 * np.log10(np.square(error).mean()), np.asarray(drawn.alpha)[whole].min()


@pytest.mark.parametrize("seed", [0, 1, 6])
def test_a_person_is_drawn_as_the_mesh_is(seed):
    person = Person(seed)
    color = lambda x, i, spacing: person.albedo(x, person.parts[i], spacing)
    psnr, opacity = compare(person.vertices(), person.faces, person.template, color)
    assert psnr >= DECIBELS
    assert opacity > 0.9


@functools.cache
def read_face():
    with np.load(SHARED / "models" / "ict_face.npz") as arrays:
        vertices = arrays["vertices"].astype(float)
        return vertices - [0, vertices[:, 1].mean(), 0], arrays["faces"]


def paint_noise(x, _, spacing):
    waves = draw_noise(x, 0.02, 5, spacing, octaves=5)
    return np.clip(0.45 * (1 + waves[:, None] * np.float32([0.25, 0.2, 0.15])), 0, 1)


def paint_checks(x, *_):
    # 1 cm, in two tones of skin.
    odd = np.floor(np.asarray(x) * 100).astype(int).sum(1) % 2 == 1
    return np.where(odd[:, None], [0.6, 0.4, 0.3], [0.5, 0.3, 0.2])


needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared")


@pytest.mark.shared
@needs_shared
@pytest.mark.parametrize("color", [paint_noise, paint_checks])
def test_another_head_is_drawn_as_its_mesh_is(color):
    vertices, faces = read_face()
    psnr, opacity = compare(vertices, faces, vertices, color)
    assert psnr >= DECIBELS
    assert opacity > 0.9


@pytest.mark.shared
@needs_shared
def test_a_mean_is_better_than_the_middle_of_a_piece():
    vertices, faces = read_face()
    mean, middle = (
        compare(vertices, faces, vertices, paint_checks, paint)[0]
        for paint in (average, take_middle)
    )
    assert mean > middle + 0.5
