"""Processes that are killed while they make a data set, forked so that each costs no import.

Run in a Python of its own, which has not started JAX: `python -m helpers.killing OUT SEED KILLS`.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import jax
from helpers.made_trees import OPTIONS, make_walls
from helpers.moving_wall import Wall

FRAMES = OPTIONS["subjects"] * OPTIONS["frames"]
# Events of Python's audit hooks by which a process reaches the disk.
_STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir"}


def fork(work):
    """Runs a function in a child, and returns its number."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def die_at_step(number, out, count=lambda step: None):
    """Kills this process just before it reaches a folder for the nth time."""
    steps = 0

    def look(event, arguments):
        nonlocal steps
        if event in _STEPS and str(arguments[0]).startswith(str(out)):
            steps += 1
            count(steps)
            if steps == number:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(look)


def count_bytes(work):
    """Counts the bytes that children write to the pipe that they are given."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    work(writer)
    os.write(writer, b".")  # an empty pipe cannot be read
    found = len(os.read(reader, 10**6)) - 1
    os.close(reader)
    os.close(writer)
    return found


def count_steps(out):
    """Counts how often a whole run reaches its folder."""

    def run(writer):
        step = lambda number: os.write(writer, b".")
        os.waitpid(fork(lambda: (die_at_step(0, out, step), make_walls(out))), 0)

    return count_bytes(run)


def count_frames(work):
    """Counts the frames that children draw."""
    draw = Wall.draw

    def run(writer):
        Wall.draw = lambda wall, frame: (os.write(writer, b"."), draw(wall, frame))[1]
        try:
            work()
        finally:
            Wall.draw = draw

    return count_bytes(run)


def kill_at_steps(out, numbers):
    """Runs until it is killed, again and again, and checks that each run is killed."""
    for number in numbers:
        child = fork(lambda n=number: (die_at_step(n, out), make_walls(out)))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code == -signal.SIGKILL, f"ended with {code}"


def kill_at_times(out, seconds):
    """Runs for these times, one run after another."""
    for time_left in seconds:
        child = fork(lambda: make_walls(out))
        time.sleep(time_left)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def main():
    jax.default_backend = lambda: "cpu"  # JAX must not start, as it has threads
    out, seed, kills = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    draw = random.Random(seed)
    start = time.monotonic()
    steps = count_steps(out / "counted")
    seconds = time.monotonic() - start
    # Each run begins where the one before was killed, so that together they are one run.
    places = [draw.randrange(1, steps // kills) for _ in range(kills)]
    times = [draw.uniform(0, 2 * seconds / kills) for _ in range(kills)]
    expected = make_walls(out / "whole")
    assert len(expected) > 100 and steps > 300
    check(out / "steps", kill_at_steps, places, expected)
    check(out / "times", kill_at_times, times, expected)


def check(out, kill, when, expected):
    """Kills runs, lets the last one end, and compares the files and how many frames were drawn."""

    def run():
        kill(out, when)
        os.waitpid(fork(lambda: make_walls(out)), 0)

    frames = count_frames(run)
    found = make_walls(out)
    assert found == expected, found.keys() ^ expected.keys()
    assert FRAMES <= frames <= FRAMES + len(when), f"{frames} frames were drawn"
    print(f"{len(when)} kills: {frames} frames drawn for {FRAMES}")


if __name__ == "__main__":
    main()
