from sf3d_jax.head.carrying import carry as carry
from sf3d_jax.head.carrying import pieces as pieces
from sf3d_jax.head.covering import Cover as Cover
from sf3d_jax.head.covering import cover as cover
from sf3d_jax.head.culling import is_facing as is_facing
from sf3d_jax.head.culling import select as select
from sf3d_jax.head.surfaces import sure_pixels as sure_pixels
from sf3d_jax.head.surfaces import surface_features as surface_features
