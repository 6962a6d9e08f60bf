"""Programs that JAX compiles for the tests: kept between runs, counted and reported.

Compilation takes most of the time of a run. Its programs go into a folder beside pytest's own
cache, and a line at the end of a run says how many were new and which test asked for most.
"""

import os
import time

import jax
import pytest

COMPILE = "/jax/core/compile/backend_compile_duration"
WORK = {
    "/jax/core/compile/jaxpr_trace_duration",
    "/jax/core/compile/jaxpr_to_mlir_module_duration",
    COMPILE,
}
HIT = "/jax/compilation_cache/cache_hits"

# Of this process; the processes of pytest-xdist send theirs to the one that prints.
counts = {"programs": 0, "cached": 0, "seconds": 0.0, "dearest": 0.0, "test": ""}


def keep_programs(config):
    """Turns JAX's persistent compilation cache on, for this process and those it starts."""
    folder = config.rootpath / config.getini("cache_dir") / "jax"
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
    # JAX was imported before and does not read its variables again.
    jax.config.update("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def count_program(event, duration, **_):
    counts["programs"] += event == COMPILE
    counts["seconds"] += duration if event in WORK else 0


def count_hit(event, **_):
    counts["cached"] += event == HIT


def add(others):
    """Adds the counts of another process."""
    for name in ("programs", "cached", "seconds"):
        counts[name] += others[name]
    if others["dearest"] > counts["dearest"]:
        counts.update(dearest=others["dearest"], test=others["test"])


def pytest_configure(config):
    keep_programs(config)
    jax.monitoring.register_event_duration_secs_listener(count_program)
    jax.monitoring.register_event_listener(count_hit)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    before, start = counts["seconds"], time.perf_counter()
    result = yield
    compiling, spent = counts["seconds"] - before, time.perf_counter() - start
    if spent > counts["dearest"]:
        counts.update(dearest=spent, test=f"{item.nodeid} ({compiling:.1f} s of it compiling)")
    return result


def pytest_sessionfinish(session):
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["programs"] = counts


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    sent = getattr(node, "workeroutput", {})
    if "programs" in sent:  # not if the process crashed
        add(sent["programs"])


def pytest_terminal_summary(terminalreporter):
    new = counts["programs"] - counts["cached"]
    terminalreporter.write_line(
        f"programs: {new} compiled and {counts['cached']} kept from before, "
        f"{counts['seconds']:.0f} s of all processes for tracing, lowering and compiling"
    )
    if counts["test"]:
        terminalreporter.write_line(f"dearest: {counts['dearest']:.1f} s, {counts['test']}")
