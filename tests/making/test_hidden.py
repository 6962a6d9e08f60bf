"""Pieces behind one surface are hidden; those that an opening may show are not."""

import numpy as np

from sf3d_jax import Camera
from sf3d_jax.making.scene import is_hidden

CAMERA = Camera.pinhole(200.0, 200.0, 31.5, 31.5, (64, 64))
SPACING = 0.005  # metres, so that a piece is one pixel wide at 1 m


def make_walls(gap=0.0, behind=0.02, sides=(0, 1)):
    """A wall at 1 m with a slit along x between its sides, and a smaller wall behind it."""
    line = SPACING * (np.arange(40) - 19.5)
    x, y = (z.ravel() for z in np.meshgrid(line, line))
    front = np.stack([x, y + np.where(y > 0, gap / 2, -gap / 2), np.ones_like(x)], 1)
    near = (np.abs(x) < 0.05) & (np.abs(y) < 0.05)
    back = np.stack([x, y, np.ones_like(x) + behind], 1)[near]
    means = np.concatenate([front, back])
    factors = np.tile(0.25 * SPACING * np.eye(3), (len(means), 1, 1))
    own = np.concatenate([np.where(y > 0, *sides), np.full(len(back), 2)])
    return means.astype(np.float32), factors.astype(np.float32), own, len(front)


def test_what_is_behind_one_surface_is_hidden():
    means, factors, sides, count = make_walls(sides=(0, 0))
    hidden = is_hidden(means, factors, sides, CAMERA)
    assert not hidden[:count].any() and hidden[count:].all()


def test_what_is_close_behind_a_surface_is_not():
    means, factors, sides, _ = make_walls(behind=0.004, sides=(0, 0))
    assert not is_hidden(means, factors, sides, CAMERA).any()


def test_a_slit_shows_what_is_behind_it_however_narrow():
    for gap in (0.0, 0.002, 0.005, 0.02):
        means, factors, sides, count = make_walls(gap)
        hidden = is_hidden(means, factors, sides, CAMERA)[count:]
        height = np.abs(means[count:, 1])
        # Cells are two pieces wide, and three to each side have to be of one group.
        assert not hidden[height < gap / 2 + 0.02].any() and hidden[height > gap / 2 + 0.042].all()


def test_what_is_beside_a_surface_is_not_hidden():
    means, factors, sides, count = make_walls(sides=(0, 0))
    means[count:, 0] += 0.1  # half of it is beyond the border of the wall
    hidden = is_hidden(means, factors, sides, CAMERA)[count:]
    beyond = means[count:, 0] / means[count:, 2] > 0.1
    assert beyond.any() and not hidden[beyond].any()
