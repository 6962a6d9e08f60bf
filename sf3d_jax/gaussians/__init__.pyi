from sf3d_jax.gaussians.harmonics import spherical_harmonics as spherical_harmonics
from sf3d_jax.gaussians.motion import Annotation as Annotation
from sf3d_jax.gaussians.motion import render_motion as render_motion
from sf3d_jax.gaussians.rendering import Rendering as Rendering
from sf3d_jax.gaussians.rendering import intersections_needed as intersections_needed
from sf3d_jax.gaussians.rendering import render as render
from sf3d_jax.gaussians.scene import Gaussians as Gaussians
