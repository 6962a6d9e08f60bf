"""The report of a benchmark: tables for people, and ratios to compare with another run.

A report is {"subject", "jax", "device", ..., "tables": {title: rows}, "ratios": {name: number}}.
Rows are dictionaries with the same keys, the titles of the columns. A ratio is ours over a peer's
of the same run, and the smaller the better: it holds on other machines, where times do not.
"""

import json
import os
import platform

import jax


class Report:
    """Collects the tables and ratios of one script."""

    def __init__(self, subject, **facts):
        self.subject = subject
        self.facts = {
            "jax": jax.__version__,
            "device": jax.devices()[0].device_kind,
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "load before": round(os.getloadavg()[0], 1),
            **facts,
        }
        self.tables, self.ratios = {}, {}
        print(f"{subject}: {', '.join(f'{k} {v}' for k, v in self.facts.items())}\n", flush=True)

    def add(self, title, rows, ratios=None):
        """Prints and keeps a table, and the ratios that come from it."""
        self.tables[title] = rows
        self.ratios |= {f"{title}: {name}": x for name, x in (ratios or {}).items()}
        self.show(title)

    def keep(self, title, rows, path):
        """Keeps a table that grows, and writes the report as it is so far."""
        self.tables[title] = rows
        self.write(path)

    def show(self, title):
        """Prints a table, if it has rows."""
        if rows := self.tables.get(title):
            print(f"{title}\n\n{markdown(rows)}\n", flush=True)

    def write(self, path):
        """Writes the report where a path is given."""
        if path:
            content = {"subject": self.subject, **self.facts}
            content |= {"tables": self.tables, "ratios": self.ratios}
            with open(path, "w") as file:
                json.dump(content, file, indent=1)
                file.write("\n")


def markdown(rows):
    """Rows as a table in Markdown."""
    titles = list(rows[0])
    lines = [
        titles,
        ["---"] * len(titles),
        *([cell(row[title]) for title in titles] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(value):
    """A number to three digits; empty where there is none."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def first_line(error):
    """The kind of an error and the first line of what it says."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


def time_ratios(medians, peers):
    """{way: its time over that of its peer}, where both ran."""
    return {
        way: medians[way] / medians[peer]
        for way, peer in peers.items()
        if way in medians and peer in medians
    }
