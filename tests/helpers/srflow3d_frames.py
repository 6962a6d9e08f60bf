"""Frames that a writer of SRFlow3D takes, random."""

import numpy as np
from helpers import support

import sf3d_jax as sf3d
from sf3d_jax.data import Motion

SIZE = (12, 16)
SCALE = 1.75


def frame(i, size=SIZE):
    """All that is known of a frame, random."""
    rng = np.random.default_rng(i)
    pose = support.pose([0.01 * i, 0.02, -0.01], [0.1 * i, 0, 0.3])
    motion = lambda: Motion(
        np.float32(rng.normal(size=(*size, 2))), np.float32(rng.normal(0, 0.01, size))
    )
    mask = np.zeros(size, bool)
    mask[: size[0] // 2] = True
    inv_depth = np.where(mask, rng.uniform(0.5, 2, size), 0)
    return {
        "camera": sf3d.Camera.pinhole(20.1, 19.9, 8.3, 5.7, size, pose),
        "image": np.uint8(rng.integers(0, 255, (1, 1, 3)) * np.ones((*size, 1))),
        "mask": mask,
        "inv_depth": np.float32(inv_depth),
        "forward": motion() if i < 2 else None,
        "backward": motion() if i > 0 else None,
    }
