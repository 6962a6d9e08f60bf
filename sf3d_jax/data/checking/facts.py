"""What is wrong whatever the rest says: shapes, kinds of numbers, and what is not known."""

import dataclasses
from typing import Any

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.checking.evidence.measures import has_content
from sf3d_jax.data.checking.evidence.views import UNKNOWN, Case, Points
from sf3d_jax.data.checking.report import Finding
from sf3d_jax.samples import Sample

_IMAGES = ("image", "next_image")
_MOTION = ("flow", "inv_depth_change", "scene_flow")
_CHANNELS = {"flow": 2, "scene_flow": 3}
_MASKS = ("valid", "occlusion")
_MAPS = (*_IMAGES, "flow", "inv_depth", "inv_depth_change", "next_inv_depth", "scene_flow", *_MASKS)
_CAMERAS = ("camera", "next_camera")
# At the border of a mask a pixel or two may differ from the depth; inside it none may.
_BORDER = 2
_BORDER_SHARE = 0.01


def with_arrays(sample: Sample) -> Sample:
    """The sample with NumPy arrays."""
    maps: dict[str, Any] = {
        n: np.asarray(x) for n in _MAPS if (x := getattr(sample, n)) is not None
    }
    return dataclasses.replace(sample, **maps)


def shape_facts(sample: Sample) -> tuple[Sample, list[Finding]]:
    """What does not fit by its shape or its kind of numbers.

    Args:
      sample: of NumPy arrays.

    Returns:
      The sample without what cannot be compared, and the findings.
    """
    findings: list[Finding] = []
    keep: dict[str, Any] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for name in _MAPS:
        if (x := getattr(sample, name)) is None:
            continue
        if (said := _kind(name, x)) is not None:
            findings.append(said)
        keep[name] = _usable(name, x)
        if keep[name] is not None:
            shapes[name] = x.shape[:2]
    size = _common(list(shapes.values()))
    for name, shape in shapes.items():
        if shape != size:
            keep[name] = None
            findings.append(_size(name, shape, size))
    cameras, of_cameras = _cameras(sample, size)
    return dataclasses.replace(sample, **keep, **cameras), [*findings, *of_cameras]


def _common(shapes: list[tuple[int, ...]]) -> tuple[int, ...] | None:
    """The size that most have; of two, the first."""
    return max(shapes, key=shapes.count) if shapes else None


def _size(name: str, shape: Any, size: Any) -> Finding:
    (height, width), (rows, columns) = shape, size
    numbers = {"width": width, "height": height, "width of others": columns}
    numbers["height of others"] = rows
    message = f"{name} is {width} x {height}, where the rest is {columns} x {rows}"
    return Finding("size", message, numbers, "resize the one or the other, camera and flow too")


def _usable(name: str, x: np.ndarray) -> np.ndarray | None:
    """The map if it has an understood shape and real numbers; a mask as bool."""
    trailing = 1 if name in _IMAGES or name in _CHANNELS else 0
    grey = name in _IMAGES and x.ndim == 2
    if not (x.ndim == 2 + trailing or grey) or x.size == 0:
        return None
    if name in _CHANNELS and x.shape[-1] != _CHANNELS[name]:
        return None
    if not (x.dtype == bool or np.can_cast(x.dtype, np.float64, "same_kind")):
        return None
    return np.nan_to_num(x.astype(np.float64)) > 0 if name in _MASKS else x


def _kind(name: str, x: np.ndarray) -> Finding | None:
    """A wrong shape or kind of numbers, if it is one."""
    if _usable(name, x) is None:
        wanted = {"flow": "[H, W, 2]", "scene_flow": "[H, W, 3]"}.get(name, "[H, W]")
        wanted = "[H, W, C]" if name in _IMAGES else wanted
        message = f"{name} has the shape {list(x.shape)} of {x.dtype}, where {wanted} is expected"
        return Finding("size", message, {}, "one sample without a batch axis, channels last")
    if name in _MASKS and x.dtype != bool:
        explanation = "a mask is bool; compare its codes with a threshold"
        return Finding("dtype", f"{name} is {x.dtype}, not bool", {}, explanation, 0.9)
    if name not in (*_MASKS, *_IMAGES) and not _is_float(x):
        explanation = "these may be codes of a file that were not decoded"
        return Finding("dtype", f"{name} is {x.dtype}, not floating", {}, explanation, 0.9)
    return None


def _is_float(x: np.ndarray) -> bool:
    return x.dtype.kind == "f" or "float" in x.dtype.name


def _cameras(sample: Sample, size: Any) -> tuple[dict[str, Any], list[Finding]]:
    keep: dict[str, Any] = {}
    findings = []
    for name in _CAMERAS:
        camera: Camera | None = getattr(sample, name)
        if camera is None:
            continue
        parts = camera.focal, camera.principal_point, camera.world_to_camera
        numbers = np.concatenate([np.asarray(x).astype(float).ravel() for x in parts])
        if len(numbers) != 16:
            raise ValueError(f"{name}: expected one camera without a batch axis, got a batch")
        if not np.isfinite(numbers).all() or not (numbers[:2] > 0).all():
            keep[name] = None
            message = f"{name} has numbers that are not finite, or a focal length below 0"
            findings.append(Finding("camera", message, {"focal": float(numbers[0])}))
        elif not poses.is_rigid(camera.world_to_camera):
            keep[name] = None
            findings.append(_not_rigid(name, camera))
        if size is not None and tuple(camera.size) != tuple(size):
            findings.append(_size(name, camera.size, size))
    if keep.get("camera", 0) is None:
        keep["next_camera"] = None
    return keep, findings


def _not_rigid(name: str, camera: Camera) -> Finding:
    rotation = np.asarray(camera.world_to_camera, np.float64)[:, :3]
    determinant = float(np.linalg.det(rotation))
    message = f"the pose of {name} is no rotation and translation"
    mirrored = "the axes are mirrored: an odd number of them was negated or exchanged"
    scaled = "the rotation is scaled or sheared: it may be another matrix, or be read in another "
    why = mirrored if abs(determinant + 1) < 0.05 else f"{scaled}order"
    return Finding("pose_not_rigid", message, {"determinant": determinant}, why)


def value_facts(sample: Sample) -> list[Finding]:
    """Values that are claimed and not there.

    Args:
      sample: of which all shapes fit.

    Returns:
      The findings.
    """
    maps = {n: x for n in (*_MOTION, "inv_depth") if (x := getattr(sample, n)) is not None}
    if sample.valid is not None and not sample.valid.any():
        message = "not a single pixel is valid"
        why = "an empty mask, or one that was read with a wrong threshold"
        return [Finding("nothing_known", message, {"valid pixels": 0}, why)]
    findings = [_nothing(name, x) for name, x in maps.items()]
    if sample.next_inv_depth is not None:
        findings.append(_nothing("next_inv_depth", sample.next_inv_depth))
    for name, x in maps.items():
        # Without a mask an inverse depth of NaN is no surface, and nothing is claimed.
        if name != "inv_depth" or sample.valid is not None:
            findings += _not_finite(name, x, sample.valid)
    return [finding for finding in findings if finding is not None]


def _nothing(name: str, x: np.ndarray) -> Finding | None:
    known = np.isfinite(x) & (np.abs(x.astype(np.float64)) <= UNKNOWN)
    if name in ("inv_depth", "next_inv_depth"):
        known &= x != 0
    if known.any():
        return None
    return Finding("nothing_known", f"{name} has not a single value", {"known values": 0})


def _not_finite(name: str, x: np.ndarray, valid: np.ndarray | None) -> list[Finding]:
    claimed = np.ones(x.shape[:2], bool) if valid is None else valid
    values = x[claimed].astype(np.float64).reshape(claimed.sum(), -1)
    findings = []
    for kind, bad, why in (
        ("not_finite", ~np.isfinite(values), "NaN or infinity marks unknown values: mask them"),
        (
            "unknown_values",
            np.isfinite(values) & (np.abs(values) > UNKNOWN),
            "numbers above 1e9 mark unknown values, as in .flo files: mask them",
        ),
    ):
        if (count := int(bad.any(axis=1).sum())) and count < len(values):
            share = count / len(values)
            message = f"{name} is {'not finite' if kind == 'not_finite' else 'above 1e9'} in "
            message += f"{count} of the {len(values)} {'' if valid is None else 'valid '}pixels"
            findings.append(Finding(kind, message, {"pixels": count, "share": share}, why))
    return findings


def mask_facts(case: Case) -> list[Finding]:
    """Valid pixels without a surface, after what is explained was undone.

    Args:
      case: what is meant.

    Returns:
      The findings.
    """
    own = case.own
    if own.valid is None or own.inv_depth is None:
        return []
    height, width = own.size
    rows, columns = np.divmod(np.arange(height * width), width)
    valid = own.valid(rows, columns) > 0
    with np.errstate(all="ignore"):
        d = own.inv_depth(rows, columns)
        # What is NaN is named elsewhere; the sky is tested on the pixels of the check alone.
        empty = valid & (d <= 0)
        sky = has_content(case, Points(rows, columns, np.stack([columns, rows], 1).astype(float)))
    count, negative = int((empty & ~sky).sum()), int((empty & (d < 0)).sum())
    count = max(count, negative)
    inside = empty & ~sky & _inside(valid.reshape(own.size)).ravel()
    share = count / max(1, int(valid.sum()))
    if count == 0 or count == valid.sum() or (not inside.any() and share < _BORDER_SHARE):
        return []
    message = f"{count} of the {int(valid.sum())} valid pixels have no depth"
    numbers = {"pixels": count, "share": share, "negative": negative}
    why = "the mask claims more than the depth map has: a mask of the motion must leave them out"
    return [Finding("valid_without_depth", message, numbers, why, min(1.0, 0.5 + 10 * share))]


def _inside(valid: np.ndarray) -> np.ndarray:
    """Where all pixels within the width of a border are valid."""
    for axis in range(2):
        grown = valid.copy()
        for shift in range(1, _BORDER + 1):
            for sign in (1, -1):
                moved = np.roll(valid, sign * shift, axis)
                edge = slice(None, shift) if sign > 0 else slice(-shift, None)
                index = (edge, slice(None)) if axis == 0 else (slice(None), edge)
                moved[index] = True
                grown &= moved
        valid = grown
    return valid
