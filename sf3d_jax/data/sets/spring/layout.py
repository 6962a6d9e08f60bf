"""Where the files of Spring and of predictions lie; `Spring` shows the folders.

Frames are numbered from 1. A folder of predictions, such as a submission to the benchmark, has the
flow and the disparities in the same folders of each scene.
"""

from sf3d_jax.data.cameras.sizes import SPRING
from sf3d_jax.data.sets._listing import Place
from sf3d_jax.data.sets._sequences import SIDES, Direction, Side

SPLITS = ("train", "test")
WAYS: dict[Direction, str] = {"forward": "FW", "backward": "BW"}
CAMERAS_FOLDER = "cam_data"
CAMERAS = {name: f"{CAMERAS_FOLDER}/{name}.txt" for name in ("intrinsics", "extrinsics")}
# Folders of a scene with images or flow.
MARKS = {f"{kind}_{side}" for kind in ("frame", "flow_FW", "flow_BW") for side in SIDES}

# The scenes of the test set and how many frames each has; sizes of images are (height, width).
TEST_FRAMES = {3: 131, 19: 111, 28: 39, 29: 135, 31: 73, 34: 47, 35: 120, 40: 111, 42: 116, 46: 117}
SIZES = {SPRING}


def image(side: Side) -> Place:
    """The images of a camera."""
    return _place(f"frame_{side}", ".png")


def truth(direction: Direction, side: Side) -> dict[str, Place]:
    """The flow and the disparities, of the truth as of predictions.

    Args:
      direction: of the motion.
      side: of the camera.

    Returns:
      "flow", "disparity" of the frame, and "moved_disparity": of the other frame, on the grid of
      this one.
    """
    way = WAYS[direction]
    return {
        "flow": _place(f"flow_{way}_{side}", ".flo5"),
        "disparity": _place(f"disp1_{side}", ".dsp5"),
        "moved_disparity": _place(f"disp2_{way}_{side}", ".dsp5"),
    }


def match_map(place: Place) -> Place:
    """Where the points of a kind of truth have no match in the other image."""
    return _map(f"matchmap_{place.folder}")


def detail_map(place: Place) -> Place:
    """Where a kind of truth has fine details."""
    return _map(f"detailmap_{place.folder}")


def rigid_map(direction: Direction, side: Side) -> Place:
    """What moves by itself."""
    return _map(f"rigidmap_{WAYS[direction]}_{side}")


def sky_map(side: Side) -> Place:
    """What is sky."""
    return _map(f"skymap_{side}")


def _map(name: str) -> Place:
    return _place(name, ".png", top="maps/")


def _place(name: str, ending: str, top: str = "") -> Place:
    """A folder whose files bear its name."""
    return Place(f"{top}{name}", f"{name}_{{:04d}}", ending)
