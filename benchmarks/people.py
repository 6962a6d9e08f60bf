"""What the procedural people are like for an estimator: how they move, and how hard their skin is.

    python benchmarks/people.py [--json FILE] [--quick]

The motion is that of the visible vertices of each mesh, projected, from a frame to the next one at
25 frames per second. `fit.flow` and OpenCV's DIS estimate the flow of drawn frames; the closer the
ratio of their errors is to that on rendered and recorded faces, the more the skin is like skin.
"""

import argparse

import cv2
import jax.numpy as jnp
import numpy as np
from report import Report

from sf3d_jax import fit, project
from sf3d_jax.making import Options, open_subject, plan

PERCENTILES = (5, 25, 50, 75, 95)


def flow_of_mesh(subject, frame):
    """Lengths of the flow in pixels of the vertices that face the camera, and are in the image."""
    cameras = subject.camera(frame), subject.camera(frame + 1)
    now, then = subject.vertices(frame), subject.vertices(frame + 1)
    seen = project(jnp.asarray(now, jnp.float32), cameras[0])
    next_seen = project(jnp.asarray(then, jnp.float32), cameras[1])
    height, width = cameras[0].size
    pixels = np.asarray(seen.pixels)
    inside = ((pixels >= 0) & (pixels <= [width - 1, height - 1])).all(-1)
    a, b, c = (pixels[subject.faces[:, k]] for k in range(3))
    facing = np.zeros(len(now), bool)
    # Seen from outside, corners are counterclockwise; v points down.
    (ux, uy), (vx, vy) = (b - a).T, (c - a).T
    turned = ux * vy - uy * vx < 0
    facing[subject.faces[turned]] = True
    return np.linalg.norm(np.asarray(next_seen.pixels) - pixels, axis=-1)[facing & inside]


def motion(report, options, step):
    medians, kinds = [], {}
    for planned in plan(options).subjects:
        subject = open_subject(planned, options)
        names = [(clip.name.split("_")[1], clip.start, clip.end) for clip in planned.clips]
        for frame in range(0, options.frames - 1, step):
            median = float(np.median(flow_of_mesh(subject, frame)))
            medians.append(median)
            kind = next(name for name, start, end in names if start <= frame < end)
            kinds.setdefault(kind, []).append(median)
    rows = [
        {"clips": kind, "frames": len(x), **summarize(x)}
        for kind, x in {"all": medians, **kinds}.items()
    ]
    report.add("median flow of a frame, px", rows)


def summarize(values):
    found = np.percentile(values, PERCENTILES)
    return {f"{p} %": float(x) for p, x in zip(PERCENTILES, found, strict=True)}


def difficulty(report, options, frames):
    rows = []
    for planned in plan(options).subjects:
        subject = open_subject(planned, options)
        for k in frames:
            here, there = subject.draw(k), subject.draw(k + 1)
            rows.append({"subject": planned.name, "frame": k, **compare(here, there.image)})
    median = float(np.median([row["fit / DIS"] for row in rows]))
    report.add("end-point errors on sure pixels, px", rows, {"median of fit / DIS": median})


def compare(frame, following):
    """Errors of both estimators of the flow of a frame."""
    ours = np.asarray(fit.flow(*(np.float32(x) / 255 for x in (frame.image, following))).flow)
    grey = [cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in (frame.image, following)]
    dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    theirs = dis.calc(*grey, None)
    error = lambda flow: float(
        np.linalg.norm(flow - frame.forward.flow, axis=-1)[frame.mask].mean()
    )
    length = float(np.median(np.linalg.norm(frame.forward.flow, axis=-1)[frame.mask]))
    found = {"flow, px": length, "fit": error(ours), "DIS": error(theirs)}
    return {**found, "fit / DIS": found["fit"] / found["DIS"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json")
    parser.add_argument("--quick", action="store_true", help="few people, small images")
    chosen = parser.parse_args()
    people, size = (1, (128, 128)) if chosen.quick else (6, (512, 512))
    options = Options(subjects=people, test=people, frames=256, size=size)
    report = Report("people")
    motion(report, options, 32 if chosen.quick else 4)
    difficulty(report, options, (20,) if chosen.quick else (20, 100))
    report.write(chosen.json)


if __name__ == "__main__":
    main()
