"""Finds the pieces that face a camera, and selects their Gaussians.

A closed surface shows its outside only. Its far side is hidden, but a Gaussian that lets a few
percent of the light through would mix the back of a head into the depth of its face. So pieces that
face away are left out, which also halves the work. Select by the FIRST camera and apply the same
selection at all times, because the Gaussians of two times have to be the same ones.

The outside is where the corners of a triangle run counterclockwise. For open or two-sided surfaces,
such as lashes and strips of hair, do not call `is_facing`: all pieces are drawn then. Where some
triangles are open, keep both: is_facing(...) | is_open[cover.triangles].
"""

import operator
from functools import partial
from typing import Any, SupportsIndex, TypeVar

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_mask, name_type
from sf3d_jax._numerics import Array, jit, widen
from sf3d_jax._numerics.concrete import read_known
from sf3d_jax._numerics.vectors import cross, dot, subtract
from sf3d_jax.camera import Camera, check_camera
from sf3d_jax.head._pieces import check_pieces, gather
from sf3d_jax.head.covering import Cover

T = TypeVar("T")


def is_facing(cover: Cover, faces: Array, vertices: Array, camera: Camera) -> jax.Array:
    """Tells which pieces show their outside to a camera.

    A piece of a triangle v0 v1 v2 faces the camera's centre o if (v0 - o) . (e1 x e2) < 0 with
    e1 = v1 - v0 and e2 = v2 - v0. The corners then run counterclockwise as the camera sees them.

    Args:
      cover: N pieces, from `cover`.
      faces: (T, 3), integer, as passed to `cover`.
      vertices: (V, 3), metres, at the time of the camera.
      camera: one camera with any lens, in the same world.

    Returns:
      (N), bool. Pieces without area, or with a vertex that is not finite, do not face it.

    Raises:
      TypeError: an argument has another type.
      ValueError: a shape does not fit.
    """
    check_pieces(cover, faces, vertices)
    if batch := check_camera("camera", camera):
        raise ValueError(f"camera: expected one camera, got a batch {batch}; use jax.vmap")
    return _is_facing(cover.triangles, faces, vertices, camera.world_to_camera)


@jit
def _is_facing(triangles: Array, faces: Array, vertices: Array, pose: Array) -> jax.Array:
    points, pose = widen(jnp.asarray(vertices), jnp.asarray(pose))
    corners = gather(triangles, faces, points)
    center = tuple(-(pose[:, i] * pose[:, 3]).sum() for i in range(3))
    normal = cross(corners.first, corners.second)
    return dot(normal, subtract(corners.origin, center)) < 0


def select(gaussians: T, keep: Array, room: SupportsIndex) -> T:
    """Selects Gaussians into a fixed number of places, so that one compiled program draws them.

    The selected Gaussians come first, in their order. The other places hold zeros: Gaussians of
    opacity 0, which are not drawn. Apply the same `keep` to the Gaussians of all times.

    Args:
      gaussians: Gaussians (N), or any tree of arrays whose first axis has N entries, such as
        (gaussians, features).
      keep: (N), bool, which of them to select, for example from `is_facing`.
      room: static number of places, an integer, at least 1. `gaussians.room_for(keep.sum())` gives
        one that is large enough and has few different values.

    Returns:
      The same tree with `room` entries along the first axis. Under `jit`, where the number of
      selected Gaussians is not known, those that do not fit are left out: check keep.sum() there.

    Raises:
      TypeError: keep is not an array of bool, room is not an integer, or gaussians holds something
        else than arrays.
      ValueError: a shape does not fit, or outside `jit`, room is too small.
    """
    check_mask("keep", keep)
    if keep.ndim != 1:
        raise ValueError(f"keep: expected shape (N), got {keep.shape}; use jax.vmap for a batch")
    for x in jax.tree.leaves(gaussians):
        if not hasattr(x, "shape"):
            raise TypeError(f"gaussians: expected arrays, got {name_type(x)} in their place")
        if x.shape[:1] != keep.shape:
            raise ValueError(
                f"gaussians: expected {keep.shape[0]} entries along the first axis of every array, "
                f"as in keep, got shape {x.shape}"
            )
    return _select(gaussians, keep, room=_check_places(room, keep))


def _check_places(room: SupportsIndex, keep: Array) -> int:
    """The number of places, which have to hold what is selected, where that is known."""
    try:
        places = operator.index(room)
    except TypeError as error:  # a traced array raises a subclass
        raise TypeError(
            f"room: expected an integer that is known at trace time, got {name_type(room)}"
        ) from error
    known = read_known(keep)
    least = 1 if known is None else max(int(known.sum()), 1)
    if places < least:
        raise ValueError(
            f"room: expected at least {least}, the number of Gaussians to keep, got {places}; "
            "pass gaussians.room_for(keep.sum())"
        )
    return places


@partial(jit, static=("room",))
def _select(tree: Any, keep: Array, *, room: int) -> Any:
    places = jnp.nonzero(keep, size=room, fill_value=keep.shape[0])[0]
    return jax.tree.map(lambda x: jnp.asarray(x).at[places].get(mode="fill", fill_value=0), tree)
