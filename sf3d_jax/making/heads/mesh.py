"""A user's mesh as a head to draw."""

from sf3d_jax.making.heads.head import Head
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan


def open_mesh(subject: SubjectPlan, options: Options) -> Head:
    raise NotImplementedError
