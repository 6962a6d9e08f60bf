"""Where the files of KITTI 2015 and of predictions lie; see `Kitti2015` for the folder tree.

A folder of predictions, such as a submission to the benchmark, has flow/, disp_0/ and disp_1/ with
files named after the first images.
"""

from sf3d_jax.data.cameras.sizes import KITTI
from sf3d_jax.data.sets._listing import Place

SPLITS = ("training", "testing")
IMAGES = {
    "image": Place("image_2", "{:06d}_10", ".png"),
    "next_image": Place("image_2", "{:06d}_11", ".png"),
}
CALIBRATION = Place("calib_cam_to_cam", "{:06d}", ".txt")
OBJECTS = Place("obj_map", "{:06d}_10", ".png")


def _make_places(flow: str, disparity: str, next_disparity: str) -> dict[str, Place]:
    folders = {"flow": flow, "disparity": disparity, "next_disparity": next_disparity}
    return {kind: Place(folder, "{:06d}_10", ".png") for kind, folder in folders.items()}


# The ground truth of all pixels, that of points that stay in the image, and predictions.
TRUTH = _make_places("flow_occ", "disp_occ_0", "disp_occ_1")
TRUTH_INSIDE = _make_places("flow_noc", "disp_noc_0", "disp_noc_1")
PREDICTIONS = _make_places("flow", "disp_0", "disp_1")

# The places where each kind of file may lie, the preferred one first.
KINDS = {
    **{kind: (place,) for kind, place in IMAGES.items()},
    **{kind: (TRUTH[kind], TRUTH_INSIDE[kind], PREDICTIONS[kind]) for kind in PREDICTIONS},
    "flow_inside": (TRUTH_INSIDE["flow"],),
}

# A folder with one of MARKS is a split. `flow` is not a mark, because it may belong to any data
# set; those of MARKS_OF_EITHER may belong to KITTI 2012.
MARKS = {"image_2", "disp_occ_0", "disp_noc_0", "disp_0"}
MARKS_OF_EITHER = {"flow_occ", "flow_noc"}

# The test set has 200 pairs, numbered from 0; sizes of images are (height, width).
TEST_PAIRS = 200
SIZES = {*KITTI}
