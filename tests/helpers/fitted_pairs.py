"""Pairs of small images whose motion is known in closed form."""

import functools

import numpy as np

import sf3d_jax as sf3d

SIZE = (48, 64)


def texture(u, v, seed=0):
    """A smooth random pattern of the plane, three channels, at any real position."""
    rng = np.random.default_rng(seed)
    angles, phases = rng.uniform(0, 2 * np.pi, (2, 12, 3))
    lengths = rng.uniform(6, 24, (12, 3))
    waves = [
        np.sin(2 * np.pi * (np.cos(a) * u[..., None] + np.sin(a) * v[..., None]) / n + p)
        for a, n, p in zip(angles, lengths, phases, strict=True)
    ]
    return 0.5 + 0.1 * np.sum(waves, axis=0)


def grid(size=SIZE):
    return np.meshgrid(*(np.arange(n, dtype=float) for n in size[::-1]))


def affine_pair(matrix, shift, size=SIZE):
    """Two images and their flow, F = matrix (p - middle) + shift."""
    u, v = grid(size)
    middle = np.array([(size[1] - 1) / 2, (size[0] - 1) / 2])
    offset = np.stack([u, v], -1) - middle
    flow = offset @ np.transpose(matrix) + shift
    # The next image at q shows the point p with p + F(p) = q.
    source = (offset - shift) @ np.linalg.inv(np.eye(2) + matrix).T + middle
    pair = texture(u, v), texture(source[..., 0], source[..., 1])
    return *(np.float32(x) for x in pair), np.float32(flow)


@functools.cache
def patch_pair(shift=(14, -6)):
    """A square of 16 pixels that moves by more than half its width before a still ground."""
    u, v = grid()
    ground, square = texture(u, v), texture(u, v, 1)
    next_square = texture(u - shift[0], v - shift[1], 1)
    on = (u >= 16) & (u < 32) & (v >= 20) & (v < 36)
    next_on = np.roll(on, (shift[1], shift[0]), (0, 1))
    pair = (
        np.where(on[..., None], square, ground),
        np.where(next_on[..., None], next_square, ground),
    )
    flow = np.where(on[..., None], np.float64(shift), 0)
    return *(np.float32(x) for x in pair), flow, on, next_on & ~on


SHIFT = np.array([1.37, -0.62])


CAMERA = sf3d.Camera.pinhole(60.0, 60.0, 31.5, 23.5, SIZE)


@functools.cache
def wall_pair():
    """A slanted textured wall that comes nearer and aside, before a camera that stays."""
    u, v = grid()
    shift = np.array([0.03, -0.02, -0.08])
    normal = np.array([0.1, 0.05, -1.0])
    rays = np.stack([(u - 31.5) / 60, (v - 23.5) / 60, np.ones_like(u)], -1)
    depth = (normal @ [0, 0, 2.0]) / (rays @ normal)
    next_depth = (normal @ (shift + np.array([0, 0, 2.0]))) / (rays @ normal)
    points = rays * depth[..., None]
    own = rays * next_depth[..., None] - shift
    paint = lambda x: texture(60 * x[..., 0] / 2, 60 * x[..., 1] / 2)
    maps = paint(points), paint(own), 1 / depth, 1 / next_depth
    vectors = np.broadcast_to(shift, points.shape)
    moved = points + shift
    pixels = moved[..., :2] / moved[..., 2:] * 60 + [31.5, 23.5]
    flow = pixels - np.stack([u, v], -1)
    return [np.float32(x) for x in maps], vectors, flow, 1 / moved[..., 2] - 1 / depth
