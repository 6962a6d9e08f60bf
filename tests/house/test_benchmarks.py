"""The benchmarks' bookkeeping: what counts as slower, and tables that are made, not typed."""

import json
import subprocess
import sys

import pytest
from helpers.house import ROOT

FOLDER = ROOT / "benchmarks"


def reports(**ratios):
    return {"a": {"subject": "a", "ratios": ratios}, "b": {"subject": "b", "ratios": {"z": 1.0}}}


def run_compare(tmp_path, baseline, new):
    paths = [tmp_path / "baseline.json", tmp_path / "new.json"]
    for path, content in zip(paths, (baseline, new), strict=True):
        path.write_text(json.dumps(content))
    command = [sys.executable, FOLDER / "compare.py", paths[1], "--baseline", paths[0]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "new, code, says",
    [
        (reports(x=1.14, y=2.0), 0, "3 ratios: 0 worse, 0 better, 0 missing"),
        (reports(x=1.16, y=2.0), 1, "a, x: 1 -> 1.16 (+16%)"),
        (reports(x=1.0, y=1.6), 0, "a, y: 2 -> 1.6 (-20%)"),
        (reports(x=1.0), 1, "missing from the new run:\n  a, y"),
        (reports(x=1.0, y=float("nan")), 1, "1 worse"),
        ({"subject": "b", "ratios": {"z": 1.0}}, 0, "1 ratios: 0 worse"),
    ],
)
def test_what_is_slower_by_more_than_the_tolerance_fails(tmp_path, new, code, says):
    found, text = run_compare(tmp_path, reports(x=1.0, y=2.0), new)
    assert found == code and says in text


def test_the_tables_of_the_readme_are_those_of_the_baseline(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import tables

    text = (FOLDER / "README.md").read_text()
    marks = tables.MARK.findall(text)
    kept = json.loads((FOLDER / "baseline.json").read_text())
    assert {subject for _, subject, *_ in marks} == set(kept)
    assert tables.with_tables(text, kept) == text
    outside = tables.MARK.sub("", text)
    assert "|---|" not in outside and "| --- |" not in outside
