"""What is read of a file: a camera, its frame, and what it was made of."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera


class FrameCamera(NamedTuple):
    """The camera of a frame.

    Attributes:
      frame: its name as in the file without what surrounds its digits, such as 0007; of a list
        without names its position, in four digits; None if one camera is that of all frames.
      camera: float64, with the world of the file.
      form: what it was made of, such as "K and w2c (world to camera)"; it says so where the camera
        is that of the mirror image of the file's world, as of `read_transforms`.
      named: False where the file names no frames, so that `frame` is a position in a list.
    """

    frame: str | None
    camera: "Camera"
    form: str
    named: bool = True
