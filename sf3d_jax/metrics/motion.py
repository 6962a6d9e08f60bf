"""Metrics of the third channel: motion in depth, and the change of inverse depth.

Motion in depth is tau = z1 / z0 of one surface point; its error is |log tau - log tau*| times 10^4
(Yang and Ramanan, "Upgrading Optical Flow to 3D Scene Flow through Optical Expansion", CVPR 2020).
The change of inverse depth is c = 1/z1 - 1/z0.
"""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import is_positive_finite, jit
from sf3d_jax.metrics._accumulate import Metric
from sf3d_jax.metrics._maps import (
    SCALAR,
    MapLike,
    check_not_none,
    compute_maps_once,
    distance,
    read_maps,
)

_LARGEST = math.log(2)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class MotionInDepth(Metric):
    """MID, the mean of 10^4 |log tau - log tau*| with tau = z1 / z0. Papers report pool="image".

    A pixel counts if its true tau is between 1/2 and 2; the estimate is clipped to that range.
    Non-finite estimates are left out of MID; `missing` is their share in percent.
    """

    units: ClassVar[dict[str, float]] = {"MID": 1e4, "missing": 100.0}

    @jit
    def update(
        self, log_motion_in_depth: MapLike, true_log_motion_in_depth: MapLike
    ) -> "MotionInDepth":
        """Adds images. Each map is an array or (values, valid), as `depth_change` returns it.

        Args:
          log_motion_in_depth: (*b, H, W), log(z1 / z0), the estimate.
          true_log_motion_in_depth: (*b, H, W), the truth; log(d0 / d1) for two disparities.

        Returns:
          The metric with these images.
        """
        check_not_none(
            log_motion_in_depth=log_motion_in_depth,
            true_log_motion_in_depth=true_log_motion_in_depth,
        )
        maps = read_maps(
            log_motion_in_depth=(log_motion_in_depth, SCALAR),
            true_log_motion_in_depth=(true_log_motion_in_depth, SCALAR),
        )
        estimate, truth = maps.values()
        use = truth.known & (jnp.abs(truth.values) < _LARGEST)
        error = jnp.abs(jnp.clip(estimate.values, -_LARGEST, _LARGEST) - truth.values)
        error, use, found = compute_maps_once((error, use, estimate.known))
        return self._add({"MID": (error, use & found), "missing": (~found, use)})


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class DepthChange(Metric):
    """Errors of the inverse-depth change c, absolute and relative to the depth.

    The names that `compute` returns, with tau = z1 / z0 = d / (d + c), are

        MAE          mean |c - c*|, per metre
        MAE-log      mean |log tau - log tau*|, the relative error of the second depth
        1%, 5%, 10%  pixels, in percent, whose second depth is wrong by more than that
        missing      pixels, in percent, without an estimate: it is not finite or, except for MAE,
                     gives a second depth that is not positive

    Pixels without an estimate are left out of the means and are wrong by more than 10 %. Without
    the true inverse depth, only MAE and missing are returned.
    """

    units: ClassVar[dict[str, float]] = {
        "MAE": 1.0,
        "MAE-log": 1.0,
        "1%": 100.0,
        "5%": 100.0,
        "10%": 100.0,
        "missing": 100.0,
    }

    @jit
    def update(
        self,
        inv_depth_change: MapLike,
        true_inv_depth_change: MapLike,
        true_inv_depth: MapLike | None = None,
    ) -> "DepthChange":
        """Adds images. Each map is an array or (values, valid), as `sf3d.data` reads it.

        Args:
          inv_depth_change: (*b, H, W), c, the estimate, per metre.
          true_inv_depth_change: (*b, H, W), c*, per metre.
          true_inv_depth: (*b, H, W), 1/z0, per metre.

        Returns:
          The metric with these images.
        """
        check_not_none(
            inv_depth_change=inv_depth_change, true_inv_depth_change=true_inv_depth_change
        )
        maps = read_maps(
            inv_depth_change=(inv_depth_change, SCALAR),
            true_inv_depth_change=(true_inv_depth_change, SCALAR),
            true_inv_depth=(true_inv_depth, SCALAR),
        )
        estimate, truth = maps["inv_depth_change"], maps["true_inv_depth_change"]
        error, use, found = compute_maps_once(
            (distance(estimate, truth), truth.known, estimate.known)
        )
        terms = {"MAE": (error, use & found), "missing": (~found, use)}
        if "true_inv_depth" not in maps:
            return self._add(terms)
        d0 = maps["true_inv_depth"].values
        d1, true_d1 = d0 + estimate.values, d0 + truth.values
        use = (
            use
            & maps["true_inv_depth"].known
            & is_positive_finite(d0)
            & is_positive_finite(true_d1)
        )
        found = found & is_positive_finite(d1)
        both = use & found
        d1, true_d1 = jnp.where(both, d1, 1), jnp.where(both, true_d1, 1)
        # z1 / z1* - 1 as a product, which keeps the digits of a small error.
        wrong = jnp.where(both, truth.values - estimate.values, 0) / d1
        log = jnp.where(jnp.abs(wrong) < 0.5, jnp.log1p(wrong), jnp.log(true_d1 / d1))
        wrong = jnp.where(found, jnp.abs(wrong), jnp.inf)
        log, wrong, use, found = compute_maps_once((jnp.abs(log), wrong, use, found))
        terms["MAE-log"] = log, use & found
        terms |= {f"{p}%": (wrong > p / 100, use) for p in (1, 5, 10)}
        return self._add(terms | {"missing": (~found, use)})
