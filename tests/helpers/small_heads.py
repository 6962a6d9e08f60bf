"""Small heads for tests of the maker: an egg with a nose, and a face model with five joints."""

import numpy as np

from sf3d_jax import data


def make_egg(rings=12, spokes=16):
    """An egg of a head's size, and two targets: one pulls its nose, the other opens its mouth."""
    down = np.pi * np.arange(1, rings + 1) / (rings + 1)
    around = 2 * np.pi * np.arange(spokes) / spokes
    t, p = np.meshgrid(down, around, indexing="ij")
    unit = np.stack([np.sin(t) * np.sin(p), np.cos(t), np.sin(t) * np.cos(p)], -1).reshape(-1, 3)
    unit = np.concatenate([unit, [[0, 1, 0], [0, -1, 0]]])
    i, j = np.meshgrid(np.arange(rings - 1), np.arange(spokes), indexing="ij")
    a, b = i * spokes + j, i * spokes + (j + 1) % spokes
    quads = [(a, a + spokes, b + spokes), (a, b + spokes, b)]
    faces = [np.stack(x, -1).reshape(-1, 3) for x in quads]
    ring, last = np.arange(spokes), (rings - 1) * spokes
    turned = (ring + 1) % spokes
    faces.append(np.stack([ring, turned, np.full(spokes, len(unit) - 2)], -1))
    faces.append(np.stack([turned + last, ring + last, np.full(spokes, len(unit) - 1)], -1))
    bump = lambda at: np.exp(-((unit - at) ** 2).sum(-1) / 0.1)[:, None]
    targets = {
        "nose": bump([0, 0, 1]) * [0, 0.01, 0.02],
        "jawOpen": bump([0, -0.7, 0.7]) * [0, -0.02, 0],
    }
    mesh = np.concatenate(faces).astype(np.int32)
    return data.Mesh(unit * [0.08, 0.11, 0.09], mesh, targets=targets)


def save_model(path, shapes=8):
    """Writes a face model: the egg with random shapes and FLAME's five joints."""
    rng = np.random.default_rng(0)
    egg = make_egg()
    count = len(egg.vertices)
    weights = rng.random((count, 5))
    regressor = rng.random((5, count))
    arrays = {
        "v_template": egg.vertices,
        "shapedirs": 0.002 * rng.normal(size=(count, 3, shapes)),
        "posedirs": 0.0005 * rng.normal(size=(count, 3, 36)),
        "J_regressor": regressor / regressor.sum(1, keepdims=True),
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": np.array([[-1, 0, 1, 1, 1], [0, 1, 2, 3, 4]]),
        "f": egg.faces,
    }
    np.savez(path, **arrays)
    return arrays
