"""Makes one subject: its missing frames, then its manifest."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sf3d_jax.data.sets.srflow3d import layout
from sf3d_jax.data.sets.srflow3d.clips import write_clips
from sf3d_jax.data.sets.srflow3d.writer import SRFlow3DWriter
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan
from sf3d_jax.making.running.locks import FOLDER, BusyError, hold
from sf3d_jax.making.running.manifest import is_finished, write_manifest
from sf3d_jax.making.running.reporting import name_frame

if TYPE_CHECKING:
    from sf3d_jax.making.drawing import Subject

# Seconds to wait for a process that makes the same subject. It has lost its parent and is ending,
# or its cluster has given it up.
_PATIENCE = 30.0


def make_subject(
    out: Path, options: Options, subject: SubjectPlan, report: Callable[[str], None]
) -> None:
    """Makes what is missing of a subject.

    Args:
      out: folder of the data set.
      options: options of the data set.
      subject: subject to make.
      report: called with the name of each frame that is finished, by this process or before.

    Raises:
      BusyError: another process is making this subject.
      OSError: a file cannot be read or written.
    """
    lock = out / FOLDER / f"subject-{subject.name}"
    try:
        with hold(lock, patience=_PATIENCE):
            if not is_finished(out, subject):
                _make_frames(out, options, subject, report)
                _write_clips(out, subject)
                write_manifest(out, subject, options.frames)
    except BusyError as error:
        if error.filename != str(lock):
            raise
        raise BusyError(f"{out}: another process is making subject {subject.name}") from None


def find_frames(out: Path, options: Options, subject: SubjectPlan) -> list[str]:
    """Finds the frames of a subject that are finished, give or take one.

    Args:
      out: folder of the data set.
      options: options of the data set.
      subject: subject, of which nothing need be there.

    Returns:
      The names of the frames.
    """
    if is_finished(out, subject):
        return [name_frame(subject, frame) for frame in range(options.frames)]
    # The last kind of file that is written of a frame, so that most frames that have it are whole.
    place = [*layout.FRAMES.values()][-1]
    folder = out / subject.split / place.folder / subject.name
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    stems = {frame: place.stem.format(frame) for frame in range(options.frames)}
    return [name_frame(subject, i) for i, stem in stems.items() if stem + place.ending in there]


def _make_frames(
    out: Path, options: Options, subject: SubjectPlan, report: Callable[[str], None]
) -> None:
    writer = SRFlow3DWriter(out, subject.split, scale=options.scale)
    missing = []
    for frame in range(options.frames):
        if writer.has(subject.name, frame):
            report(name_frame(subject, frame))
        else:
            missing.append(frame)
    if not missing:
        return
    drawing = open_drawing(subject, options)
    for frame in missing:
        drawn = drawing.draw(frame)
        writer.write(
            subject.name,
            frame,
            camera=drawn.camera,
            image=drawn.image,
            mask=drawn.mask,
            inv_depth=drawn.inv_depth,
            forward=drawn.forward,
            backward=drawn.backward,
        )
        report(name_frame(subject, frame))


def _write_clips(out: Path, subject: SubjectPlan) -> None:
    """Writes the clips of a test subject, which are those of all its frames."""
    if subject.clips:
        path = out / subject.split / layout.CAMERAS / subject.name / layout.CLIPS_FILE
        write_clips(path, subject.clips)


def open_drawing(subject: SubjectPlan, options: Options) -> "Subject":
    """Prepares to draw a subject; what draws is imported here, as parents of workers never draw."""
    from sf3d_jax.making.drawing import open_subject

    return open_subject(subject, options)
