"""Where the files of SRFlow3D lie, in either of its layouts; predictions are laid out alike.

    train/ or test/
      camera/018/
        spirals.json                   cameras, one for each frame or one for all
        clip.json                      the clips that are evaluated, where there are any
      render/018/0000.jpg              images
      mask/018/0000.jpg                where the face is
      depth/018/0000.npy               z in metres
      scaled_inv_depth/018/0000.npy    s / z
      flow_F/018/0000.flo              flow from a frame to the next one
      scaled_inv_depth_CF/018/0000.npy s (1/z1 - 1/z0) of the same point
      flow_B/, scaled_inv_depth_CB/    the same to the frame before

The other layout has flow/ and scaled_inv_depth_change/ in place of flow_F/ and
scaled_inv_depth_CF/, and no motion to the frame before.
"""

from typing import NamedTuple

from sf3d_jax.data.sets._listing import Place
from sf3d_jax.data.sets._sequences import Direction

SPLITS = ("train", "test")
# The folder of the cameras, and the files in it below the folder of the subject.
CAMERAS = "camera"
CAMERAS_FILE = "spirals.json"
CLIPS_FILE = "clip.json"

# What there is of a frame.
FRAMES = {
    "render": Place("render", "{:04d}", ".jpg"),
    "mask": Place("mask", "{:04d}", ".jpg"),
    "depth": Place("depth", "{:04d}", ".npy"),
    "scaled_inv_depth": Place("scaled_inv_depth", "{:04d}", ".npy"),
}


class MotionPlaces(NamedTuple):
    """Where the files of one motion lie.

    Attributes:
      flow: in pixels.
      change: of the scaled inverse depth.
    """

    flow: Place
    change: Place


def _motion(flow: str, change: str) -> MotionPlaces:
    return MotionPlaces(Place(flow, "{:04d}", ".flo"), Place(change, "{:04d}", ".npy"))


FORWARD = _motion("flow_F", "scaled_inv_depth_CF")
BACKWARD = _motion("flow_B", "scaled_inv_depth_CB")
FORWARD_ONLY = _motion("flow", "scaled_inv_depth_change")
# The first place with files counts.
MOTIONS: dict[Direction, tuple[MotionPlaces, ...]] = {
    "forward": (FORWARD, FORWARD_ONLY),
    "backward": (BACKWARD,),
}

# A folder with one of the first, or with both of the second, is a split.
MARKS = {"flow_F", "scaled_inv_depth", "scaled_inv_depth_CF", "scaled_inv_depth_change"}
MARKS_TOGETHER = {"flow", "render"}
