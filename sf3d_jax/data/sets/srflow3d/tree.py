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


class _Names(NamedTuple):
    """The names of these files in little memory: the ending of 0007.npy, and all other names."""

    folder: Path
    ending: str
    others: dict[int, str]

    def file(self, number: int) -> Path:
        """Returns the file of a frame, whether it exists or not."""
        return self.folder / self.others.get(number, f"{number:04d}{self.ending}")


class _Slot(NamedTuple):
    """Where a pair has a file: its kind, and its frame, 0 for the first and 1 for the next."""

    kind: str
    side: int


class _Files(Mapping[str, Path]):
    """The files of a pair, whose paths are made on demand: those of 10,000 pairs take 25 MB."""

    __slots__ = ("_names", "_pair", "_shared", "_slots")

    def __init__(
        self,
        names: Mapping[str, _Names],
        slots: Mapping[str, _Slot],
        shared: Mapping[str, Path],
        pair: tuple[int, int],
    ) -> None:
        self._names, self._slots, self._shared, self._pair = names, slots, shared, pair

    def __getitem__(self, name: str) -> Path:
        if name not in self._slots:
            return self._shared[name]
        slot = self._slots[name]
        return self._names[slot.kind].file(self._pair[slot.side])

    def __iter__(self) -> Iterator[str]:
        return itertools.chain(self._slots, self._shared)

    def __len__(self) -> int:
        return len(self._slots) + len(self._shared)

    def __repr__(self) -> str:
        return repr(dict(self))


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
    So are the pairs of a clip that the writer has not come to.

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
        step = get_step(direction) * _find_distance(of)
        slots, names = _find_slots(of, frames, step), {x: _compress(of[x]) for x in of}
        shared: dict[str, Path] = {}
        written = None
        if has_cameras:
            shared = {"camera": _find_camera_file(cameras.inside(subject))}
            written = list_written_frames(shared["camera"])
        clips = [set(frames)]
        if use_clips:
            path = top / layout.CAMERAS / subject / layout.CLIPS_FILE
            clips = _read_clips(path, frames, grows=written is not None)
        known = frames if written is None else sorted(set(frames).union(*clips))
        for pair in _list_pairs(known, clips, step):
            files = _Files(names, slots, shared, pair)
            entry = Entry(subject, f"{pair[0]:04d}", f"{pair[1]:04d}", files)
            is_whole = written is None or (written.issuperset(pair) and _has_all(of, slots, pair))
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


def _compress(files: _Numbered) -> _Names:
    folder, ending = files.folder, files.folder.usual_ending
    names = {number: folder.name(stem) for number, stem in files.stems.items()}
    others = {number: x for number, x in names.items() if x != f"{number:04d}{ending}"}
    return _Names(folder.path, ending, others)


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


def _find_slots(of: Mapping[str, _Numbered], frames: list[int], step: int) -> dict[str, _Slot]:
    """Finds where the pairs of a subject have their files."""
    slots = {name: _Slot(name, 0) for name in layout.FRAMES if name in of}
    # The depth reslots a missing scaled inverse depth.
    depth = "scaled_inv_depth" if "scaled_inv_depth" in of else "depth"
    slots |= {f"next_{name}": _Slot(name, 1) for name in ("render", depth) if name in of}
    for name in ("flow", "change"):
        if name in of and frames:
            stems = of[name].stems
            # Backward maps for the first frame but not for the last are named by their target.
            late = step < 0 and frames[0] in stems and frames[-1] not in stems
            slots[name] = _Slot(name, int(late))
    return slots


def _has_all(
    of: Mapping[str, _Numbered], slots: Mapping[str, _Slot], pair: tuple[int, int]
) -> bool:
    """Whether no file of a pair is missing, except of kinds of which the subject has none."""
    expected = ((of[kind].stems, pair[side]) for kind, side in slots.values())
    return all(number in stems for stems, number in expected if stems)


def _read_clips(path: Path, frames: list[int], *, grows: bool) -> list[set[int]]:
    """Reads the sets of frames within which pairs are formed.

    If a writer adds frames, the clips may already have frames that it has not come to.
    """
    if not (frames and path.is_file()):
        return [set(frames)]
    clips, count = read_clips(path), frames[-1] + 1
    try:
        return [set(clip) for clip in clip_frames(clips, count)]
    except ValueError as error:
        last = max(x for clip in clips for x in (clip.end or 0, *(clip.frames or ())))
        if grows and last >= count:
            return [set(clip) for clip in clip_frames(clips, last + 1)]
        expected = f"clips of {count} frames, or use_clips=False from the caller"
        raise FormatError(path, expected, f"{error}") from None


def _find_camera_file(folder: Folder) -> Path:
    """Returns the file of the cameras: the only candidate, or the usual name."""
    stems = folder.stems - {Path(layout.CLIPS_FILE).stem}
    usual = Path(layout.CAMERAS_FILE).stem
    return folder.file(next(iter(stems)) if len(stems) == 1 else usual)
