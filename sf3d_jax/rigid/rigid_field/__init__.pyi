from sf3d_jax.rigid.rigid_field.projecting import motion as motion
from sf3d_jax.rigid.rigid_field.refining import Refined as Refined
from sf3d_jax.rigid.rigid_field.refining import refine as refine
from sf3d_jax.rigid.rigid_field.windows import LocalFit as LocalFit
from sf3d_jax.rigid.rigid_field.windows import local as local
