"""Composition, inverse and application of rigid transforms, and what derives from them."""

import jax
import jax.numpy as jnp

from sf3d_jax._numerics import channels, channels_last, jit, mask
from sf3d_jax._numerics.lengths import length
from sf3d_jax._numerics.vectors import Vector, add, cross, dot, multiply, scale, subtract, transpose
from sf3d_jax.se3._elements import POINT, TRANSFORM, read_elements, write_elements
from sf3d_jax.se3._relative import find_relative
from sf3d_jax.se3._turns import Rows, split

# Two directions are parallel if the sine of their angle is below this many roundings.
_ROUNDINGS = 8


@jit
def compose(second: jax.Array, first: jax.Array) -> jax.Array:
    """The transform by `first`, then by `second`: R = R2 R1, t = R2 t1 + t2.

    Args:
      second: (*b, 3, 4), [R2 | t2].
      first: (*b, 3, 4), [R1 | t1].

    Returns:
      (*b, 3, 4), in the dtype of the arguments; 0 where either is bad.
    """
    (second, first), good, dtype = read_elements(
        second=(second, TRANSFORM), first=(first, TRANSFORM)
    )
    (rotation, shift), (before, start) = split_parts(second), split_parts(first)
    columns = transpose(before)
    rows = [[dot(row, column) for column in columns] for row in rotation]
    return write_elements(stack_parts(rows, add(multiply(rotation, start), shift)), good, dtype)


@jit
def inverse(transform: jax.Array) -> jax.Array:
    """The inverse of a rigid transform: [R^T | -R^T t].

    Args:
      transform: (*b, 3, 4), [R | t].

    Returns:
      (*b, 3, 4), in the same dtype; 0 where the transform is bad.
    """
    (transform,), good, dtype = read_elements(transform=(transform, TRANSFORM))
    rotation, t = split_parts(transform)
    back = transpose(rotation)
    return write_elements(stack_parts(back, multiply(back, scale(-1, t))), good, dtype)


@jit
def apply(transform: jax.Array, points: jax.Array) -> jax.Array:
    """Moves points: R X + t.

    Args:
      transform: (*b, 3, 4), [R | t]. Its batch axes broadcast against those of the points:
        `transform[..., None, :, :]` moves a list of points.
      points: (*b, 3).

    Returns:
      (*b, 3), in the dtype of the arguments; 0 where the transform or the point is bad.
    """
    (transform, points), good, dtype = read_elements(
        transform=(transform, TRANSFORM), points=(points, POINT)
    )
    rotation, t = split_parts(transform)
    moved = add(multiply(rotation, channels(points)), t)
    return write_elements(_join(moved), good, dtype)


@jit
def displacement(transform: jax.Array, points: jax.Array) -> jax.Array:
    """By how much points move: X1 - X0 = (R - I) X + t, with the digits of small motions.

    `apply(transform, points) - points` has only the digits that the coordinates leave.

    Args:
      transform: (*b, 3, 4), [R | t]. Its batch axes broadcast against those of the points:
        `transform[..., None, :, :]` moves a list of points. Turns below a right angle enter by
        the antisymmetric part of R, which keeps their digits; R must be a rotation.
      points: (*b, 3).

    Returns:
      (*b, 3), in the dtype of the arguments; 0 where the transform or the point is bad.
    """
    (transform, points), good, dtype = read_elements(
        transform=(transform, TRANSFORM), points=(points, POINT)
    )
    turn, t = split(transform)
    return write_elements(_join(add(multiply(turn, channels(points)), t)), good, dtype)


@jit
def between(a: jax.Array, b: jax.Array) -> jax.Array:
    """The transform from a to b: b a^-1, so that compose(between(a, b), a) = b.

    For two poses world_to_camera it takes a point from the axes of camera a to those of camera b.
    It is found from the differences of a and b, as

        R - I = (R_b - R_a) R_a^T,    t = (t_b - t_a) - (R - I) t_a.

    GTSAM's and manif's `between` is a^-1 b, which is inverse(between(inverse(a), inverse(b))) read
    from b to a, and between(inverse(a), inverse(b)) read from a to b.

    Args:
      a: (*b, 3, 4).
      b: (*b, 3, 4).

    Returns:
      (*b, 3, 4), in the dtype of the arguments; 0 where either is bad.
    """
    (a, b), good, dtype = read_elements(a=(a, TRANSFORM), b=(b, TRANSFORM))
    turn, shift = find_relative(a, b)
    rotation = turn.rounded + jnp.broadcast_to(jnp.eye(3, dtype=a.dtype), turn.hi.shape)
    relative = jnp.concatenate([rotation, shift.rounded[..., None]], axis=-1)
    return write_elements(relative, good, dtype)


@jit
def adjoint(transform: jax.Array) -> jax.Array:
    """The matrix Ad that takes twists to other axes: exp(Ad x) = T exp(x) T^-1.

    Ad = [[R, [t] R], [0, R]] for twists (translation, rotation), with [t] x = t x x.

    Args:
      transform: (*b, 3, 4), T = [R | t].

    Returns:
      (*b, 6, 6), in the same dtype; 0 where the transform is bad.
    """
    (transform,), good, dtype = read_elements(transform=(transform, TRANSFORM))
    rotation, t = split_parts(transform)
    lever = transpose([cross(t, column) for column in transpose(rotation)])
    zeros = (jnp.zeros_like(t[0]),) * 3
    rows = [(*a, *b) for a, b in zip(rotation, lever, strict=True)]
    rows += [(*zeros, *a) for a in rotation]
    return write_elements(jnp.stack([_join(row) for row in rows], axis=-2), good, dtype)


@jit
def look_at(eye: jax.Array, target: jax.Array, up: jax.Array) -> jax.Array:
    """The pose of a camera at `eye` that looks at `target`, in OpenCV's axes.

    The rows of R are x = z x up (right), y = z x x (down) and z = target - eye (forward), each of
    length 1, and t = -R eye.

    Args:
      eye: (*b, 3), centre of the camera in the world.
      target: (*b, 3), point that the camera sees at its principal point.
      up: (*b, 3), direction that is up in the image, of any length.

    Returns:
      (*b, 3, 4), world_to_camera, in the dtype of the arguments; 0, which no camera accepts, where
      the eye is at the target, or where `up` is 0 or parallel to the view.
    """
    (eye, target, up), good, dtype = read_elements(
        eye=(eye, POINT), target=(target, POINT), up=(up, POINT)
    )
    eye_at, target_at = channels(eye), channels(target)
    z, sees = _normalize(subtract(target_at, eye_at), 0.0)
    upwards, has_up = _normalize(channels(up), 0.0)
    x, is_slanted = _normalize(cross(z, upwards), _ROUNDINGS * float(jnp.finfo(up.dtype).eps))
    rotation = x, cross(z, x), z
    pose = stack_parts(rotation, multiply(rotation, scale(-1, eye_at)))
    return write_elements(pose, good & sees & has_up & is_slanted, dtype)


def split_parts(transform: jax.Array) -> tuple[list[Vector], Vector]:
    """R as rows of scalar maps, and t."""
    rows = [channels(transform[..., i, :]) for i in range(3)]
    return [row[:3] for row in rows], tuple(row[3] for row in rows)


def stack_parts(rotation: Rows, translation: Vector) -> jax.Array:
    """The transforms (*b, 3, 4) of rows and t; all maps broadcast."""
    rows = [(*row, t) for row, t in zip(rotation, translation, strict=True)]
    shape = jnp.broadcast_shapes(*(x.shape for row in rows for x in row))
    return jnp.stack([_join([jnp.broadcast_to(x, shape) for x in row]) for row in rows], axis=-2)


def _join(maps: list[jax.Array] | Vector) -> jax.Array:
    return channels_last(*jnp.broadcast_arrays(*maps))


def _normalize(vector: Vector, least: float) -> tuple[Vector, jax.Array]:
    """The vector by its length, and whether that is above `least`; else an axis."""
    sizes = jax.lax.stop_gradient([jnp.abs(x) for x in vector])
    largest = jnp.maximum(jnp.maximum(sizes[0], sizes[1]), sizes[2])
    is_long = largest > least
    x, y, z = mask(is_long, vector, (1, 0, 0))
    # Squares of numbers near 1 neither overflow nor vanish.
    unit = scale(1 / jnp.where(is_long, largest, 1), (x, y, z))
    return scale(1 / length(*unit), unit), is_long
