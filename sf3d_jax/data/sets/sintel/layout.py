"""Where the files of MPI Sintel lie; see `Sintel` for the folder tree.

The stereo release has occlusions of its disparity in a folder with the same name.
"""

from typing import Literal

from sf3d_jax.data.sets._listing import Place

Render = Literal["clean", "final"]

RENDERS = ("clean", "final")
SPLITS = ("training", "test")
# The image folders of the stereo release end in _left.
IMAGES = {
    render: tuple(Place(f"{render}{end}", "frame_{:04d}", ".png") for end in ("", "_left"))
    for render in RENDERS
}
KINDS = {
    "flow": Place("flow", "frame_{:04d}", ".flo"),
    "invalid": Place("invalid", "frame_{:04d}", ".png"),
    "occlusion": Place("occlusions", "frame_{:04d}", ".png"),
    "depth": Place("depth", "frame_{:04d}", ".dpt"),
    "disparity": Place("disparities", "frame_{:04d}", ".png"),
    "camera": Place("camdata_left", "frame_{:04d}", ".cam"),
}
# A folder with one of these is a split.
MARKS = {place.folder for places in IMAGES.values() for place in places}
