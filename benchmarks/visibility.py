"""How well the three ways find what is hidden, against ray casting of balls before a wall.

    python benchmarks/visibility.py [--scenes N] [--json FILE]

Balls of random size turn and move before a slanted wall, seen by a camera that moves too. All
maps are exact and in closed form, in both directions; a point is hidden if the ray to it meets a
surface before. F1 is of hidden pixels, over those that stay in the image, pooled over the scenes.
"""

import argparse

import numpy as np
from report import Report

import sf3d_jax as sf3d

SIZE = (240, 320)
FOCAL, CENTRE = 330.0, np.array([162.3, 118.6])
# Of the balls, per frame: how far in metres, and how far round in radians.
MOTIONS = {"small motions": (0.05, 0.05), "large motions": (0.5, 0.3)}
WAYS = ("depth", "consistency", "range map")


def turn(axis_angle):
    """The rotation matrix, by Rodrigues' formula."""
    angle = np.linalg.norm(axis_angle)
    x, y, z = axis_angle / angle
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


class Scene:
    """Balls and a wall at two times, in the axes of the camera of either."""

    def __init__(self, step, angle, seed):
        rng = np.random.default_rng(seed)
        count = 8
        depth = rng.uniform(2, 5, count)
        middles = np.stack([rng.uniform(-0.4, 0.4, count), rng.uniform(-0.3, 0.3, count)], -1)
        middles = np.concatenate([middles * depth[:, None], depth[:, None]], -1)
        moved = middles + rng.uniform(-1, 1, (count, 3)) * [step, step, 0.3 * step]
        self.radii = rng.uniform(0.15, 0.5, count)
        camera = turn(rng.normal(size=3) * 0.01), rng.normal(size=3) * 0.03
        self.camera = camera
        normal = np.array([*rng.uniform(-0.3, 0.3, 2), -1])
        wall = normal / (normal @ [0, 0, 7])
        # The wall as n with n . X = 1, before and after the camera moves.
        turned = camera[0] @ wall
        self.walls = wall, turned / (1 + turned @ camera[1])
        self.middles = middles, moved @ camera[0].T + camera[1]
        self.turns = [turn(rng.normal(size=3) * angle) for _ in range(count)]

    def hit(self, rays, time):
        """The depth of what rays (..., 3) with z = 1 meet, and which: the wall is -1."""
        depth, which = 1 / (rays @ self.walls[time]), np.full(rays.shape[:-1], -1)
        for i, (middle, radius) in enumerate(zip(self.middles[time], self.radii, strict=True)):
            a, b = (rays**2).sum(-1), rays @ middle
            root = b**2 - a * (middle @ middle - radius**2)
            z = (b - np.sqrt(np.maximum(root, 0))) / a
            nearer = (root > 0) & (z < depth)
            depth, which = np.where(nearer, z, depth), np.where(nearer, i, which)
        return depth, which

    def moved(self, points, which, time):
        """The same surface points in the axes of the other time."""
        rotation, shift = self.camera
        if time == 0:
            result = points @ rotation.T + shift
        else:
            result = (points - shift) @ rotation
        for i, turned in enumerate(self.turns):
            if time == 1:
                turned = turned.T
            here, there = self.middles[time][i], self.middles[1 - time][i]
            own = rotation @ turned if time == 0 else turned @ rotation.T
            result = np.where((which == i)[..., None], (points - here) @ own.T + there, result)
        return result

    def maps(self, time):
        """Flow, inverse depth, its change and what is hidden, on the grid of one time."""
        v, u = np.meshgrid(*map(np.arange, SIZE), indexing="ij")
        pixels = np.stack([u, v], -1)
        rays = np.concatenate([(pixels - CENTRE) / FOCAL, np.ones((*SIZE, 1))], -1)
        depth, which = self.hit(rays, time)
        after = self.moved(rays * depth[..., None], which, time)
        towards = after / after[..., 2:]
        flow = towards[..., :2] * FOCAL + CENTRE - pixels
        hidden = self.hit(towards, 1 - time)[0] < after[..., 2] * (1 - 1e-9)
        maps = flow, 1 / depth, 1 / after[..., 2] - 1 / depth
        return *(np.float32(x) for x in maps), hidden


def answers(scene):
    """What is hidden by each way, by ray casting, and where to look; and the flow's length."""
    flow, inv_depth, change, hidden = scene.maps(0)
    back, next_inv_depth, _, _ = scene.maps(1)
    ways = (
        sf3d.occlusion_from_depth(flow, inv_depth, change, next_inv_depth),
        sf3d.occlusion_from_consistency(flow, back),
        sf3d.occlusion_from_range_map(back, flow=flow),
    )
    found = [np.array(x.hidden) > 0.5 for x in ways]
    return found, hidden, np.array(ways[0].inside), np.linalg.norm(flow, axis=-1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenes", type=int, default=20, help="of each kind")
    parser.add_argument("--json", help="file to write the figures to")
    parser.add_argument("--quick", action="store_true", help="one scene of each kind")
    arguments = parser.parse_args()
    report, rows, missed = Report("visibility"), [], {}
    for name, (step, angle) in MOTIONS.items():
        counts, share, lengths = np.zeros((3, 2)), [], []
        for seed in range(1 if arguments.quick else arguments.scenes):
            found, hidden, inside, length = answers(Scene(step, angle, seed))
            for i, x in enumerate(found):
                counts[i] += (
                    (x & hidden & inside).sum(),
                    (x & inside).sum() + (hidden & inside).sum(),
                )
            share.append((hidden & inside).mean())
            lengths.append(length.max())
        scores = dict(zip(WAYS, (2 * counts[:, 0] / counts[:, 1]).tolist(), strict=True))
        missed |= {f"1 - F1, {name}, {way}": 1 - score for way, score in scores.items()}
        hidden, longest = float(np.mean(share)), float(np.median(lengths))
        rows.append({"motion": name, **scores, "hidden": hidden, "longest flow, px": longest})
    report.add("F1", rows, missed)
    report.write(arguments.json)


if __name__ == "__main__":
    main()
