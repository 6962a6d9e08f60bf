"""The dense Gauss-Newton step of RAFT-3D once more, in float64 NumPy: points, pixels, matrices.

It lifts pixels to points, moves and projects them, and subtracts pixels, as RAFT-3D's code does.
"""

import numpy as np
from scipy.linalg import expm

NEAREST, LARGEST = 0.1, 128.0
RELATIVE, ABSOLUTE = 1e-4, 10.0


def project(points, focal, center):
    """(u, v, 1/z)."""
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([focal[0] * x / z + center[0], focal[1] * y / z + center[1], 1 / z], -1)


def twist_matrix(twist):
    """The 4 x 4 matrix of (translation, rotation)."""
    (a, b, c), (x, y, z) = twist[:3], twist[3:]
    return np.array([[0, -z, y, a], [z, 0, -x, b], [-y, x, 0, c], [0, 0, 0, 0]])


def differentiate(points, focal, center, jacobian):
    """d (u, v, 1/z) / d twist, (n, 3, 6): by finite differences, or as RAFT-3D has it."""
    step = 1e-4
    columns = []
    for unit in np.eye(6):
        ends = [points @ expm(s * twist_matrix(unit))[:3, :3].T + s * unit[:3] for s in (step, -step)]
        columns.append(np.subtract(*(project(x, focal, center) for x in ends)) / (2 * step))
    result = np.stack(columns, -1)
    if jacobian == "raft3d":
        x, y = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
        result[:, 2, 3:] = np.stack([y, -x, 0 * x], -1)
    return result


def analytic(points, focal, jacobian):
    """The same by formulas of points, for comparisons without the error of finite differences."""
    x, y, z = points.T
    fx, fy = focal
    o = 0 * x
    to_point = [
        [fx / z, o, -fx * x / z**2],
        [o, fy / z, -fy * y / z**2],
        [o, o, -1 / z**2],
    ]
    to_twist = [[o + 1, o, o, o, z, -y], [o, o + 1, o, -z, o, x], [o, o, o + 1, y, -x, o]]
    result = np.einsum("abn,bcn->nac", to_point, to_twist)
    if jacobian == "raft3d":
        result[:, 2, 3:] = np.stack([y / z, -x / z, o], -1)
    return result


def step(field, flow, inv_depth, change, matrix, confidence, affinity, radius, *, jacobian, rows=None):
    """The refined field (H, W, 3, 4), pixel by pixel."""
    height, width = inv_depth.shape
    focal, center = (matrix[0, 0], matrix[1, 1]), (matrix[0, 2], matrix[1, 2])
    v, u = np.mgrid[:height, :width]
    points = np.stack([(u - center[0]) / focal[0], (v - center[1]) / focal[1], 1 + 0 * u], -1)
    points = points / inv_depth[..., None]
    target = np.stack([u + flow[..., 0], v + flow[..., 1], inv_depth + change], -1)
    refined = np.empty_like(field)
    for i in range(height):
        for j in range(width):
            window = np.s_[max(0, i - radius) : i + radius + 1, max(0, j - radius) : j + radius + 1]
            flat = lambda x: x[window].reshape(-1, x.shape[-1])
            rotation, shift = field[i, j, :, :3], field[i, j, :, 3]
            moved = flat(points) @ rotation.T + shift
            residual = flat(target) - project(moved, focal, center)
            distance = ((flat(affinity) - affinity[i, j]) ** 2).sum(-1)
            counts = (moved[:, 2] >= NEAREST) & (np.abs(residual[:, :2]) <= LARGEST).all(-1)
            weight = counts / (1 + np.exp(distance))
            if rows == "numeric":
                jacobians = differentiate(moved, focal, center, jacobian)
            else:
                jacobians = analytic(moved, focal, jacobian)
            weights = weight[:, None] * flat(confidence)
            h = np.einsum("nak,na,nal->kl", jacobians, weights, jacobians)
            b = np.einsum("nak,na,na->k", jacobians, weights, residual)
            h += np.diag(RELATIVE * np.diag(h) + ABSOLUTE)
            exp = expm(twist_matrix(np.linalg.solve(h, b)))
            refined[i, j] = exp[:3] @ np.vstack([field[i, j], [0, 0, 0, 1]])
    return refined
