"""Drawn people: the spectrum of their skin.

    python benchmarks/skin.py [--json FILE] [--quick]

The power of photographs of skin falls about with the square of the frequency: by -1.6 to -2.4
octaves per octave, along rows and columns of patches of forehead and cheeks, from 32 to 2 pixels.
"""

import argparse
import pathlib
import sys

import numpy as np
from report import Report

from sf3d_jax import head
from sf3d_jax.making import Options, open_subject, plan

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "tests"))
from helpers.spectra import find_slope

# Places on the template, metres from its origin, and half the side of a patch in pixels.
PLACES = {
    "forehead": (0.0, 0.041, 0.085),
    "left cheek": (0.037, -0.030, 0.075),
    "right cheek": (-0.037, -0.030, 0.075),
}
HALF = 24
GREY = np.array([0.2126, 0.7152, 0.0722])


def spectra(report, options):
    """Slopes of the spectra of patches of the first frames of all people."""
    rows = []
    for planned in plan(options).subjects:
        subject = open_subject(planned, options)
        image = subject.draw(0).image @ GREY / 255
        camera, rest = subject.camera(0), subject.vertices(0)
        for name, place in PLACES.items():
            x, y = find_pixel(camera, rest[find_vertex(place)])
            patch = image[y - HALF : y + HALF, x - HALF : x + HALF]
            rows.append({"subject": planned.name, "patch": name, "slope": find_slope(patch)})
    slopes = [row["slope"] for row in rows]
    report.add(
        f"spectrum of skin, {options.size[0]} px, {options.gaussians:,} Gaussians",
        rows,
        {
            "median slope": float(np.median(slopes)),
            "share from -2.4 to -1.6": float(np.mean(np.abs(np.array(slopes) + 2) <= 0.4)),
        },
    )


def find_vertex(place):
    """The vertex of the template that is nearest to a place."""
    return int(np.square(head.Person(0).template - place).sum(1).argmin())


def find_pixel(camera, point):
    """The pixel, (x, y), that sees a point of the world."""
    pose = np.asarray(camera.world_to_camera, float)
    x, y, depth = pose[:, :3] @ point + pose[:, 3]
    focal, centre = np.asarray(camera.focal, float), np.asarray(camera.principal_point, float)
    return round(focal[0] * x / depth + centre[0]), round(focal[1] * y / depth + centre[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json")
    parser.add_argument("--quick", action="store_true", help="few people, to see that it runs")
    chosen = parser.parse_args()
    options = Options(subjects=2 if chosen.quick else 12, frames=16)
    report = Report("skin")
    spectra(report, options)
    report.write(chosen.json)


if __name__ == "__main__":
    main()
