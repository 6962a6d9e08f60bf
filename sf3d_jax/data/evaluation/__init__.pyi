from sf3d_jax.data.evaluation.problems import Problem as Problem
from sf3d_jax.data.evaluation.scoring import Evaluation as Evaluation
from sf3d_jax.data.evaluation.scoring import evaluate as evaluate
from sf3d_jax.data.evaluation.submission import Submission as Submission
from sf3d_jax.data.evaluation.submission import SubmittedKind as SubmittedKind
from sf3d_jax.data.evaluation.submission import submit as submit
