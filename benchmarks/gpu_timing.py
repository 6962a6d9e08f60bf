"""Times paths on a GPU beside a copy of memory in the same run.

A path runs many times in a row and the host waits once, at the end, so that launches overlap as in
a training step. Below about 20 microseconds a run, the time is that of the host's calls.
"""

import statistics
import time

import jax
import jax.numpy as jnp
from gpu_inputs import draw
from report import Report, first_line

ROUNDS = 7
ROUND_SECONDS = 0.05
MOST_RUNS = 1000
# Larger than any cache.
COPIED_BYTES = 2**30

# Least bytes a second, over those of the copy.
LEAST_RATIOS = {
    "1080p b8 scene_flow 1cam": 0.8,
    "1080p b8 scene_flow 2cam": 0.8,
    "1080p b8 image_motion 2cam": 0.8,
    "1080p b8 backward_warp": 0.8,
    "1080p b8 splat sum": 0.3,
    "1080p b8 splat softmax": 0.3,
}
MOST_MILLISECONDS = {"render": 1.0, "render grad": 3.0}


def time_paths(paths, file):
    """Prints and writes the figures of all paths, and returns the names of those that failed."""
    report = Report("gpu times")
    copy = copied_per_second()
    report.facts["copy, GB/s"] = round(copy / 1e9)
    rows = []
    for name, path in paths.items():
        rows.append(timed(name, path, copy))
        report.keep("times", rows, file)
    report.show("times")
    return [row["path"] for row in rows if row["error"]]


def timed(name, path, copy):
    """The row of a path: its figures, or the error that it raises."""
    figures = dict.fromkeys(("ms", "MB least", "x copy", "goal", "met"))
    try:
        seconds, least = measured(path)
    except Exception as error:
        print(f"{name}: {first_line(error)}", flush=True)
        return {"path": name, **figures, "error": first_line(error)}
    milliseconds, ratio = 1e3 * seconds, least / seconds / copy
    print(f"{name}: {milliseconds:.4g} ms, {ratio:.2f} of the copy", flush=True)
    figures |= {"ms": milliseconds, "MB least": least / 1e6, "x copy": ratio}
    return {"path": name, **figures, **verdict(name, milliseconds, ratio), "error": None}


def verdict(name, milliseconds, ratio):
    """The goal of a path, and whether it is met."""
    if name in LEAST_RATIOS:
        goal = LEAST_RATIOS[name]
        return {"goal": f"{goal:g} of the copy", "met": "yes" if ratio >= goal else "no"}
    if name in MOST_MILLISECONDS:
        goal = MOST_MILLISECONDS[name]
        return {"goal": f"{goal:g} ms", "met": "yes" if milliseconds <= goal else "no"}
    return {"goal": None, "met": None}


def copied_per_second(size=COPIED_BYTES):
    """Bytes that a copy reads and writes a second."""
    numbers = jnp.zeros(size // 4, jnp.float32)
    # Numbers that change, because XLA would return those that do not.
    return 2 * size / seconds_of(jax.jit(lambda x: x + 1), (numbers,))


def measured(path):
    """The seconds of a path, and the bytes of its arguments and results."""
    arguments = draw(path.arguments)
    run = jax.jit(path.function)
    memory = run.lower(*arguments).compile().memory_analysis()
    least = memory.argument_size_in_bytes + memory.output_size_in_bytes
    return seconds_of(run, arguments), least


def seconds_of(run, arguments):
    """The median over rounds of the mean time of runs in a row."""
    round_seconds(run, arguments, 1)
    once = round_seconds(run, arguments, 1)
    runs = max(1, min(MOST_RUNS, round(ROUND_SECONDS / once)))
    return statistics.median(round_seconds(run, arguments, runs) / runs for _ in range(ROUNDS))


def round_seconds(run, arguments, runs):
    start = time.perf_counter()
    for _ in range(runs):
        result = run(*arguments)
    jax.block_until_ready(result)
    return time.perf_counter() - start
