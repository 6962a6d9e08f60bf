"""Times the hot paths on a GPU; or compiles them for one, and compares with budgets.

    python benchmarks/gpu.py [--only NAME ...] [--json FILE]
    python benchmarks/gpu.py --card h200 [--only NAME ...] [--json FILE]

The first needs a machine with a GPU. With --card nothing runs, and any machine will do: launches,
bytes and CPU seconds of compilation are compared with gpu_budgets.json. StableHLO may have at most
twice as many lines as for a CPU. The exit code is 1 where a path fails or is more than 10 % beyond
its budget, and 2 where the GPU or the wheels that the compiler needs are missing; README.md says
how to install them. The file has the figures of all paths so far. --list names all paths.
"""

import argparse
import json
import os
import pathlib
import sys

import gpu_compile

HERE = pathlib.Path(__file__).parent
BUDGETS = HERE / "gpu_budgets.json"
TOLERANCE = 1.1
# StableHLO for a GPU over that for a CPU.
MOST_LINES = 2.0
NO_GPU = (
    "JAX finds no GPU: on a machine with one, pip install -e . 'jax[cuda12]' in the folder of the "
    "repository; on others, --card h200 compiles for one, see benchmarks/README.md"
)


def chosen(only):
    """The paths asked for."""
    from gpu_paths import make_paths

    paths = make_paths()
    unknown = [name for name in only or () if name not in paths]
    if unknown:
        sys.exit(f"--only: unknown {', '.join(unknown)}; one of {', '.join(paths)}")
    return {name: paths[name] for name in only or paths}


def compiled(card, path):
    """The figures of a path that is compiled for a card."""
    import jax
    from gpu_counts import count, describe_loops
    from gpu_inputs import shapes_of

    shapes = shapes_of(path.arguments)
    start = cpu_seconds()
    program, lines = gpu_compile.compile_for(card, path.function, shapes)
    seconds = cpu_seconds() - start
    on_cpu = jax.jit(path.function).lower(*shapes).as_text()
    counts, memory = count(program.as_text()), program.memory_analysis()
    least = memory.argument_size_in_bytes + memory.output_size_in_bytes
    return {
        "launches": counts.launches,
        "loops": describe_loops(counts),
        "MB moved": counts.moved / 1e6,
        "MB least": least / 1e6,
        "MB temporary": memory.temp_size_in_bytes / 1e6,
        "compile, s": seconds,
        "lines": lines,
        "x CPU's lines": lines / len(on_cpu.splitlines()),
    }


def cpu_seconds():
    """Of this process and of those that it waited for, such as the assembler."""
    return sum(os.times()[:4])


def beyond(figures, budget):
    """What is more than the tolerance over its budget, in words."""
    limits = {**budget, "x CPU's lines": MOST_LINES}
    return [
        f"{name} {figures[name]:.4g} of {limit:g}"
        for name, limit in limits.items()
        if figures[name] > TOLERANCE * limit
    ]


def compile_all(card, paths, file):
    """Compiles all, prints them beside their budgets, and returns the exit code."""
    if missing := gpu_compile.missing_wheels():
        print(f"not installed: {'; '.join(missing)}; see benchmarks/README.md", file=sys.stderr)
        return 2
    gpu_compile.prepare()
    from report import Report, first_line

    paths = chosen(paths)
    budgets = json.loads(BUDGETS.read_text())
    report = Report("gpu", card=card)
    title, rows, failed = f"programs for an {card.upper()}", [], []
    for name, path in paths.items():
        try:
            figures = compiled(card, path)
        except Exception as error:
            failed.append(f"{name} does not compile: {first_line(error)}")
            print(failed[-1], flush=True)
            continue
        said = "; ".join(beyond(figures, budgets[name]))
        if said:
            failed.append(f"{name} is beyond its budget: {said}")
        rows.append({"path": name, **figures, **asked(budgets[name]), "beyond": said or None})
        report.keep(title, rows, file)
        print(f"{name}: {figures['launches']} launches, {figures['MB moved']:.1f} MB", flush=True)
    report.show(title)
    print("\n".join([*failed, f"{len(paths)} paths, {len(failed)} beyond budgets or not compiled"]))
    return 1 if failed else 0


def asked(budget):
    """The columns of the budget."""
    return {f"{column}, budget": budget.get(column) for column in ("launches", "MB moved")}


def time_all(paths, file):
    """Times all, prints them beside the copy, and returns the exit code."""
    import jax
    from gpu_timing import time_paths

    if not any(device.platform == "gpu" for device in jax.devices()):
        print(NO_GPU, file=sys.stderr)
        return 2
    failed = time_paths(chosen(paths), file)
    return 1 if failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--card", choices=gpu_compile.CARDS, help="compile for it, run nothing")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these paths")
    parser.add_argument("--list", action="store_true", help="name all paths")
    parser.add_argument("--json", help="write the figures there")
    options = parser.parse_args()
    if options.list:
        print("\n".join(chosen(None)))
        return
    if options.card:
        sys.exit(compile_all(options.card, options.only, options.json))
    sys.exit(time_all(options.only, options.json))


if __name__ == "__main__":
    main()
