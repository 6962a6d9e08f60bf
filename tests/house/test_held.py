"""Every public function has its value, gradient, bad pixels and wrong shape in the default run."""

import subprocess
import sys

import pytest
from helpers.held import HELD
from helpers.house import ROOT, public_functions

import sf3d_jax as sf3d

PUBLIC = {name for name in public_functions() if name.split(".")[0] != "metrics"}
PUBLIC |= {f"metrics.{name}" for name in sf3d.metrics.__all__ if name not in ("Filled", "Metric")}


@pytest.fixture(scope="module")
def default_run(request):
    """The tests of the default run: every function, with and without its cases."""
    ids = [item.nodeid for item in request.session.items if not item.get_closest_marker("thorough")]
    if not needed() <= with_functions(ids):  # this run is of some tests only
        command = [sys.executable, "-m", "pytest", "-n", "0", "--collect-only", "tests"]
        command += ["--ignore", "tests/house"]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert run.returncode == 0, run.stdout + run.stderr
        ids = [line for line in run.stdout.splitlines() if "::" in line]
    return with_functions(ids)


def with_functions(ids):
    ids = {name.removeprefix("tests/") for name in ids}
    return ids | {name.split("[")[0] for name in ids}


def needed():
    return {cell for row in HELD.values() for cell in row if "::" in cell}


def test_every_public_function_has_a_row_and_every_row_a_function():
    assert not PUBLIC - HELD.keys(), "has no row in tests/helpers/held.py"
    assert not HELD.keys() - PUBLIC, "is not public"


def test_every_cell_is_a_test_of_the_default_run_or_a_reason(default_run):
    for name, row in HELD.items():
        for column, cell in row._asdict().items():
            assert "::" not in cell or cell in default_run, f"{name}, {column}: there is no {cell}"
        assert "::" in row.value, f"{name}: nothing holds its value"
