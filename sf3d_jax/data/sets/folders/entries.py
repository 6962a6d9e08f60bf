"""Lists the pairs of frames among your own files, and the files that belong to each pair."""

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from sf3d_jax.data.sets._dataset import Entry
from sf3d_jax.data.sets.folders.pairing import (
    make_lack_message,
    match_names,
    read_step_of_names,
)
from sf3d_jax.data.sets.folders.patterns import Match
from sf3d_jax.data.sets.folders.sequences import Chain, find_step, follow, read_sequences
from sf3d_jax.data.sets.folders.views import Counter, are_two_views, find_counters, is_of_time

_Pair = tuple[Match, Match]
_ByFrame = dict[Path, Path]


class Listed(NamedTuple):
    """Pairs of frames with their files.

    Attributes:
      entries: pairs in the order of their first frames.
      left_out: files that belong to no pair, by kind.
    """

    entries: list[Entry]
    left_out: dict[str, tuple[Path, ...]]


def list_entries(found: Mapping[str, Sequence[Match]], of_frames: Collection[str]) -> Listed:
    """Lists the pairs of frames, and the files that belong to them.

    If there are flows, each flow between two existing frames makes one pair.

    Args:
      found: files by kind, as `patterns.find` returns them: "image" and, optionally, "next_image"
        and others.
      of_frames: kinds that are also read for the next frame, as "after_" and the kind.

    Returns:
      The pairs and the files left out.

    Raises:
      FileNotFoundError: a flow has no frame, or a pair lacks a file of another kind.
      ValueError: two files have equivalent names, or names do not say which files belong together
        or which of their numbers is the frame.
    """
    frames = found["image"]
    if "next_image" in found:
        after = _find_partners(frames, frames, found["next_image"])
        by_path = {match.path: match for match in found["next_image"]}
        pairs = [(a, by_path[after[a.path]]) for a in frames if a.path in after]
    else:
        flows = found.get("flow", ())
        step = _read_step_of_flows(frames, flows)
        pairs = _leave_out_views([*_pair_successors(frames, step, _find_begins(frames, flows))])
    if not pairs:
        return Listed([], {kind: tuple(m.path for m in found[kind]) for kind in found})
    firsts = [first for first, _ in pairs]
    others = [kind for kind in found if kind not in ("image", "next_image")]
    files = {kind: _find_partners(frames, firsts, found[kind]) for kind in others}
    if "flow" in files:
        _check_flow(frames, firsts, files["flow"], found["flow"])
        pairs = [(a, b) for a, b in pairs if a.path in files["flow"]]
    for kind in others:
        _check_complete(files, kind, pairs, kind in of_frames, found[kind])
    entries = [_make_entry(a, b, files, of_frames) for a, b in pairs]
    used = {path for entry in entries for path in entry.files.values()}
    left = {kind: tuple(m.path for m in found[kind] if m.path not in used) for kind in found}
    return Listed(entries, {kind: paths for kind, paths in left.items() if paths})


def _make_entry(
    first: Match, after: Match, files: Mapping[str, _ByFrame], of_frames: Collection[str]
) -> Entry:
    listed = {"image": first.path, "next_image": after.path}
    listed |= {kind: by_frame[first.path] for kind, by_frame in files.items()}
    listed |= {f"after_{k}": files[k][after.path] for k in of_frames if k in files}
    return Entry(first.folder, first.path.stem, after.path.stem, listed)


def _check_flow(
    frames: Sequence[Match], firsts: Sequence[Match], by_frame: _ByFrame, flows: Sequence[Match]
) -> None:
    """Refuses a flow without its frame, and flows that all seem to be named one frame late."""
    begins = set(by_frame.values())
    if alone := [match.path for match in flows if match.path not in begins]:
        raise FileNotFoundError(make_lack_message(alone, [match.path for match in frames]))
    starts = {match.path for match in firsts}
    for _, group in itertools.groupby(frames, key=lambda match: match.folder):
        first, *others = (match.path for match in group)
        all_but_first = all(path in by_frame for path in others)
        if first in starts and first not in by_frame and others and all_but_first:
            message = make_lack_message([first], [match.path for match in flows])
            raise FileNotFoundError(
                f"{message}, but every later frame has one; name each flow after the frame that it "
                "begins in"
            )


def _check_complete(
    files: Mapping[str, _ByFrame],
    kind: str,
    pairs: Sequence[_Pair],
    of_both: bool,
    among: Sequence[Match],
) -> None:
    """Refuses pairs without a file of a kind, and lists their flows, or else their images."""
    needed = [(a.path, b.path) if of_both else (a.path,) for a, b in pairs]
    lacking = [paths[0] for paths in needed if not all(path in files[kind] for path in paths)]
    if lacking:
        named = [files["flow"][path] if "flow" in files else path for path in lacking]
        raise FileNotFoundError(make_lack_message(named, [match.path for match in among]))


def _find_partners(
    frames: Sequence[Match], firsts: Sequence[Match], matches: Sequence[Match]
) -> _ByFrame:
    """Finds the file of each frame, by the path of the frame; frames without a file are left out.

    Folders are matched by the text that their wildcards stand for, and then the files in them.
    Names without numbers need one file per frame, or one per pair, in each folder.
    """
    if matches[0].is_of_all:
        return {match.path: matches[0].path for match in frames}
    groups, of_firsts, of_files = (
        _group_matches(frames),
        _group_matches(firsts),
        _group_matches(matches),
    )
    places = match_names([*groups], [*of_files])
    if places is None:
        raise _make_undecided_error(frames, matches)
    found: _ByFrame = {}
    for (group, wanted), place in zip(groups.items(), places, strict=True):
        if place is not None:
            files = [*of_files.values()][place]
            found |= _find_partners_in_folder(wanted, of_firsts[group], files)
    return found


def _find_partners_in_folder(
    frames: Sequence[Match], firsts: Sequence[Match], matches: Sequence[Match]
) -> _ByFrame:
    names = [match.name for match in matches]
    for wanted in (frames, firsts):
        places = match_names([match.name for match in wanted], names)
        if wanted and places is not None:
            pairs = zip(wanted, places, strict=True)
            return {match.path: matches[i].path for match, i in pairs if i is not None}
    raise _make_undecided_error(firsts, matches)


def _make_undecided_error(frames: Sequence[Match], matches: Sequence[Match]) -> FileNotFoundError:
    path, other = frames[0].path, matches[0].path
    return FileNotFoundError(
        f"{path}: no file in {other.parent} has its name or number, and {len(frames)} files cannot "
        f"be matched with {len(matches)} by their order"
    )


def _read_step_of_flows(frames: Sequence[Match], flows: Sequence[Match]) -> int:
    """Reads the step to the other frame from the names of the flows; 0 if they do not say."""
    names = [match.name for match in frames]
    steps = {
        read_step_of_names([m.name for m in some], names) for some in _group_matches(flows).values()
    }
    if len(steps) > 1:
        listed = " and ".join(map(str, sorted(steps)))
        raise ValueError(
            f"{flows[0].path.parent}: expected flows with one step between frames, got {listed}"
        )
    return steps.pop() if steps else 0


def _pair_successors(
    frames: Sequence[Match], step: int, begins: Collection[Path] | None
) -> Iterator[_Pair]:
    """Pairs each frame with the one a step later; step 0 means the folder's most common step.

    In a folder whose names have no numbers, frames are paired in the order of their names.
    """
    by_folder = itertools.groupby(frames, key=lambda match: match.folder)
    folders = [list(group) for _, group in by_folder]
    chains = [_read_sequences(folder, step, begins) for folder in folders]
    common = find_step([chain for of_folder in chains for chain in of_folder])
    for folder, of_folder in zip(folders, chains, strict=True):
        if not of_folder:
            yield from itertools.pairwise(folder)
        after = follow(of_folder, step or find_step(of_folder, common))
        yield from ((folder[i], folder[after[i]]) for i in sorted(after))


def _leave_out_views(pairs: Sequence[_Pair]) -> list[_Pair]:
    """Removes pairs across two cameras or sequences; raises if no pair remains."""
    counters = find_counters({match.name for pair in pairs for match in pair})
    in_one = [pair for pair in pairs if not _is_across_views(*pair, counters)]
    if pairs and not in_one:
        first, after = pairs[0]
        raise FileNotFoundError(
            f"{first.path} and {after.path.name}: their names say that they come from two cameras "
            "or two sequences, so neither follows the other; if one does, give a pattern whose "
            "wildcard stands for the frame number only, or pass the other images as next_image="
        )
    return in_one


def _is_across_views(first: Match, after: Match, counters: Collection[Counter]) -> bool:
    inside = PurePath(first.folder, first.path.name)
    return is_of_time(inside) or are_two_views(first.name, after.name, counters)


def _read_sequences(
    folder: Sequence[Match], step: int, begins: Collection[Path] | None
) -> list[Chain]:
    places = None if begins is None else [i for i, m in enumerate(folder) if m.path in begins]
    try:
        return read_sequences([match.path.stem for match in folder], places, step)
    except ValueError as error:
        raise ValueError(
            f"{folder[0].path.parent}: {error}; give a pattern of a single sequence, or pass the "
            "other frames as next_image="
        ) from None


def _find_begins(frames: Sequence[Match], flows: Sequence[Match]) -> _ByFrame | None:
    """Finds the frames with a flow by names alone; None if the names do not decide."""
    if not flows or flows[0].is_of_all:
        return None
    try:
        return _find_partners(frames, frames, flows)
    except FileNotFoundError:
        return None


def _group_matches(matches: Sequence[Match]) -> defaultdict[str, list[Match]]:
    groups: defaultdict[str, list[Match]] = defaultdict(list)
    for match in matches:
        groups[match.group].append(match)
    return groups
