"""The file of a subject's cameras, `camera/ID/spirals.json`, as it grows frame by frame.

It is the file that `write_json_cameras` writes, with its frames in the order of their numbers, so
its bytes depend on the cameras alone. A frame after all others is written in place, in one call,
from the brackets that end the file on; the rest of the file is neither read nor written:

    ..., "0006": {...} } }
    ..., "0006": {...}, "0007": {...} } }
                      ^ written from here

The system copies such a write page by page, each of them as a whole, so a killed process leaves the
file as it was or with the new frame. If it is killed between two pages, or the disk is full and the
process killed before it has undone the write, a part of the new frame stays in place of the
brackets. The next `CameraFile` then writes the brackets after the last whole frame.

A journal beside the file would need no such repair, but other programs would not see its frames,
and there is no last call that could move them into the file. Frames that come in another order, or
again, do replace the file.
"""

import contextlib
from pathlib import Path
from typing import BinaryIO

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError, write_bytes
from sf3d_jax.data._files.frames import frame_of_number
from sf3d_jax.data._files.json import Json, format_json, parse_json, read_bounded
from sf3d_jax.data.cameras.by_content import (
    FrameCamera,
    build_cameras,
    format_cameras,
    write_json_cameras,
)
from sf3d_jax.data.cameras.by_content.written import has_written_form

# The text before the first frame, after the last line of each frame, and after the last frame.
_BEGIN = b'"frames": {'
_END_OF_FRAME = b"\n  }"
_END = b"\n }\n}\n"


class CameraFile:
    """The cameras of one subject, with at most one writer at a time.

    Attributes:
      path: the file, which may be missing.
      frames: numbers of the frames that have a camera.
      size: (H, W) of the images; None without frames.
    """

    def __init__(self, path: Path) -> None:
        """Reads which frames there are; removes what a killed writer left of its last frame.

        Args:
          path: the file.

        Raises:
          FormatError: the file cannot be read.
        """
        self.path = path
        self.frames: set[int] = set()
        self.size: tuple[int, int] | None = None
        # The last frame, the length of the file, and the cameras of a file in another form.
        self._last, self._length = -1, 0
        self._others: list[FrameCamera] = []
        self._read()

    def add(self, frame: int, camera: Camera) -> None:
        """Adds the camera of a frame, at no cost for the frames before it.

        Args:
          frame: its number; if there are later frames or it is there already, the whole file is
            written anew.
          camera: its camera, of the size of the others.

        Raises:
          FormatError: the file has changed since it was read, and cannot be read.
          OSError: the file cannot be written; it is as it was.
          ValueError: the camera is a batch or has impossible values.
        """
        first = format_json(format_cameras({_name(frame): camera}))
        self.remove(frame)
        # The text of the frame, with the line break before it.
        text = first[first.index(_BEGIN) + len(_BEGIN) : -len(_END)]
        if not self.frames:
            write_bytes(self.path, first)
        elif frame > self._last:
            self._append(text)
        else:
            self._insert(frame, text)
        self.frames.add(frame)
        self.size = camera.size
        self._last, self._length = max(self._last, frame), self._measure()

    def remove(self, frame: int) -> None:
        """Removes the camera of a frame, if there is one; the whole file is written anew.

        Args:
          frame: its number.

        Raises:
          FormatError: the file has changed since it was read, and cannot be read.
          OSError: the file cannot be written; it is as it was.
        """
        self._adopt()
        if frame not in self.frames:
            return
        if self.frames == {frame}:
            self.path.unlink()
        else:
            data = self.path.read_bytes()
            start = data.index(_begin(frame))
            end = data.index(_END_OF_FRAME, start) + len(_END_OF_FRAME)
            # One of the commas around the frame goes with it.
            start, end = (start - 1, end) if frame == self._last else (start, end + 1)
            write_bytes(self.path, data[:start] + data[end:])
        self.frames.remove(frame)
        self.size = self.size if self.frames else None
        self._last, self._length = max(self.frames, default=-1), self._measure()

    def _read(self) -> None:
        data, cameras, is_written = b"", list[FrameCamera](), True
        if self.path.exists():
            data = read_bounded(self.path)
            tree, end = _parse(self.path, data)
            found = build_cameras(self.path, tree, None)
            cameras = [camera for camera in found if camera.frame is not None]
            if end is not None:
                with open(self.path, "r+b", buffering=0) as file:
                    _close(file, end)
                data = data[:end] + _END
            is_written = _is_written(tree, data)
        self.frames = {_number(x) for x in cameras}
        self.size = cameras[0].camera.size if cameras else None
        self._last, self._length = max(self.frames, default=-1), len(data)
        self._others = [] if is_written else cameras

    def _adopt(self) -> None:
        """Reads the file again if another program changed it, and gives it the form that grows."""
        if self._measure() != self._length:
            self._read()
        if self._others:
            cameras = {_name(_number(x)): x.camera for x in self._others}
            write_json_cameras(self.path, cameras)
            self._read()

    def _measure(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _append(self, text: bytes) -> None:
        """Writes a frame after the last one."""
        end = self._length - len(_END)
        with open(self.path, "r+b", buffering=0) as file:
            try:
                _write_at(file, end, b"," + text + _END)
            except BaseException as error:
                with contextlib.suppress(OSError):
                    _close(file, end)
                if isinstance(error, OSError):
                    reason = f"cannot be written: {error.strerror}"
                    raise OSError(error.errno, reason, str(self.path)) from None
                raise

    def _insert(self, frame: int, text: bytes) -> None:
        """Writes the file with a frame before another one."""
        data = self.path.read_bytes()
        start = data.index(_begin(min(x for x in self.frames if x > frame)))
        write_bytes(self.path, data[:start] + text + b"," + data[start:])


def _parse(path: Path, data: bytes) -> tuple[Json, int | None]:
    """Parses the file; returns also where its last whole frame ends if the end after it is not."""
    whole = data.rstrip() + b"\n"
    try:
        tree = parse_json(path, data)
        is_cut = whole != data and _is_written(tree, whole)  # but for its last line break
        return tree, len(whole) - len(_END) if is_cut else None
    except FormatError:
        end = len(data)
        # The first find may be the line break of a new frame before a bracket of the old end.
        for _ in range(2):
            end = data.rfind(_END_OF_FRAME, 0, end)
            whole = data[: end + len(_END_OF_FRAME)] + _END
            with contextlib.suppress(FormatError):
                if end > 0 and _is_written(tree := parse_json(path, whole), whole):
                    return tree, end + len(_END_OF_FRAME)
        raise


def _is_written(tree: Json, data: bytes) -> bool:
    """Whether a file is as `write_json_cameras` writes it, with its frames in order."""
    if not has_written_form(tree) or not isinstance(tree["frames"], dict):
        return False
    names = [*tree["frames"]]
    try:
        return names == [_name(int(x)) for x in sorted(names, key=int)] and data == format_json(
            tree
        )
    except ValueError:  # a name without a number, or a non-finite number
        return False


def _write_at(file: BinaryIO, place: int, data: bytes) -> None:
    file.seek(place)
    rest = memoryview(data)
    while rest:  # a full disk takes a part, and refuses the rest
        rest = rest[file.write(rest) :]


def _close(file: BinaryIO, end: int) -> None:
    """Ends the file after the frame that ends there."""
    _write_at(file, end, _END)
    file.truncate(end + len(_END))


def _name(frame: int) -> str:
    return frame_of_number(frame).name


def _number(camera: FrameCamera) -> int:
    return int(camera.frame or 0)


def _begin(frame: int) -> bytes:
    """Returns the beginning of the text of a frame."""
    return f'\n  "{_name(frame)}": {{'.encode()
