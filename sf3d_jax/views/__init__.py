"""Motion and depth as pictures."""

from sf3d_jax.views.colors import flow_to_color, scalar_to_color, scene_flow_to_color
from sf3d_jax.views.sheet import picture_sheet

__all__ = ["flow_to_color", "picture_sheet", "scalar_to_color", "scene_flow_to_color"]
