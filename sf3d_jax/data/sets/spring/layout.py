"""Where the files of Spring and of predictions lie; see `Spring` for the folder tree.

Frames are numbered from 1. A folder of predictions, such as a submission to the benchmark, has
flow and disparities in the same folders of each scene.
"""

from sf3d_jax.data.cameras.sizes import SPRING
from sf3d_jax.data.sets._listing import Place
from sf3d_jax.data.sets._sequences import SIDES, Direction, Side

SPLITS = ("train", "test")
WAYS: dict[Direction, str] = {"forward": "FW", "backward": "BW"}
CAMERAS_FOLDER = "cam_data"
CAMERAS = {name: f"{CAMERAS_FOLDER}/{name}.txt" for name in ("intrinsics", "extrinsics")}
# Folders with images or flow inside a scene.
MARKS = {f"{kind}_{side}" for kind in ("frame", "flow_FW", "flow_BW") for side in SIDES}

# The scenes of the test set with their numbers of frames; sizes of images are (height, width).
TEST_FRAMES = {3: 131, 19: 111, 28: 39, 29: 135, 31: 73, 34: 47, 35: 120, 40: 111, 42: 116, 46: 117}
SIZES = {SPRING}


def get_image(side: Side) -> Place:
    """Returns where the images of a camera lie."""
    return _make_place(f"frame_{side}", ".png")


def get_truth(direction: Direction, side: Side) -> dict[str, Place]:
    """Returns where flow and disparities lie, for the ground truth and for predictions.

    Args:
      direction: direction of the motion.
      side: camera.

    Returns:
      "flow", "disparity" of this frame, and "moved_disparity" of the other frame on the grid of
      this one.
    """
    way = WAYS[direction]
    return {
        "flow": _make_place(f"flow_{way}_{side}", ".flo5"),
        "disparity": _make_place(f"disp1_{side}", ".dsp5"),
        "moved_disparity": _make_place(f"disp2_{way}_{side}", ".dsp5"),
    }


def get_match_map(place: Place) -> Place:
    """Returns where the match maps for a kind of ground truth lie."""
    return _make_map_place(f"matchmap_{place.folder}")


def get_detail_map(place: Place) -> Place:
    """Returns where the maps of fine details for a kind of ground truth lie."""
    return _make_map_place(f"detailmap_{place.folder}")


def get_rigid_map(direction: Direction, side: Side) -> Place:
    """Returns where the maps of independent motion lie."""
    return _make_map_place(f"rigidmap_{WAYS[direction]}_{side}")


def get_sky_map(side: Side) -> Place:
    """Returns where the sky maps lie."""
    return _make_map_place(f"skymap_{side}")


def _make_map_place(name: str) -> Place:
    return _make_place(name, ".png", top="maps/")


def _make_place(name: str, ending: str, top: str = "") -> Place:
    """Returns a folder whose files begin with its name."""
    return Place(f"{top}{name}", f"{name}_{{:04d}}", ending)
