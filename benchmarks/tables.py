"""Puts the tables of baseline.json and gpu_programs.json into README.md, between their marks.

    python benchmarks/tables.py [--check]

A table stands between `<!-- table: subject / title -->` and `<!-- end -->`. With --check nothing is
written, and the exit code is 1 where README.md and the files differ.
"""

import argparse
import json
import pathlib
import re
import sys

from report import markdown

HERE = pathlib.Path(__file__).parent
MARK = re.compile(r"(<!-- table: (.+?) / (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def read_reports():
    """All reports by subject."""
    read = lambda name: json.loads((HERE / name).read_text())
    return read("baseline.json") | {"gpu": read("gpu_programs.json")}


def with_tables(text, reports):
    """The text with every marked table made from the reports."""

    def replace(match):
        start, subject, title, _, end = match.groups()
        return f"{start}{markdown(reports[subject]['tables'][title])}\n{end}"

    return MARK.sub(replace, text)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    readme = HERE / "README.md"
    text = readme.read_text()
    made = with_tables(text, read_reports())
    if options.check:
        sys.exit(0 if made == text else "README.md is not what the files say: run tables.py")
    readme.write_text(made)


if __name__ == "__main__":
    main()
