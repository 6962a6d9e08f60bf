"""Where the files of TartanAir lie; see `TartanAir` and `TartanAirV2` for the folder tree."""

import re

from sf3d_jax.data.sets._listing import Place

# The folders of the difficulties, by name.
DIFFICULTIES = {"Easy": "Easy", "Hard": "Hard"}
DIFFICULTIES_V2 = {"easy": "Data_easy", "hard": "Data_hard"}
KINDS = {
    "image": Place("image_left", "{:06d}_left", ".png"),
    "depth": Place("depth_left", "{:06d}_left_depth", ".npy"),
    "flow": Place("flow", "{:06d}_{:06d}_flow", ".npy"),
    "mask": Place("flow", "{:06d}_{:06d}_mask", ".npy"),
}
POSES = "pose_left.txt"
# Subfolders by which a flight is recognised.
MARKS = {place.folder for place in KINDS.values()}

# A stereo pair of cubes, each with six cameras.
CAMERAS = tuple(
    f"{side}cam_{way}"
    for side in "lr"
    for way in ("front", "back", "left", "right", "top", "bottom")
)
MARKS_V2 = re.compile(f"(image|depth|flow)_({'|'.join(CAMERAS)})")


def get_kinds_v2(camera: str) -> dict[str, Place]:
    """Returns where the files of a flight of TartanAir V2 lie.

    Args:
      camera: one of `CAMERAS`.

    Returns:
      "image", "depth" and two kinds of flow: "flow" of the first release, and "computed" by the
      tools of the data set.
    """
    return {
        "image": Place(f"image_{camera}", f"{{:06d}}_{camera}", ".png"),
        "depth": Place(f"depth_{camera}", f"{{:06d}}_{camera}_depth", ".png"),
        "flow": Place(f"flow_{camera}", "{:06d}_{:06d}_flow", ".png"),
        "computed": Place(f"flow_{camera}", f"{{:06d}}_{{:06d}}_{camera}_flow", ".npz"),
    }


def get_poses_name_v2(camera: str) -> str:
    """Returns the name of the file with the poses of a camera, one of `CAMERAS`."""
    return f"pose_{camera}.txt"
