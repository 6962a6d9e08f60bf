"""Quaternions and rotation vectors, from and to transforms."""

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import channels, channels_last, jit
from sf3d_jax._numerics.vectors import Vector, scale
from sf3d_jax.se3 import _turns
from sf3d_jax.se3._elements import POINT, QUATERNION, TRANSFORM, read_elements, write_elements


@jit
def from_quaternion(quaternion: jax.Array, translation: jax.Array | None = None) -> jax.Array:
    """The transform of a quaternion (w, x, y, z) and a translation.

    With q = (w, v) of any length, R = I + 2 (w [v] + [v]^2) / |q|^2. SciPy's order, unless told
    otherwise, is (x, y, z, w).

    Args:
      quaternion: (*b, 4), (w, x, y, z), the real part first, need not be normalised; q and -q are
        the same rotation.
      translation: (*b, 3), metres; 0 if None.

    Returns:
      (*b, 3, 4), [R | t], in the dtype of the arguments; 0 where the quaternion is 0 or an
      argument is not finite.
    """
    (q, t), good, dtype = read_elements(
        quaternion=(quaternion, QUATERNION),
        translation=(_or_zeros(translation, quaternion), POINT),
    )
    turn = _turns.from_quaternion(_shrink(channels(q)))
    return write_elements(_turns.join(turn, channels(t)), good, dtype)


@jit
def to_quaternion(transform: jax.Array) -> jax.Array:
    """The unit quaternion (w, x, y, z) of a transform's rotation, with w >= 0.

    At half a turn, where w = 0, its largest component is positive. The translation is
    transform[..., 3].

    Args:
      transform: (*b, 3, 4), [R | t]; R must be a rotation.

    Returns:
      (*b, 4), the real part first, in the same dtype; 0 where the transform is bad.
    """
    (transform,), good, dtype = read_elements(transform=(transform, TRANSFORM))
    turn, _ = _turns.split(transform)
    return write_elements(channels_last(*_turns.to_quaternion(turn)), good, dtype)


@jit
def from_rotation_vector(vector: jax.Array, translation: jax.Array | None = None) -> jax.Array:
    """The transform of a rotation vector and a translation.

    The vector is that of OpenCV's Rodrigues and of SciPy:
    R = I + sin(angle) / angle [w] + (1 - cos(angle)) / angle^2 [w]^2 with angle = |w|. Unlike in
    `exp`, the translation is that of the transform.

    Args:
      vector: (*b, 3), w, axis times angle in radians.
      translation: (*b, 3), metres; 0 if None.

    Returns:
      (*b, 3, 4), [R | t], in the dtype of the arguments; 0 where an argument is not finite.
    """
    (w, t), good, dtype = read_elements(
        vector=(vector, POINT), translation=(_or_zeros(translation, vector), POINT)
    )
    turn = _turns.from_rotation_vector(channels(w))
    return write_elements(_turns.join(turn, channels(t)), good, dtype)


@jit
def to_rotation_vector(transform: jax.Array) -> jax.Array:
    """The rotation vector of a transform: axis times angle, of length at most pi.

    At half a turn both axes are right, and the largest component is positive. The translation is
    transform[..., 3].

    Args:
      transform: (*b, 3, 4), [R | t]; R must be a rotation.

    Returns:
      (*b, 3), radians, in the same dtype; 0 where the transform is bad.
    """
    (transform,), good, dtype = read_elements(transform=(transform, TRANSFORM))
    turn, _ = _turns.split(transform)
    return write_elements(channels_last(*_turns.to_rotation_vector(turn)), good, dtype)


def _or_zeros(translation: jax.Array | None, like: jax.Array) -> jax.Array:
    """The translation, or none in the dtype of another argument, which is not checked yet."""
    if translation is not None:
        return translation
    dtype = getattr(like, "dtype", jnp.dtype(int))
    return jnp.zeros((3,), dtype if jnp.issubdtype(dtype, jnp.floating) else float)


def _shrink(q: Vector) -> Vector:
    """The quaternion by the size of its largest entry, so that its squares are in range."""
    sizes = jnp.stack([jnp.abs(x) for x in jax.lax.stop_gradient(q)])
    return scale(1 / sizes.max(0), q)
