"""A moving scene with ground truth in closed form, in float64, without any file.

An ellipsoid at the centre of the view deforms smoothly in front of a tilted, fixed wall, while the
camera turns and moves. The world has the axes of the first camera. With the ray
r = ((u - cx)/fx, (v - cy)/fy, 1) of a pixel:

    wall        n . X = n . w                 z0 = (n . w) / (n . r)
    ellipsoid   |(X - m) / s|^2 = 1           z0 = the smaller root of a quadratic equation
    motion      X0 = z0 r,  X1 = X0 + field(X0) on the ellipsoid, X1 = X0 on the wall
    projection  p1 and z1: pixel and depth of R X1 + t in the second camera
    channels    F = p1 - p0,  d = 1/z0,  c = 1/z1 - 1/z0,  scene flow = X1 - X0

Occlusion by the deformed surface is ignored. A pixel of the second image shows the point X0 whose
X1 is seen there. It is the fixed point of

    X0 = where the ray, shifted by -field(X0), meets the ellipsoid.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

__all__ = ["ClosedFormScene", "deforming_scene", "next_image"]

_MIDDLE = np.array([0.0, 0.0, 1.0])
_RADII = np.array([0.24, 0.2, 0.16])
_WALL_POINT = np.array([0.0, 0.0, 1.6])
_WALL_NORMAL = np.array([0.25, -0.15, -1.0])
_TURN = np.array([0.006, -0.012, 0.009])  # axis times angle in radians
_STEP = np.array([0.02, -0.01, 0.015])
_LIGHT = np.array([-0.4, -0.6, -0.7])
# Wave vectors of the grain, per metre.
_GRAIN = np.array(
    [[260, 90, 60], [-110, 250, 0], [170, -190, 80], [80, 120, -50], [-60, 150, 40.0]]
)
_FIXED_POINT_STEPS = 12


def __dir__() -> list[str]:
    return __all__


class ClosedFormScene(NamedTuple):
    """A moving scene on the pixel grid of its first image; float64 except for the image.

    Attributes:
      camera: camera of the first image; the world has its axes.
      next_camera: camera of the second image.
      image: uint8 RGB [H, W, 3], the first image.
      points: [H, W, 3], X0 in metres.
      flow: [H, W, 2], (u, v) in pixels.
      inv_depth: [H, W], d per metre.
      inv_depth_change: [H, W], c per metre, of the same surface point.
      vectors: [H, W, 3], scene flow in metres, in the first camera's axes; 0 on the wall.
      valid: bool [H, W], True where the surface is in front of both cameras; elsewhere all maps
        are 0.
    """

    camera: "Camera"
    next_camera: "Camera"
    image: np.ndarray
    points: np.ndarray
    flow: np.ndarray
    inv_depth: np.ndarray
    inv_depth_change: np.ndarray
    vectors: np.ndarray
    valid: np.ndarray


def deforming_scene(
    size: tuple[int, int],
    *,
    amplitude: float = 0.01,
    camera_motion: float = 1.0,
    zoom: float = 1.0,
) -> ClosedFormScene:
    """Computes an ellipsoid that deforms in front of a fixed wall, seen by a moving camera.

    Args:
      size: (H, W) of both images.
      amplitude: largest deformation along an axis, metres.
      camera_motion: 0 keeps the camera still; 1 turns it by 0.9 degrees and moves it by 27 mm.
      zoom: focal length of the second camera over that of the first; a zoom other than 1 also moves
        the principal point.

    Returns:
      The scene, with flow F = p1 - p0, inverse depth d = 1/z0, its change c = 1/z1 - 1/z0 and scene
      flow X1 - X0.

    Raises:
      ValueError: the size or the zoom is not positive.
    """
    if not zoom > 0:
        raise ValueError(f"zoom: expected a positive number, got {zoom}")
    camera, next_camera = _make_cameras(size, camera_motion, zoom)
    pixels = np.stack(np.meshgrid(*(np.arange(n, dtype=float) for n in size[::-1])), axis=-1)
    rays = _cast_rays(pixels, camera)

    with np.errstate(divide="ignore", invalid="ignore"):
        on_ellipsoid, depth = _hit(rays)
        points = depth[..., None] * rays
        vectors = np.where(on_ellipsoid[..., None], amplitude * _compute_field(points), 0)
        rotation, translation = np.split(next_camera.world_to_camera, [3], axis=1)
        seen = (points + vectors) @ rotation.T + translation[:, 0]
        places = seen[..., :2] / seen[..., 2:] * next_camera.focal + next_camera.principal_point
        change = 1 / seen[..., 2] - 1 / depth
    valid = np.isfinite(depth) & (depth > 0) & (seen[..., 2] > 0)

    maps = points, places - pixels, 1 / depth, change, vectors
    masked = (np.where(valid.reshape(size + (1,) * (x.ndim - 2)), x, 0) for x in maps)
    points, flow, inv_depth, change, vectors = masked
    image = _paint(points, on_ellipsoid, valid)
    return ClosedFormScene(
        camera, next_camera, image, points, flow, inv_depth, change, vectors, valid
    )


def next_image(scene: ClosedFormScene, *, amplitude: float = 0.01) -> np.ndarray:
    """Paints the second image; texture and shading move with the surface.

    Args:
      scene: result of `deforming_scene`.
      amplitude: the amplitude passed to `deforming_scene`; a few centimetres at most.

    Returns:
      uint8 RGB [H, W, 3], black where empty.
    """
    height, width = scene.valid.shape
    pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(float)
    rotation, translation = np.split(scene.next_camera.world_to_camera, [3], axis=1)
    start = -rotation.T @ translation[:, 0]
    rays = _cast_rays(pixels, scene.next_camera) @ rotation
    shift = np.zeros_like(rays)
    with np.errstate(divide="ignore", invalid="ignore"):
        for _ in range(_FIXED_POINT_STEPS):
            on_ellipsoid, scale = _hit(rays, start - shift, grazing=True)
            points = start - shift + scale[..., None] * rays
            shift = amplitude * _compute_field(points)
        on_wall = _hit(rays, start)[1]
        wall = start + on_wall[..., None] * rays
    points = np.where(on_ellipsoid[..., None], points, wall)
    valid = np.isfinite(points).all(-1) & (on_ellipsoid | (on_wall > 0))
    return _paint(points, on_ellipsoid, valid)


def _make_cameras(size: tuple[int, int], motion: float, zoom: float) -> tuple["Camera", "Camera"]:
    from sf3d_jax.camera import Camera

    height, width = size
    focal = 1.1 * max(height, width)
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    camera = Camera.pinhole(focal, focal, centre[0], centre[1], size, np.eye(3, 4))
    pose = np.column_stack([_make_rotation(motion * _TURN), motion * _STEP])
    shift = (0, 0) if zoom == 1 else (0.02 * width, -0.01 * height)
    cx, cy = centre + shift
    return camera, Camera.pinhole(zoom * focal, zoom * focal, cx, cy, size, pose)


def _make_rotation(turn: np.ndarray) -> np.ndarray:
    """Makes the rotation matrix of an axis times its angle (Rodrigues)."""
    angle = np.linalg.norm(turn)
    x, y, z = turn / angle if angle else turn
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _cast_rays(pixels: np.ndarray, camera: "Camera") -> np.ndarray:
    slopes = (pixels - camera.principal_point) / camera.focal
    return np.concatenate([slopes, np.ones_like(slopes[..., :1])], axis=-1)


def _hit(
    rays: np.ndarray, start: np.ndarray | float = 0.0, *, grazing: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Intersects rays: whether each meets the ellipsoid, and the multiple of it at the first hit.

    If grazing, the wall is ignored, and a ray that misses the ellipsoid ends at its nearest point.
    """
    wall = ((_WALL_POINT - start) @ _WALL_NORMAL) / (rays @ _WALL_NORMAL)
    ray, middle = rays / _RADII, (_MIDDLE - start) / _RADII
    a, b, c = (ray**2).sum(-1), (ray * middle).sum(-1), (middle**2).sum(-1) - 1
    root = b**2 - a * c
    near = c / (b + np.sqrt(np.maximum(root, 0)))  # the smaller root, without cancellation
    if grazing:
        return root > 0, np.where(root > 0, near, b / a)
    return root > 0, np.where(root > 0, near, np.where(wall > 0, wall, np.inf))


def _compute_field(points: np.ndarray) -> np.ndarray:
    """Computes the deformation for an amplitude of 1: smooth, at most 1 along each axis."""
    x, y, z = np.moveaxis((points - _MIDDLE) / _RADII, -1, 0)
    waves = np.sin(2 * y + 1), np.sin(2.5 * x - z), np.cos(3 * x + 2 * y)
    return np.stack(waves, axis=-1) * np.array([0.7, 0.6, 1.0])


def _make_grain(points: np.ndarray) -> np.ndarray:
    """Computes a texture: waves of 1.5 to 6 cm through space, so that each place is distinct."""
    waves = np.sin(points @ _GRAIN.T + np.arange(len(_GRAIN)) ** 2)
    return 1 + 0.06 * waves.sum(-1)


def _paint(points: np.ndarray, on_ellipsoid: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Paints stripes on the ellipsoid and tiles on the wall, lit from the top left."""
    points = np.where(valid[..., None], points, _MIDDLE + _RADII)
    normal = np.where(on_ellipsoid[..., None], (points - _MIDDLE) / _RADII**2, _WALL_NORMAL)
    normal = normal / np.linalg.norm(normal, axis=-1, keepdims=True)
    light = 0.35 + 0.65 * np.maximum(normal @ (_LIGHT / np.linalg.norm(_LIGHT)), 0)

    x, y, z = np.moveaxis(points, -1, 0)
    stripes = 0.5 + 0.5 * np.sin(60 * x + 8 * np.sin(20 * y))
    tiles = ((np.floor(6 * x) + np.floor(6 * y)) % 2)[..., None]
    skin = np.stack([0.95 - 0.25 * stripes, 0.45 + 0.3 * stripes, 0.3 + 0.1 * z], axis=-1)
    wall = np.array([0.45, 0.5, 0.55]) + tiles * np.array([0.25, 0.25, 0.22])
    color = np.where(on_ellipsoid[..., None], skin, wall) * (light * _make_grain(points))[..., None]
    return np.where(valid[..., None], np.rint(255 * np.clip(color, 0, 1)), 0).astype(np.uint8)
