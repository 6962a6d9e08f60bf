"""Where the files of FlyingThings3D, Monkaa and Driving lie, and those of predictions.

See `FlyingThings3D` for the folder tree, which predictions share, and `FlyingThings3DSubset` for
that of the subset.

SCENE is TRAIN/A/0000 (split, letter, number) in FlyingThings3D, a name in Monkaa, and
35mm_focallength/scene_forwards/fast in Driving.
"""

from typing import Literal

from sf3d_jax.data.sets._listing import Place
from sf3d_jax.data.sets._sequences import Direction, Side
from sf3d_jax.data.sets.things.cameras import FOCAL

Render = Literal["cleanpass", "finalpass"]

RENDERS = ("cleanpass", "finalpass")
WAYS: dict[Direction, str] = {"forward": "future", "backward": "past"}
# The top folders of FlyingThings3D, and those of Driving with their focal lengths in pixels.
SPLITS = ("TRAIN", "TEST")
FOCALS = {"15mm_focallength": 450.0, "35mm_focallength": FOCAL}
CAMERAS_FOLDER = "camera_data"
CAMERAS_FILE = "camera_data.txt"
# Image folders in either format; together with some of the truth's, they identify the data set.
IMAGES = {
    f"frames_{render}{end}": ending
    for render in RENDERS
    for end, ending in (("", ".png"), ("_webp", ".webp"))
}
MARKS = ("optical_flow", "disparity", *IMAGES)


def get_image(folder: str, side: Side) -> Place:
    """Returns where the images of a camera lie.

    Args:
      folder: one of `IMAGES`.
      side: camera.
    """
    return Place(folder, "{:04d}", IMAGES[folder], side)


def get_truth(direction: Direction, side: Side) -> dict[str, Place]:
    """Returns where flow, disparity and its change lie, for ground truth and predictions.

    Args:
      direction: direction of the motion.
      side: camera.

    Returns:
      "flow", "disparity" and "change"; scene folders lie between `folder` and `inside`.
    """
    way = WAYS[direction]
    motion = f"into_{way}/{side}"
    flow = f"OpticalFlowInto{way.title()}_{{:04d}}_{side[0].upper()}"
    return {
        "flow": Place("optical_flow", flow, ".pfm", motion),
        "disparity": Place("disparity", "{:04d}", ".pfm", side),
        "change": Place("disparity_change", "{:04d}", ".pfm", motion),
    }


# The subset: splits, rendering passes, and the folders by which it is recognised.
SPLITS_OF_SUBSET = ("train", "val")
RENDERS_OF_SUBSET = ("clean", "final")
MARKS_OF_SUBSET = {"image_clean", "image_final", "flow_occlusions", "disparity_occlusions"}


def get_subset_image(render: str, side: Side) -> Place:
    """Returns where the images of a camera of the subset lie.

    Args:
      render: one of `RENDERS_OF_SUBSET`.
      side: camera.
    """
    return Place(f"image_{render}", "{:07d}", ".png", side)


def get_subset_motion(direction: Direction, side: Side) -> dict[str, Place]:
    """Returns where the motion files of the subset lie, one per pair of frames.

    Args:
      direction: direction of the motion.
      side: camera.

    Returns:
      "flow", "change" and "occlusion".
    """
    inside = f"{side}/into_{WAYS[direction]}"
    return {
        "flow": Place("flow", "{:07d}", ".flo", inside),
        "change": Place("disparity_change", "{:07d}", ".pfm", inside),
        "occlusion": Place("flow_occlusions", "{:07d}", ".png", inside),
    }


def get_subset_disparity(side: Side) -> Place:
    """Returns where the disparity of a camera of the subset lies."""
    return Place("disparity", "{:07d}", ".pfm", side)
