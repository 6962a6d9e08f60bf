"""What is lowered for a GPU, on a machine without one: no loops, no sums in any order if asked.

A loop is a few launches of kernels at each step. The forms for CPUs loop over chunks of large
images, so the images are large; nothing is compiled.
"""

import re

import jax
import jax.numpy as jnp
import pytest
from helpers import thorough
from helpers.platforms import count_loops, lower_for_gpu

import sf3d_jax as sf3d

SIZE = (540, 960)


def shape(*last, batch=()):
    return jax.ShapeDtypeStruct((*batch, *SIZE, *last), jnp.float32)


# The CPU's forms loop over groups of 8 channels, so an image has one more.
IMAGE, FLOW, MAP = shape(9), shape(2), shape()
FEATURES = shape(33, batch=(2,))


def squares(function):
    """The gradient by all arguments, of the sum of squares."""
    floating = lambda x: jnp.issubdtype(x.dtype, jnp.floating)
    loss = lambda *x: sum(jnp.square(y).sum() for y in jax.tree.leaves(function(*x)) if floating(y))
    return lambda *x: jax.grad(loss, tuple(range(len(x))))(*x)


def soft(function):
    return lambda *x: function(*x, temperature=0.1)


def splat(mode, **options):
    def run(values, flow, importance):
        given = {"importance": importance} if mode in ("linear", "softmax") else {}
        return sf3d.forward_splat(values, flow, mode=mode, **given, **options)

    return run


def second(function):
    """The product of the second derivatives with the arguments."""
    return lambda *x: jax.jvp(squares(function), x, x)[1]


bicubic = lambda image, flow: sf3d.backward_warp(image, flow, method="bicubic")
CASES = {
    "warp": (sf3d.backward_warp, IMAGE, FLOW),
    "bicubic warp": (bicubic, IMAGE, FLOW),
    "warp of features": (sf3d.backward_warp, FEATURES, FLOW),
    **{f"{mode} splat": (splat(mode), IMAGE, FLOW, MAP) for mode in ("sum", "softmax")},
    "splat of features": (splat("softmax"), FEATURES, FLOW, MAP),
    "deterministic splat": (splat("softmax", deterministic=True), IMAGE, FLOW, MAP),
    "warp of inverse depth": (sf3d.warp_inverse_depth, MAP, MAP, FLOW),
    "consistency": (soft(sf3d.occlusion_from_consistency), FLOW, FLOW),
    "range map": (soft(sf3d.occlusion_from_range_map), FLOW),
    "depth": (soft(sf3d.occlusion_from_depth), FLOW, MAP, MAP, MAP),
}


@thorough.parametrize("case", CASES, default=["warp", "softmax splat"])
def test_gradients_have_no_loops(case):
    function, *shapes = CASES[case]
    assert count_loops(lower_for_gpu(squares(function), *shapes)) == 0


@pytest.mark.thorough
@pytest.mark.parametrize("case", CASES)
def test_values_and_second_derivatives_have_no_loops(case):
    function, *shapes = CASES[case]
    assert count_loops(lower_for_gpu(function, *shapes)) == 0
    assert count_loops(lower_for_gpu(second(function), *shapes)) == 0


@pytest.mark.parametrize(
    "function, shapes",
    [
        (squares(sf3d.backward_warp), (shape(3), FLOW)),
        (splat("softmax"), (shape(3), FLOW, MAP)),
        (splat("softmax"), (shape(32), FLOW, MAP)),
    ],
    ids=["gradient of a warp", "splat", "splat of features"],
)
def test_sums_have_channels_by_fours(function, shapes):
    # A GPU adds four numbers to memory in one instruction only where all pixels have such groups.
    text = lower_for_gpu(function, *shapes)
    scatters = re.findall(
        r'"stablehlo.scatter"\(.*?stablehlo\.(\w+) .*?\}\) : \((.*?)\) ->', text, re.DOTALL
    )
    added = [types for operation, types in scatters if operation == "add" and "f32>" in types]
    assert added
    for types in added:
        image, _, updates = types.split(", ")
        channels = [int(re.search(r"x(\d+)xf32>", kind)[1]) for kind in (image, updates)]
        assert channels[0] == channels[1] and channels[0] % 4 == 0, types


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_deterministic_splat_adds_no_floating_numbers_in_any_order(deterministic):
    text = lower_for_gpu(squares(splat("softmax", deterministic=deterministic)), IMAGE, FLOW, MAP)
    bodies = re.findall(r'"stablehlo.scatter"\(.*?stablehlo.return', text, re.DOTALL)
    adds = [body for body in bodies if re.search(r"stablehlo.add .*tensor<f32>", body)]
    assert bodies
    assert bool(adds) != deterministic
