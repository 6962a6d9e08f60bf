"""Samples of NumPy arrays, stacked into a batch."""

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
    """A batch of samples or of sequences; the `collate_fn` of PyTorch's DataLoader, for one.

    A next camera that only some have is that of the first frame for the others, and a next inverse
    depth is 0, no surface: neither claims anything.

    Args:
      samples: of NumPy arrays, without a batch axis, of one size and with the same fields.

    Returns:
      A sample or a sequence with a batch axis first; `valid` is always there, and `name` is a
      tuple.

    Raises:
      TypeError: some are samples, some sequences.
      ValueError: there is none, or they differ in size, in their fields, in their number of frames
        or in their lens.
    """
    if not samples:
        raise ValueError("samples: expected at least one, got none")
    samples = [with_valid(sample) for sample in samples]
    samples = [_fill(sample, samples) for sample in samples]
    first = samples[0]
    for sample in samples[1:]:
        _check_alike(first, sample)
    names = tuple(str(sample.name) for sample in samples)
    batch = jax.tree.map(lambda *x: np.stack(x), *samples)
    return dataclasses.replace(batch, name=names)


def _fill(sample: S, others: abc.Sequence[S]) -> S:
    """The sample with a next camera, and with no surface in the next frame, if others have one."""
    if isinstance(sample, Sequence):
        return _give_each_frame(sample)
    fields: dict[str, Tree] = {}
    given = [present_fields(other, "next_camera", "next_inv_depth") for other in others]
    if sample.next_camera is None and any("next_camera" in other for other in given):
        fields["next_camera"] = sample.camera
    depths = [other["next_inv_depth"] for other in given if "next_inv_depth" in other]
    if sample.next_inv_depth is None and depths:
        fields["next_inv_depth"] = np.zeros(sample.valid.shape, depths[0].dtype)
    return dataclasses.replace(sample, **fields)


def _give_each_frame(sequence: Q) -> Q:
    """The sequence with numbers of its cameras for every frame, not taken for a batch's."""
    if sequence.cameras is None:
        return sequence
    count = sequence.valid.shape[0] + 1
    spread = lambda x: np.broadcast_to(x, (count, *x.shape[1:]))
    cameras = jax.tree.map(spread, align_camera(sequence.cameras, 1))
    return dataclasses.replace(sequence, cameras=cameras)


def _check_alike(first: Sample | Sequence, sample: Sample | Sequence) -> None:
    if type(first) is not type(sample):
        kinds = f"a {type(first).__name__} and a {type(sample).__name__}"
        raise TypeError(f"dataset: {first.name} and {sample.name} are {kinds}")
    names = [field.name for field in dataclasses.fields(first) if field.name != "name"]
    ours, theirs = present_fields(first, *names), present_fields(sample, *names)
    pair = f"samples {first.name} and {sample.name}"
    if ours.keys() != theirs.keys():
        some = ", ".join(sorted(ours.keys() ^ theirs.keys()))
        raise ValueError(f"dataset: of the {pair} only one has {some}; drop it in a transform")
    if first.valid.shape[-2:] != sample.valid.shape[-2:]:
        sizes = f"{first.valid.shape[-2:]} and {sample.valid.shape[-2:]}"
        raise ValueError(f"size: {pair} have {sizes} (H, W); give size=, or crop in a transform")
    for name, ours_shape, theirs_shape in _camera_shapes(first, sample):
        if ours_shape != theirs_shape:
            raise ValueError(f"dataset: {name} of the {pair}: {ours_shape} and {theirs_shape}")
    for name, x in ours.items():
        if not isinstance(x, Camera) and np.shape(x) != np.shape(theirs[name]):
            shapes = f"{np.shape(x)} and {np.shape(theirs[name])}"
            raise ValueError(f"dataset: {name} of the {pair} have the shapes {shapes}")


def _camera_shapes(
    first: Sample | Sequence, sample: Sample | Sequence
) -> list[tuple[str, str, str]]:
    """(name, lens, lens) of the cameras of two samples."""

    def lens(camera: Camera) -> str:
        count = 0 if camera.distortion is None else np.shape(camera.distortion)[-1]
        return f"{camera.model} with {count} coefficients"

    names = ("camera", "next_camera", "cameras")
    ours, theirs = present_fields(first, *names), present_fields(sample, *names)
    return [(name, lens(camera), lens(theirs[name])) for name, camera in ours.items()]


def with_valid(sample: S) -> S:
    """The sample or sequence with a mask, which is True everywhere if it had none.

    Args:
      sample: to be checked.

    Returns:
      The sample.

    Raises:
      TypeError: a map has numbers of another kind.
      ValueError: its shapes do not fit each other.
    """
    shape = check_sample(sample)
    if sample.valid is not None:
        return sample
    return dataclasses.replace(sample, valid=np.ones(shape, bool))
