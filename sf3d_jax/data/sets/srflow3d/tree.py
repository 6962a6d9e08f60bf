"""Lists the pairs of frames in SRFlow3D's tree, with their files."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from sf3d_jax.data._files import FormatError
from sf3d_jax.data._files.frames import frame_of
from sf3d_jax.data.sets._dataset import Entry
from sf3d_jax.data.sets._listing import Folder, Place, index_stems
from sf3d_jax.data.sets._sequences import Direction, get_step
from sf3d_jax.data.sets.srflow3d import layout
from sf3d_jax.data.sets.srflow3d.cameras.reading import list_written_frames
from sf3d_jax.data.sets.srflow3d.clips import clip_frames, read_clips


class Tree(NamedTuple):
    """The listing of a split.

    Attributes:
      entries: pairs of frames.
      incomplete: pairs of which something is missing.
      frames: numbers of all frames, in order, by subject.
    """

    entries: list[Entry]
    incomplete: list[Entry]
    frames: dict[str, list[int]]


class _Numbered(NamedTuple):
    """The files of one kind and one subject, by frame number."""

    folder: Folder
    stems: dict[int, str]

    def file(self, number: int) -> Path:
        """Returns the file of a frame, whether it exists or not."""
        return self.folder.file(self.stems.get(number, f"{number:04d}"))


def has_motion(top: Path, direction: Direction) -> bool:
    """Whether there is any folder of motion in a direction.

    Args:
      top: folder of the split.
      direction: "forward" or "backward".
    """
    return bool(_find_motion(top, direction))


def list_tree(top: Path, direction: Direction, *, use_clips: bool) -> Tree:
    """Lists the pairs of a split.

    A kind that any subject has is expected for every subject, so all samples have the same fields,
    and reading a pair reports a missing file.

    A subject of `SRFlow3DWriter` is known by the form of its file of cameras, which gets a frame
    after the frame's other files. There a pair is incomplete if one of its frames is not in that
    file, or if it lacks a file of a kind that its subject has: the writer was stopped, or goes on.

    Args:
      top: folder of the split.
      direction: "forward" or "backward".
      use_clips: if there is a clip.json, only list pairs of frames within one clip.

    Returns:
      The pairs, subject by subject, in order.

    Raises:
      FormatError: a clip.json is malformed.
    """
    frame_kinds = {name: (place,) for name, place in layout.FRAMES.items()}
    kinds = _find_kinds(top, frame_kinds) | _find_motion(top, direction)
    cameras = Folder(top / layout.CAMERAS, ".json")
    has_cameras = any(map(cameras.inside, cameras.subfolders))
    tree = Tree([], [], {})
    for subject in sorted(set().union(*(kind.subfolders for kind in kinds.values()))):
        of = {name: _number_files(kind.inside(subject)) for name, kind in kinds.items()}
        frames = tree.frames[subject] = _list_frames(of)
        shared: dict[str, Path] = {}
        written = None
        if has_cameras:
            shared = {"camera": _find_camera_file(cameras.inside(subject))}
            written = list_written_frames(shared["camera"])
        clips = [set(frames)]
        if use_clips:
            clips = _read_clips(top / layout.CAMERAS / subject / layout.CLIPS_FILE, frames)
        for number, other in _list_pairs(frames, clips, get_step(direction) * _find_distance(of)):
            files = _list_files(of, number, other, frames)
            paths = {name: of[kind].file(n) for name, (kind, n) in files.items()}
            entry = Entry(subject, f"{number:04d}", f"{other:04d}", paths | shared)
            is_whole = written is None or (
                {number, other} <= written
                and all(n in of[kind].stems for kind, n in files.values() if of[kind].stems)
            )
            (tree.entries if is_whole else tree.incomplete).append(entry)
    return tree


def _find_motion(top: Path, direction: Direction) -> dict[str, Folder]:
    """Finds the folders of flow and change in a direction that contain files."""
    motions = layout.MOTIONS[direction]
    flow, change = tuple(m.flow for m in motions), tuple(m.change for m in motions)
    return _find_kinds(top, {"flow": flow, "change": change})


def _find_kinds(top: Path, kinds: Mapping[str, tuple[Place, ...]]) -> dict[str, Folder]:
    """Finds, for each kind, the first folder in which any subject has a file, if there is one."""
    found: dict[str, Folder] = {}
    for name, places in kinds.items():
        for folder in (Folder(top / place.folder, place.ending) for place in places):
            if name not in found and any(map(folder.inside, folder.subfolders)):
                found[name] = folder
    return found


def _number_files(folder: Folder) -> _Numbered:
    """Indexes the files by number; if any name is a plain number, other names are ignored."""
    plain = {stem for stem in folder.stems if stem.isdecimal()}
    found = [(frame_of(stem), stem) for stem in plain or folder.stems]
    named = [(frame.number, stem) for frame, stem in found if frame is not None]
    return _Numbered(folder, index_stems(folder, named))


def _list_frames(of: Mapping[str, _Numbered]) -> list[int]:
    """Lists the frame numbers of a subject by its images and maps, or else by its motion."""
    of_frames = [files.stems for name, files in of.items() if name in layout.FRAMES]
    of_motion = [files.stems for name, files in of.items() if name not in layout.FRAMES]
    return sorted(set().union(*(of_frames or of_motion)))


def _find_distance(of: Mapping[str, _Numbered]) -> int:
    """Finds the step between frames: the least difference of the numbers of any files."""
    numbers = sorted(set().union(*(files.stems for files in of.values())))
    return min((b - a for a, b in itertools.pairwise(numbers)), default=1)


def _list_pairs(
    frames: list[int], clips: list[set[int]], distance: int
) -> Iterator[tuple[int, int]]:
    """Yields (first, next) frames of one clip, `distance` apart."""
    there = set(frames)
    of: dict[int, set[int]] = {}
    for i, clip in enumerate(clips):
        for number in clip:
            of.setdefault(number, set()).add(i)
    for number in frames:
        other = number + distance
        if other in there and not of.get(number, set()).isdisjoint(of.get(other, ())):
            yield number, other


def _list_files(
    of: Mapping[str, _Numbered], number: int, other: int, frames: list[int]
) -> dict[str, tuple[str, int]]:
    """Lists the files of a pair: their kinds in `of`, and their numbers."""
    files = {name: (name, number) for name in layout.FRAMES if name in of}
    # The depth replaces a missing scaled inverse depth.
    depth = "scaled_inv_depth" if "scaled_inv_depth" in of else "depth"
    files |= {f"next_{name}": (name, other) for name in ("render", depth) if name in of}
    for name in ("flow", "change"):
        if name in of:
            stems = of[name].stems
            # Backward maps for the first frame but not for the last are named by their target.
            late = other < number and frames[0] in stems and frames[-1] not in stems
            files[name] = (name, other if late else number)
    return files


def _read_clips(path: Path, frames: list[int]) -> list[set[int]]:
    """Reads the sets of frames within which pairs are formed."""
    if not (frames and path.is_file()):
        return [set(frames)]
    clips, count = read_clips(path), frames[-1] + 1
    try:
        return [set(clip) for clip in clip_frames(clips, count)]
    except ValueError as error:
        expected = f"clips of {count} frames, or use_clips=False from the caller"
        raise FormatError(path, expected, f"{error}") from None


def _find_camera_file(folder: Folder) -> Path:
    """Returns the file of the cameras: the only candidate, or the usual name."""
    stems = folder.stems - {Path(layout.CLIPS_FILE).stem}
    usual = Path(layout.CAMERAS_FILE).stem
    return folder.file(next(iter(stems)) if len(stems) == 1 else usual)
