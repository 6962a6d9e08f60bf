"""Legends say what colours mean in words that fit on their strip."""

import functools

import numpy as np

from sf3d_jax.views import legends
from sf3d_jax.views.colors import flow_to_color, scalar_to_color

WHEEL = functools.partial(flow_to_color, max_flow=1)


def test_the_disc_has_the_colors_of_motion_from_its_centre():
    strip = legends.wheel_legend("1 px", color=WHEEL)
    centre, left, right, down = (strip[y, x] for y, x in [(42, 38), (42, 2), (42, 73), (77, 38)])
    np.testing.assert_allclose(centre, 255, atol=5)
    assert right[0] > 240 and right[2] < 60 and left[0] < 60 and left[2] > 240
    assert down[0] > 240 and down[1] > 200 and down[2] < 60  # yellow


def test_the_edge_of_the_disc_is_smooth():
    strip = legends.wheel_legend("1 px", color=WHEEL)[4:80, :76].astype(float)
    y, x = np.indices(strip.shape[:2]) - 37.5
    radius = np.hypot(x, y)
    assert (strip[radius > 39] == 255).all()
    # A pixel on the rim is a mixture, by the part of its area that lies inside.
    rim = np.abs(radius - 38) < 0.3
    full = WHEEL(np.stack([x, y], -1) / np.maximum(radius, 1e-9)[..., None] * 0.999)
    share = (255 - strip[rim]).sum(-1) / (255 - full[rim].astype(float)).sum(-1)
    np.testing.assert_allclose(share, 38 - radius[rim] + 0.5, atol=0.25)


def test_a_bar_runs_through_the_colors_of_its_ramp():
    ramp = scalar_to_color(np.linspace(0, 1, legends.PANEL_WIDTH)[None])
    strip = legends.bar_legend(ramp, "low", "high", middle="zero", text="what it is")
    np.testing.assert_array_equal(strip[20], ramp[0])
    ink = (strip[40:] < 128).any((0, 2))
    assert ink[:40].any() and ink[310:330].any() and ink[-45:].any()
