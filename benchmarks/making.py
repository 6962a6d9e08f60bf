"""Frames of a made data set: CPU time and memory, and how exact the annotations are.

    python benchmarks/making.py [--json FILE] [--quick]

The truth is a ray caster in float64 on the mesh of each subject. Times are CPU seconds of all
threads, so that they hold on a busy machine; the ratio compares a frame, with both directions and
everything else, with one direction of the same Gaussians drawn alone.
"""

import argparse
import pathlib
import resource
import sys
import time

import jax
import numpy as np
from report import Report

from sf3d_jax import gaussians, head
from sf3d_jax.making import Options, open_subject, plan

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "tests"))
from helpers.ray_caster import cast_motion

FRAMES = (10, 60)


def spend(run, repeats):
    """CPU seconds of a run on average, after one that compiles."""
    run()
    start = time.process_time()
    for _ in range(repeats):
        run()
    return (time.process_time() - start) / repeats


def one_direction(subject, camera, count):
    """Draws the motion to the next frame alone: as many pieces that face the camera, in grey."""
    now, then = (subject.vertices(FRAMES[0] + k).astype(np.float32) for k in (0, 1))
    pieces = head.cover(now, subject.faces, count)
    colors = np.full((len(pieces.triangles), 3), 0.5, np.float32)
    keep = head.is_facing(pieces, subject.faces, now, camera)
    room = gaussians.room_for(keep.sum())
    states = [
        head.select(head.carry(pieces, subject.faces, x, colors), keep, room) for x in (now, then)
    ]
    needed = gaussians.intersections_needed(states[0], camera, antialias=True)
    most = gaussians.room_for(needed)
    draw = lambda: gaussians.render_motion(*states, camera, max_intersections=most, antialias=True)
    return lambda: jax.block_until_ready(draw())


def speed(report, options, repeats):
    planned = plan(options).subjects[0]
    start = time.process_time()
    subject = open_subject(planned, options)
    opened = time.process_time() - start
    subject.draw(FRAMES[0])
    first = time.process_time() - start
    numbers = iter(range(FRAMES[0], options.frames))
    frame = spend(lambda: subject.draw(next(numbers)), repeats)
    alone = spend(one_direction(subject, subject.camera(FRAMES[0]), options.gaussians), repeats)
    mesh = spend(lambda: subject.vertices(FRAMES[0]), repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rows = [
        {"what": "frames per CPU second, steady", "figure": 1 / frame},
        {"what": "frame, CPU ms", "figure": 1e3 * frame},
        {"what": "mesh of a frame, CPU ms", "figure": 1e3 * mesh},
        {"what": "one direction drawn alone, CPU ms", "figure": 1e3 * alone},
        {"what": "opening a subject, CPU s", "figure": opened},
        {"what": "first frame with compiling, CPU s", "figure": first},
        {"what": "memory at most, GiB", "figure": peak},
    ]
    title = f"{options.size[0]} px, {options.gaussians:,} Gaussians"
    report.add(title, rows, {"frame over one direction alone": frame / alone})


def accuracy(report, options):
    rows = []
    for planned in plan(options).subjects:
        subject = open_subject(planned, options)
        for k in FRAMES:
            frame = subject.draw(k)
            for other in (k + 1, k - 1):
                found = measure(subject, frame, k, other)
                rows.append({"subject": planned.name, "frames": f"{k} to {other}", **found})
    report.add("sure pixels against the mesh", rows)


def measure(subject, frame, k, other):
    meshes = subject.vertices(k), subject.vertices(other)
    truth = cast_motion(*meshes, subject.faces, subject.camera(k), subject.camera(other))
    motion = frame.forward if other > k else frame.backward
    sure = frame.mask & truth.hit
    off = np.linalg.norm(motion.flow - truth.flow, axis=-1)[sure]
    depth = np.abs(1 / frame.inv_depth[sure] - truth.hits.depth[sure])
    return {
        "share of the subject": float(sure.sum() / truth.hit.sum()),
        "flow, px": float(np.median(np.linalg.norm(truth.flow, axis=-1)[sure])),
        "error, px": float(off.mean()),
        "its 99.9th percentile": float(np.percentile(off, 99.9)),
        "depth error, mm": float(1e3 * depth.mean()),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json")
    parser.add_argument("--quick", action="store_true", help="small images, to see that it runs")
    chosen = parser.parse_args()
    size, count = ((128, 128), 60_000) if chosen.quick else ((512, 512), 100_000)
    options = Options(subjects=3, test=1, frames=128, size=size, gaussians=count)
    report = Report("making")
    speed(report, options, 2 if chosen.quick else 20)
    accuracy(report, options)
    report.write(chosen.json)


if __name__ == "__main__":
    main()
