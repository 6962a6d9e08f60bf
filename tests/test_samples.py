"""What a sample is as a pytree."""

import dataclasses

import jax
import numpy as np
import pytest

import sf3d_jax as sf3d
from sf3d_jax import Sample, Sequence
from sf3d_jax.samples import check_sample

FLOW = np.zeros((2, 3, 2), np.float32)


def test_the_name_is_no_part_of_the_tree_and_compiles_nothing_anew():
    traced = []

    @jax.jit
    def same(sample):
        traced.append(sample)
        return sample

    first = Sample(flow=FLOW, scale=np.float32(2), name="a/0")
    assert dataclasses.replace(first, flow=None).name == "a/0"
    given_back = [same(dataclasses.replace(first, name=name)) for name in ("a/0", "b/1")]
    assert len(traced) == 1 and [x.name for x in given_back] == [None, None]
    assert len(jax.tree.leaves(first)) == 2 and given_back[0].scale == 2


def test_printed_it_is_one_line_of_what_is_known():
    camera = sf3d.Camera.pinhole(1.0, 1.0, 1.0, 0.5, (2, 3))
    shown = repr(Sample(flow=FLOW, valid=FLOW[..., 0] == 0, camera=camera, name="a/0"))
    inner = "focal=float64[2], principal_point=float64[2], world_to_camera=float32[3,4]"
    inner += ", size=(2, 3), model='pinhole'"
    assert shown == (
        f"Sample(flow=float32[2,3,2], valid=bool[2,3], camera=Camera({inner}), name='a/0')"
    )
    shapes = jax.eval_shape(lambda x: x, Sequence(images=FLOW[None], scale=np.float32(2)))
    assert repr(shapes) == "Sequence(images=float32[1,2,3,2], scale=float32[])"
    assert repr(Sample(flow=None)) == "Sample()" and repr(Sample(flow=3)) == "Sample(flow=3)"


def test_the_scale_is_checked_with_the_batch():
    assert check_sample(Sample(flow=FLOW, scale=np.ones(4, np.float32))) == (4, 2, 3)
    with pytest.raises(ValueError, match=r"scale \(4,\)"):
        check_sample(Sample(flow=np.stack([FLOW] * 3), scale=np.ones(4, np.float32)))
    with pytest.raises(TypeError, match=r"sample\.scale: expected an array, got float"):
        check_sample(Sample(flow=FLOW, scale=2.0))


def sequence(batch=(), frames=3):
    """Of which every number says its frame or its pair."""
    n, shape = frames, (*batch, frames, 2, 3)
    numbers = np.broadcast_to(np.arange(n, dtype=np.float32)[:, None, None], shape)
    of_pairs = numbers[..., :-1, :, :]
    cameras = sf3d.Camera.pinhole(*np.ones((4, *batch, n), np.float32), (2, 3))
    cameras = dataclasses.replace(
        cameras, world_to_camera=np.broadcast_to(np.eye(3, 4, dtype=np.float32), (*batch, n, 3, 4))
    )
    return Sequence(
        images=np.stack([numbers] * 3, -1),
        flow=np.stack([of_pairs] * 2, -1),
        inv_depth=numbers,
        inv_depth_change=of_pairs,
        valid=of_pairs > 0,
        cameras=dataclasses.replace(cameras, focal=np.stack([numbers[..., 0, 0] + 1] * 2, -1)),
        scale=np.full(batch, 2, np.float32),
        name="walk",
    )


@pytest.mark.parametrize("batch", [(), (4,)])
def test_a_pair_has_the_numbers_of_its_frames(batch):
    whole = sequence(batch)
    assert check_sample(whole) == (*batch, 2, 2, 3)
    pairs = whole.pairs()
    assert check_sample(pairs) == (*batch, 2, 2, 3)
    for index in (0, 1, -1):
        pair = whole.pair(index)
        assert check_sample(pair) == (*batch, 2, 3) and pair.name is None
        number = index % 2
        for name in ("image", "flow", "inv_depth", "inv_depth_change"):
            assert (getattr(pair, name) == number).all()
            assert getattr(pair, name).ndim == len(batch) + (3 if name in ("image", "flow") else 2)
        assert (pair.valid == (number > 0)).all()
        assert (pair.next_image == number + 1).all() and (pair.next_inv_depth == number + 1).all()
        assert (pair.camera.focal == number + 1).all() and (
            pair.next_camera.focal == number + 2
        ).all()
        assert pair.scale.shape == batch
        np.testing.assert_array_equal(pairs.next_image[..., number, :, :, :], pair.next_image)
        np.testing.assert_array_equal(pairs.camera.focal[..., number, :], pair.camera.focal)
        np.testing.assert_array_equal(pairs.valid[..., number, :, :], pair.valid)
    with pytest.raises(IndexError, match="index 2: the sequence has 2 pairs"):
        whole.pair(2)


def test_numbers_that_all_frames_share_stay_as_they_are():
    shared = sf3d.Camera.pinhole(*np.float32([1, 1, 1, 1]), (2, 3))
    for cameras in (
        dataclasses.replace(shared, world_to_camera=sequence().cameras.world_to_camera),
        dataclasses.replace(sequence().cameras, focal=shared.focal[None]),
    ):
        pair = dataclasses.replace(sequence(), cameras=cameras).pair(1)
        assert pair.camera.focal.shape == (2,) and pair.camera.world_to_camera.shape == (3, 4)


def test_a_sequence_is_a_pytree_without_its_name():
    whole = sequence()
    assert len(jax.tree.leaves(whole)) == 9
    again = jax.tree.map(lambda x: x, whole)
    assert again.name is None and isinstance(again, Sequence)


@pytest.mark.parametrize(
    "changes, error, says",
    [
        ({"flow": None, "images": np.zeros((4, 2, 3, 3), np.float32)}, ValueError, "images of 4"),
        ({"flow": np.zeros((3, 2, 3, 2), np.float32)}, ValueError, "flow of 4"),
        ({"inv_depth": np.zeros((2, 3), np.float32)}, ValueError, "inv_depth of 0"),
        ({"flow": np.zeros((2, 2, 3, 3), np.float32)}, ValueError, r"sequence\.flow: expected"),
        ({"valid": np.zeros((2, 2, 3), np.uint8)}, TypeError, r"sequence\.valid: expected"),
        ({"flow": np.zeros((2, 5, 3, 2), np.float32)}, ValueError, "maps of one size"),
    ],
)
def test_a_sequence_of_other_counts_or_kinds_is_refused(changes, error, says):
    with pytest.raises(error, match=says):
        check_sample(dataclasses.replace(sequence(), **changes))
    with pytest.raises(ValueError, match="expected images or maps with an axis of frames"):
        Sequence().pairs()
