"""The rigid motion of each pixel's window once more, pixel by pixel in float64 NumPy."""

import numpy as np
from scipy.spatial.transform import Rotation

ROUNDINGS = 4
# Known pixels this far apart are neighbours if none is between them.
REACH = 3


def find_next(known, p, axis, way):
    """The next known pixel along an axis and its distance; None if there is none within REACH."""
    for distance in range(1, REACH + 1):
        at = list(p)
        at[axis] += way * distance
        if not 0 <= at[axis] < known.shape[axis]:
            return None
        if known[tuple(at)]:
            return tuple(at), distance
    return None


def slope(x, known):
    """|du| + |dv|; along an axis the smaller of two steps, a missing one from the other side."""
    total = np.zeros(x.shape)
    for p in zip(*np.nonzero(known), strict=True):
        for axis in (0, 1):
            steps = [find_steps(x, known, p, axis, way) for way in (-1, 1)]
            chosen = [
                s[0] if s else other[1] if other[1:] else None for s, other in (steps, steps[::-1])
            ]
            if None not in chosen:
                total[p] += min(chosen)
    return total


def find_steps(x, known, p, axis, way):
    """Up to two steps per pixel, from a pixel to the next known one, and from that to its next."""
    steps = []
    while len(steps) < 2 and (found := find_next(known, p, axis, way)):
        q, distance = found
        steps.append(abs(x[p] - x[q]) / distance)
        p = q
    return steps


def is_linked(maps, slopes, p, q, distance, rounding):
    """Whether two known pixels with no known one between them show one surface in one motion."""
    size = lambda k, at: abs(maps[k][at]) if k == 0 else sum(abs(m[at]) for m in maps[1:])
    return all(
        abs(x[p] - x[q])
        <= 2 * distance * max(s[p], s[q]) + ROUNDINGS * rounding * max(size(k, p), size(k, q))
        for k, (x, s) in enumerate(zip(maps, slopes, strict=True))
    )


def run(start, known, axis, linked, radius):
    """The known pixels of both arms along an axis from `start`, which is twice among them."""
    pixels = []
    for way in (1, -1):
        here, left = start, radius
        pixels.append(here)
        while found := find_next(known, here, axis, way):
            following, distance = found
            left -= distance
            if left < 0 or not linked(here, following, distance):
                break
            here = following
            pixels.append(here)
    return pixels


def windows(inv_depth, scaled, known, radius, rounding=0.0):
    """For each known pixel the pixels of its window, some several times: {(row, column): list}."""
    maps = [inv_depth, *np.moveaxis(scaled, -1, 0)]
    slopes = [slope(x, known) for x in maps]
    linked = lambda p, q, distance: is_linked(maps, slopes, p, q, distance, rounding)
    row, column = (lambda p, axis=axis: run(p, known, axis, linked, radius) for axis in (1, 0))
    rows = {p: row(p) for p in np.ndindex(known.shape) if known[p]}
    return {p: [q for r in column(p) for q in rows[r]] for p in rows}


def fit(points, moved, weights):
    """[R | t] of the least squares of s - k x (x + s/2) - tau, with the least k."""
    middle = points + moved / 2
    share = weights / weights.sum()
    m, e = middle - share @ middle, moved - share @ moved
    root = np.sqrt(weights)[:, None]
    rows = -cross_matrices(m) * root[..., None]
    k, *_ = np.linalg.lstsq(rows.reshape(-1, 3), (e * root).ravel(), rcond=1e-9)
    rotation = Rotation.from_quat([*k / 2, 1]).as_matrix()
    tau = share @ moved - np.cross(k, share @ middle)
    translation = np.linalg.solve(np.eye(3) - cross_matrices(k[None])[0] / 2, tau)
    return np.column_stack([rotation, translation])


def cross_matrices(v):
    """[v] of vectors (n, 3)."""
    x, y, z = v.T
    zero = np.zeros_like(x)
    return np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)


def fit_windows(points, moved, inv_depth, known, weights, radius):
    """Field and residual of all windows; NaN where there is none."""
    field = np.full((*inv_depth.shape, 3, 4), np.nan)
    residual = np.full((*inv_depth.shape, 3), np.nan)
    for p, pixels in windows(inv_depth, inv_depth[..., None] * moved, known, radius).items():
        at = tuple(np.transpose(pixels))
        w = weights[at]
        if (
            len(set(pixels)) < 2
            or (w > 0).sum() == 0
            or len({q for q in pixels if weights[q] > 0}) < 2
        ):
            continue
        field[p] = fit(points[at], moved[at], w)
        residual[p] = points[p] + moved[p] - field[p] @ [*points[p], 1]
    return field, residual
