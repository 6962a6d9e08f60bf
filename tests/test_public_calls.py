"""Every public function of arrays, called plainly: types, promotion, and guarded transfers.

The tests run where JAX refuses to mix types or ranks by itself.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.calls import CALLS, FLOW, IMAGE, KEY, SIZE
from helpers.held import HELD
from helpers.support import as_numpy, float64

import sf3d_jax as sf3d
from sf3d_jax import losses
from sf3d_jax._numerics import jit

# Of each kind of code outside of programs one; what is compiled here compiles fast.
SOME = """Camera.pinhole Camera.from_matrix Camera.crop Camera.pad Camera.stride Camera.flip
    Camera.resize pixel_grid depth_change.from_depths resize_mask metrics.MotionInDepth
    metrics.fill_holes losses.general_robust losses.masked_mean losses.compose
    losses.balance""".split()
each_call = thorough.parametrize("name", CALLS, default=SOME)

# Of a metric the sums, and of a mask the distance, which have a type of their own.
OWN_TYPE = {"metrics", "pixel_grid"}


def convert(tree, dtype=None, place=lambda x: x):
    """The arrays of a tree in a type and at a place; numbers of Python and keys stay."""

    def one(x):
        if not isinstance(x, np.ndarray | np.generic):
            return x
        if dtype is not None and np.issubdtype(x.dtype, np.floating):
            x = np.asarray(x, dtype)
        return place(x)

    return jax.tree.map(one, tree)


def floating(tree):
    is_floating = lambda x: hasattr(x, "dtype") and jnp.issubdtype(x.dtype, jnp.floating)
    return [x for x in jax.tree.leaves(tree) if is_floating(x)]


def test_every_public_function_of_arrays_has_a_call():
    of_host = {"gaussians.recenter", "gaussians.room_for", "head.cover", "head.surface_features"}
    of_host |= {name for name in HELD if name.startswith("head.Person")}
    public = {name for name in HELD if name.split(".")[0] not in ("data", "making", "views")}
    assert public - of_host == CALLS.keys()


@each_call
def test_nothing_is_sent_unseen_where_a_transfer_guard_forbids_it(name):
    function, arguments = CALLS[name]
    arguments = convert(arguments, place=jax.device_put)
    expected = function(*arguments)
    with jax.transfer_guard("disallow"):
        got = function(*arguments)
    for x, y in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
        np.testing.assert_array_equal(as_numpy(x), as_numpy(y))


# Whose loops take minutes, step by step.
LONG = {"fit.flow", "fit.scene_flow", "gaussians.render", "gaussians.render_motion"}
LONG |= {"rigid_bodies"}


@thorough.parametrize(
    "name", [x for x in CALLS if x not in LONG], default=["depth_change.optical_expansion"]
)
def test_no_nan_is_made_of_finite_numbers_on_the_way(name):
    """Nor masked later: asked of every step, which a program does not show."""
    function, arguments = CALLS[name]
    with jax.disable_jit(), jax.debug_nans(True):
        function(*arguments)


@each_call
def test_numpy_arrays_of_float64_are_taken(name):
    function, arguments = CALLS[name]
    expected = floating(function(*arguments))
    got = floating(function(*convert(arguments, np.float64)))
    for x, y in zip(got, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-4, atol=1e-5)


# They make room, or divide, by numbers that a trace lacks.
BY_NUMBERS = {"gaussians.render", "gaussians.render_motion"}
BY_NUMBERS |= {name for name in CALLS if name.startswith("metrics.")}


@each_call
def test_the_result_has_the_type_of_the_arguments(name):
    """Programs run in float16 alone: in the other types their traces tell what they return."""
    function, arguments = CALLS[name]
    is_called = name in SOME or name in BY_NUMBERS
    look = function if is_called else functools.partial(jax.eval_shape, function)
    mean = {"losses.masked_mean", "losses.compose"}
    is_own = name.split(".")[0] in OWN_TYPE and name != "metrics.fill_holes"
    for dtype, run in ((jnp.bfloat16, look), (jnp.float16, function)):
        place = lambda x: x if name.startswith("Camera") else jnp.asarray(x)
        got = floating(run(*convert(arguments, dtype, place)))
        if not is_own and not name.startswith("Camera"):
            allowed = {np.dtype(dtype)} | ({np.dtype(np.float32)} if name in mean else set())
            assert {x.dtype for x in got} <= allowed
    with float64():
        for dtype in (np.float32, np.float64):
            got = floating(look(*convert(arguments, dtype)))
            if not is_own and not name.startswith("Camera"):
                assert {x.dtype for x in got} <= {np.dtype(dtype)}


def is_mask(x):
    return isinstance(x, np.ndarray) and x.dtype == np.bool_


MASKED = [
    (name, dtype)
    for name, call in CALLS.items()
    for dtype in (np.uint8, np.float32)
    if any(map(is_mask, jax.tree.leaves(call.arguments)))
    and (name, dtype) != ("losses.masked_mean", np.float32)  # weights
]


@pytest.mark.parametrize("name, dtype", MASKED)
def test_a_mask_of_numbers_is_told_how_to_become_one(name, dtype):
    function, arguments = CALLS[name]
    arguments = jax.tree.map(lambda x: dtype(x) if is_mask(x) else x, arguments)
    with pytest.raises(TypeError, match=r"expected an array of bool, got .*; pass .* > 0\.5"):
        function(*arguments)


def test_a_mask_among_options_is_told_so_too():
    valid, importance = np.ones(SIZE, np.uint8), np.ones(SIZE, np.float32)
    calls = {
        "valid": [
            lambda: losses.census(IMAGE, IMAGE, valid=valid),
            lambda: losses.end_point_error(FLOW, FLOW, valid=importance),
            lambda: losses.raft(FLOW[None], FLOW, valid=valid),
            lambda: sf3d.forward_splat(IMAGE, FLOW, valid=valid),
            lambda: sf3d.resize_flow(FLOW, (4, 4), valid=importance),
        ],
        "sample.valid": [
            lambda: sf3d.augment.random_flip(KEY, sf3d.Sample(flow=FLOW, valid=valid))
        ],
    }
    for name, listed in calls.items():
        for call in listed:
            with pytest.raises(TypeError, match=rf"^{name}: .*; pass {name} > 0\.5"):
                call()


def test_numbers_among_options_are_sent_by_name_and_compiled_once():
    traced = []

    @jit
    def scaled(x, *, by=2.0, and_by=(1, 3.0)):
        traced.append(by)
        return x * by * and_by[0] * and_by[1]

    x = jnp.arange(3.0)
    for by in (0.5, np.float32(0.5), 2):
        with jax.transfer_guard("disallow"):
            got = scaled(x, by=by, and_by=(np.float32(2), 0.25))
        np.testing.assert_array_equal(got, np.arange(3) * np.float32(by) / 2)
    assert scaled(x, by=0.5, and_by=(np.float32(2), 0.25)).shape == (3,)
    assert len(traced) == 3  # as many as there are types
    with jax.transfer_guard("disallow"), pytest.raises(jax.errors.JaxRuntimeError):
        scaled(np.arange(3.0))


def test_a_public_function_prints_its_name():
    assert repr(losses.l1) == "sf3d_jax.losses.penalties.l1"


def test_an_argument_too_many_is_refused_under_a_guard_too():
    x = jax.device_put(np.ones(3, np.float32))
    with jax.transfer_guard("disallow"), pytest.raises(TypeError, match="positional"):
        sf3d.losses.l1(x, x, x)
