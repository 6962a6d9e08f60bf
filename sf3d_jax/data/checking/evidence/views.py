"""A sample as functions of pixels, so that a few thousand pixels are all that is ever computed.

A field takes arrays of rows and columns, of one shape, and gives float64 values there. What a
hypothesis makes of a map is a field made of another.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from sf3d_jax.data.checking.evidence.optics import Optics, between, same_view
from sf3d_jax.samples import Sample

Field = Callable[[np.ndarray, np.ndarray], np.ndarray]

# From formats that mark what is not known with a huge number.
UNKNOWN = 1e9
_POINTS = 10_000
_USED = 4_000


@dataclasses.dataclass(frozen=True)
class View:
    """One direction of time; what is not known is None.

    Attributes:
      size: (H, W).
      image, next_image: fields of what is left of the images without their slow changes.
      flow, scene_flow: fields of vectors.
      inv_depth, change, next_inv_depth: fields of numbers.
      valid, occlusion: fields of 0 and 1.
      camera, next_camera: both or none.
    """

    size: tuple[int, int]
    image: Field | None = None
    next_image: Field | None = None
    flow: Field | None = None
    inv_depth: Field | None = None
    change: Field | None = None
    next_inv_depth: Field | None = None
    scene_flow: Field | None = None
    valid: Field | None = None
    occlusion: Field | None = None
    camera: Optics | None = None
    next_camera: Optics | None = None

    @property
    def informed(self) -> bool:
        """Whether there are two cameras that see a still world differently."""
        return (
            self.camera is not None
            and self.next_camera is not None
            and not same_view(self.camera, self.next_camera)
        )


@dataclasses.dataclass(frozen=True)
class Case:
    """A view, the view of the other direction, and the pixels to look at.

    Attributes:
      own: what is checked.
      other: the opposite direction; its first frame is the next one of `own`.
      rows, columns: (n,), of pixels in random order.
      same_way: whether `own` was turned round, so that `other` goes the same way.
    """

    own: View
    other: View | None
    rows: np.ndarray
    columns: np.ndarray
    same_way: bool = False


def view_of(sample: Sample) -> View:
    """The fields of a sample of which all shapes fit."""
    first = next(
        x for name in _MAPS if (x := getattr(sample, name)) is not None and np.ndim(x) >= 2
    )
    size = np.shape(first)[:2]
    fields: dict[str, Any] = {
        _NAMES.get(name, name): field_of(getattr(sample, name))
        for name in _MAPS[2:]
        if getattr(sample, name) is not None
    }
    for name in _MAPS[:2]:
        if (picture := getattr(sample, name)) is not None:
            fields[name] = field_of(detail(np.asarray(picture)))
    optics = lambda camera: None if camera is None else Optics.of(camera)
    first_camera = optics(sample.camera)
    after = None if first_camera is None else optics(sample.next_camera)
    size = int(size[0]), int(size[1])
    return View(size=size, camera=first_camera, next_camera=after, **fields)


_MAPS = (
    *("image", "next_image", "flow", "inv_depth", "inv_depth_change", "next_inv_depth"),
    *("scene_flow", "valid", "occlusion"),
)
_NAMES = {"inv_depth_change": "change"}


def field_of(values: object) -> Field:
    """The field of an array [H, W, ...]; unknown values are NaN."""
    array = np.asarray(values)

    def at(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        picked = array[rows, columns].astype(np.float64)
        return np.where(np.abs(picked) > UNKNOWN, np.nan, picked)

    return at


def detail(picture: np.ndarray) -> np.ndarray:
    """An image [H, W] without what changes slowly: light and exposure; of about unit contrast."""
    grey = picture.astype(np.float64)
    grey = grey.mean(axis=-1) if grey.ndim == 3 else grey
    grey = np.where(np.isfinite(grey), grey, 0)
    grey = _mean(grey, 1)
    fine = grey - _mean(grey, 6)
    spread = np.sqrt(np.maximum(_mean(fine**2, 6), 0))
    usual = np.sqrt((fine**2).mean())
    if usual < 1e-6 * max(1.0, np.abs(grey).max()):
        return np.zeros(grey.shape, np.float32)
    return (fine / (spread + 0.3 * usual)).astype(np.float32)


def _mean(values: np.ndarray, radius: int) -> np.ndarray:
    """The mean over windows that end at the border of the image."""
    for axis in range(2):
        length = values.shape[axis]
        sums = np.concatenate([np.zeros_like(values.take([0], axis)), values.cumsum(axis)], axis)
        first = np.maximum(np.arange(length) - radius, 0)
        last = np.minimum(np.arange(length) + radius + 1, length)
        count = (last - first).reshape((-1, 1) if axis == 0 else (1, -1))
        values = (sums.take(last, axis) - sums.take(first, axis)) / count
    return values


def chosen_pixels(size: tuple[int, int], valid: object) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of pixels in random, always the same order: of all, and of valid ones."""
    rng = np.random.default_rng(0)
    count = size[0] * size[1]
    picked = rng.permutation(count) if count <= _POINTS else rng.integers(count, size=_POINTS)
    if valid is not None and count > _POINTS:
        inside = np.flatnonzero(np.asarray(valid))
        if len(inside):
            picked = np.concatenate([picked, rng.choice(inside, min(_POINTS, len(inside)))])
        picked = rng.permutation(np.unique(picked))
    return np.divmod(picked, size[1])


class Points(NamedTuple):
    """Pixels of the first frame of a view.

    Attributes:
      rows, columns: (n,).
      pixels: (n, 2), (u, v).
    """

    rows: np.ndarray
    columns: np.ndarray
    pixels: np.ndarray

    def at(self, field: Field) -> np.ndarray:
        """The values of a field."""
        return field(self.rows, self.columns)

    def where(self, keep: np.ndarray) -> "Points":
        """Some of the points, at most as many as are used."""
        index = np.flatnonzero(keep)[:_USED]
        return Points(self.rows[index], self.columns[index], self.pixels[index])


def all_points(case: Case) -> Points:
    """The pixels of a case."""
    return Points(case.rows, case.columns, np.stack([case.columns, case.rows], 1).astype(float))


def known_points(case: Case, *, visible: bool = False) -> Points:
    """Those of the pixels that are valid, and not hidden where that is asked and known."""
    points = all_points(case)
    keep = np.ones(len(points.rows), bool)
    if case.own.valid is not None:
        keep &= points.at(case.own.valid) > 0
    if visible and case.own.occlusion is not None:
        keep &= points.at(case.own.occlusion) == 0
    return points.where(keep)


class Sampled(NamedTuple):
    """Values between pixels.

    Attributes:
      values: (n, ...), NaN outside the image and where a neighbour is NaN.
      corners: (4, n, ...), at the four pixels around.
    """

    values: np.ndarray
    corners: np.ndarray


def sampled(field: Field, pixels: np.ndarray, size: tuple[int, int]) -> Sampled:
    """The values of a field at places (n, 2) between the pixels, bilinearly."""
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
    return Sampled(np.where(inside, values, np.nan), corners)


def rigid(view: View, points: Points) -> tuple[np.ndarray, np.ndarray]:
    """(flow, change of the inverse depth) of a still world; NaN where there is no surface."""
    assert view.camera is not None and view.next_camera is not None and view.inv_depth is not None
    inv_depth = points.at(view.inv_depth)
    inv_depth = np.where(inv_depth > 0, inv_depth, np.nan)
    pose = between(view.camera, view.next_camera)
    seen = view.camera.ray(points.pixels) / inv_depth[:, None] @ pose[:, :3].T + pose[:, 3]
    pixels, after = view.next_camera.seen(seen)
    return pixels - points.pixels, after - inv_depth
