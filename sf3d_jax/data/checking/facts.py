"""Faults visible without comparing maps: shapes, dtypes, missing values, cameras and masks."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data.cameras import poses
from sf3d_jax.data.checking.evidence.fields import UNKNOWN, Case
from sf3d_jax.data.checking.evidence.points import PixelSet
from sf3d_jax.data.checking.evidence.within import has_content
from sf3d_jax.data.checking.report import Finding
from sf3d_jax.data.maps.masks import erode_square
from sf3d_jax.samples import Sample

_IMAGES = ("image", "next_image")
_MOTION = ("flow", "inv_depth_change", "scene_flow")
_CHANNELS = {"flow": 2, "scene_flow": 3}
_MASKS = ("valid", "occlusion")
_MAPS = (*_IMAGES, "flow", "inv_depth", "inv_depth_change", "next_inv_depth", "scene_flow", *_MASKS)
_CAMERAS = ("camera", "next_camera")
# Finding for intrinsics of another resolution; the name is that of the corresponding fault.
RESOLUTION = "focal"
# Log ratios, in x and y, of the principal point to the image's centre. For intrinsics of another
# resolution both are about equal: -.69 for half, .69 for double.
_SAME_RATIO = 0.2
_OTHER_RATIO = 0.35
# A mask may differ from the depth in one or two pixels at its border, but not inside.
_BORDER = 2
_BORDER_SHARE = 0.01


def convert_to_numpy(sample: Sample) -> Sample:
    """Returns the sample with NumPy arrays."""
    return _replace(sample, {name: np.asarray(x) for name, x in _list_maps(sample).items()})


def _list_maps(sample: Sample) -> dict[str, np.ndarray]:
    return {name: x for name in _MAPS if (x := getattr(sample, name)) is not None}


def _replace(sample: Sample, changes: Mapping[str, np.ndarray | Camera | None]) -> Sample:
    fields: dict[str, Any] = dict(changes)  # the type depends on the name
    return dataclasses.replace(sample, **fields)


def check_shapes(sample: Sample) -> tuple[Sample, list[Finding]]:
    """Removes the maps and cameras that cannot be compared, and reports why."""
    findings: list[Finding] = []
    keep: dict[str, np.ndarray | None] = {}
    sizes: dict[str, tuple[int, int]] = {}
    for name, x in _list_maps(sample).items():
        keep[name] = _convert(name, x)
        findings += _check_kind(name, x)
        if keep[name] is not None:
            sizes[name] = x.shape[0], x.shape[1]
    # The most common size; the first one in a tie.
    counts = list(sizes.values())
    size = max(counts, key=counts.count) if counts else None
    for name, its_size in sizes.items():
        if size is not None and its_size != size:
            keep[name] = None
            findings.append(_report_size(name, its_size, size))
    cameras, of_cameras = _check_cameras(sample, size)
    return _replace(sample, {**keep, **cameras}), [*findings, *of_cameras]


def _report_size(name: str, its_size: tuple[int, int], size: tuple[int, int]) -> Finding:
    (height, width), (rows, columns) = its_size, size
    numbers: dict[str, float] = {"width": width, "height": height}
    numbers |= {"width of others": columns, "height of others": rows}
    message = f"{name} is {width} x {height}, but the rest is {columns} x {rows}"
    return Finding("size", message, numbers, "resize one of them, including camera and flow")


def _convert(name: str, x: np.ndarray) -> np.ndarray | None:
    """Returns the map, or None if its shape or dtype is not supported; masks become bool."""
    trailing = 1 if name in _IMAGES or name in _CHANNELS else 0
    is_grey = name in _IMAGES and x.ndim == 2
    if not (x.ndim == 2 + trailing or is_grey) or x.size == 0:
        return None
    if name in _CHANNELS and x.shape[-1] != _CHANNELS[name]:
        return None
    if not (x.dtype == bool or np.can_cast(x.dtype, np.float64, "same_kind")):
        return None
    return np.nan_to_num(x.astype(np.float64)) > 0 if name in _MASKS else x


def _check_kind(name: str, x: np.ndarray) -> list[Finding]:
    """Reports an unsupported shape or dtype."""
    if _convert(name, x) is None:
        wanted = {"flow": "[H, W, 2]", "scene_flow": "[H, W, 3]"}.get(name, "[H, W]")
        wanted = "[H, W, C]" if name in _IMAGES else wanted
        message = f"{name} has the shape {list(x.shape)} and dtype {x.dtype}; expected {wanted}"
        return [Finding("size", message, {}, "pass one sample without batch axis, channels last")]
    if name in _MASKS and x.dtype != bool:
        explanation = "a mask must be bool; compare its codes with a threshold"
        return [Finding("dtype", f"{name} is {x.dtype}, not bool", {}, explanation, 0.9)]
    is_float = x.dtype.kind == "f" or "float" in x.dtype.name  # bfloat16 has another kind
    if name not in (*_MASKS, *_IMAGES) and not is_float:
        explanation = "these may be a file's codes that were not decoded"
        return [Finding("dtype", f"{name} is {x.dtype}, not floating-point", {}, explanation, 0.9)]
    return []


def _check_cameras(
    sample: Sample, size: tuple[int, int] | None
) -> tuple[dict[str, None], list[Finding]]:
    """Returns the unusable cameras, each as None, and the findings about all cameras."""
    unusable: dict[str, None] = {}
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
            unusable[name] = None
            message = f"{name} has non-finite values, or a focal length that is not positive"
            findings.append(Finding("camera", message, {"focal": float(numbers[0])}))
        elif not poses.is_rigid(camera.world_to_camera):
            unusable[name] = None
            findings.append(_report_pose(name, camera))
        elif (other := _find_other_size(camera)) is not None:
            findings.append(_report_resolution(name, camera, other))
        height, width = camera.size
        if size is not None and (height, width) != size:
            findings.append(_report_size(name, (height, width), size))
    if "camera" in unusable:
        unusable["next_camera"] = None
    return unusable, findings


def _find_other_size(camera: Camera) -> tuple[float, float] | None:
    """Returns the (W, H) whose centre is the principal point, if clearly not the camera's size.

    In a cropped image the principal point may be anywhere, but then the two ratios rarely agree.
    """
    twice = 2 * np.asarray(camera.principal_point).astype(float) + 1
    sides = np.array(camera.size[::-1])
    if not (twice > 0).all():
        return None
    x, y = np.log(twice / sides)
    if abs(x - y) > _SAME_RATIO or min(abs(x), abs(y)) < _OTHER_RATIO:
        return None
    width, height = twice
    return float(width), float(height)


def _report_resolution(name: str, camera: Camera, other: tuple[float, float]) -> Finding:
    height, width = camera.size
    x, y = np.asarray(camera.principal_point).astype(float)
    factor = float(np.sqrt(width * height / (other[0] * other[1])))
    numbers = {"x": x, "y": y, "width": width, "height": height, "factor": factor}
    message = (
        f"the principal point ({x:g}, {y:g}) of {name} is the centre of an image of about "
        f"{other[0]:.0f} x {other[1]:.0f} pixels, not of {width} x {height}"
    )
    why = (
        "focal length and principal point belong to another resolution; multiply them by about "
        f"{factor:.3g}. If the image was cropped from a larger one, they may be right"
    )
    return Finding(RESOLUTION, message, numbers, why, 0.7)


def _report_pose(name: str, camera: Camera) -> Finding:
    rotation = np.asarray(camera.world_to_camera, np.float64)[:, :3]
    determinant = float(np.linalg.det(rotation))
    message = f"the pose of {name} is not a rotation and translation"
    mirrored = "the axes are mirrored: an odd number of them was negated or exchanged"
    scaled = "the rotation is scaled or sheared: it may be another matrix, or be in another "
    why = mirrored if abs(determinant + 1) < 0.05 else f"{scaled}order"
    return Finding("pose_not_rigid", message, {"determinant": determinant}, why)


def check_values(sample: Sample) -> list[Finding]:
    """Reports missing values, and unknown values at valid pixels; all shapes must fit."""
    maps = {n: x for n in (*_MOTION, "inv_depth") if (x := getattr(sample, n)) is not None}
    if sample.valid is not None and not sample.valid.any():
        message = "no pixel is valid"
        why = "the mask is empty, or was read with a wrong threshold"
        return [Finding("nothing_known", message, {"valid pixels": 0}, why)]
    after = {} if sample.next_inv_depth is None else {"next_inv_depth": sample.next_inv_depth}
    findings = [
        Finding("nothing_known", f"{name} has no known values", {"known values": 0})
        for name, x in (maps | after).items()
        if not _has_values(name, x)
    ]
    for name, x in maps.items():
        # Without a mask, NaN in an inverse depth means that there is no surface.
        if name != "inv_depth" or sample.valid is not None:
            findings += _report_unknown_values(name, x, sample.valid)
    return findings


def _has_values(name: str, x: np.ndarray) -> bool:
    known = np.isfinite(x) & (np.abs(x.astype(np.float64)) <= UNKNOWN)
    if name in ("inv_depth", "next_inv_depth"):
        known &= x != 0
    return bool(known.any())


def _report_unknown_values(name: str, x: np.ndarray, valid: np.ndarray | None) -> list[Finding]:
    """Reports unknown values at pixels that are claimed to be valid."""
    claimed = np.ones(x.shape[:2], bool) if valid is None else valid
    values = x[claimed].astype(np.float64).reshape(claimed.sum(), -1)
    findings = []
    finite, above = np.isfinite(values), np.abs(values) > UNKNOWN
    marked = "NaN or infinity marks unknown values: mask them"
    coded = "numbers above 1e9 mark unknown values, as in .flo files: mask them"
    for kind, bad, is_what, why in (
        ("not_finite", ~finite, "not finite", marked),
        ("unknown_values", finite & above, "above 1e9", coded),
    ):
        if (count := int(bad.any(axis=1).sum())) and count < len(values):
            share = count / len(values)
            which = "pixels" if valid is None else "valid pixels"
            message = f"{name} is {is_what} in {count} of the {len(values)} {which}"
            findings.append(Finding(kind, message, {"pixels": count, "share": share}, why))
    return findings


def check_mask(case: Case) -> list[Finding]:
    """Reports valid pixels without a surface, after explained faults were undone."""
    own = case.own
    if own.valid is None or own.inv_depth is None:
        return []
    height, width = own.size
    rows, columns = np.divmod(np.arange(height * width), width)
    valid = own.valid(rows, columns) > 0
    d = own.inv_depth(rows, columns)
    # NaN is reported elsewhere. `has_content` covers the sky, which has no depth but moves.
    empty = valid & (d <= 0)
    sky = has_content(case, PixelSet(rows, columns, np.stack([columns, rows], 1).astype(float)))
    count, negative = int((empty & ~sky).sum()), int((empty & (d < 0)).sum())
    count = max(count, negative)
    inside = empty & ~sky & erode_square(valid.reshape(own.size), _BORDER).ravel()
    share = count / max(1, int(valid.sum()))
    if count == 0 or count == valid.sum() or (not inside.any() and share < _BORDER_SHARE):
        return []
    message = f"{count} of the {int(valid.sum())} valid pixels have no depth"
    numbers = {"pixels": count, "share": share, "negative": negative}
    why = "the mask covers pixels without depth: a mask of the motion must leave them out"
    return [Finding("valid_without_depth", message, numbers, why, min(1.0, 0.5 + 10 * share))]
