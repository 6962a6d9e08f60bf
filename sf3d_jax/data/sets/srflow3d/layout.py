"""Where the files of SRFlow3D and of predictions lie; see `SRFlow3D` for the folder tree.

The other layout has flow/ and scaled_inv_depth_change/ instead of flow_F/ and scaled_inv_depth_CF/,
and no backward motion. Predictions lie in the folders of the motion.
"""

from typing import NamedTuple

from sf3d_jax.data.sets._listing import Place
from sf3d_jax.data.sets._sequences import Direction

SPLITS = ("train", "test")
# The folder of the cameras, and the files in its subfolder for each subject.
CAMERAS = "camera"
CAMERAS_FILE = "spirals.json"
CLIPS_FILE = "clip.json"

# The kinds of files of a frame.
FRAMES = {
    "render": Place("render", "{:04d}", ".jpg"),
    "mask": Place("mask", "{:04d}", ".jpg"),
    "depth": Place("depth", "{:04d}", ".npy"),
    "scaled_inv_depth": Place("scaled_inv_depth", "{:04d}", ".npy"),
}


class MotionPlaces(NamedTuple):
    """Where the files of one motion lie.

    Attributes:
      flow: flow in pixels.
      change: change of the scaled inverse depth.
    """

    flow: Place
    change: Place


def _make_motion(flow: str, change: str) -> MotionPlaces:
    return MotionPlaces(Place(flow, "{:04d}", ".flo"), Place(change, "{:04d}", ".npy"))


FORWARD = _make_motion("flow_F", "scaled_inv_depth_CF")
BACKWARD = _make_motion("flow_B", "scaled_inv_depth_CB")
FORWARD_ONLY = _make_motion("flow", "scaled_inv_depth_change")
# The first place with files counts.
MOTIONS: dict[Direction, tuple[MotionPlaces, ...]] = {
    "forward": (FORWARD, FORWARD_ONLY),
    "backward": (BACKWARD,),
}

# A folder with any of MARKS, or with all of MARKS_TOGETHER, is a split.
MARKS = {"flow_F", "scaled_inv_depth", "scaled_inv_depth_CF", "scaled_inv_depth_change"}
MARKS_TOGETHER = {"flow", "render"}
