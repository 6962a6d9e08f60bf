"""Turns D = R - I against float64, their digits in float32, and their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.support import float64
from scipy.spatial.transform import Rotation

from sf3d_jax.se3 import _turns

ANGLES = np.array([0, 1e-12, 1e-8, 1e-4, 0.3, 0.999, 1.001, 1.5, 1.6, 2.0, 3.0, 3.1415, np.pi])


def draw_vectors():
    axes = np.random.default_rng(0).normal(size=(8, 3))
    return (ANGLES[:, None, None] * (axes / np.linalg.norm(axes, axis=-1)[:, None])).reshape(-1, 3)


VECTORS = draw_vectors()


def split(x):
    return tuple(jnp.moveaxis(jnp.asarray(x), -1, 0))


def join(maps):
    return np.stack(maps, -1)


def as_matrix(turn):
    return np.stack([np.stack(row, -1) for row in turn], -2)


def as_rows(matrix):
    return tuple(split(matrix[..., i, :]) for i in range(3))


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


def test_turns_are_scipys_rotations():
    np.testing.assert_allclose(
        turn_exactly(VECTORS) + np.eye(3), Rotation.from_rotvec(VECTORS).as_matrix(), atol=1e-15
    )
    with float64():
        turn = _turns.from_rotation_vector(split(VECTORS))
        assert relative_error(as_matrix(turn), turn_exactly(VECTORS)).max() < 1e-15
        q = join(_turns.to_quaternion(turn))
        scipys = Rotation.from_rotvec(VECTORS).as_quat()[:, [3, 0, 1, 2]]
        assert np.abs(np.abs((q * scipys).sum(-1)) - 1).max() < 1e-15
        assert (q[:, 0] >= 0).all()
        again = as_matrix(_turns.from_quaternion(split(3 * q)))
        assert relative_error(again, turn_exactly(VECTORS)).max() < 1e-14


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_turns_keep_their_digits(dtype):
    rounding = np.finfo(dtype).eps
    w = VECTORS.astype(dtype)
    exact = turn_exactly(np.float64(w))
    with float64():
        turn = _turns.from_rotation_vector(split(w))
        assert turn[0][0].dtype == dtype
        assert relative_error(as_matrix(turn), exact).max() < 4 * rounding
        # A rounded rotation has the digits of D only where they are not on its diagonal.
        rotation = (exact + np.eye(3)).astype(dtype)
        from_rotation = _turns.from_rotation(as_rows(rotation))
        assert relative_error(as_matrix(from_rotation), exact).max() < 4 * rounding
        back = join(_turns.to_rotation_vector(turn))
    # At half a turn, both axes are right.
    sign = np.where((np.linalg.norm(w, axis=-1) > 3.1414) & ((back * w).sum(-1) < 0), -1, 1)
    assert relative_error(back * sign[:, None], np.float64(w)).max() < 8 * rounding


def test_turns_compose_and_are_cayleys():
    with float64():
        first, second = (turn_exactly(w) for w in (VECTORS[8:16], 1e-9 * VECTORS[40:48]))
        got = as_matrix(_turns.compose(as_rows(second), as_rows(first)))
        np.testing.assert_allclose(got, second + first + second @ first, rtol=1e-14)
        angle = np.linalg.norm(VECTORS[8:88], axis=-1)[:, None]
        k = 2 * np.tan(angle / 2) / angle * VECTORS[8:88]
        got = as_matrix(_turns.from_cayley(split(k)))
        assert relative_error(got, turn_exactly(VECTORS[8:88])).max() < 1e-14
        translation = split(VECTORS[8:16])
        turn, back = _turns.split(_turns.join(as_rows(first), translation))
        np.testing.assert_allclose(join(back), VECTORS[8:16])
        assert relative_error(as_matrix(turn), first).max() < 1e-15


@thorough.parametrize("order", [1, 2], default=[1])
def test_derivatives_are_finite_at_the_identity_and_at_half_a_turn(order):
    """Around and back is the identity map, whose first derivative is I and whose second is 0."""

    def around(w):
        return jnp.stack(_turns.to_rotation_vector(_turns.from_rotation_vector(split(w))))

    with float64():
        points = jnp.concatenate([VECTORS[::8], jnp.array([[0, np.pi * (1 - 1e-15), 0]])])
        derivative = jax.jacfwd(jax.jacrev(around)) if order == 2 else jax.jacfwd(around)
        got = jax.jit(jax.vmap(derivative))(points)
        exact = np.zeros((3, 3, 3)) if order == 2 else np.eye(3)
        np.testing.assert_allclose(got, np.broadcast_to(exact, got.shape), atol=1e-11, rtol=0)
