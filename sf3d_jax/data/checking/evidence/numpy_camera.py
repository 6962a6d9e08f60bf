"""A camera in NumPy and float64, for a few thousand pixels: precise, and without compilation."""

import dataclasses

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data.cameras import poses

_NEWTON_STEPS = 20
_STEP = 1e-6
_ARRIVED = 1e-13
_STEPS = _STEP * np.eye(2)


@dataclasses.dataclass(frozen=True)
class NumpyCamera:
    """A camera with the conventions and lens formulas of `sf3d_jax.Camera`.

    Attributes:
      focal: (2,), pixels.
      principal_point: (2,), pixels.
      pose: (3, 4), world to camera.
      distortion: (K,), empty for a pinhole.
      model: lens model, one of `Camera.model`.
    """

    focal: np.ndarray
    principal_point: np.ndarray
    pose: np.ndarray
    distortion: np.ndarray
    model: str

    @classmethod
    def of(cls, camera: Camera) -> "NumpyCamera":
        """Converts a camera to float64."""
        array = lambda x: np.asarray(x).astype(np.float64)
        coefficients = np.zeros(0) if camera.distortion is None else array(camera.distortion)
        return cls(
            array(camera.focal),
            array(camera.principal_point),
            array(camera.world_to_camera),
            coefficients,
            camera.model,
        )

    def rays(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the rays (x, y, 1) of pixels (n, 2); NaN where the lens has none."""
        plane = (pixels - self.principal_point) / self.focal
        if self.model != "pinhole":
            plane = _undistort(plane, self.model, self.distortion)
        return np.concatenate([plane, np.ones_like(plane[:, :1])], axis=1)

    def stretch(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the ratio of distance along the ray to depth along the axis, (n,)."""
        return np.linalg.norm(self.rays(pixels), axis=1)

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the pixels (n, 2) and inverse depths (n,) of points; NaN behind the camera."""
        depth = np.where(points[:, 2] > 0, points[:, 2], np.nan)
        plane = points[:, :2] / depth[:, None]
        if self.model != "pinhole":
            plane = _distort(plane, self.model, self.distortion)
        return plane * self.focal + self.principal_point, 1 / depth


def between(first: NumpyCamera, second: NumpyCamera) -> np.ndarray:
    """Returns the pose (3, 4) from the first camera's axes to the second's."""
    return poses.compose(second.pose, poses.invert(first.pose))


def is_same_view(first: NumpyCamera, second: NumpyCamera) -> bool:
    """Whether two cameras see the same image of a still world, to float32 rounding."""
    gap = between(first, second) - np.eye(3, 4)
    size = max(1.0, np.abs(first.pose[:, 3]).max(), np.abs(second.pose[:, 3]).max())
    if np.abs(gap).max() > 1e-6 * size or first.model != second.model:
        return False
    pairs = [(getattr(first, n), getattr(second, n)) for n in ("focal", "principal_point")]
    pairs.append((first.distortion, second.distortion))
    return all(a.shape == b.shape and np.allclose(a, b, rtol=1e-6, atol=1e-9) for a, b in pairs)


def _distort(plane: np.ndarray, model: str, k: np.ndarray) -> np.ndarray:
    x, y = plane[:, 0], plane[:, 1]
    s = x * x + y * y
    if model == "fisheye":
        radius = np.sqrt(s)
        angle = np.arctan(radius)
        powers = 1 + sum(c * angle ** (2 * i + 2) for i, c in enumerate(k))
        ratio = np.divide(angle, radius, out=np.ones_like(s), where=radius > 0)
        return plane * (ratio * powers)[:, None]
    k1, k2, p1, p2, k3, k4, k5, k6, s1, s2, s3, s4 = np.pad(k, (0, 12 - len(k)))
    growth = (1 + s * (k1 + s * (k2 + s * k3))) / (1 + s * (k4 + s * (k5 + s * k6)))
    u = x * growth + 2 * p1 * x * y + p2 * (s + 2 * x * x) + s * (s1 + s2 * s)
    v = y * growth + p1 * (s + 2 * y * y) + 2 * p2 * x * y + s * (s3 + s4 * s)
    return np.stack([u, v], axis=1)


def _undistort(plane: np.ndarray, model: str, k: np.ndarray) -> np.ndarray:
    """Inverts the distortion by Newton's method with a numeric derivative."""
    start = plane
    if model == "fisheye":  # an angle of 1.5 is 86 degrees
        radius = np.linalg.norm(plane, axis=1, keepdims=True)
        longer = np.tan(np.minimum(radius, 1.5))
        start = plane * np.divide(longer, radius, out=np.ones_like(radius), where=radius > 0)

    def see(points: np.ndarray) -> np.ndarray:
        return _distort(points, model, k)

    found = start
    with np.errstate(all="ignore"):
        for _ in range(_NEWTON_STEPS):
            missing = plane - see(found)
            by_x, by_y = ((see(found + e) - see(found - e)) / (2 * _STEP) for e in _STEPS)
            determinant = by_x[:, 0] * by_y[:, 1] - by_x[:, 1] * by_y[:, 0]
            dx = (by_y[:, 1] * missing[:, 0] - by_y[:, 0] * missing[:, 1]) / determinant
            dy = (by_x[:, 0] * missing[:, 1] - by_x[:, 1] * missing[:, 0]) / determinant
            found = found + np.stack([dx, dy], axis=1)
            if not np.abs(np.stack([dx, dy])).max(initial=0, where=np.isfinite(dx)) > _ARRIVED:
                break
        missed = np.abs(see(found) - plane).max(axis=1)
        reached = missed <= 1e-9 * (1 + np.abs(plane).max(axis=1))
    return np.where(reached[:, None], found, np.nan)
