"""Where the files of KITTI 2012 lie; see `Kitti2012` for the folder tree.

The splits have the same names as those of KITTI 2015.
"""

from sf3d_jax.data.sets._listing import Place


def _make_place(folder: str, frame: str = "10") -> Place:
    return Place(folder, f"{{:06d}}_{frame}", ".png")


# The places where each kind of file may lie, the preferred one first. For the ground truth, all
# pixels are preferred to points that stay in the image.
KINDS = {
    "image": (_make_place("colored_0"), _make_place("image_0")),
    "next_image": (_make_place("colored_0", "11"), _make_place("image_0", "11")),
    "flow": (_make_place("flow_occ"), _make_place("flow_noc")),
    "disparity": (_make_place("disp_occ"), _make_place("disp_noc")),
    "flow_inside": (_make_place("flow_noc"),),
}
CALIBRATION = Place("calib", "{:06d}", ".txt")

# A folder with one of these is a split of KITTI 2012; KITTI 2015 has none of them.
MARKS = {"colored_0", "image_0", "disp_occ", "disp_noc"}
