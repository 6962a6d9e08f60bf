"""What the benchmark scripts share: timed ways, run in turn, as rows of a table."""

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


def rows_of(table, medians, reference):
    """Ways with milliseconds, ratios to the reference and XLA's temporaries, as rows."""
    rows = []
    for name, milliseconds in medians.items():
        temporary = getattr(table[name], "temporary", None)
        rows.append(
            {
                "way": name,
                "ms": milliseconds,
                f"x {reference}": milliseconds / medians[reference],
                "temporaries, MiB": None if temporary is None else round(temporary / 2**20, 1),
            }
        )
    return rows
