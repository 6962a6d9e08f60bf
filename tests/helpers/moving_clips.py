"""Clips of surfaces that move by affine maps, with exact motion between any two frames, in float64.

A surface is given by its material points X, and is at A_t X + b_t in the world in frame t. Rays are
cast in material coordinates, so depths, motion and occlusion are closed forms.
"""

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np

import sf3d_jax as sf3d
from sf3d_jax import tracks


def rotate(*vector):
    return cv2.Rodrigues(np.array(vector, float))[0]


@dataclasses.dataclass(frozen=True)
class Surface:
    """A surface in material coordinates, and where it is.

    Attributes:
      hit: function (start, rays) of the multiple of each ray at the first hit; inf without one.
      turns: A_t of each frame, (3, 3).
      shifts: b_t of each frame, (3).
    """

    hit: Callable
    turns: list
    shifts: list


def plane(normal, half_sizes=(np.inf, np.inf)):
    """The hit of the plane normal . X = 1, where |x| and |y| are at most half the sizes."""

    def hit(start, rays):
        with np.errstate(divide="ignore", invalid="ignore"):
            far = (1 - start @ normal) / (rays @ normal)
            inside = np.abs((start + far[..., None] * rays)[..., :2]) <= half_sizes
        return np.where((far > 0) & inside.all(-1), far, np.inf)

    return hit


def sphere_from_inside(radius):
    """The hit of |X| = radius, for rays that start inside."""

    def hit(start, rays):
        a, b = (rays**2).sum(-1), rays @ start
        return (np.sqrt(b * b + a * (radius**2 - start @ start)) - b) / a

    return hit


@dataclasses.dataclass(frozen=True)
class Clip:
    """Surfaces, and the focal lengths, principal points and poses of the frames' cameras."""

    size: tuple
    surfaces: list
    focals: list
    centres: list
    poses: list

    def camera(self, *frames):
        """The camera of a frame, or those of several as one."""
        take = lambda values: np.stack([values[t] for t in frames])
        matrix = np.zeros((len(frames), 3, 3))
        matrix[:, [0, 1], [0, 1]], matrix[:, :2, 2] = take(self.focals), take(self.centres)
        matrix[:, 2, 2] = 1
        pose = take(self.poses)
        if len(frames) == 1:
            matrix, pose = matrix[0], pose[0]
        return sf3d.Camera.from_matrix(matrix, self.size, world_to_camera=pose)

    def cast(self, pixels, t):
        """Which surface each pixel of frame t shows, and its material point."""
        rays = np.concatenate(
            [(pixels - self.centres[t]) / self.focals[t], np.ones((*pixels.shape[:-1], 1))], -1
        )
        turn, shift = self.poses[t][:, :3], self.poses[t][:, 3]
        depths, points = [], []
        for surface in self.surfaces:
            back = np.linalg.inv(surface.turns[t])
            start = back @ (-turn.T @ shift - surface.shifts[t])
            directions = rays @ turn @ back.T
            depths.append(surface.hit(start, directions))
            far = np.where(np.isfinite(depths[-1]), depths[-1], 1)
            points.append(start + far[..., None] * directions)
        which = np.argmin(depths, axis=0)
        return which, np.take_along_axis(np.array(points), which[None, ..., None], 0)[0]

    def place(self, which, points, t):
        """Where material points are in the world in frame t."""
        moved = [points @ s.turns[t].T + s.shifts[t] for s in self.surfaces]
        return np.take_along_axis(np.array(moved), which[None, ..., None], 0)[0]

    def see(self, which, points, t):
        """The pixels and inverse depths of material points in frame t, and which are hidden."""
        seen = self.place(which, points, t) @ self.poses[t][:, :3].T + self.poses[t][:, 3]
        pixels = seen[..., :2] / seen[..., 2:] * self.focals[t] + self.centres[t]
        return pixels, 1 / seen[..., 2], self.cast(pixels, t)[0] != which

    def grid(self):
        return np.stack(np.meshgrid(*map(np.arange, self.size[::-1])), -1).astype(float)

    def step(self, t, after, dtype=np.float64, hidden=True):
        """The motion from frame t to another on the grid of frame t, as a `tracks.Motion`."""
        which, points = self.cast(self.grid(), t)
        _, inv_depth, _ = self.see(which, points, t)
        pixels, next_inv_depth, covered = self.see(which, points, after)
        maps = pixels - self.grid(), inv_depth, next_inv_depth - inv_depth
        return tracks.Motion(
            *map(dtype, maps), np.ones(self.size, bool), covered if hidden else None
        )

    def is_inside(self, pixels):
        limit = np.array(self.size[::-1]) - 0.5
        return ((pixels >= -0.5) & (pixels <= limit)).all(-1)


def moving(hit, frames, turn, shift, middle=(0, 0, 0), stretch=0.0):
    """A surface that turns about a middle, moves and stretches, a little more in every frame."""
    middle, shift = np.array(middle, float), np.array(shift, float)
    turns = [rotate(*(np.array(turn) * t)) * (1 + stretch * t) for t in range(frames)]
    return Surface(hit, turns, [middle - a @ middle + shift * t for t, a in enumerate(turns)])


def cameras(size, frames):
    """Cameras that turn, move and zoom a little in every frame."""
    height, width = size
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    t = range(frames)
    return {
        "focals": [np.array([1.1, 1.05]) * width * (1 + 0.02 * i) for i in t],
        "centres": [middle + 0.004 * width * np.array([i, -i]) for i in t],
        "poses": [
            np.c_[
                rotate(*(i * np.array([0.006, -0.012, 0.009]))), i * np.array([0.02, -0.01, 0.015])
            ]
            for i in t
        ],
    }


def plate_and_wall(size, frames):
    """A turning plate that crosses in front of a tilted wall, which moves too."""
    wall = moving(
        plane(np.array([0.1, -0.05, 0.5])), frames, (0.004, -0.003, 0.006), (0.01, 0, 0.02)
    )
    plate = moving(
        plane(np.array([0.15, 0.1, 1.0]), (0.18, 0.15)),
        frames,
        (0.02, 0.03, -0.04),
        (0.03, -0.02, 0.01),
        middle=(0, 0, 1),
    )
    return Clip(size, [wall, plate], **cameras(size, frames))


def shell(size, frames, stretch=0.0):
    """A sphere around the cameras, which turns, moves and, if it stretches, does not keep rigid."""
    surface = moving(
        sphere_from_inside(1.5), frames, (0.01, 0.02, -0.015), (0.02, -0.01, 0.03), stretch=stretch
    )
    return Clip(size, [surface], **cameras(size, frames))
