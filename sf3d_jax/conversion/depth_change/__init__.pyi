from sf3d_jax.conversion._optical_expansion import Expansion as Expansion
from sf3d_jax.conversion._optical_expansion import optical_expansion as optical_expansion
from sf3d_jax.conversion.depth_change.channels import Channel as Channel
from sf3d_jax.conversion.depth_change.channels import InverseDepths as InverseDepths
from sf3d_jax.conversion.depth_change.channels import Pair as Pair
from sf3d_jax.conversion.depth_change.channels import from_depths as from_depths
from sf3d_jax.conversion.depth_change.channels import from_disparities as from_disparities
from sf3d_jax.conversion.depth_change.channels import (
    from_log_motion_in_depth as from_log_motion_in_depth,
)
from sf3d_jax.conversion.depth_change.channels import from_motion_in_depth as from_motion_in_depth
from sf3d_jax.conversion.depth_change.channels import from_scaled as from_scaled
from sf3d_jax.conversion.depth_change.channels import from_time_to_contact as from_time_to_contact
from sf3d_jax.conversion.depth_change.channels import to_depths as to_depths
from sf3d_jax.conversion.depth_change.channels import to_disparities as to_disparities
from sf3d_jax.conversion.depth_change.channels import (
    to_log_motion_in_depth as to_log_motion_in_depth,
)
from sf3d_jax.conversion.depth_change.channels import to_motion_in_depth as to_motion_in_depth
from sf3d_jax.conversion.depth_change.channels import to_scaled as to_scaled
from sf3d_jax.conversion.depth_change.channels import to_time_to_contact as to_time_to_contact
