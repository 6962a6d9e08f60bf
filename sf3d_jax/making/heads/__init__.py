"""The heads that can be drawn: the procedural person, a user's mesh, a user's face model."""

from sf3d_jax.making.heads.head import Head
from sf3d_jax.making.heads.mesh import open_mesh
from sf3d_jax.making.heads.model import open_model
from sf3d_jax.making.heads.person import open_person
from sf3d_jax.making.options import MODELS, PROCEDURAL, Options
from sf3d_jax.making.planning import SubjectPlan


def open_head(subject: SubjectPlan, options: Options) -> Head:
    """Opens the head of a subject, and its motion.

    Args:
      subject: the subject.
      options: options of the data set.

    Returns:
      The head.

    Raises:
      FormatError: a file cannot be read, or does not fit the head or the number of frames.
      OSError: a file is missing.
    """
    if options.head == PROCEDURAL:
        return open_person(subject, options)
    if options.head.lower().endswith(MODELS):
        return open_model(subject, options)
    return open_mesh(subject, options)
