"""Rigid motion beside SciPy and OpenCV: fits, the camera's motion, fields, chains of steps.

    python benchmarks/rigid.py [--quick] [--only PART ...] [--json FILE]

Peers run in the same process on the same inputs. Scenes are random ones in closed form and the
rendered scene of tests/assets, so this runs in a checkout of the repository. Metrics of tracks have
no peer to race: their tests compare them with a plain restatement in NumPy.
"""

import argparse
import time

import cv2
import scipy
from report import Report
from rigid_bodies import report_bodies
from rigid_chains import report_chains
from rigid_ego import report_ego
from rigid_fields import report_fields
from rigid_fits import report_fits
from rigid_flow_alone import report_flow_alone
from rigid_steps import report_steps

PARTS = {
    "fit": report_fits,
    "ego": report_ego,
    "flow": report_flow_alone,
    "bodies": report_bodies,
    "fields": report_fields,
    "steps": report_steps,
    "chains": report_chains,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", help="file to write the figures to")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--quick", action="store_true", help="few scenes and rounds")
    options = parser.parse_args()
    report = Report("rigid", opencv=cv2.__version__, scipy=scipy.__version__)
    for name in options.only:
        start = time.perf_counter()
        PARTS[name](report, options.quick)
        print(f"{name}: {time.perf_counter() - start:.0f} s\n", flush=True)
    report.write(options.json)


if __name__ == "__main__":
    main()
