"""Turns D = R - I against float64, their digits in float32, and their derivatives."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.support import as_numpy, float64
from scipy.spatial.transform import Rotation

from sf3d_jax._numerics import channels
from sf3d_jax._numerics.vectors import scale
from sf3d_jax.se3 import _turns

ANGLES = np.array([0, 1e-12, 1e-8, 1e-4, 0.3, 0.999, 1.001, 1.5, 1.6, 2.0, 3.0, 3.1415, np.pi])


def draw_vectors():
    axes = np.random.default_rng(0).normal(size=(8, 3))
    return (ANGLES[:, None, None] * (axes / np.linalg.norm(axes, axis=-1)[:, None])).reshape(-1, 3)


VECTORS = draw_vectors()


def as_matrix(turn):
    return np.stack([np.stack(row, -1) for row in turn], -2)


def turn_exactly(w):
    """R - I in float64, by terms that do not cancel."""
    angle = np.linalg.norm(w, axis=-1)[..., None, None]
    k = np.cross(w[..., None, :], np.eye(3)).swapaxes(-1, -2)
    return np.sinc(angle / np.pi) * k + np.sinc(angle / 2 / np.pi) ** 2 / 2 * (k @ k)


def relative_error(got, exact):
    """The largest error of each matrix or vector, relative to its largest entry."""
    axes = tuple(range(1, exact.ndim))
    size = np.abs(exact).max(axes)
    error = np.abs(np.float64(got) - exact).max(axes)
    return error[size > 0] / size[size > 0]


@functools.cache
def results(dtype):
    """What comes of VECTORS in a type: turns, their quaternions, and back."""

    @jax.jit
    def run(w, rotation):
        turn = _turns.from_rotation_vector(channels(w))
        quaternion = _turns.to_quaternion(turn)
        return {
            "turn": turn,
            "quaternion": quaternion,
            "again": _turns.from_quaternion(scale(3, quaternion)),
            "from rotation": _turns.from_rotation([channels(rotation[:, i]) for i in range(3)]),
            "back": _turns.to_rotation_vector(turn),
        }

    w = VECTORS.astype(dtype)
    exact = turn_exactly(np.float64(w))
    with float64():
        got = as_numpy(run(w, (exact + np.eye(3)).astype(dtype)))
    return w, exact, got


def test_turns_are_scipys_rotations():
    _, exact, got = results(np.float64)
    rotations = Rotation.from_rotvec(VECTORS)
    np.testing.assert_allclose(exact + np.eye(3), rotations.as_matrix(), atol=1e-15)
    assert relative_error(as_matrix(got["turn"]), exact).max() < 1e-15
    q = np.stack(got["quaternion"], -1)
    cosine = (q * rotations.as_quat()[:, [3, 0, 1, 2]]).sum(-1)
    assert np.abs(np.abs(cosine) - 1).max() < 1e-15 and (q[:, 0] >= 0).all()
    assert relative_error(as_matrix(got["again"]), exact).max() < 1e-14


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_turns_keep_their_digits(dtype):
    rounding = np.finfo(dtype).eps
    w, exact, got = results(dtype)
    assert got["turn"][0][0].dtype == dtype
    assert relative_error(as_matrix(got["turn"]), exact).max() < 4 * rounding
    # A rounded rotation has the digits of D only where they are not on its diagonal.
    assert relative_error(as_matrix(got["from rotation"]), exact).max() < 4 * rounding
    back = np.stack(got["back"], -1)
    # At half a turn, both axes are right.
    sign = np.where((np.linalg.norm(w, axis=-1) > 3.1414) & ((back * w).sum(-1) < 0), -1, 1)
    assert relative_error(back * sign[:, None], np.float64(w)).max() < 8 * rounding


def test_turns_compose_and_are_cayleys():
    some = slice(8, 88)
    first, second = turn_exactly(VECTORS[some]), turn_exactly(1e-9 * VECTORS[some][::-1])
    angle = np.linalg.norm(VECTORS[some], axis=-1)[:, None]
    k = 2 * np.tan(angle / 2) / angle * VECTORS[some]

    @jax.jit
    def run(second, first, k):
        second, first = (tuple(channels(x[:, i]) for i in range(3)) for x in (second, first))
        joined = _turns.join(first, channels(k))
        return _turns.compose(second, first), _turns.from_cayley(channels(k)), _turns.split(joined)

    with float64():
        composed, of_k, (turn, translation) = as_numpy(run(second, first, k))
    np.testing.assert_allclose(as_matrix(composed), second + first + second @ first, rtol=1e-13)
    assert relative_error(as_matrix(of_k), first).max() < 1e-14
    np.testing.assert_array_equal(np.stack(translation, -1), k)
    assert relative_error(as_matrix(turn), first).max() < 1e-15


@thorough.parametrize("order", [1, 2], default=[1])
def test_derivatives_are_finite_at_the_identity_and_at_half_a_turn(order):
    """Around and back is the identity map, whose first derivative is I and whose second is 0."""

    def around(w):
        return jnp.stack(_turns.to_rotation_vector(_turns.from_rotation_vector(channels(w))))

    with float64():
        points = np.concatenate([VECTORS[::8], [[0, np.pi * (1 - 1e-15), 0]]])
        derivative = jax.jacfwd(jax.jacrev(around)) if order == 2 else jax.jacfwd(around)
        got = jax.jit(jax.vmap(derivative))(points)
        exact = np.zeros((3, 3, 3)) if order == 2 else np.eye(3)
        np.testing.assert_allclose(got, np.broadcast_to(exact, got.shape), atol=1e-11, rtol=0)
