"""What a sample is as a pytree."""

import dataclasses

import jax
import numpy as np
import pytest

from sf3d_jax import Sample
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


def test_the_scale_is_checked_with_the_batch():
    assert check_sample(Sample(flow=FLOW, scale=np.ones(4, np.float32))) == (4, 2, 3)
    with pytest.raises(ValueError, match=r"scale \(4,\)"):
        check_sample(Sample(flow=np.stack([FLOW] * 3), scale=np.ones(4, np.float32)))
    with pytest.raises(TypeError, match=r"sample\.scale: expected an array, got float"):
        check_sample(Sample(flow=FLOW, scale=2.0))
