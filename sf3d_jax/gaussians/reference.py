"""A slow, plain Flow Rasterizer: every Gaussian against every pixel, one by one.

It is the reference for tests of the fast one. It uses the textbook formulas with matrices, without
tiles, rewritten terms or a derivative of its own, and expects finite numbers and invertible
factors. Use it in float64. In float32, its products name their precision, because a GPU would
otherwise round their factors to ten bits.
"""

import functools
from collections.abc import Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp

from sf3d_jax.camera import Camera
from sf3d_jax.camera.projection import pixel_grid
from sf3d_jax.gaussians.harmonics import spherical_harmonics
from sf3d_jax.gaussians.motion import Annotation, Motion
from sf3d_jax.gaussians.rendering import Rendering
from sf3d_jax.gaussians.scene import Gaussians

_multiply = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)

# T at every pixel, and the sums so far by name.
_State: TypeAlias = tuple[jax.Array, dict[str, jax.Array]]


def render(
    gaussians: Gaussians,
    camera: Camera,
    *,
    background: jax.Array | float = 0.0,
    antialias: bool = False,
) -> Rendering:
    """Draws what `gaussians.render` draws.

    Args:
      gaussians: (N).
      camera: one pinhole.
      background: (C), or 0.
      antialias: fade Gaussians smaller than a pixel instead of enlarging them.

    Returns:
      The rendering.
    """
    sums = _sum_images(gaussians, [], None, camera, antialias)
    colors = sums["color"] + (1 - sums["alpha"])[..., None] * _per_pixel(background)
    there = sums["alpha"] > 0
    depth = jnp.where(there, sums["depth"] / jnp.where(there, sums["alpha"], 1), 1)
    return Rendering(colors, sums["alpha"], jnp.where(there, 1 / depth, 0), jnp.int32(0))


def render_motion(
    gaussians: Gaussians,
    next_gaussians: Gaussians,
    camera: Camera,
    next_camera: Camera | None = None,
    *,
    previous_gaussians: Gaussians | None = None,
    previous_camera: Camera | None = None,
    features: jax.Array | None = None,
    method: str = "mean",
    background: jax.Array | float = 0.0,
    antialias: bool = False,
) -> Annotation:
    """Draws what `gaussians.render_motion` draws.

    Args:
      gaussians: (N), the first time.
      next_gaussians: (N), the second time.
      camera: first camera, one pinhole.
      next_camera: camera of the second image, one pinhole; the first camera if None.
      previous_gaussians: (N), the time before the first, or None.
      previous_camera: camera of the previous image, one pinhole; the first camera if None.
      features: (N, K), or None.
      method: "mean" or "median".
      background: (C), or 0.
      antialias: fade Gaussians smaller than a pixel instead of enlarging them.

    Returns:
      The annotation.
    """
    others = [x for x in (next_gaussians, previous_gaussians) if x is not None]
    sums = _sum_images(gaussians, others, features, camera, antialias)
    forward = _find_motion(sums, "moved 0", camera, next_camera, method)
    valid, backward = forward.valid, None
    if previous_gaussians is not None:
        backward = _find_motion(sums, "moved 1", camera, previous_camera, method)
        valid = valid | backward.valid
    alpha = sums["alpha"]
    depth, square = (_divide(sums[name], alpha) for name in ("depth", "square"))
    mixed = (square - depth**2 > (0.01 * depth) ** 2) | (alpha < 0.9)
    (height, width), padded = mixed.shape, jnp.pad(mixed, 1)
    around = [padded[i : i + height, j : j + width] for i in range(3) for j in range(3)]
    z = _enter(_find_points(sums, "place", method), camera)[..., 2]
    return Annotation(
        colors=sums["color"] + (1 - alpha)[..., None] * _per_pixel(background),
        alpha=alpha,
        inv_depth=jnp.where(valid, 1 / jnp.where(valid, z, 1), 0),
        **forward._asdict(),
        edge=valid & jnp.stack(around).any(0),
        overflow=jnp.int32(0),
        features=None if features is None else sums["features"],
        backward=backward,
    )


def _divide(total: jax.Array, alpha: jax.Array) -> jax.Array:
    """A sum over the Gaussians of a pixel as their mean, where at least half of the light ends."""
    weight = jnp.where(alpha >= 0.5, alpha, 1)
    return total / weight.reshape(weight.shape + (1,) * (total.ndim - 2))


def _find_points(sums: dict[str, jax.Array], name: str, method: str) -> jax.Array:
    """X, or X' of a motion, in world axes."""
    return sums[f"median {name}"] if method == "median" else _divide(sums[name], sums["alpha"])


def _enter(points: jax.Array, camera: Camera) -> jax.Array:
    """Points in the axes of a camera."""
    rotation, shift = camera.world_to_camera[:, :3], camera.world_to_camera[:, 3]
    return _multiply(points, rotation.T) + _per_pixel(shift)


def _find_motion(
    sums: dict[str, jax.Array], name: str, camera: Camera, other: Camera | None, method: str
) -> Motion:
    """The motion from X to the X' of this name."""
    after = camera if other is None else other
    first, second = _find_points(sums, "place", method), _find_points(sums, name, method)
    x, y = _enter(first, camera), _enter(second, after)
    valid = (sums["alpha"] >= 0.5) & (x[..., 2] > 1e-9) & (y[..., 2] > 1e-9)
    x, y = (jnp.where(valid[..., None], point, 1) for point in (x, y))
    flow = _per_pixel(after.focal) * y[..., :2] / y[..., 2:] + _per_pixel(after.principal_point)
    flow = flow - pixel_grid(camera.size).astype(y.dtype)
    change = 1 / y[..., 2] - 1 / x[..., 2]
    motion = _multiply(second - first, camera.world_to_camera[:, :3].T)
    where = lambda x: jnp.where(valid.reshape(valid.shape + (1,) * (x.ndim - 2)), x, 0)
    return Motion(where(flow), where(change), where(motion), valid)


def _sum_images(
    gaussians: Gaussians,
    others: Sequence[Gaussians],
    features: jax.Array | None,
    camera: Camera,
    antialias: bool,
) -> dict[str, jax.Array]:
    """The sums over Gaussians at each pixel, points in world axes."""
    rotation, shift = camera.world_to_camera[:, :3], camera.world_to_camera[:, 3]
    eye = -_multiply(rotation.T, shift)
    uv = pixel_grid(camera.size).astype(gaussians.means.dtype)
    focal, point = _per_pixel(camera.focal), _per_pixel(camera.principal_point)
    rays = jnp.concatenate([(uv - point) / focal, jnp.ones_like(uv[..., :1])], -1)
    means = _multiply(gaussians.means, rotation.T) + shift[None]
    fixed = {"color": gaussians.colors}
    if fixed["color"].ndim == 3:
        fixed["color"] = spherical_harmonics(fixed["color"], gaussians.means - eye[None])
    if features is not None:
        fixed["features"] = features
    states = {"place": gaussians} | {f"moved {i}": x for i, x in enumerate(others)}

    def add(state: _State, k: jax.Array) -> tuple[_State, None]:
        clear, sums = state
        x, factor = means[k], _multiply(rotation, gaussians.factors[k])
        falloff, fade = _find_footprint(x, factor, camera, antialias)
        offset = uv - _per_pixel(camera.focal * x[:2] / x[2]) - _per_pixel(camera.principal_point)
        exponent = (_multiply(offset, falloff) * offset).sum(-1) / 2
        opacity = fade * gaussians.opacities[k]
        raw = jnp.where(x[2] > 0.01, opacity * jnp.exp(-exponent), 0)
        alpha = jnp.where(raw >= 1 / 255, jnp.minimum(raw, 0.99), 0)
        passed = clear * (1 - alpha)
        weight = jnp.where(passed > 1e-4, alpha * clear, 0)
        half = ((clear > 0.5) & (passed <= 0.5)).astype(clear.dtype)

        inverse = jnp.linalg.inv(factor)
        a, m = _multiply(rays, inverse.T), _multiply(inverse, x)
        depth = jnp.maximum(_multiply(a, m) / (a * a).sum(-1), 0)
        inner = a * depth[..., None] - _per_pixel(m)
        values = {"alpha": jnp.ones_like(depth), "depth": depth, "square": depth**2}
        values |= {name: _per_pixel(x[k]) for name, x in fixed.items()}
        points = {
            name: _multiply(inner, x.factors[k].T) + _per_pixel(x.means[k])
            for name, x in states.items()
        }
        shares = [(name, weight, value) for name, value in (values | points).items()]
        shares += [(f"median {name}", half, value) for name, value in points.items()]
        for name, share, value in shares:
            share = share.reshape(share.shape + (1,) * (value.ndim - 2))
            sums = sums | {name: sums[name] + share * value}
        return (passed, sums), None

    scalar, vector = jnp.zeros_like(uv[..., 0]), jnp.zeros_like(rays)
    nothing = {name: scalar for name in ("alpha", "depth", "square")}
    nothing |= {name: vector for x in states for name in (x, f"median {x}")}
    nothing |= {
        name: jnp.zeros((*scalar.shape, x.shape[-1]), uv.dtype) for name, x in fixed.items()
    }
    front_to_back = jnp.argsort(means[:, 2])
    return jax.lax.scan(add, (scalar + 1, nothing), front_to_back)[0][1]


def _per_pixel(x: jax.Array | float) -> jax.Array:
    """Numbers shared by all pixels, (1, 1, n)."""
    return jnp.reshape(jnp.asarray(x), (1, 1, -1))


def _find_footprint(
    x: jax.Array, factor: jax.Array, camera: Camera, antialias: bool
) -> tuple[jax.Array, jax.Array | float]:
    """The inverse covariance in the image, and the fading of a small Gaussian."""
    (fx, fy), (height, width) = camera.focal, camera.size
    size = jnp.array([width, height], x.dtype)
    low = (-0.5 - 0.15 * size - camera.principal_point) / camera.focal
    high = (1.15 * size - 0.5 - camera.principal_point) / camera.focal
    tx, ty = jnp.clip(x[:2] / x[2], low, high)
    slope = jnp.array([[fx, 0, -fx * tx], [0, fy, -fy * ty]]) / x[2]
    spread = _multiply(slope, factor)
    covariance = _multiply(spread, spread.T)
    wide = covariance + 0.3 * jnp.eye(2, dtype=x.dtype)
    ratio = jnp.linalg.det(covariance) / jnp.linalg.det(wide)
    return jnp.linalg.inv(wide), jnp.sqrt(ratio) if antialias else 1.0
