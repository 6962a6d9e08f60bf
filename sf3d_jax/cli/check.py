"""`sf3d check`: finds what is wrong with a data set."""

import dataclasses
import json
import os
import statistics
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from sf3d_jax.cli._errors import describe, fail
from sf3d_jax.cli._progress import show_progress
from sf3d_jax.cli.inputs import check_writable

if TYPE_CHECKING:
    from sf3d_jax.data import Dataset, Finding, Report

Name = Literal[
    "srflow3d",
    "kitti2015",
    "kitti2012",
    "spring",
    "flyingthings3d",
    "flyingthings3dsubset",
    "monkaa",
    "driving",
    "sintel",
    "virtualkitti2",
    "tartanair",
    "tartanairv2",
    "flyingchairs",
    "hd1k",
]
SOMETHING_WRONG = 1
_WIDTH = 100
_EXAMPLES = 3
# Findings whose messages each name another file; all of them are shown.
_OF_FILES = ("missing", "unreadable", "size", "dtype")
_MOST_FILES = 20
_OWN_FILES = "for your own files use Python: data.FolderPairs reads them, data.check checks them"


@dataclasses.dataclass(frozen=True)
class Check:
    """Find what is wrong with a data set before you spend weeks training on it.

    Detects missing and broken files; flow as (v, u), with a wrong sign, or backward; ray lengths in
    place of depths; a principal point off by half a pixel; inverted poses and OpenGL axes; a
    varying scale; an inverse-depth change on the wrong frame's grid; misplaced masks; invalid
    values. The exit code is 1 if something is wrong.
    """

    path: Annotated[Path, Positional]
    """Folder of one of the data sets listed under --dataset, or of a split or scene of one."""
    dataset: Name | None = None
    """Name of the data set; recognised by its folders if not given."""
    split: str | None = None
    """Split to check, such as train; all if not given."""
    limit: int | None = None
    """Check at most this many samples of each split, evenly spread."""
    jobs: int | None = None
    """Number of samples checked in parallel; one per CPU core if not given."""
    json: Path | None = None
    """Also write all measurements to this JSON file."""

    def run(self) -> None:
        """Prints a table of findings and exits with 1 if there are any."""
        self._check()
        from sf3d_jax import data

        try:
            datasets = data.recognise(self.path, dataset=self.dataset, split=self.split)
        except data.FormatError as error:  # a bad list of clips: there are no samples without it
            print(f"{self.path}: its samples cannot be listed\n  unreadable: {error}")
            sys.exit(SOMETHING_WRONG)
        except FileNotFoundError as error:
            message, *layouts = describe(error).splitlines()
            fail(message, *layouts, *([_OWN_FILES] if layouts else []))
        both = [way for one in datasets for way in data.list_directions(one)]
        checked = [(one, self._reports(one)) for one in both]
        if self.json is not None:
            _write_json(self.json, checked)
        for one, reports in checked:
            print("\n".join(_summarize(_describe(one), reports)))
        if any(not report.ok for _, reports in checked for report in reports):
            sys.stdout.flush()
            sys.exit(SOMETHING_WRONG)

    def _check(self) -> None:
        for flag, number in (("--limit", self.limit), ("--jobs", self.jobs)):
            if number is not None and number < 1:
                raise ValueError(f"{flag}: expected at least 1, got {number}")
        if self.json is not None:
            check_writable("--json", self.json)

    def _reports(self, dataset: "Dataset") -> list["Report"]:
        from sf3d_jax.data import check_dataset

        count = len(dataset.entries) + len(dataset.incomplete)
        count = count if self.limit is None else min(self.limit, count)
        jobs = self.jobs or os.cpu_count() or 1
        reports: list[Report] = []
        with show_progress("sample") as show:
            show(0, count, "")
            for report in check_dataset(dataset, limit=self.limit, jobs=jobs):
                reports.append(report)
                show(len(reports), count, report.name or "")
        return reports


def _describe(dataset: "Dataset") -> str:
    """Names the data set and the kinds of files that it has, as some may be missing."""
    from sf3d_jax import data

    kinds = {kind for kind in dataset.entries[0].files if not kind.startswith("next_")}
    form = dataset.camera_form() if isinstance(dataset, data.SRFlow3D) else None
    cameras = "" if form is None else f"\n  cameras read as {form}"
    return f"{dataset}\n  with {', '.join(sorted(kinds))}{cameras}"


def _write_json(path: Path, checked: list[tuple["Dataset", list["Report"]]]) -> None:
    from sf3d_jax.data import write_bytes

    tree = [
        {"dataset": repr(dataset), "reports": [report.to_json() for report in reports]}
        for dataset, reports in checked
    ]
    write_bytes(path, (json.dumps(tree, indent=1) + "\n").encode())


def _summarize(name: str, reports: list["Report"]) -> list[str]:
    """Summarizes one data set: a table of the kinds of findings, then details of each kind."""
    wrong = sum(not report.ok for report in reports)
    if not wrong:
        return [name, f"  checked {len(reports)} samples, found no problems"]
    kinds = _group_by_kind(reports)
    lines = [name, f"  checked {len(reports)} samples, found problems in {wrong}", ""]
    width = max(len(kind) for kind in kinds)
    lines.append(f"  {'kind':<{width}}  samples  sure   seen in")
    for kind, found in kinds.items():
        names = list(dict.fromkeys(sample for sample, _ in found))
        more = ", ..." if len(names) > _EXAMPLES else ""
        sure = statistics.median(finding.confidence for _, finding in found)
        seen = ", ".join(names[:_EXAMPLES]) + more
        lines.append(f"  {kind:<{width}}  {len(names):>7}  {sure:>4.0%}   {seen}")
    for kind, found in kinds.items():
        lines += ["", f"  {kind}", *_explain(kind, found)]
    return [*lines, ""]


def _group_by_kind(reports: list["Report"]) -> dict[str, list[tuple[str, "Finding"]]]:
    """Groups findings, with their samples' names; kinds that most often come first lead."""
    kinds: dict[str, list[tuple[str, Finding]]] = {}
    weight: dict[str, float] = {}
    for report in reports:
        for place, finding in enumerate(report.findings):
            kinds.setdefault(finding.name, []).append((report.name or "", finding))
            weight[finding.name] = weight.get(finding.name, 0) + 1 / (1 + place)
    return dict(sorted(kinds.items(), key=lambda item: -weight[item[0]]))


def _explain(kind: str, found: list[tuple[str, "Finding"]]) -> list[str]:
    """Describes what was measured, and the likely cause."""
    if kind in _OF_FILES:
        messages = list(dict.fromkeys(finding.message for _, finding in found))
        lines = [line for message in messages[:_MOST_FILES] for line in _indent(message)]
        if len(messages) > _MOST_FILES:
            lines += _indent(f"... and {len(messages) - _MOST_FILES} more; see --json")
    else:
        sample, first = max(found, key=lambda item: item[1].confidence)
        lines = _indent(f"measured in {sample}: {first.message}")
    explanations = dict.fromkeys(f.explanation for _, f in found if f.explanation)
    alternatives = dict.fromkeys(name for _, f in found for name in f.alternatives)
    lines += [line for why in explanations for line in _indent(f"likely cause: {why}")]
    if alternatives:
        lines += _indent(f"other possible causes: {', '.join(alternatives)}")
    return lines


def _indent(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent=4 * " ",
        subsequent_indent=6 * " ",
        break_long_words=False,
        break_on_hyphens=False,
    )
