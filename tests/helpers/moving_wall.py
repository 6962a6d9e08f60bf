"""A drawing in closed form, in place of a head: a wall that moves, cheap and exactly repeatable."""

import os
import time
from types import SimpleNamespace

import numpy as np

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.making.running import subject as subjects

FOCAL = 70.0
# Seconds that a frame takes, so that a kill may come in the middle.
PAUSE = "WALL_PAUSE"


class Wall:
    """Subjects have walls of different patterns and speeds."""

    def __init__(self, plan, options):
        self.rng = np.random.default_rng([plan.seed, plan.index])
        self.speed = self.rng.uniform(-0.01, 0.01, 3)
        self.waves = self.rng.uniform(10, 40, (3, 2))
        self.frames, self.size = options.frames, options.size
        height, width = self.size
        middle = (width - 1) / 2, (height - 1) / 2
        grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)
        self.rays = (grid - middle) / FOCAL
        # Of arrays that JAX has not made, so that it need not start.
        matrix = np.array([[FOCAL, 0, middle[0]], [0, FOCAL, middle[1]], [0, 0, 1]])
        pose = np.eye(3, 4)
        self.camera = sf3d.Camera(
            np.float64([FOCAL, FOCAL]), matrix[:2, 2], pose, size=tuple(self.size)
        )

    def place(self, frame):
        return 1.0 + self.speed[2] * frame, self.speed[:2] * frame

    def draw(self, frame):
        distance, shift = self.place(frame)
        points = distance * self.rays - shift
        image = np.rint(127.5 + 120 * np.sin(points @ self.waves.T)).astype(np.uint8)
        time.sleep(float(os.environ.get(PAUSE, "0")))
        return SimpleNamespace(
            image=image,
            mask=np.ones(self.size, bool),
            inv_depth=np.full(self.size, 1 / distance, np.float32),
            camera=self.camera,
            forward=self.move(frame, frame + 1) if frame + 1 < self.frames else None,
            backward=self.move(frame, frame - 1) if frame > 0 else None,
        )

    def move(self, start, end):
        (z0, shift0), (z1, shift1) = self.place(start), self.place(end)
        flow = FOCAL * ((z0 * self.rays + shift1 - shift0) / z1 - self.rays)
        return data.Motion(np.float32(flow), np.full(self.size, 1 / z1 - 1 / z0, np.float32))


def put_up():
    """Draws walls from now on, and returns what drew before."""
    before, subjects.open_drawing = subjects.open_drawing, Wall
    return before


def run_command(words):
    """Runs `sf3d` with walls in place of heads, in its workers too."""
    from sf3d_jax.cli import main
    from sf3d_jax.making.running import workers

    put_up()
    workers._COMMAND[-1] = WORKER
    main(words)


# What a worker process runs in place of its own command.
WORKER = (
    "from helpers import moving_wall; moving_wall.put_up(); "
    "from sf3d_jax.making.running import workers; workers.serve()"
)
