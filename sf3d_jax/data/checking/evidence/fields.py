"""Represents a sample as functions of pixels, so that only a few thousand are ever computed.

A field takes arrays of rows and columns of the same shape and returns the float64 values there.
Repairing a map means wrapping its field in another one.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from sf3d_jax.data.checking.evidence.numpy_camera import NumpyCamera, is_same_view
from sf3d_jax.samples import Sample

Field = Callable[[np.ndarray, np.ndarray], np.ndarray]

# Some formats mark unknown values by numbers above this one.
UNKNOWN = 1e9
# Radius in pixels of the window whose mean is removed from an image.
_RADIUS = 6
# {name in a `Sample`: name in `SampleFields`}
_MAPS = {
    **{name: name for name in ("image", "next_image", "flow", "inv_depth", "next_inv_depth")},
    **{name: name for name in ("scene_flow", "valid", "occlusion")},
    "inv_depth_change": "change",
}


@dataclasses.dataclass(frozen=True)
class SampleFields:
    """The maps of a sample as fields; missing maps are None.

    Attributes:
      size: (H, W).
      image, next_image: high-pass filtered images, as fields of numbers.
      flow, scene_flow: fields of vectors.
      inv_depth, change, next_inv_depth: fields of numbers.
      valid, occlusion: fields of 0 and 1.
      camera, next_camera: the cameras; there is no next one without a first one.
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
    camera: NumpyCamera | None = None
    next_camera: NumpyCamera | None = None

    @property
    def has_two_views(self) -> bool:
        """Whether there are two cameras that see a still world differently."""
        return (
            self.camera is not None
            and self.next_camera is not None
            and not is_same_view(self.camera, self.next_camera)
        )

    def field(self, name: str) -> Field | None:
        """Returns a map by its name."""
        return getattr(self, name)

    def has(self, *names: str) -> bool:
        """Whether all these maps exist."""
        return all(self.field(name) is not None for name in names)

    def with_maps(self, maps: Mapping[str, Field | None]) -> "SampleFields":
        """Replaces maps by name."""
        changes: dict[str, Any] = dict(maps)  # mypy cannot tell that no name is `size`
        return dataclasses.replace(self, **changes)

    def transform(self, names: Iterable[str], function: Callable[[Field], Field]) -> "SampleFields":
        """Applies a function to those of the named maps that exist."""
        given = {name: self.field(name) for name in names}
        return self.with_maps({n: function(x) for n, x in given.items() if x is not None})


@dataclasses.dataclass(frozen=True)
class Case:
    """The input of a check: a sample, that of the other direction, and the pixels to compare.

    Attributes:
      own: the sample to check.
      other: the opposite time direction; its first frame is the next one of `own`.
      rows, columns: (n,), pixels in random order.
      same_way: whether `own` was reversed, so that `other` has the same direction.
    """

    own: SampleFields
    other: SampleFields | None
    rows: np.ndarray
    columns: np.ndarray
    same_way: bool = False


def make_fields(sample: Sample) -> SampleFields:
    """Makes the fields of a sample that has at least one map, all of one size."""
    arrays = {name: np.asarray(x) for name in _MAPS if (x := getattr(sample, name)) is not None}
    height, width = next(iter(arrays.values())).shape[:2]
    first = None if sample.camera is None else NumpyCamera.of(sample.camera)
    after = None if first is None else sample.next_camera
    second = None if after is None else NumpyCamera.of(after)
    for name in {"image", "next_image"} & arrays.keys():
        arrays[name] = _extract_detail(arrays[name])
    fields = SampleFields((height, width), camera=first, next_camera=second)
    return fields.with_maps({_MAPS[name]: make_field(x) for name, x in arrays.items()})


def make_field(array: np.ndarray) -> Field:
    """Makes the field of an array [H, W, ...] for pixels inside it; unknown values become NaN."""
    height, width, *rest = array.shape
    # NumPy reads by one flat index several times faster than by row and column.
    flat = array.reshape(height * width, *rest)

    def at(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        picked = flat.take(rows * width + columns, axis=0).astype(np.float64)
        picked[np.abs(picked) > UNKNOWN] = np.nan
        return picked

    return at


def _extract_detail(picture: np.ndarray) -> np.ndarray:
    """Removes light and exposure from an image: high-passed [H, W], of about unit contrast."""
    grey = picture.astype(np.float64)
    grey = grey.mean(axis=-1) if grey.ndim == 3 else grey
    grey = _average_windows(np.where(np.isfinite(grey), grey, 0), 1)
    fine = grey - _average_windows(grey, _RADIUS)
    spread = np.sqrt(np.maximum(_average_windows(fine**2, _RADIUS), 0))
    usual = np.sqrt((fine**2).mean())
    if usual < 1e-6 * max(1.0, np.abs(grey).max()):
        return np.zeros(grey.shape, np.float32)
    return (fine / (spread + 0.3 * usual)).astype(np.float32)


def _average_windows(values: np.ndarray, radius: int) -> np.ndarray:
    """Computes the mean over windows that are clipped at the image's border."""
    for axis in range(2):
        length = values.shape[axis]
        sums = np.concatenate([np.zeros_like(values.take([0], axis)), values.cumsum(axis)], axis)
        first = np.maximum(np.arange(length) - radius, 0)
        last = np.minimum(np.arange(length) + radius + 1, length)
        count = (last - first).reshape((-1, 1) if axis == 0 else (1, -1))
        values = (sums.take(last, axis) - sums.take(first, axis)) / count
    return values
