"""Where the files of TartanAir lie; `TartanAir` shows the folders."""

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
