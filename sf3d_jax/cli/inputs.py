"""Flags shared by the commands, and checks of their values."""

import contextlib
import dataclasses
import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

# Folders may have a dot in their names, but are not expected to have one of these endings.
_ENDINGS_OF_FILES = (".npz", ".npy", ".flo", ".flo5", ".pfm", ".png", ".jpg", ".ply", ".zip")


@dataclasses.dataclass(frozen=True)
class CameraFlags:
    """Give either a KITTI calibration or four numbers."""

    calibration: Path | None = None
    """KITTI calibration file: P2 and P3, or P_rect_02 and P_rect_03."""
    fx: float | None = None
    """Horizontal focal length in pixels; give --fx, --fy, --cx and --cy, or --calibration."""
    fy: float | None = None
    """Vertical focal length in pixels; equal to --fx for square pixels."""
    cx: float | None = None
    """Column of the principal point in pixels; (W - 1) / 2 is the middle of an image."""
    cy: float | None = None
    """Row of the principal point in pixels; (H - 1) / 2 is the middle of an image."""

    @property
    def is_given(self) -> bool:
        """Whether any of the flags is given."""
        return self != CameraFlags()

    @property
    def point_flags(self) -> str:
        """The flags that give the principal point, for messages."""
        return "--cx, --cy" if self.calibration is None else f"--calibration {self.calibration}"

    def check(self) -> None:
        """Refuses flags that do not describe exactly one camera.

        Raises:
          ValueError: there is no camera, there are two, a focal length is not positive, or the
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
                raise ValueError(f"{flag(name)}: expected a finite number, got {value}")


@dataclasses.dataclass(frozen=True)
class MovingCameraFlags:
    """Camera of the second image, so that camera motion is removed from the scene flow."""

    next_pose: tuple[Path, ...] = ()
    """Pose [R | t] of the second camera in metres: R X + t maps points from the first camera.
    A file per flow, or one with a row per flow: text (12 or 16 numbers a row) or .npy."""
    next_calibration: Path | None = None
    """KITTI calibration of the second image, if the lens has changed."""
    cameras: Path | None = None
    """Cameras and poses of all frames: transforms.json (or its folder), other JSON, or COLMAP.
    Replaces --calibration. Flow 0003 uses frame 3 and the next, flow 0003_0005 frames 3 and 5."""

    @property
    def is_given(self) -> bool:
        """Whether any of the flags is given."""
        return self != MovingCameraFlags()

    def check(self, camera: CameraFlags) -> None:
        """Refuses flags that describe more than one second camera.

        Args:
          camera: flags of the first camera.

        Raises:
          ValueError: --cameras is combined with another camera or pose, or the calibration is a
            folder.
        """
        check_no_folder("next_calibration", self.next_calibration)
        if self.cameras is None:
            return
        if camera.is_given:
            raise ValueError("--cameras replaces --calibration and --fx --fy --cx --cy")
        if self.next_pose or self.next_calibration is not None:
            raise ValueError("--cameras replaces --next-pose and --next-calibration")


def flag(name: str) -> str:
    """Spells a field as its flag.

    Args:
      name: field name, or the name of a positional argument in capitals.

    Returns:
      The flag as typed; a positional argument as it is.
    """
    return name if name.isupper() else "--" + name.replace("_", "-")


@contextlib.contextmanager
def name_flags(options: "DataclassInstance") -> Iterator[None]:
    """Names flags in place of arguments in errors of the library.

    Args:
      options: command whose fields are passed as arguments of the same names.

    Yields:
      Nothing.

    Raises:
      ValueError: the block raised an error that names fields before a colon; this one names flags.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        from sf3d_jax.data import FormatError

        names, colon, rest = str(error).partition(": ")
        fields = {field.name for field in dataclasses.fields(options)}
        # FormatError names a file, which may have the name of a field.
        is_of_file = isinstance(error, FormatError)
        if is_of_file or not colon or not fields.issuperset(names.split(", ")):
            raise
        flags = ", ".join(map(flag, names.split(", ")))
        raise ValueError(f"{flags}: {rest}") from None


def iterate_flags(options: "DataclassInstance") -> Iterator[tuple[str, bool]]:
    """Iterates over the flags of a command.

    Args:
      options: command, or a group of its flags.

    Yields:
      Each field's name, including those of groups, and whether it differs from its default.
    """
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            yield from iterate_flags(value)
        else:
            yield field.name, value != field.default


def check_names(name: str, paths: list[Path]) -> None:
    """Refuses files whose results would have the same name.

    Args:
      name: field name used in messages.
      paths: files of the field.

    Raises:
      ValueError: two files have the same name.
    """
    if len({path.stem for path in paths}) < len(paths):
        advice = "convert them into different folders"
        raise ValueError(f"{flag(name)}: two files have the same name; {advice}")


def check_no_folder(name: str, path: Path | None) -> None:
    """Refuses a folder in place of a file.

    Args:
      name: field name used in messages.
      path: file, which need not exist; None if the flag is not given.

    Raises:
      ValueError: the path is a folder.
    """
    if path is not None and path.is_dir():
        raise ValueError(f"{flag(name)}: {path} is a folder; name a file")


def check_folder(path: Path, name: str = "output") -> None:
    """Refuses a path that cannot become a folder, before any work is done.

    Args:
      path: folder, which need not exist.
      name: field name used in messages.

    Raises:
      ValueError: the path or one of its parents is a file, or the path is new and named like one.
    """
    for folder in (path, *path.parents):
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{flag(name)}: {folder} is a file; name a folder")
    if path.suffix.lower() in _ENDINGS_OF_FILES and not path.exists():
        raise ValueError(f"{flag(name)}: expected a folder, got {path}, which is named like a file")


@contextlib.contextmanager
def make_folder(path: Path, name: str = "output") -> Iterator[None]:
    """Makes a folder and its missing parents.

    Args:
      path: folder to make.
      name: field name used in messages.

    Yields:
      Nothing. If the block fails or is interrupted, new folders that are empty are removed.

    Raises:
      ValueError: the folder cannot be made or written to.
    """
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = f"cannot make the folder {path}: {error.strerror}"
        raise ValueError(f"{flag(name)}: {reason}") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ValueError(f"{flag(name)}: cannot write to the folder {path}")
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):  # not empty
            for folder in made:
                folder.rmdir()
        raise


def check_writable(name: str, path: Path) -> None:
    """Refuses a file that cannot be written, before any work is done.

    Args:
      name: flag used in messages.
      path: file to write.

    Raises:
      ValueError: its folder is missing or cannot be written to, or the path is a folder.
    """
    if not path.parent.is_dir():
        raise ValueError(f"{name}: there is no folder {path.parent}")
    if path.is_dir():
        raise ValueError(f"{name}: {path} is a folder; name a file")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise ValueError(f"{name}: cannot write to the folder {path.parent}")


def check_positive(**numbers: float | None) -> None:
    """Refuses numbers that are not positive and finite.

    Args:
      **numbers: values by field name; None for a flag that is not given.

    Raises:
      ValueError: a number is not positive and finite; the message names its flag.
    """
    for name, value in numbers.items():
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"{flag(name)}: expected a positive number, got {value}")


def check_png_scale(scale: float | None, paths: Iterable[Path]) -> None:
    """Refuses --png-scale if no map is a PNG.

    Args:
      scale: value of --png-scale.
      paths: files of the maps that it applies to.

    Raises:
      ValueError: no file is a PNG.
    """
    if scale is not None and not any(path.suffix.lower() == ".png" for path in paths):
        raise ValueError(
            f"--png-scale {scale:g}: is for 16-bit .png maps such as depth, but no file is a .png; "
            "values of other formats are used as they are, with depths in --depth-unit"
        )
