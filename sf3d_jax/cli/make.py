"""`sf3d make`: makes a data set of moving heads in the layout of SRFlow3D."""

import contextlib
import dataclasses
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tyro.conf import Positional

from sf3d_jax.cli._progress import Progress, say_if_slow, show_progress
from sf3d_jax.cli.inputs import (
    check_folder,
    check_no_folder,
    check_writable,
    make_folder,
    name_flags,
)

if TYPE_CHECKING:
    from sf3d_jax.making import Needs, Options, Share, Verification

SOMETHING_WRONG = 1
# Where the manifests of finished subjects are.
_MANIFESTS = "manifest/"
# Number of files of one kind that are printed.
_LINES = 10
# Flags of the run, which are not options of the data set.
_OF_RUN = {
    "out",
    "contact_sheet",
    "process",
    "processes",
    "workers",
    "dask",
    "isa",
    "dry_run",
    "verify",
}


@dataclasses.dataclass(frozen=True)
class Make:
    """Make a data set of moving heads with exact annotations, in the layout of SRFlow3D.

    Run the same command again to go on after an interruption, or with more --subjects to add some.
    Other options than before are refused. Several processes make one data set together, given
    their parts by --process or by a Slurm array, and write the same bytes as one.

    A frame of 512 x 512 pixels takes about half a second of one core, and 8.5 MB on the disk.
    """

    out: Positional[Path | None] = None
    """Folder of the data set."""
    contact_sheet: Path | None = None
    """Draw 24 people with 6 expressions each into this picture (.png, .jpg), for a first look, and
    make no data set; OUT is not needed."""
    subjects: int = 10
    """Number of people, train and test together."""
    test: int = 2
    """Number of people that are in the split test."""
    frames: int = 128
    """Number of frames of each subject."""
    size: tuple[int, int] = (512, 512)
    """Height and width of the images."""
    fps: float = 25.0
    """Frames per second of the motion."""
    seed: int = 0
    """Seed of the people, their motion, cameras, lights and noise."""
    gaussians: int = 100_000
    """Number of Gaussians that cover a head, about."""
    head: str = "procedural"
    """procedural; a mesh (.obj, .ply, .glb) whose morph targets move; or a face model (.npz). With
    a mesh, all subjects of both splits are this one person."""
    motion: Path | None = None
    """Motion (.npz) of all subjects of both splits, if it is not drawn from the seed."""
    texture: Path | None = None
    """Image for a mesh with texture coordinates, in place of the one in its file."""
    background: str = "white"
    """Colour, such as white or #8090a0, or room."""
    light: Literal["moving", "flicker", "baked"] = "moving"
    """moving: fixed in the room while the head moves; flicker: and a lamp changes its brightness;
    baked: brightness of a point stays, without highlights."""
    sensor: Literal["camera", "webcam", "ideal"] = "camera"
    """camera: exposure, white balance and noise of a good camera; webcam: more noise; ideal: none
    of these. In the images alone."""
    mask: Literal["sure", "subject"] = "sure"
    """sure: pixels whose annotations belong to one surface point; subject: all pixels that see the
    subject and have a motion to both neighbours in time."""
    scale: float = 1.0
    """Scaled inverse depth over inverse depth, in the files."""
    process: str | None = None
    """I/N: make part I of N, from 0/N; taken from a Slurm array if there is one."""
    processes: int | None = None
    """N in an indexed Kubernetes job, which gives I."""
    workers: int = 1
    """Number of processes to start on this machine, which share its cores."""
    dask: str | None = None
    """Address of a Dask scheduler, such as tcp://host:8786, whose workers make the subjects."""
    isa: str | None = None
    """Newest instruction set to use, such as avx2, so that older processors write equal bytes."""
    dry_run: bool = False
    """Print what would be made, or what is wrong, and write nothing."""
    verify: bool = False
    """Read all files back, and compare them with the manifests; other flags have no effect."""

    def run(self) -> None:
        """Makes the data set, or reads it back; exits with 1 if files are not as written."""
        if self.contact_sheet is None:
            if self.out is None:
                raise ValueError(
                    "OUT: expected the folder of the data set, or --contact-sheet FILE"
                )
            check_folder(self.out, "OUT")
        from sf3d_jax import making

        with name_flags(self), _say_warnings():
            if self.isa is not None:  # before anything imports NumPy
                making.limit_level(self.isa)
            if self.contact_sheet is not None:
                self._draw_contact_sheet(self.contact_sheet)
                return
            if self.verify:
                self._verify()
                return
            share = self._find_share()
            options = self._read_options()
            needs = making.measure_needs(self.out, options, process=share.process)
            print(_describe_work(options, needs, share), flush=True)
            if self.dry_run:
                self._make(options, share.process)
                print("\n".join(_describe_plan(options, share)))
                return
            with make_folder(self.out, "OUT"), _show_frames() as progress:
                self._make(options, share.process, progress)
            if needs.subjects:
                print(f"{self.out}: {_count(needs.subjects, 'subject')} complete")

    def _draw_contact_sheet(self, path: Path) -> None:
        from sf3d_jax import data, making

        check_no_folder("contact_sheet", path)
        check_writable("--contact-sheet", path)
        with show_progress("person") as progress:
            sheet = making.draw_contact_sheet(self._read_options(), progress=progress)
        data.write_image(path, sheet)
        print(f"Contact sheet: {path.resolve()}")

    def _find_share(self) -> "Share":
        """Finds which subjects this process makes; those of Dask come from one process."""
        from sf3d_jax import making

        environment = {} if self.dask is not None else os.environ
        return making.find_share(self.process, self.processes, environment)

    def _read_options(self) -> "Options":
        from sf3d_jax import making

        if 1 <= self.subjects < self.test == Make.test:  # which need not have been typed
            raise ValueError(
                f"test: is {self.test} by default, but there is only {self.subjects} subject; "
                "give --test 0 or --test 1"
            )
        fields = [field.name for field in dataclasses.fields(self)]
        return making.Options(**{x: getattr(self, x) for x in fields if x not in _OF_RUN})

    def _make(
        self, options: "Options", process: tuple[int, int], progress: Progress | None = None
    ) -> None:
        from sf3d_jax import making

        making.make(
            self.out,
            options,
            process=process,
            workers=self.workers,
            dask=self.dask,
            progress=progress,
            dry_run=self.dry_run,
        )

    def _verify(self) -> None:
        from sf3d_jax import making

        with show_progress("file") as progress:
            found = making.verify(self.out, progress=progress)
        if found.is_complete:
            print(f"{self.out}: all files are as they were written, and there are no others")
            return
        print("\n".join(_describe_differences(self.out, found)), flush=True)
        sys.exit(SOMETHING_WRONG)


@contextlib.contextmanager
def _show_frames() -> Iterator[Progress]:
    """Shows the progress, and explains a long silence before the first frame."""
    with contextlib.ExitStack() as silence, show_progress("frame", with_rate=True) as progress:
        silence.enter_context(say_if_slow("compiling; this takes a minute for a new size"))

        def show(done: int, total: int, name: str) -> None:
            if name:
                silence.close()
            progress(done, total, name)

        yield show


@contextlib.contextmanager
def _say_warnings() -> Iterator[None]:
    """Prints each warning of the library once, as one line."""
    said = set()
    with warnings.catch_warnings():
        show = warnings.showwarning

        def say(message: Warning | str, category: type[Warning], *where: Any, **how: Any) -> None:
            if not issubclass(category, UserWarning):
                show(message, category, *where, **how)
            elif str(message) not in said:
                said.add(str(message))
                print(f"sf3d: {message}", file=sys.stderr, flush=True)

        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = say
        yield


def _describe_work(options: "Options", needs: "Needs", share: "Share") -> str:
    """Describes what this process has to do, and whether it fits on the disk."""
    from sf3d_jax.making import format_bytes

    index, count = share.process
    part = f"process {index}/{count} ({share.source})" if share.source else "all"
    if not needs.subjects:
        return f"{part}: no subject for this process, as there are only {options.subjects}"
    size = "{} x {}".format(*options.size)
    subjects = f"{needs.subjects} of {_count(options.subjects, 'subject')}"
    made = needs.frames - needs.missing
    done = f", {made} of them made before" if made else ""
    return (
        f"{part}: {subjects}, {_count(needs.frames, 'frame')} of {size}{done}; needs "
        f"{format_bytes(needs.bytes)}, {format_bytes(needs.free)} free"
    )


def _describe_plan(options: "Options", share: "Share") -> Iterator[str]:
    """Lists the subjects of each split, and those of this process."""
    from sf3d_jax.making import plan

    subjects = plan(options).subjects
    for split in ("train", "test"):
        yield f"  {split}: {_list_names([x.name for x in subjects if x.split == split])}"
    index, count = share.process
    if count > 1:
        own = [x.name for x in subjects[index::count]]
        yield f"  this process: {_list_names(own)}"


def _describe_differences(out: Path, found: "Verification") -> Iterator[str]:
    """Lists the files that are not as they were written, and says what to do."""
    unfinished = [path for path in found.missing if path.startswith(_MANIFESTS)]
    found = found._replace(missing=tuple(x for x in found.missing if x not in unfinished))
    if unfinished:
        names = [path.removeprefix(_MANIFESTS).removesuffix(".json") for path in unfinished]
        are = "is" if len(names) == 1 else "are"
        listed = _list_names(names).replace(":", f" {are} unfinished:", 1)
        yield f"{listed}; run the same command as before to go on"
    if found.is_complete:
        return
    for kind, paths in found._asdict().items():
        if paths:
            yield f"{_count(len(paths), 'file')} {kind}:"
            yield from (f"  {path}" for path in paths[:_LINES])
            if len(paths) > _LINES:
                yield f"  ... and {len(paths) - _LINES} more"
    advice = "remove changed and additional files, and the manifests of the subjects concerned"
    yield f"{out}: {advice}; then run sf3d make with the options of making.json"


def _list_names(names: Sequence[str]) -> str:
    """Lists names, with an ellipsis in place of most if there are many."""
    if not names:
        return "none"
    shown = names if len(names) <= _LINES else [*names[:2], "...", names[-1]]
    return f"{_count(len(names), 'subject')}: {', '.join(shown)}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
