"""Flow fitted to two images beside OpenCV's DIS and Farneback, and beside no motion at all.

    python benchmarks/fit.py [--pair IMAGE0 IMAGE1 FLOW]... [--json FILE]

Without a pair of one's own it uses pairs in closed form: the deforming surface of `sf3d demo`, and
textured balls before a wall as in `visibility.py`, with small and with large motions. Errors are
means over pixels that are known, stay in the image and, where that is known, are not hidden.
"""

import argparse
import itertools
import time

import cv2
import jax
import numpy as np
from report import Report
from visibility import CENTRE, FOCAL, MOTIONS, SIZE, Scene

from sf3d_jax import data, fit
from sf3d_jax.data.closed_form import deforming_scene, next_image

OCTAVES = (0.7, 0.35, 0.17, 0.08, 0.045)


def texture(x, y, seed):
    """Noise between the points of lattices of several sizes, in metres."""
    total = np.zeros_like(x)
    for octave, size in enumerate(OCTAVES):
        table = np.random.default_rng([seed, octave]).normal(size=(64, 64))
        a, b = x / size + 17.3 * seed, y / size + 5.1 * seed
        i, j = np.floor(a).astype(int), np.floor(b).astype(int)
        s, t = ((f * f * (3 - 2 * f)) for f in (a - i, b - j))
        at = lambda p, q, table=table: table[p % 64, q % 64]
        upper = (1 - s) * at(i, j) + s * at(i + 1, j)
        lower = (1 - s) * at(i, j + 1) + s * at(i + 1, j + 1)
        total += size**0.5 * ((1 - t) * upper + t * lower)
    return total


def balls_image(scene, moment, samples=3):
    """What the camera sees at one time, each pixel the mean of several rays; grey, not scaled."""
    v, u = np.meshgrid(*map(np.arange, SIZE), indexing="ij")
    total = np.zeros(SIZE)
    for k in range(samples**2):
        shift = (np.array([k % samples, k // samples]) + 0.5) / samples - 0.5
        slopes = (np.stack([u, v], -1) + shift - CENTRE) / FOCAL
        rays = np.concatenate([slopes, np.ones((*SIZE, 1))], -1)
        depth, which = scene.hit(rays, moment)
        points = rays * depth[..., None]
        if moment == 1:
            points = scene.moved(points, which, 1)
        color = texture(points[..., 0], points[..., 1], 100)
        for i, middle in enumerate(scene.middles[0]):
            x, y, z = np.moveaxis(points - middle, -1, 0)
            on_ball = texture(x + 0.3 * z, y - 0.2 * z, i) + 0.5 * np.sin(2 * i)
            color = np.where(which == i, on_ball, color)
        total += color / samples**2
    return total


def balls_pair(step, angle, seed):
    scene = Scene(step, angle, seed)
    images = [balls_image(scene, moment) for moment in (0, 1)]
    low, high = np.percentile(images[0], [1, 99])
    noise = np.random.default_rng(seed)
    scaled = [18 + 220 * (x - low) / (high - low) + noise.normal(0, 1.5, SIZE) for x in images]
    colored = [np.repeat(np.uint8(np.clip(x, 0, 255))[..., None], 3, -1) for x in scaled]
    flow, _, _, hidden = scene.maps(0)
    return *colored, flow, ~hidden


def closed_form_pairs():
    """(name, image, next image, flow, which pixels count)."""
    scene = deforming_scene((240, 320), camera_motion=2.0)
    yield "deforming surface", scene.image, next_image(scene), scene.flow, scene.valid
    for name, motion in MOTIONS.items():
        for seed in range(2):
            yield f"balls, {name}, {seed}", *balls_pair(*motion, seed)


def read_pair(paths):
    flow, valid = data.read_flow(paths[2])
    return paths[0], data.read_image(paths[0]), data.read_image(paths[1]), flow, valid


def measured(image, following, truth, valid):
    """Errors of all ways and their seconds; ours with and without compilation."""
    height, width = valid.shape
    ends = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1) + truth
    use = valid & ((ends >= 0) & (ends <= [width - 1, height - 1])).all(-1)
    error = lambda flow: float(np.linalg.norm(flow - truth, axis=-1)[use].mean())

    def timed(function):
        start = time.perf_counter()
        return np.asarray(function()), time.perf_counter() - start

    floats = [np.float32(x) / 255 for x in (image, following)]
    grey = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (image, following)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    jax.clear_caches()
    _, compiled = timed(lambda: fit.flow(*floats).flow)
    ours, seconds = timed(lambda: fit.flow(*floats).flow)
    theirs, dis_seconds = timed(lambda: dis.calc(*grey, None))
    farneback = cv2.calcOpticalFlowFarneback(*grey, None, 0.5, 5, 15, 3, 5, 1.2, 0)
    return {
        "longest": float(np.linalg.norm(truth, axis=-1)[use].max()),
        "zero": error(np.zeros_like(truth)),
        "Farneback": error(farneback),
        "DIS": error(theirs),
        "fit": error(ours),
        "fit / DIS": error(ours) / error(theirs),
        "s, first call": compiled,
        "s": seconds,
        "s, DIS": dis_seconds,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--pair", nargs=3, action="append", metavar=("IMAGE0", "IMAGE1", "FLOW"), default=[]
    )
    parser.add_argument("--json", help="file to write the figures to")
    parser.add_argument("--quick", action="store_true", help="one pair")
    arguments = parser.parse_args()
    pairs = map(read_pair, arguments.pair) if arguments.pair else closed_form_pairs()
    report = Report("fit")
    rows = []
    for name, *pair in itertools.islice(pairs, 1 if arguments.quick else None):
        rows.append({"pair": name, **measured(*pair)})
    # Errors, which are the same on every machine to a few digits.
    report.add("end-point errors, px", rows, {row["pair"]: row["fit / DIS"] for row in rows})
    report.write(arguments.json)


if __name__ == "__main__":
    main()
