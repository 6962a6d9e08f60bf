"""Worker processes: the same files, one error, and an end with their parent."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import psutil
import pytest
from helpers import moving_wall
from helpers.made_trees import digests, make_walls

from sf3d_jax import making
from sf3d_jax.making.running import workers

TESTS = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def walls(monkeypatch):
    """Lets workers draw walls."""
    monkeypatch.setattr(workers, "_COMMAND", [*workers._COMMAND[:-1], moving_wall.WORKER])


def test_workers_make_the_same_files_as_one_process(tmp_path):
    said = []
    found = make_walls(tmp_path / "two", workers=2, progress=lambda *x: said.append(x))
    assert found == make_walls(tmp_path / "one")
    assert [done for done, *_ in said] == [*range(17)] and {total for _, total, _ in said} == {16}


def test_an_interruption_of_the_terminal_reaches_the_parent_alone():
    with workers._block_interruptions():
        words = ["sh", "-c", "echo; exec sleep 60"]
        child = subprocess.Popen(words, stdout=subprocess.PIPE)
    child.stdout.readline()
    child.send_signal(signal.SIGINT)
    time.sleep(0.1)
    assert child.poll() is None
    child.kill()
    child.communicate()
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_workers_share_the_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: range(8), raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    for count, threads in ((2, "4"), (3, "2"), (8, "1"), (20, "1")):
        assert workers._choose_environment(count)["NPROC"] == threads


@pytest.mark.thorough
def test_the_error_of_a_worker_is_raised_once_and_the_others_end(tmp_path, monkeypatch):
    broken = "helpers.moving_wall.Wall.move = lambda *x: 1 / 0; "
    command = f"import helpers.moving_wall; {broken}{moving_wall.WORKER}"
    monkeypatch.setattr(workers, "_COMMAND", [*workers._COMMAND[:-1], command])
    with pytest.raises(ZeroDivisionError):
        make_walls(tmp_path, workers=2)
    assert not psutil.Process().children()
    assert not (tmp_path / ".locks").exists()


@pytest.mark.thorough
def test_a_worker_that_dies_is_reported_with_its_subject(tmp_path, monkeypatch):
    dying = (
        "helpers.moving_wall.Wall.move = lambda *x: __import__('os').kill(0 or m.os.getpid(), 9)"
    )
    command = f"import helpers.moving_wall; m = helpers.moving_wall; {dying}; {moving_wall.WORKER}"
    monkeypatch.setattr(workers, "_COMMAND", [*workers._COMMAND[:-1], command])
    with pytest.raises(ChildProcessError, match=r"a worker died of SIGKILL in subject 00\d"):
        make_walls(tmp_path, workers=2)
    monkeypatch.setattr(workers, "_COMMAND", [*workers._COMMAND[:-1], moving_wall.WORKER])
    assert make_walls(tmp_path, workers=2) == make_walls(tmp_path.with_name("whole"))


@pytest.mark.thorough
def test_an_error_that_cannot_be_sent_is_sent_as_its_text():
    import io
    import pickle

    class Local(Exception):
        pass

    stream = io.BytesIO()
    workers._send(stream, Local("here"))
    stream.seek(0)
    assert str(pickle.load(stream)) == "Local: here"


PARENT = """
import sys
from helpers import moving_wall
from helpers.made_trees import make_walls, wall_options
from sf3d_jax.making.running import workers
workers._COMMAND[-1] = moving_wall.WORKER
make_walls(sys.argv[1], workers=2, progress=lambda *x: print(*x, flush=True))
"""


def start(out, pause):
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    environment = os.environ | {"PYTHONPATH": path, moving_wall.PAUSE: str(pause)}
    words = [sys.executable, "-c", PARENT, str(out)]
    return subprocess.Popen(
        words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )


@pytest.mark.thorough
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_workers_end_with_their_parent_and_the_next_run_goes_on(tmp_path, how):
    with start(tmp_path / "out", 0.3) as parent:
        for _ in range(4):
            parent.stdout.readline()
        family = psutil.Process(parent.pid).children()
        assert len(family) == 2
        parent.send_signal(how)
        _, alive = psutil.wait_procs(family, timeout=10)
        assert not alive
        parent.communicate()
    assert not any((tmp_path / "out/manifest").glob("*/*")) or how == signal.SIGINT
    assert make_walls(tmp_path / "out") == make_walls(tmp_path / "whole")


@pytest.mark.thorough
def test_a_parent_that_was_killed_makes_room_for_the_next_at_once(tmp_path):
    first = start(tmp_path / "out", 0.3)
    first.stdout.readline(), first.stdout.readline()
    first.kill()
    with start(tmp_path / "out", 0) as second:
        assert second.wait(60) == 0
        second.communicate()
    first.communicate()
    assert digests(tmp_path / "out") == make_walls(tmp_path / "whole")
    assert making.verify(tmp_path / "out").is_complete
