"""The motion of the camera with depth: samples, a robust fit, its derivative."""

from sf3d_jax.rigid._ego.estimate import estimate as estimate
from sf3d_jax.rigid._ego.estimate import estimate_change as estimate_change
