"""What the ray of every pixel meets first in a moving mesh, in float64: the truth for drawn meshes.

The ray o + z d of a pixel meets the triangle a b c (in the axes of the camera, o = 0) at the
barycentric coordinates (d . b x c, d . c x a, d . a x b) / s, with s their sum, and at the depth
z = (a . b x c) / s. It is tested for every pixel in the bounding box of the projected triangle.
"""

from typing import NamedTuple

import numpy as np

# Pairs of a triangle and a pixel that are tested at once.
BATCH = 2_000_000
# Rays through a shared edge may not slip between its two triangles.
SLACK = 1e-12


class Hits(NamedTuple):
    """The first triangle on the ray of every pixel.

    Attributes:
      triangles: (H, W), int; -1 where the ray meets none.
      shares: (H, W, 3), barycentric coordinates.
      depth: (H, W); 0 where the ray meets none.
    """

    triangles: np.ndarray
    shares: np.ndarray
    depth: np.ndarray


class Truth(NamedTuple):
    """The motion of the surface points that are seen.

    Attributes:
      hits: what the rays meet.
      flow: (H, W, 2).
      inv_depth_change: (H, W).
      scene_flow: (H, W, 3), in the axes of the first camera.
      hit: (H, W), bool.
    """

    hits: Hits
    flow: np.ndarray
    inv_depth_change: np.ndarray
    scene_flow: np.ndarray
    hit: np.ndarray


def cast_motion(vertices, next_vertices, faces, camera, next_camera=None):
    """The truth of two states of a mesh, in world axes, seen by pinhole cameras."""
    next_camera = next_camera or camera
    hits = cast(vertices, faces, camera)
    hit = hits.triangles >= 0
    corners = faces[np.maximum(hits.triangles, 0)]
    mix = lambda x: (x[corners] * hits.shares[..., None]).sum(-2)
    points, later = mix(vertices), mix(next_vertices)
    seen, seen_later = enter(points, camera), enter(later, next_camera)
    with np.errstate(divide="ignore", invalid="ignore"):
        flow = see(seen_later, next_camera) - see(seen, camera)
        change = 1 / seen_later[..., 2] - 1 / seen[..., 2]
    rotation = np.float64(camera.world_to_camera)[:, :3]
    vectors = (later - points) @ rotation.T
    zero = lambda x: np.where(hit.reshape(hit.shape + (1,) * (x.ndim - 2)), x, 0)
    return Truth(hits, zero(flow), zero(change), zero(vectors), hit)


def cast(vertices, faces, camera):
    """The first triangle on the ray of every pixel of a pinhole camera."""
    points = enter(vertices, camera)
    triangles = points[faces]
    ids, low, count = find_boxes(triangles, camera)
    height, width = camera.size
    nearest = np.full(height * width, np.inf)
    owner, shares = np.full(height * width, -1), np.zeros((height * width, 3))
    pairs = count[:, 0] * count[:, 1]
    for part in np.split(ids, np.flatnonzero(np.diff(np.cumsum(pairs) // BATCH)) + 1):
        chosen = np.searchsorted(ids, part)
        which = np.repeat(chosen, pairs[chosen])
        place = np.concatenate([np.arange(n) for n in pairs[chosen]])
        column = low[which, 0] + place % count[which, 0]
        row = low[which, 1] + place // count[which, 0]
        depth, inside = meet(triangles[ids[which]], rays(column, row, camera))
        hit = np.flatnonzero((inside >= -SLACK).all(-1) & (depth > 0))
        pixel = (row * width + column)[hit]
        order = hit[np.lexsort((depth[hit], pixel))]
        pixel, first = np.unique((row * width + column)[order], return_index=True)
        closer = depth[order[first]] < nearest[pixel]
        pixel, winner = pixel[closer], order[first][closer]
        nearest[pixel], owner[pixel] = depth[winner], ids[which[winner]]
        shares[pixel] = inside[winner]
    depth = np.where(owner >= 0, nearest, 0)
    return Hits(*(x.reshape(*camera.size, *x.shape[1:]) for x in (owner, shares, depth)))


def find_boxes(triangles, camera):
    """The triangles that may be seen: which, their first pixels, and pixels along u and v."""
    with np.errstate(divide="ignore", invalid="ignore"):
        seen = see(triangles, camera)
    is_front = (triangles[..., 2] > 0).all(-1)
    seen = np.where(is_front[:, None, None], seen, -1)
    height, width = camera.size
    low = np.clip(np.ceil(seen.min(1) - 1e-6), 0, [width, height]).astype(int)
    high = np.clip(np.floor(seen.max(1) + 1e-6), -1, [width - 1, height - 1]).astype(int)
    count = np.maximum(high - low + 1, 0)
    ids = np.flatnonzero(is_front & (count > 0).all(-1))
    return ids, low[ids], count[ids]


def meet(triangles, directions):
    """Depth and barycentric coordinates at which rays from the origin meet triangles' planes."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    normals = [np.cross(b, c), np.cross(c, a), np.cross(a, b)]
    parts = np.stack([(directions * n).sum(-1) for n in normals], -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = parts.sum(-1)
        return (a * normals[0]).sum(-1) / total, parts / total[:, None]


def rays(column, row, camera):
    """Directions with z = 1 of the rays of pixels."""
    (fx, fy), (cx, cy) = np.float64(camera.focal), np.float64(camera.principal_point)
    return np.stack([(column - cx) / fx, (row - cy) / fy, np.ones(len(column))], -1)


def enter(points, camera):
    """World to camera axes."""
    pose = np.float64(camera.world_to_camera)
    return points @ pose[:, :3].T + pose[:, 3]


def see(points, camera):
    """Pixels of points in camera axes."""
    focal, center = np.float64(camera.focal), np.float64(camera.principal_point)
    return focal * points[..., :2] / points[..., 2:] + center
