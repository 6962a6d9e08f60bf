"""Tables of `tracks.chain` for rigid.py, on surfaces whose motion is known between any frames.

A surface is given by its material points X, and is at A_t X + b_t in frame t. Rays are cast in
material coordinates in float64, so depths and motions are closed forms. Cameras turn, move and
zoom in every frame.
"""

import itertools
from typing import NamedTuple

import jax
import numpy as np
from rigid_scenes import make_grid, rotation

import sf3d_jax as sf3d
from sf3d_jax import tracks


class Plane(NamedTuple):
    """normal . X = 1, where |x| and |y| are at most `half`."""

    normal: np.ndarray
    half: float
    turn: np.ndarray
    shift: np.ndarray

    def hit(self, start, rays):
        far = (1 - start @ self.normal) / (rays @ self.normal)
        points = start + far[..., None] * rays
        inside = (np.abs(points[..., :2]) <= self.half).all(-1)
        return np.where((far > 0) & inside, far, np.inf)


class Shell(NamedTuple):
    """A sphere around the cameras."""

    radius: float
    turn: np.ndarray
    shift: np.ndarray

    def hit(self, start, rays):
        a, b = (rays**2).sum(-1), rays @ start
        return (np.sqrt(b * b + a * (self.radius**2 - start @ start)) - b) / a


WALL = Plane(np.array([0.1, -0.05, 0.5]), np.inf, [0.004, -0.003, 0.006], [0.01, 0, 0.02])
PLATE = Plane(np.array([0.15, 0.1, 1.0]), 0.17, [0.02, 0.03, -0.04], [0.03, -0.02, 0.01])
SPHERE = Shell(1.5, [0.01, 0.02, -0.015], [0.02, -0.01, 0.03])


class Clip:
    """Surfaces before cameras of an image size."""

    def __init__(self, width, *surfaces):
        self.size, self.surfaces = (width * 3 // 4, width), surfaces

    def intrinsics(self, t):
        height, width = self.size
        centre = np.array([(width - 1) / 2, (height - 1) / 2]) + 0.004 * width * t * np.array(
            [1, -1]
        )
        return np.array([1.1, 1.05]) * width * (1 + 0.02 * t), centre

    def pose(self, t):
        """R and t of the camera; the turn of frame 0 is none."""
        turn = t * np.array([0.006, -0.012, 0.009])
        return rotate(turn), t * np.array([0.02, -0.01, 0.015])

    def camera(self, t):
        focal, centre = self.intrinsics(t)
        return sf3d.Camera.pinhole(*focal, *centre, self.size)

    def cast(self, pixels, t):
        """Which surface each pixel of frame t shows, and its material point."""
        focal, centre = self.intrinsics(t)
        rays = np.concatenate([(pixels - centre) / focal, np.ones((*pixels.shape[:-1], 1))], -1)
        turn, shift = self.pose(t)
        far, points = [], []
        for surface in self.surfaces:
            own, moved = place(surface, t)
            start, directions = (-turn.T @ shift - moved) @ own, rays @ turn @ own
            far.append(surface.hit(start, directions))
            points.append(
                start + np.where(np.isfinite(far[-1]), far[-1], 1)[..., None] * directions
            )
        which = np.argmin(far, axis=0)
        return which, np.take_along_axis(np.array(points), which[None, ..., None], 0)[0]

    def see(self, which, points, t):
        """The pixels and inverse depths of material points, and which are hidden."""
        turn, shift = self.pose(t)
        places = (place(surface, t) for surface in self.surfaces)
        moved = np.array([points @ own.T + by for own, by in places])
        seen = np.take_along_axis(moved, which[None, ..., None], 0)[0] @ turn.T + shift
        focal, centre = self.intrinsics(t)
        pixels = seen[..., :2] / seen[..., 2:] * focal + centre
        return pixels, 1 / seen[..., 2], self.cast(pixels, t)[0] != which

    def step(self, t, after):
        """The motion between two frames on the grid of the first."""
        grid = make_grid(self.size)
        which, points = self.cast(grid, t)
        inv_depth = self.see(which, points, t)[1]
        pixels, later, hidden = self.see(which, points, after)
        valid = np.ones(self.size, bool)
        return tracks.Motion(pixels - grid, inv_depth, later - inv_depth, valid, hidden)

    def find_amid(self):
        """Pixels that the second frame shows, amid four pixels of their own surface."""
        which, points = self.cast(make_grid(self.size), 0)
        pixels, _, hidden = self.see(which, points, 1)
        last = np.array(self.size[::-1]) - 1
        inside = ((pixels >= 0) & (pixels <= last)).all(-1)
        u, v = np.moveaxis(np.clip(np.floor(pixels).astype(int), 0, last - 1), -1, 0)
        shown = self.cast(make_grid(self.size), 1)[0]
        around = [shown[v + i, u + j] == which for i in (0, 1) for j in (0, 1)]
        return inside & ~hidden & np.all(around, 0)


def rotate(vector):
    return rotation(np.asarray(vector)) if np.any(vector) else np.eye(3)


def place(surface, t):
    """A_t and b_t."""
    return rotate(t * np.asarray(surface.turn)), t * np.asarray(surface.shift)


def chain(clip, dtype):
    cast = lambda tree: jax.tree.map(
        lambda x: x if np.asarray(x).dtype == bool else np.asarray(x, dtype), tree
    )
    with jax.enable_x64(True):
        steps, cameras = ((0, 1), (1, 2)), (clip.camera(1), clip.camera(2))
        return tracks.chain(*cast([clip.step(*x) for x in steps]), *cast(cameras))


def measure(name, clip, dtype):
    """The largest and the median error in pixels, where the second frame shows the point."""
    found = chain(clip, dtype)
    truth = clip.step(0, 2).flow
    chosen = clip.find_amid() & np.asarray(found.valid)
    error = np.abs(np.float64(found.flow) - truth).max(-1)[chosen]
    return {
        "surface": name,
        "width": clip.size[1],
        "dtype": np.dtype(dtype).name,
        "share": float(chosen.mean()),
        "median, px": float(np.median(error)),
        "largest, px": float(error.max()),
        "largest / width": float(error.max() / clip.size[1]),
    }


def report_chains(report, quick):
    widths = (40, 80) if quick else (40, 80, 160, 320, 640)
    rows = [
        measure("planes", Clip(width, WALL, PLATE), dtype)
        for dtype in (np.float64, np.float32)
        for width in widths[::2]
    ]
    smooth = [measure("sphere", Clip(width, SPHERE), np.float64) for width in widths]
    ratios = {
        f"sphere, {b['width']} over {a['width']}": b["largest, px"] / a["largest, px"]
        for a, b in itertools.pairwise(smooth)
    }
    report.add("tracks.chain, errors", rows + smooth, ratios)
