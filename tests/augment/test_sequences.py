"""Sequences of frames change as the samples of their pairs do under the same draws."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.support import MATRIX, NEAR, SIZE, camera, chain, float64, motion

import sf3d_jax as sf3d
from sf3d_jax import Sequence, augment

FRAMES = 3
WINDOW = (16, 20)
CHANGES = {
    "random_crop": functools.partial(augment.random_crop, size=WINDOW),
    "random_flip": functools.partial(augment.random_flip, probability=1.0),
    "random_scale": functools.partial(augment.random_scale, size=WINDOW, log2_scale=(-0.4, 0.6)),
}


def whole():
    """A sequence with every field, of random motion in front of two surfaces and a hole."""
    flow, inv_depth, change = motion(SIZE, batch=(FRAMES,))
    inv_depth[:, 8:15, 10:20] += 1
    inv_depth[:, 3, 4] = 0
    rng = np.random.default_rng(1)
    poses = [np.eye(3, 4), NEAR, chain(NEAR, NEAR)]
    matrices = [MATRIX * [[1 + 0.05 * i], [1 - 0.02 * i], [1]] for i in range(FRAMES)]
    cameras = [camera(pose=p, matrix=m) for p, m in zip(poses, matrices, strict=True)]
    cameras = jax.tree.map(lambda *x: np.float32(x), *cameras)
    sequence = Sequence(
        images=np.float32(rng.uniform(size=(FRAMES, *SIZE, 3))),
        flow=flow[1:],
        inv_depth=inv_depth,
        inv_depth_change=change[1:],
        valid=rng.uniform(size=flow[1:, ..., 0].shape) > 0.1,
        occlusion=rng.uniform(size=flow[1:, ..., 0].shape) > 0.7,
        cameras=cameras,
        scale=np.float32(0.5),
    )
    pairs = sequence.pairs()
    vectors = sf3d.scene_flow(
        pairs.flow, pairs.inv_depth, pairs.inv_depth_change, pairs.camera, pairs.next_camera
    ).vectors
    return dataclasses.replace(sequence, scene_flow=np.array(vectors))


@thorough.parametrize("name", CHANGES, default=["random_crop", "random_flip"])
def test_a_pair_of_a_changed_sequence_is_the_pair_changed(name):
    sequence, change, key = whole(), CHANGES[name], jax.random.key(3)
    changed = change(key, sequence)
    assert isinstance(changed, Sequence)
    for i in range(FRAMES - 1):
        expected, found = change(key, sequence.pair(i)), changed.pair(i)
        assert np.array(expected.valid).mean() > 0.4
        same = np.testing.assert_array_equal
        if name == "random_scale":  # sums in another order
            same = functools.partial(np.testing.assert_allclose, atol=2e-5)
        jax.tree.map(same, found, expected)


EVERY = {**CHANGES, "random_color": augment.random_color, "random_eraser": augment.random_eraser}


@pytest.mark.parametrize("name", EVERY)
def test_types_and_ranks_are_made_alike_by_name(name):
    """As in programs in which implicit promotion is an error; traced, not compiled."""
    sequence, key = whole(), jax.random.key(0)
    samples = [sequence, sequence.pair(0)]
    half = jax.tree.map(lambda x: x if x.dtype == bool else np.float16(x), samples)
    if name == "random_scale":  # makes up what is missing
        samples += [sf3d.Sample(flow=sequence.flow[0]), sf3d.Sample(image=sequence.images[0])]
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        for sample in [*samples, half[1]]:
            changed = jax.eval_shape(EVERY[name], key, sample)
            for field in ("flow", "images", "image", "inv_depth"):
                if (x := getattr(changed, field, None)) is not None:
                    assert x.dtype == getattr(sample, field).dtype
        with float64():
            for sample in samples[1:]:
                jax.eval_shape(EVERY[name], key, sample)


def with_images(sequence):
    return Sequence(
        images=sequence.images, flow=2 * sequence.flow, occlusion=np.zeros_like(sequence.valid)
    )


def test_every_frame_has_the_colours_of_the_first_or_numbers_of_its_own():
    sequence = with_images(whole())
    for seed in range(2):
        for asymmetric in (0.0, 1.0):
            key = jax.random.key(seed)
            options = {"asymmetric": asymmetric}
            images = np.array(augment.random_color(key, sequence, **options).images)
            first, second, third = (
                augment.random_color(key, sf3d.Sample(image=x, next_image=x), **options)
                for x in sequence.images
            )
            np.testing.assert_allclose(images[0], first.image, atol=1e-6)
            np.testing.assert_allclose(images[1], second.next_image, atol=1e-6)
            # The third frame is changed like the first one, or like neither of the others.
            alike = [np.abs(images[2] - x).max() < 1e-6 for x in (third.image, third.next_image)]
            assert alike == ([True, True] if asymmetric == 0 else [False, False])


def test_the_last_frame_is_erased_and_what_moves_there_is_hidden():
    sequence, key = with_images(whole()), jax.random.key(1)
    options = {"probability": 1.0, "sides": (4.0, 8.0)}
    changed = augment.random_eraser(key, sequence, **options)
    expected = augment.random_eraser(key, sequence.pair(-1), **options)
    np.testing.assert_array_equal(changed.images[:-1], sequence.images[:-1])
    np.testing.assert_array_equal(changed.images[-1], expected.next_image)
    np.testing.assert_array_equal(changed.occlusion[-1], expected.occlusion)
    assert not np.array(changed.occlusion[:-1]).any() and np.array(changed.occlusion[-1]).any()
    assert (np.array(changed.images[-1]) != sequence.images[-1]).any()
    with pytest.raises(ValueError, match=r"sequence\.images: needed to erase"):
        augment.random_eraser(key, dataclasses.replace(sequence, images=None))
    with pytest.raises(ValueError, match=r"sample\.images: expected brightness from 0 to 1"):
        augment.random_eraser(key, dataclasses.replace(sequence, images=255 * sequence.images))


def test_a_batch_of_sequences_is_mapped_over_keys():
    sequence = whole()
    batch = sf3d.data.stack([dataclasses.replace(sequence, name=n) for n in "ab"])
    assert batch.name == ("a", "b") and batch.flow.shape == (2, FRAMES - 1, *SIZE, 2)
    keys = jax.random.split(jax.random.key(0), 2)
    changed = jax.vmap(CHANGES["random_crop"])(keys, batch)
    for i, key in enumerate(keys):
        one = CHANGES["random_crop"](key, sequence)
        jax.tree.map(lambda x, y, i=i: np.testing.assert_array_equal(x[i], y), changed, one)
    assert jnp.shape(changed.images) == (2, FRAMES, *WINDOW, 3)
