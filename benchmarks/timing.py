"""What the benchmark scripts share: timed ways, run in turn, as a table and as JSON."""

import json
import statistics
import time

import jax
import jax.numpy as jnp


class Way:
    """A jitted function that is timed, with or without its last result to write into."""

    def __init__(self, function, arguments, reuse):
        self.arguments, self.reuse = arguments, reuse
        run = (lambda old, *a: function(*a)) if reuse else (lambda *a: function(*a))
        self.run = jax.jit(run, donate_argnums=0 if reuse else (), keep_unused=reuse)
        self.last = jax.tree.map(jnp.copy, jax.jit(function)(*arguments)) if reuse else None
        arguments = (self.last, *arguments) if reuse else arguments
        memory = self.run.lower(*arguments).compile().memory_analysis()
        self.temporary = memory.temp_size_in_bytes
        self()

    def __call__(self):
        arguments = (self.last, *self.arguments) if self.reuse else self.arguments
        result = jax.block_until_ready(self.run(*arguments))
        self.last = result if self.reuse else None


def race(table, repeats):
    """Median milliseconds of each, run in turn."""
    times = {name: [] for name in table}
    for _ in range(repeats):
        for name, run in table.items():
            # PyTorch's threads spin for a while after their work, on the cores of the next.
            time.sleep(0.02)
            start = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(x) for name, x in times.items()}


def print_table(table, medians, reference):
    """Prints ways, milliseconds, ratios to the reference and temporaries; returns them as rows."""
    width = max(map(len, medians))
    print(f"| {'way':<{width}} | {'ms':>7} | {'ratio':>7} | {'temporaries, MiB':>16} |")
    print(f"|{'-' * (width + 2)}|{'-' * 9}|{'-' * 9}|{'-' * 18}|")
    rows = []
    for name, milliseconds in medians.items():
        ratio = milliseconds / medians[reference]
        temporary = getattr(table[name], "temporary", None)
        rows.append({"way": name, "ms": milliseconds, "ratio": ratio, "temporary_bytes": temporary})
        shown = "" if temporary is None else f"{temporary / 2**20:.1f}"
        print(f"| {name:<{width}} | {milliseconds:7.2f} | {ratio:7.2f} | {shown:>16} |")
    print(f"ratio: to {reference}\n")
    return rows


def write_json(path, report):
    """Writes the report where a path is given."""
    if path:
        with open(path, "w") as file:
            json.dump({"jax": jax.__version__, **report}, file, indent=2)
