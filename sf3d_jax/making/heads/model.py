"""A user's face model as a head to draw."""

from sf3d_jax.making.heads.head import Head
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan


def open_model(subject: SubjectPlan, options: Options) -> Head:
    raise NotImplementedError
