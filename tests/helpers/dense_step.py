"""The dense Gauss-Newton step of RAFT-3D once more, in float64 NumPy: points, pixels, matrices.

It lifts pixels to points, moves and projects them, and subtracts pixels, as RAFT-3D's code does.
"""

import numpy as np
from scipy.linalg import expm

NEAREST, LARGEST = 0.1, 128.0
RELATIVE, ABSOLUTE = 1e-4, 10.0
# The imaginary step of a derivative: its error is its square.
STEP = 1e-30


def twist_matrix(twist):
    """The 4 x 4 matrix of (translation, rotation)."""
    (a, b, c), (x, y, z) = twist[:3], twist[3:]
    return np.array([[0, -z, y, a], [z, 0, -x, b], [-y, x, 0, c], [0, 0, 0, 0]])


def random_field(rng, size, scale):
    """Transforms (H, W, 3, 4) of random twists."""
    twists = scale * rng.normal(size=(size[0] * size[1], 6))
    return np.stack([expm(twist_matrix(x))[:3] for x in twists]).reshape(*size, 3, 4)


def push(field, twists):
    """exp(twist) T for each pixel."""
    flat = zip(field.reshape(-1, 3, 4), twists.reshape(-1, 6), strict=True)
    last = [[0, 0, 0, 1]]
    moved = [expm(twist_matrix(x))[:3] @ np.vstack([t, last]) for t, x in flat]
    return np.stack(moved).reshape(field.shape)


def project(points, matrix):
    """(u, v, 1/z)."""
    x, y, z = np.moveaxis(points, -1, 0)
    u = matrix[0, 0] * x / z + matrix[0, 2]
    return np.stack([u, matrix[1, 1] * y / z + matrix[1, 2], 1 / z], -1)


def differentiate(points, matrix, jacobian):
    """The derivative of (u, v, 1/z) by a left twist, (n, 3, 6), by imaginary steps."""
    columns = []
    for unit in np.eye(6):
        velocity = points @ twist_matrix(unit)[:3, :3].T + unit[:3]
        columns.append(project(points + 1j * STEP * velocity, matrix).imag / STEP)
    result = np.stack(columns, -1)
    if jacobian == "raft3d":
        x, y, z = points.T
        result[:, 2, 3:] = np.stack([y / z, -x / z, 0 * z], -1)
    return result


def step(field, maps, matrix, radius, jacobian):
    """The refined field (H, W, 3, 4); maps: flow, 1/z, its change, confidence, affinity."""
    flow, inv_depth, change, confidence, affinity = maps
    height, width = inv_depth.shape
    v, u = np.mgrid[:height, :width]
    rays = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(matrix).T
    points = rays / inv_depth[..., None]
    target = np.stack([u + flow[..., 0], v + flow[..., 1], inv_depth + change], -1)
    twists = np.empty((height, width, 6))
    for i in range(height):
        for j in range(width):
            window = np.s_[max(0, i - radius) : i + radius + 1, max(0, j - radius) : j + radius + 1]
            seen = [points, target, affinity - affinity[i, j], confidence]
            x, y, apart, weight = (a[window].reshape(-1, a.shape[-1]) for a in seen)
            moved = x @ field[i, j, :, :3].T + field[i, j, :, 3]
            residual = y - project(moved, matrix)
            counts = (moved[:, 2] >= NEAREST) & (np.abs(residual[:, :2]) <= LARGEST).all(-1)
            weight = weight * (counts / (1 + np.exp((apart**2).sum(-1))))[:, None]
            rows = differentiate(moved, matrix, jacobian)
            h = np.einsum("nak,na,nal->kl", rows, weight, rows)
            b = np.einsum("nak,na,na->k", rows, weight, residual)
            twists[i, j] = np.linalg.solve(h + np.diag(RELATIVE * np.diag(h) + ABSOLUTE), b)
    return push(field, twists)
