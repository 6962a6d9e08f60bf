"""KITTI 2012: street scenes, with sparse flow and the disparity of the first frame.

With focal length f and baseline B of the grey pair, d = disparity / (f B). There is no disparity of
the second frame, and so no change of the inverse depth. The world stays: all that moves does so as
the car drives on.

Geiger, Lenz and Urtasun, "Are we ready for Autonomous Driving? The KITTI Vision Benchmark Suite"
(CVPR 2012).
"""

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.sets.kitti import layout_2012 as layout
from sf3d_jax.data.sets.kitti.pairs import KittiPairs


class Kitti2012(KittiPairs):
    """Pairs of frames of KITTI 2012.

        training/ or testing/
          colored_0/ or image_0/       in colour or, where there are none, in grey
            000000_10.png              the first image of a pair
            000000_11.png              the second one
          flow_occ/000000_10.png       flow
          disp_occ/000000_10.png       disparity of the first frame
          flow_noc/, disp_noc/         the same, only of what stays in the image
          calib/000000.txt             calibration, P0 to P3

    A sample has these fields if their files exist: the two images, `flow`, `valid` where it is
    known, `inv_depth` (which needs the calibration; 0 where there is no truth), the camera, and
    `occlusion`: True where the point leaves the image, which is all that KITTI knows. Images of
    different samples differ in size. The calibration does not say it, but is that of one of five
    days; images of another size than that day's are taken as resized ones, disparities in their
    pixels. Of another calibration the images have to be those that it is of. `next_camera` is None,
    as the files have no poses.
    """

    _kinds = layout.KINDS
    _calibration_files = layout.CALIBRATION
    # The truth is that of the grey pair.
    _left = 0

    def __init__(
        self,
        root: PathLike,
        split: str = "training",
        *,
        calibration: PathLike | None = None,
    ) -> None:
        """Lists the files.

        Args:
          root: the folder that holds the splits, or one split.
          split: "training", or "testing", which has no truth.
          calibration: a calibration file for all samples, which are of one day then, or a folder
            of NNNNNN.txt; that of the split if None.

        Raises:
          FileNotFoundError: no files are found.
          ValueError: the split is unknown.
        """
        super().__init__(root, split, calibration)

    def _missing(self) -> str:
        return f"no {self.split}/colored_0/000000_10.png, as KITTI 2012 has it"
