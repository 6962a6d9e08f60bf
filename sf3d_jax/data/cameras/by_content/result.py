"""A camera read from a file, with its frame and the keys it was read from."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera


class FrameCamera(NamedTuple):
    """The camera of a frame.

    Attributes:
      frame: digits of the frame's name in the file, such as 0007; the position in four digits if
        the frames are an unnamed list; None if one camera holds for all frames.
      camera: float64 camera, posed in the file's world.
      form: keys it was read from, such as "K and w2c (world to camera)". Also notes when the file's
        world is mirrored (x -> -x), as in some NeRFace files.
      named: False if the file names no frames, so that `frame` is a position in a list.
    """

    frame: str | None
    camera: "Camera"
    form: str
    named: bool = True
