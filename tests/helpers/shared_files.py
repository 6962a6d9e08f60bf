"""Files of others, which lie beside the repository, and the count of tests that did not run.

A test that uses the fixture `real` or `shared_file` is marked `shared`, and skipped where there is
no such folder.
"""

import collections
import pathlib

import pytest

SHARED = pathlib.Path(__file__).resolve().parents[3] / "shared"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if {"real", "shared_file"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("shared")


@pytest.fixture
def real():
    """Finds the path of a file by its name below ../shared/real."""
    folder = SHARED / "real"
    if not folder.is_dir():
        pytest.skip("needs ../shared")
    return lambda name: folder / name


@pytest.fixture
def shared_file():
    """Finds the path of a file by its path below ../shared."""
    if not SHARED.is_dir():
        pytest.skip("needs ../shared")
    return lambda name: SHARED / name


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter):
    """Ends a run with the number of tests that did not run, by what they need."""
    result = yield
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = (report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in collections.Counter(reasons).items():
        terminalreporter.write_line(f"{count} test{'s' * (count > 1)} did not run ({reason})")
    return result
