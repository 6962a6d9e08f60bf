from sf3d_jax.making.options import Options as Options
from sf3d_jax.making.plan import Plan as Plan
from sf3d_jax.making.plan import SubjectPlan as SubjectPlan
from sf3d_jax.making.plan import plan as plan
