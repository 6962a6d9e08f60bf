"""Finds pairs of frames that follow each other, and joins them into sequences."""

from collections import abc

import jax
import numpy as np

from sf3d_jax._numerics import Leaf
from sf3d_jax.camera import Camera
from sf3d_jax.camera._fields import edit
from sf3d_jax.data.cameras import poses
from sf3d_jax.samples import Sample, Sequence

_OF_PAIRS = ("flow", "inv_depth_change", "scene_flow", "occlusion")


def find_runs(pairs: abc.Sequence[tuple[str, str, str]], frames: int) -> list[tuple[int, ...]]:
    """Finds all runs of consecutive frames.

    Args:
      pairs: (sequence, frame, next frame) of each pair.
      frames: number of frames in a run.

    Returns:
      One tuple for each pair that begins a run: the indices of the pairs in the run, where each
      pair begins with the frame that the one before ends with.
    """
    places = {(sequence, frame): i for i, (sequence, frame, _) in enumerate(pairs)}
    runs = []
    for start in range(len(pairs)):
        run = [start]
        while len(run) < frames - 1:
            sequence, _, after = pairs[run[-1]]
            if (place := places.get((sequence, after))) is None:
                break
            run.append(place)
        else:
            runs.append(tuple(run))
    return runs


def join(samples: abc.Sequence[Sample]) -> Sequence:
    """Joins consecutive pairs into a sequence.

    Args:
      samples: pairs without a batch axis, each with the world at its first camera.

    Returns:
      The sequence, with the world at its first camera. If the inverse depth of the last frame is
      missing, it is 0, which means no surface.

    Raises:
      ValueError: only some of the samples have a field, or they differ in size or lens.
    """
    fields = {name: _stack(samples, name) for name in _OF_PAIRS}
    last = samples[-1]
    images, inv_depth = _stack(samples, "image"), _stack(samples, "inv_depth")
    if images is not None:
        images = np.concatenate([images, last.next_image[None]])
    if inv_depth is not None:
        after = last.next_inv_depth
        after = np.zeros_like(inv_depth[0]) if after is None else after
        inv_depth = np.concatenate([inv_depth, after[None]])
    return Sequence(
        **fields,
        images=images,
        inv_depth=inv_depth,
        valid=_join_masks(samples),
        cameras=_join_cameras(samples),
        scale=samples[0].scale,
        name=samples[0].name,
    )


def _stack(samples: abc.Sequence[Sample], name: str) -> Leaf:
    values = [getattr(sample, name) for sample in samples]
    there = [x is not None for x in values]
    if not any(there):
        return None
    if not all(there):
        which = samples[there.index(False)].name
        raise ValueError(f"{samples[0].name}: some of its frames have {name}, but not {which}")
    if len({x.shape for x in values}) > 1:
        raise ValueError(f"{samples[0].name}: consecutive frames differ in the size of {name}")
    return np.stack(values)


def _join_masks(samples: abc.Sequence[Sample]) -> Leaf:
    """Stacks the masks of valid motion; a pair without a mask is valid everywhere."""
    masks = [sample.valid for sample in samples]
    known = next((x for x in masks if x is not None), None)
    if known is None:
        return None
    return np.stack([np.ones(known.shape, bool) if x is None else x for x in masks])


def _join_cameras(samples: abc.Sequence[Sample]) -> Camera | None:
    """Stacks the cameras of all frames; a pair without a next camera has one that does not move."""
    pairs = [(x.camera, x.next_camera or x.camera) for x in samples if x.camera is not None]
    if not pairs:
        return None
    if len(pairs) < len(samples):
        raise ValueError(f"{samples[0].name}: only some of its frames have a camera")
    world_to_camera = [np.eye(3, 4)]
    for first, after in pairs:
        step = np.eye(3, 4) if after is first else after.world_to_camera
        world_to_camera.append(poses.compose(step, world_to_camera[-1]))
    cameras = [
        edit(camera, world_to_camera=np.float32(pose))
        for camera, pose in zip(
            [*(a for a, _ in pairs), pairs[-1][1]], world_to_camera, strict=True
        )
    ]
    if len({jax.tree.structure(camera) for camera in cameras}) > 1:
        raise ValueError(f"{samples[0].name}: the cameras of its frames differ in size or lens")
    return jax.tree.map(lambda *x: np.stack(x), *cameras)
