"""Checks a data set sample by sample, and reports missing and broken files."""

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import DtypeError, FormatError, FrameError, SizeError
from sf3d_jax.data.checking.report import Finding, Report
from sf3d_jax.data.checking.sample import check
from sf3d_jax.data.checking.scale_facts import check_scale, has_both
from sf3d_jax.data.sets._dataset import Dataset, Entry
from sf3d_jax.data.sets.srflow3d.dataset import SRFlow3D
from sf3d_jax.samples import Sample

_NAMES: dict[type, str] = {SizeError: "size", DtypeError: "dtype", FrameError: "missing"}
# Why a file or a frame in it may be missing.
_MISSING = "it was not written, or not downloaded"


def check_dataset(dataset: Dataset, *, limit: int | None = None, jobs: int = 1) -> Iterator[Report]:
    """Checks the samples of a data set, as `check` does for one sample, then its incomplete pairs.

    Missing and broken files are reported by path, and the rest of the sample is checked without
    them. If the data set has the motion of the other time direction, the two are compared.

    Args:
      dataset: data set such as `SRFlow3D`.
      limit: number of pairs to check, evenly spread; None checks all.
      jobs: number of threads.

    Returns:
      An iterator over named reports, in the order of the samples and of the incomplete pairs.

    Raises:
      ValueError: limit or jobs is below 1.
    """
    for name, number in (("limit", limit), ("jobs", jobs)):
        if number is not None and number < 1:
            raise ValueError(f"{name}: expected at least 1, got {number}")
    metric = True
    if isinstance(dataset, SRFlow3D):
        dataset, metric = _set_scale(dataset)
    entries = _choose_entries((*dataset.entries, *dataset.incomplete), limit)
    partner = _make_partner_reader(dataset)
    with ThreadPoolExecutor(jobs) as pool:
        waiting = [pool.submit(_check_entry, dataset, entry, partner, metric) for entry in entries]
        try:
            for future in waiting:
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def list_directions(dataset: Dataset) -> tuple[Dataset, ...]:
    """Lists the data sets of a complete check: one per time direction.

    Args:
      dataset: data set such as `SRFlow3D`.

    Returns:
      The data set and, if it exists, the same samples in the other time direction. The second one
      takes the first one's scale, if it has one, so that a wrong scale is found in both.
    """
    other = _find_other_direction(dataset)
    return (dataset,) if other is None else (dataset, other)


def _find_other_direction(dataset: Dataset) -> Dataset | None:
    other = dataset.other_direction()
    if isinstance(dataset, SRFlow3D) and isinstance(other, SRFlow3D):
        scaled, metric = _set_scale(dataset)
        # Without a metric scale `scaled` has a made-up one, which must not pass for a given one.
        return other.with_scale(scaled.scale) if metric else other
    return other


def _set_scale(dataset: SRFlow3D) -> tuple[SRFlow3D, bool]:
    """Returns the data set with an explicit scale, and whether that scale is meaningful.

    Without one, samples whose depths are wrong could not be read at all.
    """
    for way in _iterate_directions(dataset):
        try:
            return dataset.with_scale(way.scale), True
        except (ValueError, OSError):  # reported for each sample
            continue
    scales = (
        _estimate_scale(dataset, entry)
        for way in _iterate_directions(dataset)
        for entry in way.entries
    )
    scale = next((scale for scale in scales if scale), None)
    return dataset.with_scale(scale or 1.0), scale is not None


def _iterate_directions(dataset: SRFlow3D) -> Iterator[SRFlow3D]:
    """Iterates over both time directions; the other one is only listed if needed."""
    yield dataset
    if (other := dataset.other_direction()) is not None:
        yield other


def _estimate_scale(dataset: SRFlow3D, entry: Entry) -> float | None:
    try:
        depth, scaled, _, _ = dataset.scale_evidence(entry)
    except (ValueError, OSError):
        return None
    both = has_both(depth, scaled)
    return abs(float(np.median(depth[both] * scaled[both]))) if both.any() else None


def _choose_entries(entries: tuple[Entry, ...], limit: int | None) -> list[Entry]:
    count = len(entries) if limit is None else min(limit, len(entries))
    return [entries[i * len(entries) // count] for i in range(count)]


def _make_partner_reader(dataset: Dataset) -> Callable[[Entry], Sample | None]:
    """Returns a function that reads the sample leading back from the next frame, if it exists."""
    other = _find_other_direction(dataset)
    all_entries = () if other is None else other.entries
    entries = {(e.sequence, e.frame, e.next_frame): e for e in all_entries}

    def partner(entry: Entry) -> Sample | None:
        back = entries.get((entry.sequence, entry.next_frame, entry.frame))
        if other is None or back is None:
            return None
        try:
            return other.read(back)
        except (ValueError, OSError):  # reported when that sample is checked itself
            return None

    return partner


def _check_entry(
    dataset: Dataset, entry: Entry, partner: Callable[[Entry], Sample | None], metric: bool
) -> Report:
    """Checks one sample; `metric` says whether its depths are in metres."""
    sample, findings = _read(dataset, entry)
    if isinstance(dataset, SRFlow3D):
        scale, messages = dataset.scale if metric else None, [x.message for x in findings]
        findings += _check_scale(dataset, entry, scale, messages)
    if sample is None:
        return Report(tuple(findings), name=entry.name)
    if not metric:  # camera positions are in metres, so they cannot be compared
        sample = dataclasses.replace(sample, camera=None, next_camera=None)
    report = check(sample, backward=partner(entry))
    return dataclasses.replace(report, findings=(*findings, *report.findings), name=entry.name)


def _read(dataset: Dataset, entry: Entry) -> tuple[Sample | None, list[Finding]]:
    """Reads what is readable of a sample, and reports the other files."""
    files = dict(entry.files)
    lost = [path for path in files.values() if not path.exists()]
    findings = [Finding("missing", f"{path}: missing", {}, _MISSING) for path in lost]
    files = {name: path for name, path in files.items() if path.exists()}
    while files:
        try:
            return dataset.read(entry._replace(files=files)), findings
        except FormatError as error:
            findings.append(_report_format_error(error))
            bad = Path(error.path)
        except OSError as error:
            bad = Path(error.filename or "")
            if bad in files.values():
                findings.append(Finding("unreadable", f"{bad}: {error.strerror}"))
        except (KeyError, TypeError, ValueError):
            # The remaining files do not make a sample.
            return None, findings
        left = {name: path for name, path in files.items() if path != bad}
        if len(left) == len(files):
            return None, findings
        files = left
    return None, findings


def _report_format_error(error: FormatError) -> Finding:
    why = {
        "size": "it belongs to another image, or was resized",
        "dtype": "it was saved with another dtype, or as undecoded codes",
        "unreadable": "it was cut off or damaged, or is not what its name says",
        "missing": _MISSING,
    }
    name = _NAMES.get(type(error), "unreadable")
    return Finding(name, str(error), {}, why[name])


def _check_scale(
    dataset: SRFlow3D, entry: Entry, scale: float | None, messages: list[str]
) -> list[Finding]:
    """Finds faults of the scale, or of the metric depth, which is used for nothing else."""
    if not {"depth", "scaled_inv_depth"} <= entry.files.keys():
        return []
    try:
        depth, scaled, mask, camera = dataset.scale_evidence(entry)
    except FormatError as error:
        return [] if str(error) in messages else [_report_format_error(error)]
    except OSError:  # missing files were named already
        return []
    return check_scale(depth, scaled, camera, mask=mask, scale=scale)
