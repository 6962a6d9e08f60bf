from sf3d_jax.views.colors import flow_to_color as flow_to_color
from sf3d_jax.views.colors import scalar_to_color as scalar_to_color
from sf3d_jax.views.colors import scene_flow_to_color as scene_flow_to_color
from sf3d_jax.views.colors import signed_to_color as signed_to_color
from sf3d_jax.views.sheet import picture_sheet as picture_sheet
from sf3d_jax.views.spread import percent as percent
