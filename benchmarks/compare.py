"""Compares a run of the benchmarks with the ratios of baseline.json.

    python benchmarks/run.py --json new.json
    python benchmarks/compare.py new.json [--baseline FILE] [--tolerance 0.15]

Exits with 1 where a ratio has grown by more than the tolerance, or is missing. What has shrunk by
as much is listed too: it may be time for a new baseline.
"""

import argparse
import json
import pathlib
import sys

BASELINE = pathlib.Path(__file__).with_name("baseline.json")


def ratios_of(reports):
    """{"subject, table: way": ratio} of a file of run.py, or of one script."""
    reports = reports if "ratios" not in reports else {reports["subject"]: reports}
    return {
        f"{subject}, {name}": ratio
        for subject, report in reports.items()
        for name, ratio in report["ratios"].items()
    }


def compare(baseline, new, tolerance):
    """(worse, better, missing) of the subjects that the new run has.

    Args:
      baseline: reports by subject.
      new: reports by subject, or one report.
      tolerance: a change by more than this share counts.

    Returns:
      Three lists of lines.
    """
    subjects = [new["subject"]] if "ratios" in new else list(new)
    before = ratios_of({s: baseline[s] for s in subjects if s in baseline})
    after = ratios_of(new)
    change = {name: after[name] / before[name] - 1 for name in before if name in after}
    say = lambda name: f"{name}: {before[name]:.3g} -> {after[name]:.3g} ({change[name]:+.0%})"
    worse = [say(name) for name, x in change.items() if not x <= tolerance]
    better = [say(name) for name, x in change.items() if x < -tolerance]
    missing = [name for name in before if name not in after]
    return worse, better, missing


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("new", help="the JSON of a run")
    parser.add_argument("--baseline", default=BASELINE)
    parser.add_argument("--tolerance", type=float, default=0.15)
    options = parser.parse_args()
    baseline, new = (
        json.loads(pathlib.Path(p).read_text()) for p in (options.baseline, options.new)
    )
    worse, better, missing = compare(baseline, new, options.tolerance)
    for title, lines in (("slower or worse", worse), ("faster or better", better)):
        if lines:
            print(f"{title} by more than {options.tolerance:.0%}:", *lines, sep="\n  ")
    if missing:
        print("missing from the new run:", *missing, sep="\n  ")
    count = len(ratios_of(new))
    print(f"{count} ratios: {len(worse)} worse, {len(better)} better, {len(missing)} missing")
    sys.exit(1 if worse or missing or not count else 0)


if __name__ == "__main__":
    main()
