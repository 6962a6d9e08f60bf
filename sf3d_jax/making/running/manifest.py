"""The manifest of a subject, and what differs from the manifests of a data set.

`manifest/SPLIT/ID.json` is {path: [bytes, SHA-256]}, sorted by path. The paths are relative to the
data set. It is written when all other files of the subject are, so that its presence means that the
subject is finished.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from sf3d_jax.data._files import FormatError
from sf3d_jax.data._files.json import read_json
from sf3d_jax.data.sets.srflow3d import layout
from sf3d_jax.making.planning import SubjectPlan, plan
from sf3d_jax.making.running import record
from sf3d_jax.making.running.locks import FOLDER as LOCKS
from sf3d_jax.making.running.reporting import Progress, ignore

FOLDER = "manifest"


class Verification(NamedTuple):
    """How the files of a data set differ from its manifests.

    Attributes:
      missing: files that are not there; a manifest for a subject that is not finished.
      changed: files with another content.
      additional: files that no manifest lists.
    """

    missing: tuple[str, ...]
    changed: tuple[str, ...]
    additional: tuple[str, ...]

    @property
    def is_complete(self) -> bool:
        """Whether all files are there and unchanged, and no others."""
        return not any(self)


def verify(out: str | os.PathLike[str], *, progress: Progress | None = None) -> Verification:
    """Reads all files of a data set back, and compares them with its manifests.

    Args:
      out: folder of the data set.
      progress: called before each file with the number of files that were read, the number of all
        files, and the path of the file; and once at the end.

    Returns:
      Paths of missing, changed and additional files, relative to `out` and sorted. Files of
      subjects that are not finished are not read; the manifests of these subjects are missing.
      Locks of processes that are making the data set are not counted.

    Raises:
      FileNotFoundError: the folder has no making.json.
      FormatError: making.json or a manifest cannot be read.
      OSError: a file cannot be read.
    """
    out = Path(out)
    subjects = plan(record.read_options(out)).subjects
    finished = [subject for subject in subjects if is_finished(out, subject)]
    unfinished = [subject for subject in subjects if subject not in finished]
    listed: dict[str, list[object]] = {}
    for subject in finished:
        listed |= _read_manifest(get_path(out, subject))
    there = {*_list_files(out)}
    changed = _find_changed(
        out, {path: listed[path] for path in sorted(there & {*listed})}, progress
    )
    ours = {record.NAME, *(_get_name(subject) for subject in subjects)}
    begun = {(subject.split, subject.name) for subject in unfinished}
    others = there - {*listed} - ours
    return Verification(
        tuple(sorted({*listed} - there)) + tuple(map(_get_name, unfinished)),
        tuple(changed),
        tuple(sorted(path for path in others if not _is_of(path, begun))),
    )


def get_path(out: Path, subject: SubjectPlan) -> Path:
    """Returns the path of the manifest of a subject."""
    return out / _get_name(subject)


def is_finished(out: Path, subject: SubjectPlan) -> bool:
    """Whether all files of a subject are written."""
    return get_path(out, subject).is_file()


def check_finished(out: Path, subjects: Iterable[SubjectPlan]) -> None:
    """Refuses finished subjects some of whose files are gone or have another length.

    Contents are not read, which takes `verify`.

    Args:
      out: folder of the data set.
      subjects: subjects, some of which may be finished.

    Raises:
      FileNotFoundError: a file is gone.
      FormatError: a file has another length, or a manifest cannot be read.
    """
    advice = f"sf3d make {out} --verify lists all that differ, and says what to do"
    for subject in subjects:
        if not is_finished(out, subject):
            continue
        for name, (length, _) in _read_manifest(get_path(out, subject)).items():
            try:
                found = (out / name).stat().st_size
            except FileNotFoundError:
                raise FileNotFoundError(f"{out / name}: was made, and is gone; {advice}") from None
            if found != length:
                raise FormatError(out / name, f"the {length} bytes made", f"{found}; {advice}")


def write_manifest(out: Path, subject: SubjectPlan, frames: int) -> None:
    """Hashes the files of a subject and writes its manifest.

    Args:
      out: folder of the data set.
      subject: subject, all of whose files are written.
      frames: number of its frames.
    """
    files = {path: _hash(out / path) for path in sorted(list_files(subject, frames))}
    path = get_path(out, subject)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Each subject has a name of its own for the temporary file, so that the next process that makes
    # this subject replaces what a killed one left, and nobody else's.
    temporary = path.with_name(f".{path.name}")
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in files.items()]
    temporary.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def list_files(subject: SubjectPlan, frames: int) -> Iterator[str]:
    """Lists the files of a finished subject, relative to the data set.

    Args:
      subject: subject.
      frames: number of its frames.

    Yields:
      Paths with forward slashes.
    """
    cameras = f"{subject.split}/{layout.CAMERAS}/{subject.name}"
    yield f"{cameras}/{layout.CAMERAS_FILE}"
    if subject.clips:
        yield f"{cameras}/{layout.CLIPS_FILE}"
    every = range(frames)
    places = [(place, every) for place in layout.FRAMES.values()]
    places += [(place, every[:-1]) for place in layout.FORWARD]
    places += [(place, every[1:]) for place in layout.BACKWARD]
    for place, numbers in places:
        for frame in numbers:
            name = place.stem.format(frame) + place.ending
            yield f"{subject.split}/{place.folder}/{subject.name}/{name}"


def _get_name(subject: SubjectPlan) -> str:
    return f"{FOLDER}/{subject.split}/{subject.name}.json"


def _hash(path: Path) -> list[object]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return [os.fstat(file.fileno()).st_size, digest]


def _read_manifest(path: Path) -> dict[str, list[object]]:
    expected = "{path: [bytes, SHA-256]}; remove it, and sf3d make writes it again"
    try:
        tree = read_json(path)
    except FormatError as error:
        raise FormatError(path, expected, error.found) from None
    entries = tree.values() if isinstance(tree, dict) else [None]
    if not all(isinstance(entry, list) and len(entry) == 2 for entry in entries):
        raise FormatError(path, expected, "something else")
    return tree


def _list_files(out: Path) -> Iterator[str]:
    for path in out.rglob("*"):
        relative = path.relative_to(out)
        if relative.parts[0] != LOCKS and (path.is_symlink() or not path.is_dir()):
            yield relative.as_posix()


def _find_changed(
    out: Path, files: dict[str, list[object]], progress: Progress | None
) -> Iterator[str]:
    """Reads files, and finds those whose content is not the listed one."""
    show = progress or ignore
    for done, (path, entry) in enumerate(files.items()):
        show(done, len(files), path)
        if _hash(out / path) != entry:
            yield path
    show(len(files), len(files), "")


def _is_of(path: str, subjects: set[tuple[str, str]]) -> bool:
    """Whether a file lies in the folders of one of the subjects, given by split and name."""
    parts = path.split("/")
    if parts[0] == FOLDER and len(parts) == 3:  # a manifest that is being written
        return (parts[1], parts[2].strip(".").removesuffix(".json")) in subjects
    return len(parts) == 4 and (parts[0], parts[2]) in subjects
