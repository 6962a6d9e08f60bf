"""Chooses the pixels at which fields are read, and interpolates fields between pixels."""

from typing import NamedTuple

import numpy as np

from sf3d_jax.data.checking.evidence.fields import Case, Field, SampleFields
from sf3d_jax.data.checking.evidence.numpy_camera import between

_POINTS = 10_000
_USED = 4_000


class PixelSet(NamedTuple):
    """Pixels of the first frame.

    Attributes:
      rows, columns: (n,).
      pixels: (n, 2), (u, v).
    """

    rows: np.ndarray
    columns: np.ndarray
    pixels: np.ndarray

    def at(self, field: Field) -> np.ndarray:
        """Returns the values of a field at the pixels."""
        return field(self.rows, self.columns)

    def where(self, keep: np.ndarray) -> "PixelSet":
        """Selects pixels by a mask, at most _USED of them."""
        index = np.flatnonzero(keep)[:_USED]
        return PixelSet(self.rows[index], self.columns[index], self.pixels[index])


def choose_pixels(size: tuple[int, int], valid: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Chooses rows and columns from all pixels and from valid ones, in a fixed random order."""
    rng = np.random.default_rng(0)
    count = size[0] * size[1]
    picked = rng.permutation(count) if count <= _POINTS else rng.integers(count, size=_POINTS)
    if valid is not None and count > _POINTS:
        inside = np.flatnonzero(valid)
        if len(inside):
            picked = np.concatenate([picked, rng.choice(inside, min(_POINTS, len(inside)))])
        picked = rng.permutation(np.unique(picked))
    return np.divmod(picked, size[1])


def select_all_points(case: Case) -> PixelSet:
    """Returns the pixels of a case."""
    return PixelSet(case.rows, case.columns, np.stack([case.columns, case.rows], 1).astype(float))


def select_known_points(case: Case, *, visible: bool = False) -> PixelSet:
    """Returns the valid pixels; `visible` leaves out occluded ones."""
    points = select_all_points(case)
    keep = np.ones(len(points.rows), bool)
    if case.own.valid is not None:
        keep &= points.at(case.own.valid) > 0
    if visible and case.own.occlusion is not None:
        keep &= points.at(case.own.occlusion) == 0
    return points.where(keep)


class Interpolated(NamedTuple):
    """Values between pixels.

    Attributes:
      values: (n, ...), NaN outside the image and where a neighbour is NaN.
      corners: (4, n, ...), values at the four surrounding pixels.
    """

    values: np.ndarray
    corners: np.ndarray


def interpolate(field: Field, pixels: np.ndarray, size: tuple[int, int]) -> Interpolated:
    """Interpolates a field bilinearly at positions (n, 2)."""
    limit = np.array([size[1] - 1, size[0] - 1])
    inside = (np.isfinite(pixels) & (pixels >= 0) & (pixels <= limit)).all(axis=1)
    places = np.where(inside[:, None], pixels, 0)
    low = np.minimum(np.floor(places), np.maximum(limit - 1, 0)).astype(int)
    high = np.minimum(low + 1, limit)
    part = places - low
    (left, top), (right, bottom) = low.T, high.T
    rows, columns = np.stack([top, top, bottom, bottom]), np.stack([left, right, left, right])
    corners = field(rows, columns)
    u, v = part.T
    weights = np.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v])
    weights = weights.reshape(weights.shape + (1,) * (corners.ndim - 2))
    values = np.where(weights > 0, weights * corners, 0).sum(axis=0)
    inside = inside.reshape(inside.shape + (1,) * (values.ndim - 1))
    return Interpolated(np.where(inside, values, np.nan), corners)


def find_flow_ends(flow: Field, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Returns the positions (n, 2) in the next frame to which pixels move."""
    return (np.stack([columns, rows], -1) + flow(rows, columns)).reshape(-1, 2)


def read_at_ends(field: Field, flow: Field, size: tuple[int, int]) -> Field:
    """Makes a field that reads a field of the next frame at the ends of the flow."""

    def at(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        values = interpolate(field, find_flow_ends(flow, rows, columns), size).values
        return values.reshape(rows.shape + values.shape[1:])

    return at


class StillMotion(NamedTuple):
    """Apparent motion of a still world between two cameras; NaN where there is no surface.

    Attributes:
      flow: (n, 2), in pixels.
      change: (n,), change of the inverse depth.
    """

    flow: np.ndarray
    change: np.ndarray


def compute_still_motion(fields: SampleFields, points: PixelSet) -> StillMotion:
    """Computes the motion of a still world; needs the inverse depth and both cameras."""
    camera, second, depth = fields.camera, fields.next_camera, fields.inv_depth
    assert camera is not None and second is not None and depth is not None
    inv_depth = points.at(depth)
    inv_depth = np.where(inv_depth > 0, inv_depth, np.nan)
    pose = between(camera, second)
    seen = camera.rays(points.pixels) / inv_depth[:, None] @ pose[:, :3].T + pose[:, 3]
    pixels, after = second.project(seen)
    return StillMotion(pixels - points.pixels, after - inv_depth)
