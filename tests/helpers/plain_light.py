"""The light on a surface in plain float64: the formulas of `sf3d_jax.making.lights`, written."""

import numpy as np

from sf3d_jax.making.lights import BLEED, BOUNCES, WRAP


def harmonics(x, y, z):
    """The nine real harmonics up to degree 2, with the numbers of Ramamoorthi and Hanrahan."""
    return np.array(
        [
            *(0.282095, 0.488603 * y, 0.488603 * z, 0.488603 * x),
            *(1.092548 * x * y, 1.092548 * y * z, 0.315392 * (3 * z * z - 1)),
            *(1.092548 * x * z, 0.546274 * (x * x - y * y)),
        ]
    )


def light_plainly(lights, normals, reflectance, ambient, shares):
    """Light on pieces, one piece, one light and one colour at a time."""
    found = np.zeros((len(normals), 3))
    room = np.asarray(lights.room, float)
    for n, normal in enumerate(np.asarray(normals, float)):
        length = np.linalg.norm(normal)
        unit = normal / length if length > 0 else normal
        for c in range(3):
            a, r = float(ambient[n]), float(reflectance[n, c])
            cubic, square, line = (slope * r + offset for slope, offset in BOUNCES)
            seen = max(a, cubic * a**3 + square * a**2 + line * a)
            total = seen * max((harmonics(*unit) * room[:, c]).sum(), 0)
            for i, size in enumerate(lights.sizes):
                wrap = size / 2 + WRAP[c]
                facing = max(0, (unit @ lights.directions[i] + wrap) / (1 + wrap))
                total += lights.colors[i, c] * float(shares[n, i]) ** BLEED[c] * facing
            found[n, c] = total
    return found
