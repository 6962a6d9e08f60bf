"""Killed processes lose at most a frame each; the files are those of an unbroken run."""

import os
import pathlib
import subprocess
import sys

from helpers.thorough import parametrize

TESTS = pathlib.Path(__file__).resolve().parents[2]


@parametrize("seed, kills", [(0, 4), *((seed, 20) for seed in range(1, 6))], default=[(0, 4)])
def test_a_killed_run_goes_on_where_it_ended(tmp_path, seed, kills):
    """Killed just before it opens, renames or removes a file, and at random times."""
    words = [sys.executable, "-m", "helpers.killing", str(tmp_path), str(seed), str(kills)]
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    run = subprocess.run(
        words, env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count(f"{kills} kills: ") == 2
