from sf3d_jax.making.drawing import Frame as Frame
from sf3d_jax.making.drawing import Subject as Subject
from sf3d_jax.making.drawing import open_subject as open_subject
from sf3d_jax.making.options import Options as Options
from sf3d_jax.making.planning import Plan as Plan
from sf3d_jax.making.planning import SubjectPlan as SubjectPlan
from sf3d_jax.making.planning import plan as plan
