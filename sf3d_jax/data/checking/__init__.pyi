from sf3d_jax.data.checking.dataset import check_dataset as check_dataset
from sf3d_jax.data.checking.dataset import other_direction as other_direction
from sf3d_jax.data.checking.report import Finding as Finding
from sf3d_jax.data.checking.report import Report as Report
from sf3d_jax.data.checking.sample import check as check
