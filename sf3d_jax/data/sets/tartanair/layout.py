"""Where the files of TartanAir lie.

abandonedfactory/                           or another environment
  Easy/ or Hard/
    P000/                                   or another flight
      image_left/000000_left.png
      depth_left/000000_left_depth.npy      depth in metres
      flow/
        000000_000001_flow.npy              flow between two frames
        000000_000001_mask.npy              where it is not valid
      pose_left.txt                         one pose a frame, from frame 0
"""

from sf3d_jax.data.sets._listing import Place

DIFFICULTIES = ("Easy", "Hard")
KINDS = {
    "image": Place("image_left", "{:06d}_left", ".png"),
    "depth": Place("depth_left", "{:06d}_left_depth", ".npy"),
    "flow": Place("flow", "{:06d}_{:06d}_flow", ".npy"),
    "mask": Place("flow", "{:06d}_{:06d}_mask", ".npy"),
}
POSES = "pose_left.txt"
# Folders of a flight.
MARKS = {place.folder for place in KINDS.values()}
