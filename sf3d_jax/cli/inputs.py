"""Flags that commands share, and checks of what they say."""

import contextlib
import dataclasses
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# A folder may have a point in its name, but none of these behind it.
_ENDINGS_OF_FILES = (".npz", ".npy", ".flo", ".flo5", ".pfm", ".png", ".jpg", ".ply", ".zip")


@dataclasses.dataclass(frozen=True)
class CameraFlags:
    """A KITTI calibration, or four numbers."""

    calibration: Path | None = None
    """KITTI calibration: P2 and P3, or P_rect_02 and P_rect_03."""
    fx: float | None = None
    """Horizontal focal length, pixels; with --fy, --cx, --cy instead of --calibration."""
    fy: float | None = None
    """Vertical focal length, pixels; to be given as well, for square pixels with --fx's value."""
    cx: float | None = None
    """Column of the principal point, pixels: 0 is the centre of the first column, so that the
    middle of an image of width W is (W - 1) / 2."""
    cy: float | None = None
    """Row of the principal point, pixels: 0 is the centre of the first row."""

    @property
    def is_given(self) -> bool:
        """Whether any of the flags is given."""
        return self != CameraFlags()

    @property
    def of_point(self) -> str:
        """The flags that say the principal point, to a person."""
        return "--cx, --cy" if self.calibration is None else f"--calibration {self.calibration}"

    def check(self) -> None:
        """Refuses flags that do not say one camera, or numbers that cannot be meant.

        Raises:
          ValueError: there is no camera, there are two, a focal length is not positive, or a
            principal point is not finite.
        """
        numbers = [self.fx, self.fy, self.cx, self.cy]
        names = ("fx", "fy", "cx", "cy")
        if self.calibration is None and None in numbers:
            missing = [flag(x) for x, value in zip(names, numbers, strict=True) if value is None]
            have = "is" if len(missing) == 1 else "are"
            some = f"{', '.join(missing)} {have} missing; " if len(missing) < len(names) else ""
            raise ValueError(f"{some}give --calibration FILE, or all of --fx --fy --cx --cy")
        if self.calibration is not None and any(x is not None for x in numbers):
            raise ValueError("give either --calibration or --fx --fy --cx --cy, not both")
        check_no_folder("calibration", self.calibration)
        check_positive(fx=self.fx, fy=self.fy)
        for name, value in (("cx", self.cx), ("cy", self.cy)):
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{flag(name)}: expected a number, got {value}")


@dataclasses.dataclass(frozen=True)
class MovingCameraFlags:
    """The camera at the second image, whose motion is then not part of the scene flow."""

    next_pose: tuple[Path, ...] = ()
    """Pose [R | t] of the camera at the second image: R X + t takes points from the axes of the
    first camera into its own, metres. Text of 12 or 16 numbers or .npy; a file for each flow, or
    one with a row for each."""
    next_calibration: Path | None = None
    """KITTI calibration at the second image, if the lens has changed."""
    cameras: Path | None = None
    """Cameras of all frames with their poses, instead of --calibration: transforms.json or other
    JSON, or a folder with a COLMAP model or else a transforms.json. A flow gets the camera of its
    number and the one of the frame that it leads to: the next of that camera, or the second in a
    name such as 0003_0005."""

    @property
    def is_given(self) -> bool:
        """Whether any of the flags is given."""
        return self != MovingCameraFlags()

    def check(self, camera: CameraFlags) -> None:
        """Refuses flags that say two cameras.

        Args:
          camera: the flags of the first camera.

        Raises:
          ValueError: --cameras stands beside another camera or pose, or a calibration is a folder.
        """
        check_no_folder("next_calibration", self.next_calibration)
        if self.cameras is None:
            return
        if camera.is_given:
            raise ValueError("--cameras goes instead of --calibration and --fx --fy --cx --cy")
        if self.next_pose or self.next_calibration is not None:
            raise ValueError("--cameras goes instead of --next-pose and --next-calibration")


def flag(name: str) -> str:
    """The flag of a field.

    Args:
      name: of the field.

    Returns:
      The flag as typed.
    """
    return "--" + name.replace("_", "-")


@contextlib.contextmanager
def name_flags(options: "DataclassInstance") -> Iterator[None]:
    """Names the flag where the library refuses an argument of the same name.

    Args:
      options: the command, whose fields are passed as the arguments of those names.

    Yields:
      Nothing.

    Raises:
      ValueError: an error in the block names fields before a colon; it has their flags instead.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        from sf3d_jax.data import FormatError

        names, colon, rest = str(error).partition(": ")
        fields = {field.name for field in dataclasses.fields(options)}
        # A file may be called as a field is.
        is_of_file = isinstance(error, FormatError)
        if is_of_file or not colon or not fields.issuperset(names.split(", ")):
            raise
        flags = ", ".join(map(flag, names.split(", ")))
        raise ValueError(f"{flags}: {rest}") from None


def each_flag(options: "DataclassInstance") -> Iterator[tuple[str, bool]]:
    """Lists the flags of a command.

    Args:
      options: the command, or a group of its flags.

    Yields:
      Each field's name, those of groups included, and whether it differs from its default.
    """
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from each_flag(value)
        else:
            yield field.name, value != field.default


def check_names(name: str, paths: list[Path]) -> None:
    """Refuses files whose results would get one name.

    Args:
      name: of the field, for the message.
      paths: its files.

    Raises:
      ValueError: two of them have one name.
    """
    if len({path.stem for path in paths}) < len(paths):
        raise ValueError(f"{flag(name)}: two files have one name; convert into different folders")


def check_no_folder(name: str, path: Path | None) -> None:
    """Refuses a folder where a file is wanted.

    Args:
      name: of the field, for the message.
      path: of the file, which need not exist; None where the flag is not given.

    Raises:
      ValueError: it is a folder.
    """
    if path is not None and path.is_dir():
        raise ValueError(f"{flag(name)}: {path} is a folder; name a file")


def check_folder(path: Path, name: str = "output") -> None:
    """Refuses what cannot become a folder, before any work is done.

    Args:
      path: of the folder, which need not exist.
      name: of the field, for the message.

    Raises:
      ValueError: it, or a folder above it, is a file, or it is new and named like one.
    """
    for folder in (path, *path.parents):
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{flag(name)}: {folder} is a file; name a folder")
    if path.suffix.lower() in _ENDINGS_OF_FILES and not path.exists():
        raise ValueError(f"{flag(name)}: expected a folder, got {path}, which is named like a file")


@contextlib.contextmanager
def new_folder(path: Path, name: str = "output") -> Iterator[None]:
    """Makes a folder, and those above it, where there is none.

    Args:
      path: of the folder.
      name: of the field, for the message.

    Yields:
      Nothing. Folders that were made and are still empty go away if the block fails or is
      interrupted.

    Raises:
      ValueError: it cannot be made, or nothing can be written into it.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"no folder can be made at {path}: {error.strerror}"
        raise ValueError(f"{flag(name)}: {reason}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ValueError(f"{flag(name)}: no file can be written in the folder {path}")
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # something is in it
            for folder in made:
                folder.rmdir()
        raise


def check_writable(name: str, path: Path) -> None:
    """Refuses a file that cannot be written, before any work is done.

    Args:
      name: of the flag.
      path: of the file.

    Raises:
      ValueError: there is no such folder, it cannot be written to, or the path is one.
    """
    if not path.parent.is_dir():
        raise ValueError(f"{name}: there is no folder {path.parent}")
    if path.is_dir():
        raise ValueError(f"{name}: {path} is a folder; name a file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValueError(f"{name}: no file can be written in the folder {path.parent}")


def check_positive(**numbers: float | None) -> None:
    """Refuses numbers that are not positive.

    Args:
      **numbers: values by the names of their fields; None where a flag is not given.

    Raises:
      ValueError: one of them is not positive and finite; its flag is named.
    """
    for name, value in numbers.items():
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{flag(name)}: expected a positive number, got {value}")


def check_png_scale(scale: float | None, paths: Iterable[Path]) -> None:
    """Refuses a scale of codes where no file has codes.

    Args:
      scale: the flag.
      paths: of the maps that it is for.

    Raises:
      ValueError: none of them is a PNG.
    """
    if scale is not None and not any(path.suffix.lower() == ".png" for path in paths):
        raise ValueError(
            f"--png-scale {scale:g}: is for 16-bit .png files of depth and the like, of which none "
            "is given; maps of other formats are taken as they are, and depths in --depth-unit"
        )
