"""Where the files of KITTI 2012 lie; `Kitti2012` shows the folders.

The splits are those of KITTI 2015.
"""

from sf3d_jax.data.sets._listing import Place


def _place(folder: str, frame: str = "10") -> Place:
    return Place(folder, f"{{:06d}}_{frame}", ".png")


# The first folder with files counts.
IMAGES = {
    kind: tuple(_place(folder, frame) for folder in ("colored_0", "image_0"))
    for kind, frame in (("image", "10"), ("next_image", "11"))
}
# The truth of all pixels, and that of those that stay in the image.
TRUTH = {
    "flow": (_place("flow_occ"), _place("flow_noc")),
    "disparity": (_place("disp_occ"), _place("disp_noc")),
}
CALIBRATION = Place("calib", "{:06d}", ".txt")

# A folder with one of these is a split; KITTI 2015 has other ones.
MARKS = {"colored_0", "image_0", "disp_occ", "disp_noc"}
