"""Where the files of TartanAir lie; `TartanAir` and `TartanAirV2` show the folders."""

import re

from sf3d_jax.data.sets._listing import Place

# The folders by the names of the difficulties.
DIFFICULTIES = {"Easy": "Easy", "Hard": "Hard"}
DIFFICULTIES_V2 = {"easy": "Data_easy", "hard": "Data_hard"}
KINDS = {
    "image": Place("image_left", "{:06d}_left", ".png"),
    "depth": Place("depth_left", "{:06d}_left_depth", ".npy"),
    "flow": Place("flow", "{:06d}_{:06d}_flow", ".npy"),
    "mask": Place("flow", "{:06d}_{:06d}_mask", ".npy"),
}
POSES = "pose_left.txt"
# Folders of a flight.
MARKS = {place.folder for place in KINDS.values()}

# Two stereo pairs of cubes.
CAMERAS = tuple(
    f"{side}cam_{way}"
    for side in "lr"
    for way in ("front", "back", "left", "right", "top", "bottom")
)
MARKS_V2 = re.compile(f"(image|depth|flow)_({'|'.join(CAMERAS)})")


def kinds_v2(camera: str) -> dict[str, Place]:
    """The files of a flight of TartanAir V2.

    Args:
      camera: one of `CAMERAS`.

    Returns:
      "image", "depth" and two kinds of files of the flow: "flow" as published first, and
      "computed" as the tools of the data set make it.
    """
    return {
        "image": Place(f"image_{camera}", f"{{:06d}}_{camera}", ".png"),
        "depth": Place(f"depth_{camera}", f"{{:06d}}_{camera}_depth", ".png"),
        "flow": Place(f"flow_{camera}", "{:06d}_{:06d}_flow", ".png"),
        "computed": Place(f"flow_{camera}", f"{{:06d}}_{{:06d}}_{camera}_flow", ".npz"),
    }


def poses_v2(camera: str) -> str:
    """The name of the file of the poses of a camera, one of `CAMERAS`."""
    return f"pose_{camera}.txt"
