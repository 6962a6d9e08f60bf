"""Stacks samples of NumPy arrays into a batch."""

import dataclasses
from collections import abc
from typing import TypeVar

import jax
import numpy as np

from sf3d_jax._numerics import Tree
from sf3d_jax.camera import Camera, align_camera
from sf3d_jax.samples import S, Sample, Sequence, check_sample, present_fields

Q = TypeVar("Q", bound=Sequence)


def stack(samples: abc.Sequence[S]) -> S:
    """Stacks samples, or sequences, into a batch, for instance as a PyTorch `collate_fn`.

    If only some samples have a next camera or a next inverse depth, the others get neutral values:
    their first camera, and 0 (no surface).

    Args:
      samples: samples or sequences of NumPy arrays, without a batch axis, of one size and with the
        same fields.

    Returns:
      A sample or a sequence with a leading batch axis; `valid` is always present, and `name` is a
      tuple.

    Raises:
      TypeError: some items are samples and some are sequences.
      ValueError: there are no items, or they differ in size, fields, number of frames or lens
        model.
    """
    if not samples:
        raise ValueError("samples: expected at least one, got none")
    samples = [add_valid(sample) for sample in samples]
    samples = [_fill(sample, samples) for sample in samples]
    first = samples[0]
    for sample in samples[1:]:
        _check_alike(first, sample)
    names = tuple(str(sample.name) for sample in samples)
    batch = jax.tree.map(lambda *x: np.stack(x), *samples)
    return dataclasses.replace(batch, name=names)


def _fill(sample: S, others: abc.Sequence[S]) -> S:
    """Adds a next camera and an empty next inverse depth to a sample, if others have them."""
    if isinstance(sample, Sequence):
        return _repeat_cameras(sample)
    fields: dict[str, Tree] = {}
    given = [present_fields(other, "next_camera", "next_inv_depth") for other in others]
    if sample.next_camera is None and any("next_camera" in other for other in given):
        fields["next_camera"] = sample.camera
    depths = [other["next_inv_depth"] for other in given if "next_inv_depth" in other]
    if sample.next_inv_depth is None and depths:
        fields["next_inv_depth"] = np.zeros(sample.valid.shape, depths[0].dtype)
    return dataclasses.replace(sample, **fields)


def _repeat_cameras(sequence: Q) -> Q:
    """Repeats camera parameters shared by all frames, so that sequences can be stacked."""
    if sequence.cameras is None:
        return sequence
    count = sequence.valid.shape[0] + 1
    spread = lambda x: np.broadcast_to(x, (count, *x.shape[1:]))
    cameras = jax.tree.map(spread, align_camera(sequence.cameras, 1))
    return dataclasses.replace(sequence, cameras=cameras)


def _check_alike(first: Sample | Sequence, sample: Sample | Sequence) -> None:
    if type(first) is not type(sample):
        kinds = f"a {type(first).__name__} and a {type(sample).__name__}"
        pair = f"{first.name} and {sample.name}"
        raise TypeError(f"dataset: expected items of one type, but {pair} are {kinds}")
    names = [field.name for field in dataclasses.fields(first) if field.name != "name"]
    ours, theirs = present_fields(first, *names), present_fields(sample, *names)
    pair = f"samples {first.name} and {sample.name}"
    if ours.keys() != theirs.keys():
        some = ", ".join(sorted(ours.keys() ^ theirs.keys()))
        raise ValueError(f"dataset: only one of the {pair} has {some}; remove it in a transform")
    if first.valid.shape[-2:] != sample.valid.shape[-2:]:
        sizes = f"{first.valid.shape[-2:]} and {sample.valid.shape[-2:]}"
        raise ValueError(f"size: {pair} have {sizes} (H, W); give size=, or crop in a transform")
    for name, ours_shape, theirs_shape in _describe_lenses(first, sample):
        if ours_shape != theirs_shape:
            raise ValueError(
                f"dataset: {name} of the {pair} differ: {ours_shape} and {theirs_shape}"
            )
    for name, x in ours.items():
        if not isinstance(x, Camera) and np.shape(x) != np.shape(theirs[name]):
            shapes = f"{np.shape(x)} and {np.shape(theirs[name])}"
            raise ValueError(f"dataset: {name} of the {pair} have the shapes {shapes}")


def _describe_lenses(
    first: Sample | Sequence, sample: Sample | Sequence
) -> list[tuple[str, str, str]]:
    """Describes the lenses of the cameras of two samples as (name, lens, lens)."""

    def lens(camera: Camera) -> str:
        count = 0 if camera.distortion is None else np.shape(camera.distortion)[-1]
        return f"{camera.model} with {count} coefficients"

    names = ("camera", "next_camera", "cameras")
    ours, theirs = present_fields(first, *names), present_fields(sample, *names)
    return [(name, lens(camera), lens(theirs[name])) for name, camera in ours.items()]


def add_valid(sample: S) -> S:
    """Checks a sample or sequence, and adds a mask of True if it has no mask.

    Args:
      sample: sample or sequence to check.

    Returns:
      The sample or sequence.

    Raises:
      TypeError: a map has the wrong dtype.
      ValueError: its shapes do not fit each other.
    """
    shape = check_sample(sample)
    if sample.valid is not None:
        return sample
    return dataclasses.replace(sample, valid=np.ones(shape, bool))
