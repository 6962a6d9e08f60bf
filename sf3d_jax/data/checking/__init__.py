"""What is wrong with a data set of scene flow."""

from sf3d_jax.data.checking._check import check
from sf3d_jax.data.checking._dataset import check_dataset
from sf3d_jax.data.checking._report import Finding, Report

__all__ = ["Finding", "Report", "check", "check_dataset"]
