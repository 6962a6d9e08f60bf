"""Runs the benchmarks one after the other, each in a process of its own, into one file.

    python benchmarks/run.py --json FILE [--only SUBJECT ...] [--quick]

With `--json benchmarks/baseline.json`, subjects that do not run keep their figures. Then
`python benchmarks/tables.py` puts the tables into README.md.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
SUBJECTS = (
    "conversion",
    "warping",
    "losses",
    "fit",
    "visibility",
    "rigid",
    "data",
    "rasterizer",
    "making",
)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", required=True, type=pathlib.Path)
    parser.add_argument("--only", nargs="+", choices=SUBJECTS, default=SUBJECTS)
    parser.add_argument("--quick", action="store_true", help="few rounds, to see that it runs")
    options = parser.parse_args()
    reports = json.loads(options.json.read_text()) if options.json.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        for subject in options.only:
            path = pathlib.Path(folder) / "report.json"
            command = [sys.executable, HERE / f"{subject}.py", "--json", path]
            subprocess.run([*command, *(["--quick"] if options.quick else [])], check=True)
            reports[subject] = json.loads(path.read_text())
            options.json.write_text(json.dumps(reports, indent=1) + "\n")


if __name__ == "__main__":
    main()
