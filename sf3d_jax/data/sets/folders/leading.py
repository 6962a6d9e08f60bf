"""Finds the two frames of each flow by their names."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.sets.folders.pairing import check_unique, pair_files, parse, read_step_of_names
from sf3d_jax.data.sets.folders.sequences import Chain, find_step, follow, read_sequences
from sf3d_jax.data.sets.folders.views import are_two_cameras

Times = Sequence[tuple[int, Hashable]]
_ADVICE = "put each flow into a folder with the name of its frame's folder, or remove one of them"
_Led = tuple[tuple[Path, Path | None], ...]


def pair_frames(
    flows: Sequence[PathLike], frames: Sequence[PathLike], *, times: Times | None = None
) -> _Led:
    """Finds the frame that each flow begins in and the one that it leads to, by their names.

    `pair_files` finds the first frame. The step to the other frame comes from names of flows such
    as 0003_0005, or else is the most common difference of the frame numbers. Frames of several
    cameras, such as 0001_cam1 and 0001_cam2, are followed within their camera. If folders of frames
    contain the same names, such as cam1/0001 and cam2/0001, each flow belongs to the folder with
    the name of its own folder.

    Args:
      flows: files of the flows.
      frames: files or names of the frames; they need not exist.
      times: number and camera of each frame, if known; taken from the names if None.

    Returns:
      The two frames of each flow; the second is None if that frame is not among `frames`.

    Raises:
      FileNotFoundError: flows have no frame; the message lists them.
      ValueError: two frames have equivalent names, or the names do not say which frame a flow
        begins in or which of their numbers is the frame.
    """
    firsts, seconds = [Path(x) for x in flows], [Path(x) for x in frames]
    if len({parse(x.stem) for x in seconds}) == len(seconds):
        return _pair_in_one(firsts, seconds, times)
    found: dict[Path, tuple[Path, Path | None]] = {}
    for folder in dict.fromkeys(x.parent for x in firsts):
        inside = [x for x in firsts if x.parent == folder]
        own = [i for i, x in enumerate(seconds) if x.parent.name == folder.name]
        if not own:
            check_unique([(parse(x.stem), x) for x in seconds], _ADVICE)
        of_own = None if times is None else [times[i] for i in own]
        found |= zip(inside, _pair_in_one(inside, [seconds[i] for i in own], of_own), strict=True)
    return tuple(found[x] for x in firsts)


def _pair_in_one(flows: list[Path], frames: list[Path], times: Times | None) -> _Led:
    """Does the work of `pair_frames` for frames whose names differ."""
    firsts = pair_files(flows, frames).files
    names = [x.stem for x in frames]
    step = read_step_of_names([x.stem for x in flows], names)
    place = {path: i for i, path in enumerate(frames)}
    if times is None:
        begins = {place[x] for x in firsts}
        try:
            chains = read_sequences(names, begins, step, is_partial=True)
        except ValueError as error:
            hint = "give the frames of a single camera, or names such as frame1_cam2"
            raise ValueError(f"{error}; {hint}") from None
    else:
        chains = _split_cameras(times)
    after = follow(chains, step or find_step(chains))
    leads = lambda i: frames[after[i]] if i in after else None
    pairs = ((x, leads(place[x])) for x in firsts)
    return tuple((x, None if b is None or _is_other_camera(x, b) else b) for x, b in pairs)


def _is_other_camera(first: Path, after: Path) -> bool:
    """Whether the folders of two frames belong to two cameras."""
    return are_two_cameras(first.parent.name, after.parent.name)


def _split_cameras(times: Times) -> list[Chain]:
    chains: dict[Hashable, Chain] = defaultdict(dict)
    for i, (number, camera) in enumerate(times):
        chains[camera][number] = i
    return [*chains.values()]
