"""Tables of `rigid_field.refine` for rigid.py, beside RAFT-3D's formula in float64 NumPy.

The restatement lifts pixels to points, moves and projects them, and subtracts pixels, as RAFT-3D's
code does; derivatives by twists are taken by an imaginary step.
"""

import jax
import numpy as np
from scipy.linalg import expm
from timing import Way, race

import sf3d_jax as sf3d
from sf3d_jax import rigid_field

SMALL, LARGE = (7, 9), (68, 120)
CHANNELS, RADIUS = 16, 16
# Of RAFT-3D: the least depth, the largest residual in pixels, and the damping.
NEAREST, LARGEST, RELATIVE, ABSOLUTE = 0.1, 128.0, 1e-4, 10.0
# The imaginary step of a derivative: its error is its square.
STEP = 1e-30


def to_matrix(twist):
    """The 4 x 4 matrix of (translation, rotation)."""
    (a, b, c), (x, y, z) = twist[:3], twist[3:]
    return np.array([[0, -z, y, a], [z, 0, -x, b], [-y, x, 0, c], [0, 0, 0, 0]])


def push(field, twists):
    """exp(twist) T for each pixel."""
    pairs = zip(field.reshape(-1, 3, 4), twists.reshape(-1, 6), strict=True)
    moved = [expm(to_matrix(x))[:3] @ np.vstack([t, [0, 0, 0, 1]]) for t, x in pairs]
    return np.stack(moved).reshape(field.shape)


def draw_maps(size, channels, seed=0):
    """A field, flow, 1/z, its change, confidence and affinity."""
    rng = np.random.default_rng(seed)
    still = np.broadcast_to(np.eye(3, 4), (*size, 3, 4))
    return (
        push(still, 0.05 * rng.normal(size=(*size, 6))),
        rng.normal(size=(*size, 2)),
        rng.uniform(0.3, 1, size),
        rng.uniform(-0.1, 0.1, size),
        rng.uniform(0.1, 1, (*size, 3)),
        0.5 * rng.normal(size=(*size, channels)),
    )


def project(points, matrix):
    """(u, v, 1/z)."""
    x, y, z = np.moveaxis(points, -1, 0)
    u, v = (matrix[i, i] * a / z + matrix[i, 2] for i, a in enumerate((x, y)))
    return np.stack([u, v, 1 / z], -1)


def differentiate(points, matrix, jacobian):
    """The derivative of (u, v, 1/z) by a left twist, (n, 3, 6)."""
    columns = []
    for unit in np.eye(6):
        velocity = points @ to_matrix(unit)[:3, :3].T + unit[:3]
        columns.append(project(points + 1j * STEP * velocity, matrix).imag / STEP)
    result = np.stack(columns, -1)
    if jacobian == "raft3d":
        x, y, z = points.T
        result[:, 2, 3:] = np.stack([y / z, -x / z, 0 * z], -1)
    return result


def step_plainly(maps, matrix, radius, jacobian):
    """The refined field (H, W, 3, 4), pixel by pixel."""
    field, flow, inv_depth, change, confidence, affinity = maps
    size = inv_depth.shape
    v, u = np.mgrid[: size[0], : size[1]]
    points = np.stack([u, v, np.ones_like(u)], -1) @ np.linalg.inv(matrix).T / inv_depth[..., None]
    target = np.stack([u + flow[..., 0], v + flow[..., 1], inv_depth + change], -1)
    twists = np.empty((*size, 6))
    for i, j in np.ndindex(*size):
        window = np.s_[max(0, i - radius) : i + radius + 1, max(0, j - radius) : j + radius + 1]
        seen = points, target, affinity - affinity[i, j], confidence
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


def refine(maps, camera, **options):
    *maps, confidence, affinity = maps
    weights = {"confidence": confidence, "affinity": affinity}
    return rigid_field.refine(*maps, camera, **weights, **options).field


def compare_steps(quick):
    """Against the restatement, and derivatives against finite differences, in float64."""
    maps = draw_maps(SMALL, 3)
    matrix = np.array([[10.0, 0, 4.2], [0, 11, 3.1], [0, 0, 1]])
    camera = sf3d.Camera.from_matrix(matrix, SMALL)
    for jacobian in ("exact", "raft3d"):
        with jax.enable_x64(True):
            found = refine(maps, camera, radius=2, jacobian=jacobian)
        expected = step_plainly(maps, matrix, 2, jacobian)
        difference = float(np.abs(np.asarray(found) - expected).max())
        yield {"what": f"field, Jacobian {jacobian}", "largest difference": difference}
    if quick:
        return
    rng = np.random.default_rng(1)
    weights = rng.normal(size=maps[0].shape)
    along = [rng.normal(size=x.shape) for x in maps[1:]]
    with jax.enable_x64(True):
        loss = jax.jit(lambda maps: (weights * refine(maps, camera, radius=2)).sum())
        at = lambda t: float(
            loss((maps[0], *(x + t * dx for x, dx in zip(maps[1:], along, strict=True))))
        )
        numeric = (at(1e-5) - at(-1e-5)) / 2e-5
        _, *gradient = jax.jit(jax.grad(loss))(maps)
    found = sum(np.vdot(g, dx) for g, dx in zip(gradient, along, strict=True))
    difference = float(abs(found - numeric) / abs(numeric))
    yield {"what": "gradient to finite differences, relative", "largest difference": difference}


def time_steps(repeats):
    """Forward and gradient to all maps in float32 at an eighth of 544 x 960."""
    maps = tuple(np.float32(x) for x in draw_maps(LARGE, CHANNELS))
    camera = sf3d.Camera.pinhole(100.0, 100.0, 59.5, 33.5, LARGE)
    step = lambda *maps: refine(maps, camera, radius=RADIUS)
    gradient = jax.grad(lambda *maps: (step(*maps) ** 2).sum(), tuple(range(6)))
    table = {"refine": Way(step, maps, False), "refine, gradient": Way(gradient, maps, False)}
    medians = race(table, repeats)
    rows = [
        {
            "way": name,
            "ms": medians[name],
            "ns a pair of pixels": 1e6 * medians[name] / (LARGE[0] * LARGE[1] * 33**2),
            "temporaries, MiB": round(way.temporary / 2**20, 1),
        }
        for name, way in table.items()
    ]
    ratios = {"gradient over forward": medians["refine, gradient"] / medians["refine"]}
    ratios |= {f"{row['way']}, temporaries, MiB": row["temporaries, MiB"] for row in rows}
    return rows, ratios


def report_steps(report, quick):
    report.add("rigid_field.refine, float64", list(compare_steps(quick)))
    title = "rigid_field.refine, 68 x 120, 16 channels, radius 16"
    report.add(title, *time_steps(2 if quick else 7))
