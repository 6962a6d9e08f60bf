"""The cameras of a subject by frame: a file is read once, however many frames ask for it."""

import bisect
import re
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.frames import frame_of
from sf3d_jax.data.cameras.by_content import FrameCamera, read_json_cameras
from sf3d_jax.data.cameras.by_content.written import BEGINNING
from sf3d_jax.data.sets._caching import cache_by_file, find_stamp

# A frame in a file of `write_json_cameras`, from its name to the bracket that ends it.
_FRAME = re.compile(rb'^  "([0-9]+)": \{$(?:\n   .*$)*\n  \}', re.MULTILINE)


class SubjectCameras:
    """The cameras in the file of a subject.

    Attributes:
      form: keys they were read from, as in `FrameCamera`.
      found: what the file has, for error messages.
    """

    def __init__(self, path: PathLike, cameras: Sequence[FrameCamera]) -> None:
        """Indexes the cameras.

        Args:
          path: file named in error messages.
          cameras: its cameras, by frame number, or a single one for all frames.
        """
        first, last = cameras[0], cameras[-1]
        self.form = first.form
        self.found = f"{len(cameras)} cameras, of {first.frame} to {last.frame}"
        self._path, self._count = path, len(cameras)
        self._is_shared = first.frame is None
        self._places: dict[int, int] | None = None
        if all(camera.named for camera in cameras):
            frames = [frame_of(camera.frame or "") for camera in cameras]
            self._places = {frame.number: i for i, frame in enumerate(frames) if frame is not None}
        self._cameras = _pack([camera.camera for camera in cameras])

    def find(self, number: int, frames: Sequence[int]) -> Camera | None:
        """Finds the camera of a frame.

        Args:
          number: number of the frame.
          frames: numbers of all frames of the subject, in order.

        Returns:
          The camera; None if the file has none of this frame.

        Raises:
          FormatError: the file does not name its frames, and has not one camera per frame.
        """
        if self._is_shared:
            return self._cameras[0]
        if self._places is not None:
            place = self._places.get(number)
            return None if place is None else self._cameras[place]
        if self._count != len(frames):
            expected = f"{len(frames)} cameras, one per frame, in a list without frame names"
            raise FormatError(self._path, expected, f"{self._count}")
        return self._cameras[bisect.bisect_left(frames, number)]


def read_cameras(path: Path, size: tuple[int, int]) -> SubjectCameras:
    """Reads the cameras of a subject, once per file.

    Args:
      path: the file, in any form of `read_json_cameras`.
      size: (H, W) of the images.

    Returns:
      The cameras, posed in the file's world.

    Raises:
      FormatError: the file cannot be read.
      FileNotFoundError: the file is missing.
    """
    stamp = find_stamp(path)
    try:
        return _read(path, size)
    except FormatError:
        if find_stamp(path) == stamp:
            raise
    return _read(path, size)  # a frame was added meanwhile


@cache_by_file
def _read(path: Path, size: tuple[int, int]) -> SubjectCameras:
    return SubjectCameras(path, read_json_cameras(path, size))


def list_written_frames(path: Path) -> frozenset[int] | None:
    """Lists the frames of a file of `write_json_cameras`, such as `SRFlow3DWriter` leaves it.

    Args:
      path: the file.

    Returns:
      The numbers of the frames; None if there is no such file, or it has another form.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(BEGINNING)) != BEGINNING:
                return None
            return frozenset(int(number) for number in _FRAME.findall(file.read()))
    except OSError:  # reading a sample reports it
        return None


class _Packed:
    """Cameras of one lens and size, with their numbers in one array of each kind."""

    def __init__(self, cameras: Sequence[Camera]) -> None:
        columns = zip(*map(jax.tree.leaves, cameras), strict=True)
        self._columns = [np.stack(column) for column in columns]
        self._form = jax.tree.structure(cameras[0])

    def __getitem__(self, place: int) -> Camera:
        camera: Camera = jax.tree.unflatten(self._form, [x[place] for x in self._columns])
        return camera


def _pack(cameras: Sequence[Camera]) -> _Packed | Sequence[Camera]:
    """Returns the same cameras in a tenth of the memory, if they have one lens and size."""
    forms = {jax.tree.structure(camera) for camera in cameras}
    return _Packed(cameras) if len(forms) == 1 else cameras
