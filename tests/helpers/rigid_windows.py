"""The rigid motion of each pixel's window once more, pixel by pixel in float64 NumPy."""

import numpy as np
from scipy.spatial.transform import Rotation

ROUNDINGS = 4


def slope(x, known):
    """|du| + |dv|: along an axis the smaller step of the two, from a pixel's other side if need be."""
    total = np.zeros(x.shape)
    for axis in (0, 1):
        lines = np.moveaxis(x, axis, 0), np.moveaxis(known, axis, 0)
        for j in range(lines[0].shape[1]):
            total.swapaxes(0, axis)[:, j] += _line_slope(lines[0][:, j], lines[1][:, j])
    return total


def _line_slope(x, known):
    n = len(x)
    step = lambda i: abs(x[i + 1] - x[i]) if 0 <= i < n - 1 and known[i] and known[i + 1] else None
    result = np.zeros(n)
    for i in range(n):
        left = step(i - 1) if step(i - 1) is not None else step(i + 1)
        right = step(i) if step(i) is not None else step(i - 2)
        if left is not None and right is not None:
            result[i] = min(left, right)
    return result


def is_linked(maps, slopes, known, p, q, rounding):
    """Whether two neighbours belong to one surface in one motion."""
    if not (known[p] and known[q]):
        return False
    size = lambda k, at: abs(maps[k][at]) if k == 0 else sum(abs(m[at]) for m in maps[1:])
    return all(
        abs(x[p] - x[q]) <= 2 * max(s[p], s[q]) + ROUNDINGS * rounding * max(size(k, p), size(k, q))
        for k, (x, s) in enumerate(zip(maps, slopes, strict=True))
    )


def run(start, ahead, linked, radius):
    """The pixels of both arms from `start`, which is twice among them."""
    pixels = []
    for way in (1, -1):
        here = start
        pixels.append(here)
        for _ in range(radius):
            following = ahead(here, way)
            if following is None or not linked(here, following):
                break
            here = following
            pixels.append(here)
    return pixels


def windows(inv_depth, scaled, known, radius, rounding=0.0):
    """For each known pixel the pixels of its window, some several times: {(row, column): list}."""
    height, width = inv_depth.shape
    maps = [inv_depth, *np.moveaxis(scaled, -1, 0)]
    maps = [np.where(known, x, 0) for x in maps]
    slopes = [slope(x, known) for x in maps]
    linked = lambda p, q: is_linked(maps, slopes, known, p, q, rounding)
    down = lambda p, way: (p[0] + way, p[1]) if 0 <= p[0] + way < height else None
    right = lambda p, way: (p[0], p[1] + way) if 0 <= p[1] + way < width else None
    rows = {p: run(p, right, linked, radius) for p in np.ndindex(height, width) if known[p]}
    return {p: [q for r in run(p, down, linked, radius) for q in rows[r]] for p in rows}


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
