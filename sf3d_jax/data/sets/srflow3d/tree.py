"""Which files of SRFlow3D's tree belong to which pair of frames."""

import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from sf3d_jax.data._files import FormatError
from sf3d_jax.data._files.frames import frame_of
from sf3d_jax.data.sets._dataset import Entry
from sf3d_jax.data.sets._listing import Folder, Place, index_stems
from sf3d_jax.data.sets._sequences import Direction, step_of
from sf3d_jax.data.sets.srflow3d import layout
from sf3d_jax.data.sets.srflow3d.clips import clip_frames, read_clips


class Tree(NamedTuple):
    """What is listed of a split.

    Attributes:
      entries: the pairs.
      frames: the numbers of all frames of a subject, in order.
    """

    entries: list[Entry]
    frames: dict[str, list[int]]


class _Numbered(NamedTuple):
    """The files of one kind and one subject, by the number of their frame."""

    folder: Folder
    stems: dict[int, str]

    def file(self, number: int) -> Path:
        """The file of a frame, be it there or missing."""
        return self.folder.file(self.stems.get(number, f"{number:04d}"))


def has_motion(top: Path, direction: Direction) -> bool:
    """Whether there is any folder of motion of a direction.

    Args:
      top: the folder of the split.
      direction: "forward" or "backward".
    """
    return bool(_motion(top, direction))


def list_tree(top: Path, direction: Direction, *, use_clips: bool) -> Tree:
    """Lists the pairs of a split.

    A kind that any subject has is expected of every subject, so that a file that is missing is
    missed when its pair is read, and all samples have the same fields.

    Args:
      top: the folder of the split.
      direction: "forward" or "backward".
      use_clips: only pairs of frames of one clip, where there is a clip.json.

    Returns:
      The pairs, subject by subject.

    Raises:
      FormatError: a clip.json is not what it should be.
    """
    frame_kinds = {name: (place,) for name, place in layout.FRAMES.items()}
    kinds = _kinds(top, frame_kinds) | _motion(top, direction)
    cameras = Folder(top / layout.CAMERAS, ".json")
    tree = Tree([], {})
    for subject in sorted(set().union(*(kind.subfolders for kind in kinds.values()))):
        of = {name: _number_files(kind.inside(subject)) for name, kind in kinds.items()}
        frames = _frames(of)
        tree.frames[subject] = frames
        shared = {}
        if any(map(cameras.inside, cameras.subfolders)):
            shared = {"camera": _camera_file(cameras.inside(subject))}
        clips = [set(frames)]
        if use_clips:
            clips = _clips(top / layout.CAMERAS / subject / layout.CLIPS_FILE, frames)
        for number, other in _pairs(frames, clips, step_of(direction) * _distance(of)):
            files = _files(of, number, other, frames)
            tree.entries.append(Entry(subject, f"{number:04d}", f"{other:04d}", files | shared))
    return tree


def _motion(top: Path, direction: Direction) -> dict[str, Folder]:
    """The folders of the flow and of the change of a direction, with files."""
    motions = layout.MOTIONS[direction]
    flow, change = tuple(m.flow for m in motions), tuple(m.change for m in motions)
    return _kinds(top, {"flow": flow, "change": change})


def _kinds(top: Path, kinds: Mapping[str, tuple[Place, ...]]) -> dict[str, Folder]:
    """Of each kind the first folder of which any subject has a file, if there is one."""
    found: dict[str, Folder] = {}
    for name, places in kinds.items():
        for folder in (Folder(top / place.folder, place.ending) for place in places):
            if name not in found and any(map(folder.inside, folder.subfolders)):
                found[name] = folder
    return found


def _number_files(folder: Folder) -> _Numbered:
    """The files by number. Where any name is a plain number, others are strays."""
    plain = {stem for stem in folder.stems if stem.isdecimal()}
    found = [(frame_of(stem), stem) for stem in plain or folder.stems]
    named = [(frame.number, stem) for frame, stem in found if frame is not None]
    return _Numbered(folder, index_stems(folder, named))


def _frames(of: Mapping[str, _Numbered]) -> list[int]:
    """The numbers of a subject's frames: those of its images and maps, not of its motion."""
    of_frames = [files.stems for name, files in of.items() if name in layout.FRAMES]
    of_motion = [files.stems for name, files in of.items() if name not in layout.FRAMES]
    return sorted(set().union(*(of_frames or of_motion)))


def _distance(of: Mapping[str, _Numbered]) -> int:
    """How far neighbours are: the least distance of the numbers of any files, motion included."""
    numbers = sorted(set().union(*(files.stems for files in of.values())))
    return min((b - a for a, b in itertools.pairwise(numbers)), default=1)


def _pairs(frames: list[int], clips: list[set[int]], distance: int) -> Iterator[tuple[int, int]]:
    """(first, next): frames so far from each other, of one clip."""
    there = set(frames)
    for number in frames:
        other = number + distance
        if other in there and any({number, other} <= clip for clip in clips):
            yield number, other


def _files(
    of: Mapping[str, _Numbered], number: int, other: int, frames: list[int]
) -> dict[str, Path]:
    files = {name: of[name].file(number) for name in layout.FRAMES if name in of}
    # Where there is no scaled inverse depth, the depth serves.
    depth = "scaled_inv_depth" if "scaled_inv_depth" in of else "depth"
    files |= {f"next_{name}": of[name].file(other) for name in ("render", depth) if name in of}
    for name in ("flow", "change"):
        if name in of:
            stems = of[name].stems
            # Backward maps of the first frame, and none of the last: named by where they lead.
            late = other < number and frames[0] in stems and frames[-1] not in stems
            files[name] = of[name].file(other if late else number)
    return files


def _clips(path: Path, frames: list[int]) -> list[set[int]]:
    """The sets of frames of which pairs are taken."""
    if not (frames and path.is_file()):
        return [set(frames)]
    clips, count = read_clips(path), frames[-1] + 1
    try:
        return [set(clip) for clip in clip_frames(clips, count)]
    except ValueError as error:
        expected = f"clips of {count} frames, or use_clips=False from the caller"
        raise FormatError(path, expected, f"{error}") from None


def _camera_file(folder: Folder) -> Path:
    """The file of the cameras, or the only one that may be it."""
    stems = folder.stems - {Path(layout.CLIPS_FILE).stem}
    usual = Path(layout.CAMERAS_FILE).stem
    return folder.file(next(iter(stems)) if len(stems) == 1 else usual)
