"""3D scene flow geometry for JAX."""

from sf3d_jax.camera import Camera, Points, Projection, pixel_grid, project, unproject
from sf3d_jax.scene_flow import (
    ImageMotion,
    SceneFlow,
    image_motion,
    rigid_motion,
    scene_flow,
    scene_flow_covariance,
)

__version__ = "0.1.0"
