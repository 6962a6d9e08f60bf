"""Subjects as tasks on a Dask cluster of processes of this machine."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import time

import pytest
from helpers import moving_wall
from helpers.made_trees import digests, make_walls, wall_options

from sf3d_jax import making
from sf3d_jax.making.running.cluster import run_on_cluster

TESTS = pathlib.Path(__file__).resolve().parents[2]
PATH = os.pathsep.join([str(TESTS.parent), str(TESTS)])
ENVIRONMENT = os.environ | {"PYTHONPATH": PATH, moving_wall.PAUSE: "0.1"}
PRELOAD = "from helpers import moving_wall\nmoving_wall.put_up()\n"


def start(stack, *words):
    words = [sys.executable, *map(str, words)]
    process = stack.enter_context(
        subprocess.Popen(
            words, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    )
    stack.callback(process.kill)
    return process


def wait_until(is_true):
    deadline = time.monotonic() + 60
    while not is_true() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert is_true()


@pytest.fixture
def cluster(tmp_path):
    """The address of a scheduler, and its two workers."""
    from distributed import Client

    file, preload = tmp_path / "scheduler.json", tmp_path / "walls.py"
    preload.write_text(PRELOAD)
    with contextlib.ExitStack() as stack:
        common = ("--no-dashboard", "--scheduler-file", file)
        start(stack, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1:0", *common)
        wait_until(lambda: file.exists() and file.read_text().endswith("}"))
        mine = ("--no-nanny", "--nthreads", 1, "--local-directory", tmp_path, "--preload", preload)
        worker = ("-m", "distributed.cli.dask_worker", *common, *mine)
        address = json.loads(file.read_text())["address"]
        workers = [start(stack, *worker) for _ in range(2)]
        with Client(address) as client:
            client.wait_for_workers(2, timeout=60)
        yield address, workers


@pytest.mark.thorough
def test_a_worker_that_is_killed_is_replaced_and_the_files_are_the_same(tmp_path, cluster):
    address, workers = cluster
    said = []

    def kill_one(done, total, name):
        said.append(done)
        if done == 6:
            workers[0].kill()

    found = make_walls(tmp_path / "dask", dask=address, progress=kill_one)
    assert workers[0].wait(10) == -9 and workers[1].poll() is None
    assert found == make_walls(tmp_path / "one")
    assert said == [*range(17)]


CLIENT = """
import sys
from helpers.made_trees import make_walls
make_walls(sys.argv[1], dask=sys.argv[2])
"""


@pytest.mark.thorough
def test_workers_stop_when_nobody_waits_for_them(tmp_path, cluster):
    address, _ = cluster
    out = tmp_path / "out"
    with contextlib.ExitStack() as stack:
        client = start(stack, "-c", CLIENT, out, address)
        wait_until(lambda: len([*out.glob("*/mask/*/*")]) >= 2)
        client.kill()
    wait_until(lambda: not [*(out / ".locks").glob("subject-*")])
    there = [*out.glob("*/mask/*/*")]
    assert len(there) < 16
    time.sleep(1)
    assert [*out.glob("*/mask/*/*")] == there
    assert make_walls(out, dask=address) == make_walls(tmp_path / "one")


@pytest.mark.thorough
def test_what_is_different_on_the_workers_is_said(tmp_path, cluster):
    address, _ = cluster
    options, subjects = wall_options(), making.plan(wall_options()).subjects
    make_walls(tmp_path / "out", process=(4, 5))  # nothing but the record
    record = json.loads((tmp_path / "out/making.json").read_text())

    def run(name, **changes):
        (tmp_path / name).mkdir()
        (tmp_path / name / "making.json").write_text(json.dumps(record | changes))
        run_on_cluster(address, tmp_path / name, options, subjects, print)

    with pytest.warns(UserWarning, match="Dask worker tcp://.* instruction set .* with sse4_2;"):
        run("level", isa="sse4_2")
    with pytest.raises(ValueError, match="was made with back end gpu, and this process has cpu"):
        run("back end", backend="gpu")
    with pytest.raises(FileNotFoundError, match="elsewhere: is another folder on the Dask worker"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sf3d_jax.making.running.record.read_level", lambda out: record["isa"])
            run_on_cluster(address, tmp_path / "elsewhere", options, subjects, print)


@pytest.mark.thorough
def test_a_scheduler_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("sf3d_jax.making.running.cluster._PATIENCE", 0.5)
    with pytest.raises(OSError, match=r"^dask: no Dask scheduler at tcp://127.0.0.1:9: "):
        make_walls(tmp_path, dask="tcp://127.0.0.1:9")
    with pytest.raises(OSError, match=r"^dask: no Dask scheduler at what://x"):
        make_walls(tmp_path, dask="what://x")
    assert not digests(tmp_path)


def test_without_dask_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r"pip install 'sf3d_jax\[cluster\]'"):
        make_walls(tmp_path, dask="tcp://here:8786")
