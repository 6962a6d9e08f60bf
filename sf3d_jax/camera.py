"""Cameras: what connects pixels with rays, and rays with the world.

Axes are OpenCV's, x right, y down, z forward, in metres. A pixel (u, v) is (column, row) with
integers at pixel centres: the top left centre is (0, 0), the image covers [-0.5, W - 0.5].

    X_camera = R X_world + t,  [R | t] = world_to_camera
    (u, v) = focal * lens(X / Z, Y / Z) + principal_point
"""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax import _lens
from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import (
    bounded,
    channels_last,
    jit,
    mask,
    narrow,
    surface,
    where_valid,
    widen,
)
from sf3d_jax._optics import Optics, per_pixel, rows, usable

Size = tuple[int, int]


def _no_pose() -> Any:
    return np.eye(3, 4, dtype=np.float32)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Camera:
    """One camera or a batch of cameras of one size and lens model; a frozen pytree.

    The edits give the camera of the edited image. Each array may have batch axes (*b) of
    its own; they broadcast.

    Attributes:
      focal: (*b, 2), (fx, fy) in pixels, positive.
      principal_point: (*b, 2), (cx, cy) in pixels.
      world_to_camera: (*b, 3, 4), a rotation and a translation in metres; the identity
        unless given.
      distortion: (*b, K) coefficients in OpenCV's order, or None for a pinhole.
      size: (H, W), static.
      model: "pinhole", "opencv" (k1 k2 p1 p2 [k3 [k4 k5 k6 [s1 s2 s3 s4]]]) or "fisheye"
        (Kannala-Brandt k1 k2 k3 k4), static.
    """

    focal: Any
    principal_point: Any
    world_to_camera: Any = dataclasses.field(default_factory=_no_pose)
    distortion: Any = None
    size: Size = dataclasses.field(kw_only=True, metadata={"static": True})
    model: str = dataclasses.field(default="pinhole", kw_only=True, metadata={"static": True})

    @classmethod
    def pinhole(
        cls, fx: Any, fy: Any, cx: Any, cy: Any, size: Size, world_to_camera: Any = None
    ) -> "Camera":
        """A camera without distortion.

        Args:
          fx: (*b), focal length in pixels along the row.
          fy: (*b), focal length in pixels along the column.
          cx: (*b), column of the principal point, in pixels.
          cy: (*b), row of the principal point, in pixels.
          size: (H, W) of the image.
          world_to_camera: (*b, 3, 4) or (*b, 4, 4), metres; None puts the world at the camera.

        Returns:
          The camera. NumPy and Python numbers stay NumPy, in their precision.

        Raises:
          ValueError: world_to_camera has another shape.
        """
        pose = _no_pose() if world_to_camera is None else _pose(world_to_camera)
        return cls(_stack(fx, fy), _stack(cx, cy), pose, size=_size(size))

    @classmethod
    def from_matrix(
        cls,
        matrix: Any,
        size: Size,
        *,
        world_to_camera: Any = None,
        distortion: Any = None,
        model: str | None = None,
    ) -> "Camera":
        """A camera from its 3x3 matrix K, with OpenCV's distortion if there is any.

        Args:
          matrix: (*b, 3, 3), [[fx, 0, cx], [0, fy, cy], [0, 0, 1]] in pixels.
          size: (H, W) of the image.
          world_to_camera: (*b, 3, 4) or (*b, 4, 4), metres; None puts the world at the camera.
          distortion: (*b, K) coefficients, or None.
          model: "pinhole", "opencv" or "fisheye"; "opencv" where there are coefficients.

        Returns:
          The camera.

        Raises:
          ValueError: a wrong shape, a skewed matrix, or coefficients that the model lacks.
        """
        matrix = _array(matrix)
        if matrix.shape[-2:] != (3, 3):
            raise ValueError(f"matrix: expected shape (..., 3, 3), got {matrix.shape}")
        if isinstance(matrix, np.ndarray) and np.any(matrix[..., 0, 1] != 0):
            raise ValueError(f"matrix: skew is not supported, got {matrix[..., 0, 1]}")
        model = model or ("pinhole" if distortion is None else "opencv")
        fx, fy, cx, cy = (matrix[..., i, j] for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
        camera = cls.pinhole(fx, fy, cx, cy, size, world_to_camera)
        distortion = None if distortion is None else _array(distortion)
        camera = dataclasses.replace(camera, distortion=distortion, model=model)
        _check_lens("", camera)
        return camera

    def crop(self, top: Any, left: Any, size: Size) -> "Camera":
        """The camera of the window image[top : top + h, left : left + w].

        Args:
          top: (*b), first row, an integer; may be traced.
          left: (*b), first column, an integer; may be traced.
          size: (h, w) of the window.

        Returns:
          The camera of the window.

        Raises:
          ValueError: the window is known to leave the image.
        """
        _check_window("crop", top, left, _size(size), self.size)
        return self._shift(-_stack(left, top), size)

    def pad(self, top: Any, left: Any, size: Size) -> "Camera":
        """The camera of an image with `top` rows and `left` columns added before it.

        Args:
          top: (*b), rows added above, an integer; may be traced.
          left: (*b), columns added on the left, an integer; may be traced.
          size: (h, w) of the padded image.

        Returns:
          The camera of the padded image.

        Raises:
          ValueError: the image is known not to fit into the size.
        """
        _check_window("pad", top, left, self.size, _size(size))
        return self._shift(_stack(left, top), size)

    def _shift(self, by: Any, size: Size) -> "Camera":
        point = self.principal_point
        return dataclasses.replace(
            self, principal_point=point + by.astype(point.dtype), size=_size(size)
        )

    def resize(self, size: Size) -> "Camera":
        """The camera of the resized image: u' = (u + 1/2) w/W - 1/2, areas onto areas.

        Args:
          size: (h, w) of the resized image.

        Returns:
          The camera of the resized image; each axis has its own factor.
        """
        size = _size(size)
        scale = np.array([size[1] / self.size[1], size[0] / self.size[0]])
        scale = scale.astype(self.focal.dtype)
        return dataclasses.replace(
            self,
            focal=self.focal * scale,
            principal_point=(self.principal_point + 0.5) * scale - 0.5,
            size=size,
        )

    def flip(self) -> "Camera":
        """The camera of the image mirrored left to right, in the mirrored world.

        Returns:
          The camera; the x of every vector seen with it changes sign.
        """
        mirror = np.array([-1, 1, 1, 1], dtype=np.float32)
        centre = self.principal_point
        distortion = self.distortion
        if self.model == "opencv":
            # x' is odd in x but for p2, s1 and s2, and y' is even.
            odd = np.isin(np.arange(12), [3, 8, 9])[: distortion.shape[-1]]
            distortion = distortion * np.where(odd, -1, 1).astype(np.float32)
        return dataclasses.replace(
            self,
            principal_point=_stack(self.size[1] - 1 - centre[..., 0], centre[..., 1]),
            world_to_camera=self.world_to_camera * mirror[:3, None] * mirror,
            distortion=distortion,
        )

    def stride(self, step: int, offset: int = 0) -> "Camera":
        """The camera of the pixels image[offset::step, offset::step].

        Args:
          step: distance of the pixels kept, at least 1.
          offset: first row and column kept.

        Returns:
          The camera of the thinned image.

        Raises:
          ValueError: step below 1, or offset outside the image.
        """
        if step < 1 or not 0 <= offset < min(self.size):
            raise ValueError(f"stride: step {step} and offset {offset} do not fit {self.size}")
        height, width = (-(-(n - offset) // step) for n in self.size)
        return dataclasses.replace(
            self,
            focal=self.focal / step,
            principal_point=(self.principal_point - offset) / step,
            size=(height, width),
        )


def _array(x: Any) -> Any:
    return x if isinstance(x, jax.Array) else np.asarray(x)


def _stack(x: Any, y: Any) -> Any:
    """(x, y) as one array; NumPy where both are, since readers work in float64."""
    if isinstance(x, jax.Array) or isinstance(y, jax.Array):
        return jnp.stack(jnp.broadcast_arrays(x, y), axis=-1)
    pair = np.stack(np.broadcast_arrays(x, y), axis=-1)
    return pair if np.issubdtype(pair.dtype, np.floating) else pair.astype(np.float64)


def _pose(matrix: Any) -> Any:
    matrix = _array(matrix)
    if matrix.shape[-2:] not in ((3, 4), (4, 4)):
        raise ValueError(
            f"world_to_camera: expected (..., 3, 4) or (..., 4, 4), got {matrix.shape}"
        )
    return matrix[..., :3, :]


def _size(size: Size) -> Size:
    height, width = (int(n) for n in size)
    if height < 1 or width < 1:
        raise ValueError(f"size: expected (height, width) of at least 1, got {size}")
    return height, width


def _check_window(name: str, top: Any, left: Any, inner: Size, outer: Size) -> None:
    """Raises where a window of known position does not fit; traced positions pass."""
    for start, part, whole in ((top, inner[0], outer[0]), (left, inner[1], outer[1])):
        if isinstance(start, jax.core.Tracer):
            continue
        if np.any(np.asarray(start) < 0) or np.any(np.asarray(start) + part > whole):
            raise ValueError(
                f"{name}: {inner} at top {top}, left {left} does not fit into {outer} (H, W)"
            )


def _check_lens(name: str, camera: Camera) -> None:
    if camera.model not in _lens.COEFFICIENTS:
        raise ValueError(f"{name}model: expected {set(_lens.COEFFICIENTS)}, got {camera.model!r}")
    count = 0 if camera.distortion is None else camera.distortion.shape[-1]
    if count not in _lens.COEFFICIENTS[camera.model]:
        fits = " or ".join(map(str, _lens.COEFFICIENTS[camera.model]))
        raise ValueError(
            f"{name}distortion: model {camera.model!r} has {fits} coefficients, got {count}"
        )


def check_camera(name: str, camera: Any) -> tuple[int, ...]:
    """Checks a camera argument.

    Args:
      name: the argument's name, for the message.
      camera: what was passed.

    Returns:
      Its batch shape.

    Raises:
      TypeError: it is no camera.
      ValueError: one of its arrays has a wrong shape.
    """
    if not isinstance(camera, Camera):
        raise TypeError(f"{name}: expected a Camera, got {type(camera).__name__}")
    parts = {
        "focal": (camera.focal, (2,)),
        "principal_point": (camera.principal_point, (2,)),
        "world_to_camera": (camera.world_to_camera, (3, 4)),
    }
    _check_lens(f"{name}.", camera)
    if camera.distortion is not None:
        parts["distortion"] = (camera.distortion, (camera.distortion.shape[-1],))
    for part, (x, trailing) in parts.items():
        check_array(f"{name}.{part}", x, trailing)
    return check_batch(
        **{f"{name}.{part}": x.shape[: -len(trailing)] for part, (x, trailing) in parts.items()}
    )


class Projection(NamedTuple):
    """Where points are seen.

    Attributes:
      pixels: (..., 2), (u, v); 0 where not valid.
      inv_depth: (...), 1 / Z, per metre; 0 where not valid.
      valid: (...), bool.
    """

    pixels: jax.Array
    inv_depth: jax.Array
    valid: jax.Array


class Points(NamedTuple):
    """Points of the world.

    Attributes:
      points: (..., 3), metres, in world axes; 0 where not valid.
      valid: (...), bool.
    """

    points: jax.Array
    valid: jax.Array


def pixel_grid(size: Size) -> jax.Array:
    """The pixel (u, v) at every place of an image.

    Args:
      size: (H, W).

    Returns:
      (H, W, 2): column and row; [0, 0] holds (0, 0).
    """
    height, width = _size(size)
    u, v = jnp.meshgrid(jnp.arange(width, dtype=float), jnp.arange(height, dtype=float))
    return jnp.stack([u, v], axis=-1)


def _pixel_axes(axes: int, camera_axes: int) -> int:
    """How many of the leading axes belong to the pixels of one camera: an image or a list."""
    return max(0, min(2, axes - camera_axes))


@jit
def project(points: jax.Array, camera: Camera) -> Projection:
    """Projects points of the world into the image.

    X = R X_world + t, then (u, v) = focal * lens(X/Z, Y/Z) + principal_point. The inverse
    of `unproject`.

    Args:
      points: (*b, h, w, 3), or a list (*b, n, 3) where *b are the axes of the camera's batch;
        metres, in world axes (those of the camera, if its pose is the identity).
      camera: its batch shape broadcasts against *b.

    Returns:
      Pixels, inverse depth and validity, in the dtype of the points. A point is valid if it
      is finite, before the camera and where the lens is one-to-one; that it lies inside the
      image is not asked. Other points get zeros and pass no gradient.

    Raises:
      TypeError: an argument is no floating array, or no camera.
      ValueError: shapes do not fit.
    """
    check_array("points", points, (3,))
    batch = check_camera("camera", camera)
    axes = _pixel_axes(points.ndim - 1, len(batch))
    check_batch(points=points.shape[: points.ndim - 1 - axes], camera=batch)

    dtype = points.dtype
    points, camera = widen(points, camera)
    camera, good = usable(camera)
    optics, pose = Optics.of(camera, axes), rows(camera.world_to_camera, axes)
    finite = bounded(points).all(-1)
    x, y, z = (mask(finite, points[..., i]) for i in range(3))
    x, y, z = (a * x + b * y + c * z + t for a, b, c, t in pose)

    valid = finite & surface(z) & per_pixel(good, axes)
    valid = valid & optics.inside(*(a / jnp.where(valid, z, 1) for a in mask(valid, (x, y))))
    pixels, inv_depth = where_valid(_see, (0.0, 0.0, 1.0), valid, (x, y, z), optics)
    (pixels, inv_depth), valid = narrow(valid, (pixels, inv_depth), dtype)
    return Projection(pixels, inv_depth, valid)


def _see(x: jax.Array, y: jax.Array, z: jax.Array, optics: Optics) -> tuple[jax.Array, jax.Array]:
    return channels_last(*optics.pixel(x / z, y / z)), 1 / z


@jit
def unproject(pixels: jax.Array, inv_depth: jax.Array, camera: Camera) -> Points:
    """The points of the world that are seen at pixels.

    X = lens^-1((u - cx)/fx, (v - cy)/fy) / d, then X_world = R^T (X - t). The inverse of
    `project`.

    Args:
      pixels: (*b, h, w, 2), or a list (*b, n, 2) where *b are the axes of the camera's
        batch; (u, v) in pixels, anywhere in the plane. `pixel_grid(size)` is the whole image.
      inv_depth: (*b, h, w) or (*b, n), d = 1 / Z, per metre; broadcasts against the pixels.
      camera: its batch shape broadcasts against *b.

    Returns:
      Points in metres, in world axes (those of the camera, if its pose is the identity), in
      the dtype of pixels and inverse depth. A pixel is valid if it is finite, its inverse
      depth is finite and positive, and the lens is one-to-one there. Other pixels get zeros
      and pass no gradient.

    Raises:
      TypeError: an argument is no floating array, or no camera.
      ValueError: shapes do not fit.
    """
    check_array("pixels", pixels, (2,))
    check_array("inv_depth", inv_depth)
    batch = check_camera("camera", camera)
    shape = check_batch(pixels=pixels.shape[:-1], inv_depth=inv_depth.shape)
    axes = _pixel_axes(len(shape), len(batch))
    check_batch(pixels=shape[: len(shape) - axes], camera=batch)

    dtype = jnp.result_type(pixels, inv_depth)
    pixels, inv_depth, camera = widen(pixels, inv_depth, camera)
    camera, good = usable(camera)
    ray = Optics.of(camera, axes).ray(pixels[..., 0], pixels[..., 1])
    valid = ray.valid & surface(inv_depth) & per_pixel(good, axes)
    pose = rows(camera.world_to_camera, axes)
    points = where_valid(_place, (0.0, 0.0, 1.0), valid, (ray.x, ray.y, inv_depth), pose)
    points, valid = narrow(valid, points, dtype)
    return Points(points, valid)


def _place(x: jax.Array, y: jax.Array, d: jax.Array, pose: list[list[jax.Array]]) -> jax.Array:
    z = 1 / d
    seen = [a - row[3] for a, row in zip((x * z, y * z, z), pose, strict=True)]
    return channels_last(
        *(sum(row[i] * a for a, row in zip(seen, pose, strict=True)) for i in range(3))
    )
