"""Cameras: the map from points of the world to pixels.

Axes are OpenCV's, x right, y down, z forward, in metres. A pixel (u, v) is (column, row) with
integers at pixel centres: the top left pixel is (0, 0), and columns cover [-0.5, W - 0.5].

    X_camera = R X_world + t,  [R | t] = world_to_camera
    (u, v) = focal * lens(X / Z, Y / Z) + principal_point
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TypeAlias

import jax
import numpy as np
from jax.tree_util import GetAttrKey
from jax.typing import ArrayLike

from sf3d_jax._checks import check_array, check_batch, check_no_path
from sf3d_jax._numerics import Array, Leaf, align_ranks
from sf3d_jax._numerics.concrete import read_known
from sf3d_jax.camera._arrays import (
    ArrayOrLists,
    match_array,
    read_pose,
    stack,
    take_entry,
    to_floats,
)
from sf3d_jax.camera._fields import AXES, check_fields, check_lens, check_pose, check_window, edit
from sf3d_jax.camera._fields import Size as Size
from sf3d_jax.camera._fields import check_size as check_size
from sf3d_jax.camera._poses import compose_poses, find_center, relate_poses


def _make_identity_pose() -> np.ndarray:
    return np.eye(3, 4, dtype=np.float32)


@dataclasses.dataclass(frozen=True)
class Camera:
    """One camera or a batch of cameras with one size and lens model; a frozen pytree.

    X_camera = R X_world + t with [R | t] = world_to_camera, then (u, v) = focal * lens(X / Z,
    Y / Z) + principal_point. Methods such as `crop` return the camera of the edited image.
    The batch axes (*b) of the arrays broadcast.

    The constructor and `dataclasses.replace` check values, which blocks until device arrays are
    ready. Not checked are traced arrays, cameras made by JAX (outputs of jit or jax.tree.map), and
    arrays on a device under a transfer guard; there, bad values make pixels invalid.

    A camera that is a field of a model, such as an equinox module, is trained with it, because its
    arrays are leaves. To keep it fixed, use `jax.lax.stop_gradient(camera)` in the model and
    exclude it from the optimiser (`equinox.partition`, `optax.masked`), since weight decay also
    changes parameters without a gradient.

    Attributes:
      focal: (*b, 2), (fx, fy) in pixels, positive.
      principal_point: (*b, 2), (cx, cy) in pixels.
      world_to_camera: (*b, 3, 4), a rotation and a translation in metres; default: identity.
      distortion: (*b, K) coefficients in OpenCV's order, or None for a pinhole camera.
      size: (H, W), two integers, static.
      model: "pinhole", "opencv" (k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4]]]) or "fisheye"
        (Kannala-Brandt k1 k2 k3 k4), static.

    Raises:
      ValueError: wrong shape, size or model; a focal length that is not positive; a non-finite
        value; or R is not a rotation: R R^T differs from the identity by more than 1e-3 (8e-3 in
        bfloat16), or det R is negative.
    """

    focal: Leaf
    principal_point: Leaf
    world_to_camera: Leaf = dataclasses.field(default_factory=_make_identity_pose)
    distortion: Leaf = None
    size: Size = dataclasses.field(kw_only=True)
    model: str = dataclasses.field(default="pinhole", kw_only=True)

    def __post_init__(self) -> None:
        """Checks the fields."""
        object.__setattr__(self, "size", check_size(self.size))
        check_fields({name: getattr(self, name) for name in AXES}, self.model)

    @classmethod
    def pinhole(
        cls,
        fx: ArrayLike,
        fy: ArrayLike,
        cx: ArrayLike,
        cy: ArrayLike,
        size: Size,
        world_to_camera: ArrayOrLists | None = None,
    ) -> Camera:
        """Makes a camera without distortion: (u, v) = (fx X / Z + cx, fy Y / Z + cy).

        Args:
          fx: (*b), horizontal focal length in pixels.
          fy: (*b), vertical focal length in pixels.
          cx: (*b), column of the principal point in pixels.
          cy: (*b), row of the principal point in pixels.
          size: (H, W) of the image.
          world_to_camera: (*b, 3, 4) or (*b, 4, 4), metres; None for the identity.

        Returns:
          The camera. NumPy and Python numbers become NumPy arrays of their precision.

        Raises:
          ValueError: `Camera` refuses a value, or the last row of a 4 x 4 pose is not 0 0 0 1.
        """
        # Checked first: if the size was passed as two numbers, its width arrives as the pose.
        size = check_size(size)
        pose = _make_identity_pose() if world_to_camera is None else read_pose(world_to_camera)
        return cls(stack(fx, fy), stack(cx, cy), pose, size=size)

    @classmethod
    def from_matrix(
        cls,
        matrix: ArrayOrLists,
        size: Size,
        *,
        world_to_camera: ArrayOrLists | None = None,
        distortion: ArrayOrLists | None = None,
        model: str | None = None,
    ) -> Camera:
        """Makes a camera from its matrix K = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]].

        Args:
          matrix: (*b, 3, 3), K in pixels.
          size: (H, W) of the image.
          world_to_camera: (*b, 3, 4) or (*b, 4, 4), metres; None for the identity.
          distortion: (*b, K) coefficients in OpenCV's order, or None.
          model: "pinhole", "opencv" or "fisheye"; if None, "opencv" with coefficients, else
            "pinhole".

        Returns:
          The camera.

        Raises:
          ValueError: `Camera` refuses a value, the last row of a 4 x 4 pose is not 0 0 0 1, or K
            has skew.
        """
        matrix = to_floats(matrix)
        if matrix.shape[-2:] != (3, 3):
            raise ValueError(f"matrix: expected shape (..., 3, 3), got {matrix.shape}")
        known = read_known(matrix)
        if known is not None and np.any(known[..., 0, 1] != 0):
            raise ValueError(f"matrix: skew is not supported, got {known[..., 0, 1]}")
        model = model or ("pinhole" if distortion is None else "opencv")
        fx, fy, cx, cy = (take_entry(matrix, i, j) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
        pose = _make_identity_pose() if world_to_camera is None else read_pose(world_to_camera)
        distortion = None if distortion is None else to_floats(distortion)
        return cls(stack(fx, fy), stack(cx, cy), pose, distortion, size=size, model=model)

    @property
    def center(self) -> Array:
        """The camera's centre in the world: -R^T t, (*b, 3), metres."""
        return find_center(self.world_to_camera)

    def moved(self, transform: Array) -> Camera:
        """The camera after its axes have changed: world_to_camera' = transform world_to_camera.

        X' = R X + t takes a point from this camera's axes to those of the new one. So
        camera.moved(camera.between(other)) has the pose of `other`, and camera.moved(motion) is
        the second camera of a pair whose motion of the camera is known.

        Args:
          transform: (*b, 3, 4), [R | t], metres.

        Returns:
          The camera with the same intrinsics.

        Raises:
          ValueError: R is not a rotation, or a value is not finite, which is not checked for traced
            arrays; or the batch axes do not broadcast.
        """
        check_pose("transform", transform)
        check_batch(camera=self.world_to_camera.shape[:-2], transform=transform.shape[:-2])
        return edit(self, world_to_camera=compose_poses(transform, self.world_to_camera))

    def between(self, other: Camera) -> Array:
        """The transform from this camera's axes to those of another: X_other = R X + t.

        With the poses [R0 | t0] of this camera and [R1 | t1] of the other, R - I = (R1 - R0) R0^T
        and t = (t1 - t0) - (R - I) t0, with twice the digits: `se3.between` of the two poses.

        Args:
          other: the other camera; its batch axes broadcast, its intrinsics do not matter.

        Returns:
          (*b, 3, 4), [R | t], metres; a NumPy array if both poses are.
        """
        check_camera("other", other)
        pose, next_pose = self.world_to_camera, other.world_to_camera
        check_batch(camera=pose.shape[:-2], other=next_pose.shape[:-2])
        return relate_poses(pose, next_pose)

    def crop(self, top: ArrayLike, left: ArrayLike, size: Size) -> Camera:
        """The camera of the window image[top : top + h, left : left + w]: c' = c - (left, top).

        Args:
          top: (*b), first row, an integer; may be traced.
          left: (*b), first column, an integer; may be traced.
          size: (h, w) of the window.

        Returns:
          The camera of the window.

        Raises:
          ValueError: the window extends beyond the image; not checked for traced positions.
        """
        check_window("crop", top, left, check_size(size), self.size)
        return shift_camera(self, -stack(left, top), size)

    def pad(self, top: ArrayLike, left: ArrayLike, size: Size) -> Camera:
        """The camera of an image padded by `top` rows and `left` columns: c' = c + (left, top).

        Args:
          top: (*b), rows added above, an integer; may be traced.
          left: (*b), columns added on the left, an integer; may be traced.
          size: (h, w) of the padded image.

        Returns:
          The camera of the padded image.

        Raises:
          ValueError: the padded image is too small; not checked for traced positions.
        """
        check_window("pad", top, left, self.size, check_size(size))
        return shift_camera(self, stack(left, top), size)

    def resize(self, size: Size) -> Camera:
        """The camera of the resized image: u' = (u + 1/2) w/W - 1/2, which maps areas to areas.

        Args:
          size: (h, w) of the resized image.

        Returns:
          The camera of the resized image; each axis has its own factor.
        """
        size = check_size(size)
        return scale_camera(self, np.array([size[1] / self.size[1], size[0] / self.size[0]]), size)

    def flip(self) -> Camera:
        """The camera of the image mirrored left to right, in the mirrored world: u' = W - 1 - u.

        Returns:
          The camera; the x component of every point and vector it sees changes sign.
        """
        mirror = np.array([-1, 1, 1, 1])
        pose, mirrored = match_array(self.world_to_camera, mirror[:3, None] * mirror)
        point, signs = match_array(self.principal_point, np.array([-1, 1]))
        _, last = match_array(point, np.array([self.size[1] - 1, 0]))
        distortion = self.distortion
        if self.model == "opencv":
            # x' is odd in x except for the terms of p2, s1 and s2; y' is even.
            odd = np.isin(np.arange(12), [3, 8, 9])[: distortion.shape[-1]]
            distortion, sign = match_array(distortion, np.where(odd, -1, 1))
            distortion = distortion * sign
        return edit(
            self,
            principal_point=point * signs + last,
            world_to_camera=pose * mirrored,
            distortion=distortion,
        )

    def stride(self, step: int, offset: int = 0) -> Camera:
        """The camera of image[offset::step, offset::step]: c' = (c - offset) / step.

        Args:
          step: distance between the pixels kept, at least 1.
          offset: first row and column kept.

        Returns:
          The camera of the subsampled image.

        Raises:
          ValueError: step is below 1, or offset is outside the image.
        """
        if step < 1 or not 0 <= offset < min(self.size):
            raise ValueError(f"stride: step {step} and offset {offset} do not fit {self.size}")
        height, width = (-(-(n - offset) // step) for n in self.size)
        focal, steps = match_array(self.focal, np.full(2, step))
        point, first = match_array(self.principal_point, np.full(2, offset))
        return edit(
            self,
            focal=focal / steps,
            principal_point=(point - first) / match_array(point, np.full(2, step))[1],
            size=(height, width),
        )


def shift_camera(camera: Camera, by: Array, size: Size) -> Camera:
    """The camera of an image of the given size in which pixel u moves to u + by, (*b, 2)."""
    point, by = match_array(camera.principal_point, by)
    return edit(camera, principal_point=point + by, size=check_size(size))


def scale_camera(camera: Camera, scale: Array, size: Size) -> Camera:
    """The camera of an image scaled by factors (*b, 2) along u and v; areas map to areas."""
    focal, focal_scale = match_array(camera.focal, scale)
    point, point_scale = match_array(camera.principal_point, scale)
    _, half = match_array(point, np.full(2, 0.5))
    point = (point + half) * point_scale - half
    return edit(camera, focal=focal * focal_scale, principal_point=point, size=check_size(size))


def align_camera(camera: Camera, rank: int) -> Camera:
    """Prepends axes of size 1 to a camera's arrays, so that each has `rank` batch axes."""
    arrays: dict[str, Leaf] = {
        name: align_ranks(x, rank=rank + count)[0]
        for name, count in AXES.items()
        if (x := getattr(camera, name)) is not None
    }
    return edit(camera, **arrays)


Static: TypeAlias = tuple[Size, str]


def _flatten(camera: Camera) -> tuple[tuple[Leaf, ...], Static]:
    arrays = camera.focal, camera.principal_point, camera.world_to_camera, camera.distortion
    return arrays, (camera.size, camera.model)


def _flatten_with_keys(camera: Camera) -> tuple[tuple[tuple[GetAttrKey, Leaf], ...], Static]:
    leaves, static = _flatten(camera)
    return tuple(zip(map(GetAttrKey, AXES), leaves, strict=True)), static


def _unflatten(static: Static, leaves: Iterable[Leaf]) -> Camera:
    camera = object.__new__(Camera)
    camera.__dict__.update(zip(AXES, leaves, strict=True), size=static[0], model=static[1])
    return camera


# register_dataclass would call the constructor with any object that JAX puts into the fields.
jax.tree_util.register_pytree_with_keys(Camera, _flatten_with_keys, _unflatten, _flatten)


def check_camera(name: str, camera: object) -> tuple[int, ...]:
    """Checks a camera argument.

    Args:
      name: argument name used in error messages.
      camera: argument to check.

    Returns:
      Its batch shape.
    """
    if not isinstance(camera, Camera):
        check_no_path(name, camera)
        is_matrix = getattr(camera, "shape", ())[-2:] == (3, 3)
        advice = "; use Camera.from_matrix(K, (height, width))" if is_matrix else ""
        if isinstance(camera, list | tuple) and {*map(type, camera)} == {Camera}:
            advice = "; stack them: jax.tree.map(lambda *x: jnp.stack(x), *cameras)"
        # Inside jit, numbers are arrays too.
        got = "an array or a number" if isinstance(camera, jax.Array) else type(camera).__name__
        raise TypeError(f"{name}: expected a Camera, got {got}{advice}")
    parts = {
        "focal": (camera.focal, (2,)),
        "principal_point": (camera.principal_point, (2,)),
        "world_to_camera": (camera.world_to_camera, (3, 4)),
    }
    check_lens(f"{name}.", camera.model, camera.distortion)
    if camera.distortion is not None:
        parts["distortion"] = (camera.distortion, (camera.distortion.shape[-1],))
    for part, (x, trailing) in parts.items():
        check_array(f"{name}.{part}", x, trailing)
    return check_batch(
        **{f"{name}.{part}": x.shape[: -len(trailing)] for part, (x, trailing) in parts.items()}
    )
