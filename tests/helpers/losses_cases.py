"""A case of every loss, with its reference in float64: a new loss is one entry here."""

import functools
from typing import NamedTuple

import jax
import numpy as np
from helpers import losses_reference as reference
from helpers.support import MATRIX, NEAR, camera, cast, grid, length, motion, opencv_rays

from sf3d_jax import losses

SIZE = (14, 15)
RNG = np.random.default_rng(0)
RANDOM = lambda *shape: np.float32(RNG.uniform(size=shape))
IMAGE, OTHER = RANDOM(*SIZE, 3), RANDOM(*SIZE, 3)
FLOW, INV_DEPTH, CHANGE = motion(SIZE)
TARGET, _, TARGET_CHANGE = motion(SIZE, seed=1)
NEXT_INV_DEPTH = motion(SIZE, seed=2)[1]
VECTORS, BACKWARD = np.float32(RNG.normal(size=(2, *SIZE, 3)) * 0.1)
VALID = RNG.uniform(size=SIZE) > 0.2
FACTOR = RNG.normal(size=(*SIZE, 3, 3)) * 0.1
COVARIANCE = np.float32(FACTOR @ np.swapaxes(FACTOR, -1, -2) + 0.01 * np.eye(3))
FLOWS, CHANGES = np.float32(RNG.normal(size=(3, *SIZE, 2))), np.float32(RNG.normal(size=(3, *SIZE)))
FIRST = camera(matrix=MATRIX * [[0.5], [0.5], [1]], size=SIZE)
SECOND = camera(pose=NEAR, matrix=MATRIX * [[0.5], [0.5], [1]], size=SIZE)
ALL = np.ones(SIZE, bool)


class Case(NamedTuple):
    """A loss of maps, and its values and validity by the reference, in float64."""

    function: object
    maps: tuple
    reference: object


def cameras(x):
    """The cameras in the type of the maps, float32 at least."""
    return cast((FIRST, SECOND), np.promote_types(x.dtype, np.float32))


def plain(function, x, ref):
    """A penalty, which is valid everywhere."""
    return Case(lambda *a: losses.LossMap(function(*a), ALL), (x,), lambda a: (ref(a), ALL))


def consistency(flow, d, c, following):
    n, inside = reference.arrived(flow, following)
    with np.errstate(invalid="ignore"):
        return np.where(inside, np.abs(n - d - c) / (n + d + c), 0), inside


def reconstruction(vectors, d, following):
    """As self-mono-sf has it: two points in space, their distance over that of the first."""
    rays = opencv_rays(grid(SIZE), FIRST)
    start = rays / d[..., None]
    pose = np.float64(SECOND.world_to_camera)
    end = (start + vectors) @ pose[:, :3].T + pose[:, 3]
    matrix = opencv_matrix = np.diag([*np.float64(SECOND.focal), 1.0])
    opencv_matrix[:2, 2] = SECOND.principal_point
    seen = end / end[..., 2:] @ matrix.T
    n, inside = reference.arrived(seen[..., :2] - grid(SIZE), following)
    there = opencv_rays(seen[..., :2], SECOND) / np.where(inside, n, 1)[..., None]
    return np.where(inside, length(end - there) / length(start), 0), inside


def there_and_back(x, backward, flow, turn=None):
    back, inside = reference.arrived(flow, backward)
    back = back if turn is None else back @ turn.T
    return np.where(inside, length(x + back), 0), inside


def sequence(gamma, *terms):
    total = 0
    for weight, predictions, target in terms:
        errors = np.abs(predictions - target).reshape(3, *SIZE, -1).mean(-1)
        total = total + weight * sum(gamma ** (2 - i) * e for i, e in enumerate(errors))
    return total, ALL


def smurf(flow, teacher, own, others):
    robust = np.sqrt((flow - teacher) ** 2 + 1e-6).sum(-1)
    return robust * others * (1 - own), ALL


def interior(radius):
    inside = np.zeros(SIZE, bool)
    inside[radius : SIZE[0] - radius, radius : SIZE[1] - radius] = True
    return inside


RESIDUAL = np.float32(RNG.normal(size=SIZE) * 3)
SHARES = np.float32(RNG.normal(size=(2, *SIZE, 2)))
TURN = np.float64(NEAR[:, :3]).T
ssim_values = lambda a, b: reference.windows(a, b, [1 / 3] * 3, reference.dissimilarity)
l1_values = lambda a, b: np.abs(a - b).mean(-1)


def mixed(a, b):
    structure, inside = ssim_values(a, b)
    return np.where(inside, 0.85 * structure + 0.15 * l1_values(a, b), 0), inside


CASES = {
    "l1": plain(losses.l1, RESIDUAL, np.abs),
    "l2": plain(losses.l2, RESIDUAL, np.square),
    "charbonnier": plain(
        lambda x: losses.charbonnier(x, scale=0.5), RESIDUAL, lambda x: np.sqrt(x * x + 0.25)
    ),
    "generalized_charbonnier": plain(
        losses.generalized_charbonnier, RESIDUAL, lambda x: (np.abs(x) + 0.01) ** 0.4
    ),
    "huber": plain(losses.huber, RESIDUAL, lambda x: np.where(abs(x) < 1, x * x / 2, abs(x) - 0.5)),
    **{
        f"general_robust {alpha}": plain(
            functools.partial(losses.general_robust, alpha=alpha, scale=1.5),
            RESIDUAL,
            functools.partial(reference.barron, alpha=alpha, scale=1.5),
        )
        for alpha in (-np.inf, -2.0, 0.0, 0.5, 1.0, 1.7, 2.0, 3.0, np.inf)
    },
    "mixture_of_laplace": Case(
        lambda *x: losses.LossMap(losses.mixture_of_laplace(*x), ALL),
        (RESIDUAL, *SHARES),
        lambda *x: (reference.laplace_mixture(*x), ALL),
    ),
    "gaussian_nll": Case(
        losses.gaussian_nll,
        (VECTORS, BACKWARD, COVARIANCE),
        lambda *x: (reference.gaussian(*x), ALL),
    ),
    "brightness": Case(losses.brightness, (IMAGE, OTHER), lambda a, b: (l1_values(a, b), ALL)),
    "census": Case(
        losses.census, (IMAGE, OTHER), lambda a, b: reference.census(a, b, np.ones(SIZE, bool))
    ),
    "census masked": Case(
        lambda a, b: losses.census(a, b, radius=2, valid=VALID),
        (IMAGE, OTHER),
        lambda a, b: reference.census(a, b, VALID, radius=2),
    ),
    "ssim": Case(losses.ssim, (IMAGE, OTHER), ssim_values),
    "ssim gaussian": Case(
        lambda a, b: losses.ssim(a, b, window="gaussian"),
        (IMAGE, OTHER),
        lambda a, b: reference.windows(a, b, reference.gaussian_window(), reference.dissimilarity),
    ),
    "ncc": Case(
        losses.ncc,
        (IMAGE, OTHER),
        lambda a, b: reference.windows(a, b, [1 / 7] * 7, reference.decorrelation),
    ),
    "photometric": Case(losses.photometric, (IMAGE, OTHER), mixed),
    "first_order_smoothness": Case(
        losses.first_order_smoothness, (FLOW, IMAGE), lambda x, i: reference.smoothness(x, i, 10, 1)
    ),
    "second_order_smoothness": Case(
        losses.second_order_smoothness,
        (FLOW, IMAGE),
        lambda x, i: reference.smoothness(x, i, 10, 2),
    ),
    "total_variation": Case(
        losses.total_variation, (FLOW,), lambda x: (reference.total_variation(x), ALL)
    ),
    "gradient_difference": Case(
        losses.gradient_difference,
        (FLOW, TARGET),
        lambda x, y: reference.smoothness(x - y, np.zeros((*SIZE, 1)), 0, 1),
    ),
    "gradient_difference sobel": Case(
        lambda x, y: losses.gradient_difference(x, y, operator="sobel"),
        (FLOW, TARGET),
        reference.sobel,
    ),
    "end_point_error": Case(
        losses.end_point_error, (FLOW, TARGET), lambda a, b: (length(a - b), ALL)
    ),
    "inverse_depth_change_error": Case(
        losses.inverse_depth_change_error,
        (CHANGE, TARGET_CHANGE),
        lambda a, b: (np.abs(a - b), ALL),
    ),
    "log_motion_in_depth_error": Case(
        losses.log_motion_in_depth_error,
        (CHANGE, TARGET_CHANGE, INV_DEPTH),
        lambda c, t, d: (np.abs(np.log(d / (d + c)) - np.log(d / (d + t))), ALL),
    ),
    "depth_consistency": Case(
        losses.depth_consistency, (FLOW, INV_DEPTH, CHANGE, NEXT_INV_DEPTH), consistency
    ),
    "point_reconstruction": Case(
        lambda *x: losses.point_reconstruction(*x, *cameras(x[0])),
        (VECTORS, INV_DEPTH, NEXT_INV_DEPTH),
        reconstruction,
    ),
    "forward_backward_error": Case(
        losses.forward_backward_error, (FLOW, TARGET), lambda f, b: there_and_back(f, b, f)
    ),
    "forward_backward_error 3D": Case(
        lambda x, b, f: losses.forward_backward_error(
            x, b, flow=f, camera=cameras(x)[0], next_camera=cameras(x)[1]
        ),
        (VECTORS, BACKWARD, FLOW),
        lambda x, b, f: there_and_back(x, b, f, TURN),
    ),
    "rigidity": Case(
        lambda x, d: losses.rigidity(x, d, cameras(x)[0], spread=0.3),
        (VECTORS, INV_DEPTH),
        lambda x, d: (
            reference.rigidity(x, opencv_rays(grid(SIZE), FIRST) / d[..., None], d, 0.3),
            ALL,
        ),
    ),
    **{
        f"temporal_smoothness {order}": Case(
            functools.partial(losses.temporal_smoothness, order=order),
            (VECTORS,),
            functools.partial(reference.unevenness, order=order),
        )
        for order in (1, 2)
    },
    "raft": Case(losses.raft, (FLOWS, TARGET), lambda x, y: sequence(0.8, (1, x, y))),
    "raft3d": Case(
        lambda f, c, t, tc, r: losses.raft3d(f, c, t, tc, revisions=r),
        (FLOWS, CHANGES, TARGET, TARGET_CHANGE, FLOWS[::-1] * 2),
        lambda f, c, t, tc, r: sequence(0.9, (1, f, t), (100, c, tc), (0.2, r, t)),
    ),
    "self_supervision": Case(
        lambda f, t, own, others: losses.self_supervision(f, t, weight=own, teacher_weight=others),
        (FLOW, TARGET, INV_DEPTH, NEXT_INV_DEPTH),
        smurf,
    ),
    "consistency_weight": Case(
        lambda f, b: losses.LossMap(losses.consistency_weight(f, b, sigma=0.1), ALL),
        (FLOW, TARGET),
        lambda f, b: (
            (lambda v, k: np.where(k, np.exp(-(v**2) / 0.01 / (14**2 + 15**2)), 0))(
                *there_and_back(f, b, f)
            ),
            ALL,
        ),
    ),
}
RUNS = {name: jax.jit(lambda *x, case=case: case.function(*x)) for name, case in CASES.items()}
