"""Samples of NumPy arrays, stacked into a batch."""

import dataclasses
from collections.abc import Sequence

import jax
import numpy as np

from sf3d_jax._numerics import Tree
from sf3d_jax.camera import Camera
from sf3d_jax.samples import Sample, check_sample, present_fields


def stack(samples: Sequence[Sample]) -> Sample:
    """A batch of samples; the `collate_fn` of PyTorch's DataLoader, for one.

    A next camera that only some have is that of the first frame for the others, and a next inverse
    depth is 0, no surface: neither claims anything.

    Args:
      samples: of NumPy arrays, without a batch axis, of one size and with the same fields.

    Returns:
      A sample with a batch axis first; `valid` is always there, and `name` is a tuple.

    Raises:
      ValueError: there is none, or they differ in size, in their fields or in their lens.
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


def _fill(sample: Sample, others: Sequence[Sample]) -> Sample:
    """The sample with a next camera, and with no surface in the next frame, if others have one."""
    fields: dict[str, Tree] = {}
    if sample.next_camera is None and any(other.next_camera for other in others):
        fields["next_camera"] = sample.camera
    depths = [other.next_inv_depth for other in others if other.next_inv_depth is not None]
    if sample.next_inv_depth is None and depths:
        fields["next_inv_depth"] = np.zeros(sample.valid.shape, depths[0].dtype)
    return dataclasses.replace(sample, **fields)


def _check_alike(first: Sample, sample: Sample) -> None:
    names = [field.name for field in dataclasses.fields(Sample) if field.name != "name"]
    ours, theirs = present_fields(first, *names), present_fields(sample, *names)
    pair = f"samples {first.name} and {sample.name}"
    if ours.keys() != theirs.keys():
        some = ", ".join(sorted(ours.keys() ^ theirs.keys()))
        raise ValueError(f"dataset: of the {pair} only one has {some}; drop it in a transform")
    if first.valid.shape != sample.valid.shape:
        sizes = f"{first.valid.shape} and {sample.valid.shape}"
        raise ValueError(f"size: {pair} have {sizes} (H, W); give size=, or crop in a transform")
    for name, ours_shape, theirs_shape in _camera_shapes(first, sample):
        if ours_shape != theirs_shape:
            raise ValueError(f"dataset: {name} of the {pair}: {ours_shape} and {theirs_shape}")
    for name, x in ours.items():
        if not isinstance(x, Camera) and np.shape(x) != np.shape(theirs[name]):
            shapes = f"{np.shape(x)} and {np.shape(theirs[name])}"
            raise ValueError(f"dataset: {name} of the {pair} has the shapes {shapes}")


def _camera_shapes(first: Sample, sample: Sample) -> list[tuple[str, str, str]]:
    """(name, lens, lens) of the cameras of two samples."""

    def lens(camera: Camera) -> str:
        count = 0 if camera.distortion is None else np.shape(camera.distortion)[-1]
        return f"{camera.model} with {count} coefficients"

    pairs = ((n, getattr(first, n), getattr(sample, n)) for n in ("camera", "next_camera"))
    return [(n, lens(a), lens(b)) for n, a, b in pairs if a is not None]


def with_valid(sample: Sample) -> Sample:
    """The sample with a mask, which is True everywhere if it had none.

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
