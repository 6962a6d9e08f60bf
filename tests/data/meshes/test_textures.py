"""One texture of several, as linear interpolation sees it."""

import cv2
import numpy as np
import pytest

from sf3d_jax.data._files import FormatError
from sf3d_jax.data.meshes.textures import Paint, join_textures

RNG = np.random.default_rng(0)


def sample(texture, uv):
    """Interpolates at texture coordinates; beyond the edge, the nearest pixel counts."""
    height, width, _ = texture.shape
    column, row = np.float32(uv[:, :1] * width - 0.5), np.float32((1 - uv[:, 1:]) * height - 0.5)
    picture = np.float32(texture)
    return cv2.remap(picture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[:, 0]


def test_each_image_is_interpolated_as_it_is_alone():
    images = [
        RNG.integers(0, 256, (*size, 3), dtype=np.uint8) for size in ((5, 9), (16, 4), (3, 3))
    ]
    paints = [Paint(image) for image in images] + [Paint(color=(1, 2, 3))]
    uv = RNG.uniform(0, 1, (40, 2))
    uv[:4] = [[0, 0], [1, 1], [0, 1], [1, 0]]
    face_uv = RNG.integers(0, 40, (200, 3))
    materials = RNG.integers(0, 4, 200)
    # The third image is used one repetition to the right and two below.
    shifted = np.concatenate([uv, uv + np.array([1, -2])])
    moved = np.where((materials == 2)[:, None], face_uv + 40, face_uv)
    found = join_textures("a", shifted, moved, materials, paints)
    for material, paint in enumerate(paints):
        rows = materials == material
        alone = np.full((1, 1, 3), paint.color, np.uint8) if paint.image is None else paint.image
        wanted = sample(alone, uv[face_uv[rows]].reshape(-1, 2))
        got = sample(found.texture, found.uv[found.face_uv[rows]].reshape(-1, 2))
        np.testing.assert_allclose(got, wanted, atol=4)  # OpenCV interpolates in steps of 1/32


def test_one_image_stays_and_none_gives_none():
    image = RNG.integers(0, 256, (2, 2, 3), dtype=np.uint8)
    uv, faces, materials = np.zeros((3, 2)), np.arange(6).reshape(2, 3) % 3, np.array([0, 1])
    same = join_textures("a", uv, faces, materials, [Paint(image), Paint(image), Paint()])
    assert same.texture is image and same.uv is uv and same.face_uv is faces
    plain = join_textures("a", uv, faces, materials, [Paint(), Paint(color=(1, 2, 3))])
    assert plain.texture is None and plain.uv is uv
    none = join_textures("a", uv, np.full((2, 3), -1), materials, [Paint(image)] * 2)
    assert none == (None, None, None)


def find_colors(uv, images):
    """The colours of a triangle that has the first of some images, at its corners."""
    paints = [Paint(image) for image in images]
    faces, materials = np.array([[0, 1, 2], [0, 0, 0]]), np.array([0, 1])
    found = join_textures("a", np.array(uv), faces, materials, paints)
    return sample(found.texture, found.uv[found.face_uv[0]])


def test_rounded_coordinates_are_those_of_the_edge():
    """They are clipped, and a triangle on the far edge is not moved to the near one."""
    images = [RNG.integers(0, 256, (4, 6, 3), dtype=np.uint8) for _ in range(2)]
    corners = np.array([[0, 0], [1, 0], [1, 1.0]])
    wanted = images[0][[-1, -1, 0], [0, -1, -1]]
    rounded = corners + np.array([[-1e-7, 9e-5], [1e-7, -9e-5], [9e-5, 1e-7]])
    for uv in (corners, rounded, rounded + np.array([2, -3]), rounded + np.array([-1, 5])):
        np.testing.assert_allclose(find_colors(uv, images), wanted, atol=1)
    far = [[1, 1], [0.99995, 1], [1, 1.00005]]
    np.testing.assert_allclose(find_colors(far, images), images[0][[0] * 3, [-1] * 3], atol=1)
    # In a long texture, the same distance is more than the border, beyond which there is nothing.
    long = np.full((1, 20000, 3), 200, np.uint8)
    wider = np.zeros((1, 20100, 3), np.uint8)
    colors = find_colors([[1 + 9e-5, 0], [0.5, 1], [-9e-5, 0.5]], [long, wider])
    np.testing.assert_allclose(colors, 200, atol=1)
    with pytest.raises(FormatError, match="within one repetition, as there are several textures"):
        find_colors(corners * 1.001, images)
