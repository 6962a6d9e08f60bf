"""Arrows point where the motion goes."""

import numpy as np
import pytest

from sf3d_jax.views.arrows import LONGEST, draw_arrow, draw_arrows

GREY = 120


def draw(motion, known=None, size=(92, 138)):
    picture = np.full((*size, 3), GREY, np.uint8)
    motion = np.asarray(motion, float)
    draw_arrows(picture, motion, np.ones(motion.shape[:2], bool) if known is None else known)
    return picture


def black_pixels(picture):
    return np.argwhere(picture.max(-1) < 60)[:, ::-1]  # (column, row)


@pytest.mark.parametrize("angle", np.arange(0, 360, 45))
@pytest.mark.parametrize("share", [0.5, 1, 3])
def test_an_arrow_leads_from_its_start_along_the_motion(angle, share):
    picture = np.full((120, 120, 3), GREY, np.uint8)
    direction = np.array([np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))])
    draw_arrow(picture, (60, 60), share * direction)
    along = (black_pixels(picture) - 60) @ direction
    assert abs(along.min()) < 7 and abs(along.max() - LONGEST * min(share, 1)) < 2


def test_what_does_not_move_is_a_dot():
    pixels = black_pixels(draw(np.zeros((2, 3, 2))))
    assert len(pixels) > 0
    middles = np.array([(x, y) for x in (22.5, 68.5, 114.5) for y in (22.5, 68.5)])
    distance = np.linalg.norm(pixels[:, None] - middles, axis=-1)
    assert (distance.min(1) <= 2).all() and (distance.min(0) <= 2).all()


def test_an_arrow_stands_at_a_known_pixel():
    known = np.zeros((92, 138), bool)
    known[10, 100] = True
    motion = np.zeros((92, 138, 2))
    pixels = black_pixels(draw(motion, known))
    np.testing.assert_allclose(pixels.mean(0), (100, 10), atol=1)


def test_without_a_known_pixel_nothing_is_drawn():
    assert (draw(np.ones((4, 4, 2)), np.zeros((4, 4), bool)) == GREY).all()
