"""Tables of `fit_rigid` for rigid.py: SciPy's align_vectors, OpenCV's estimateAffine3D, float64."""

import cv2
import jax
import numpy as np
from report import time_ratios
from scipy.spatial.transform import Rotation
from timing import Way, race, rows_of

import sf3d_jax as sf3d

POINTS = 12
# Metres that points at 1 m move.
SMALL = 1e-5


def draw_sets(sets, seed=0):
    """Points, next points with noise, and weights; turns from 0 to half a turn, one set planar."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(sets, POINTS, 3))
    points[1, :, 2] = 0
    axis = rng.normal(size=(sets, 3))
    axis *= np.linspace(0, np.pi, sets)[:, None] / np.linalg.norm(axis, axis=1, keepdims=True)
    turn = Rotation.from_rotvec(axis).as_matrix()
    moved = points @ np.swapaxes(turn, 1, 2) + rng.normal(size=(sets, 1, 3))
    return points, moved + 0.1 * rng.normal(size=moved.shape), rng.uniform(size=(sets, POINTS))


def align(points, moved, weights):
    """[R | t] of SciPy, which fits directions: points minus their weighted means."""
    share = weights / weights.sum()
    before, after = share @ points, share @ moved
    turn, _ = Rotation.align_vectors(moved - after, points - before, weights=weights)
    matrix = turn.as_matrix()
    return np.c_[matrix, after - matrix @ before]


def fit_similarity(points, moved):
    """[s R | t] of OpenCV."""
    result, scale = cv2.estimateAffine3D(points, moved, force_rotation=True)
    result[:, :3] *= scale
    return result


def compare_with_peers(sets):
    points, moved, weights = draw_sets(sets)
    scaled = moved * np.random.default_rng(1).uniform(0.2, 3, (sets, 1, 1))
    with jax.enable_x64(True):
        rigid = sf3d.fit_rigid(points, moved, weights=weights).transform
        similar = sf3d.fit_rigid(points, scaled, scale=True).transform
    theirs = {
        "SciPy, align_vectors": (rigid, map(align, points, moved, weights)),
        "OpenCV, estimateAffine3D, with scale": (similar, map(fit_similarity, points, scaled)),
    }
    for peer, (ours, expected) in theirs.items():
        difference = float(np.abs(np.asarray(ours) - np.stack(list(expected))).max())
        yield {"what": "transform, float64", "against": peer, "largest difference": difference}


def special_clouds():
    """Clouds with distinct, zero and equal singular values, and all of them moved."""
    rng = np.random.default_rng(2)
    generic = rng.normal(size=(POINTS, 3))
    corners = np.concatenate([np.eye(3), -np.eye(3)] * 2)
    square = np.concatenate([np.eye(3)[:2], -np.eye(3)[:2]] * 3)
    clouds = {"generic": generic, "planar": generic * [1, 1, 0], "isotropic": corners}
    clouds["planar, isotropic"] = square
    points = np.stack(list(clouds.values()))
    turns = Rotation.from_rotvec(rng.normal(size=(4, 3))).as_matrix()
    return list(clouds), points, points @ np.swapaxes(turns, 1, 2) + rng.normal(size=(4, 1, 3))


def compare_gradients():
    """The gradient of a mix of transform and residual, along a direction, and differences."""
    names, *inputs = special_clouds()
    rng = np.random.default_rng(3)
    along = [rng.normal(size=x.shape) for x in inputs]
    mixes = rng.normal(size=(3, 4)), rng.normal(size=(POINTS, 3))

    def mix(points, moved):
        fit = sf3d.fit_rigid(points, moved)
        return (fit.transform * mixes[0]).sum((-2, -1)) + (fit.residual * mixes[1]).sum((-2, -1))

    with jax.enable_x64(True):
        value = jax.jit(mix)
        at = lambda h: np.asarray(value(*(x + h * v for x, v in zip(inputs, along, strict=True))))
        # Differences of three widths, extrapolated to the sixth order.
        d = [(at(h) - at(-h)) / (2 * h) for h in (5e-4, 1e-3, 2e-3)]
        fine, coarse = (4 * d[0] - d[1]) / 3, (4 * d[1] - d[2]) / 3
        expected = (16 * fine - coarse) / 15
        gradients = jax.jit(jax.grad(lambda *x: mix(*x).sum(), (0, 1)))(*inputs)
        products = [np.asarray(g) * v for g, v in zip(gradients, along, strict=True)]
    found = sum(x.sum((1, 2)) for x in products)
    for name, x, y in zip(names, found, expected, strict=True):
        yield {
            "what": f"gradient, float64, {name} cloud",
            "against": "finite differences",
            "largest difference": float(abs(x - y)),
        }


def fit_small_motion(points, motions):
    """R - I and t in float64, by Gauss-Newton from the identity on the small motions."""
    points, motions = np.float64(points), np.float64(motions)
    middle, shift = points.mean(0), motions.mean(0)
    x, s = points - middle, motions - shift
    turn = np.zeros((3, 3))
    for _ in range(10):
        turned = x + x @ turn.T
        rows = np.cross(np.eye(3), turned[:, None]).swapaxes(1, 2).reshape(-1, 3)
        step = np.linalg.lstsq(rows, (s - x @ turn.T).ravel(), rcond=None)[0]
        change = Rotation.from_rotvec(step).as_matrix() - np.eye(3)
        turn = turn + change + change @ turn
    return turn, shift - turn @ middle


def compare_small_motions():
    """10 micrometres at 1 m in float32; R - I is that of the float32 matrix's skew part.

    The diagonal of a rotation so small is 1 to all digits, and says nothing.
    """
    rng = np.random.default_rng(5)
    middle = np.array([0.1, 0.2, 1])
    points = np.float32(middle + rng.uniform(-0.05, 0.05, (8, POINTS, 3)))
    axis = rng.normal(size=(8, 1, 3)) * SMALL / 0.05
    motions = np.cross(axis, points - points.mean(1, keepdims=True))
    motions += SMALL * (rng.normal(size=(8, 1, 3)) + 0.01 * rng.normal(size=points.shape))
    motions = np.float32(motions)
    fit = sf3d.fit_rigid(points, motions=motions)
    residuals, transforms = np.float64(fit.residual), np.float64(fit.transform)
    turns, moves = [], []
    for x, s, left, transform in zip(points, motions, residuals, transforms, strict=True):
        turn, shift = fit_small_motion(x, s)
        true = x @ turn.T + shift
        moves.append(np.linalg.norm(s - left - true, axis=1).max() / abs(true).max())
        skew = (transform[:, :3] - transform[:, :3].T) / 2
        vector = np.array([skew[2, 1], skew[0, 2], skew[1, 0]])
        sine = np.linalg.norm(vector)
        found = Rotation.from_rotvec(vector * np.arcsin(sine) / sine).as_matrix() - np.eye(3)
        turns.append(abs(found - turn).max() / abs(turn).max())
    for name, x in (("displacements", moves), ("R - I", turns)):
        yield {
            "what": f"{name}, float32, 10 micrometres at 1 m, relative",
            "against": "Gauss-Newton in float64",
            "largest difference": float(max(x)),
        }


def time_fits(sets, repeats):
    """Many sets at once, and SciPy and OpenCV in a loop."""
    arrays = tuple(np.float32(x) for x in draw_sets(sets))
    points, moved, weights = (np.float64(x) for x in arrays)
    fit = lambda x, y, w: sf3d.fit_rigid(x, y, weights=w)
    square = lambda *a: (fit(*a).transform ** 2).sum()
    table = {
        "fit_rigid": Way(fit, arrays, False),
        "fit_rigid, gradient": Way(jax.grad(square, (0, 1, 2)), arrays, False),
        "align_vectors, in a loop": lambda: list(map(align, points, moved, weights)),
        "estimateAffine3D, in a loop": lambda: list(map(fit_similarity, points, moved)),
    }
    medians = race(table, repeats)
    # The forward pass is a fraction of a millisecond, whose ratio does not travel.
    peers = {"fit_rigid, gradient": "align_vectors, in a loop"}
    return rows_of(table, medians, "fit_rigid"), time_ratios(medians, peers)


def report_fits(report, quick):
    sets = 20 if quick else 200
    rows = [*compare_with_peers(sets), *compare_gradients(), *compare_small_motions()]
    report.add("fit_rigid, accuracy", rows)
    rows, ratios = time_fits(1000, 3 if quick else 15)
    report.add("fit_rigid, 1000 sets of 12 points", rows, ratios)
