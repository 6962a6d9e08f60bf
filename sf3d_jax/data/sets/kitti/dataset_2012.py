"""KITTI 2012: street scenes, with sparse flow and the disparity of the first frame.

With focal length f and baseline B of the grey pair, d = disparity / (f B). The second frame has no
disparity, so there is no inverse-depth change. The scenes are static: all motion is due to the car.

Geiger, Lenz and Urtasun, "Are we ready for Autonomous Driving? The KITTI Vision Benchmark Suite"
(CVPR 2012).
"""

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.sets.kitti import layout_2012 as layout
from sf3d_jax.data.sets.kitti.pairs import KittiPairs


class Kitti2012(KittiPairs):
    """Pairs of frames of KITTI 2012.

        training/ or testing/
          colored_0/ or image_0/       images in colour, or in grey if there are none in colour
            000000_10.png              the first image of a pair
            000000_11.png              the second image
          flow_occ/000000_10.png       flow
          disp_occ/000000_10.png       disparity of the first frame
          flow_noc/, disp_noc/         the same, only for points that stay in the image
          calib/000000.txt             calibration, P0 to P3

    A sample has these fields if their files exist: the two images, `flow`, `valid` where it is
    known, `inv_depth` (which needs the calibration; 0 where there is no ground truth), the camera,
    and `occlusion`, which is True where the point leaves the image, the only occlusions that KITTI
    marks. Image sizes vary between samples. The calibration does not contain the size, but belongs
    to one of five recording days; images of another size than that day's are treated as resized,
    with disparities in their own pixels. With any other calibration, the images must have the size
    that it was made for. `next_camera` is None, because the files have no poses.
    """

    _kinds = layout.KINDS
    _calibration_files = layout.CALIBRATION
    # The ground truth belongs to the grey pair.
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
          root: folder of the splits, or of one split.
          split: "training", or "testing", which has no ground truth.
          calibration: one calibration file for all samples (all from one day), or a folder of
            NNNNNN.txt; that of the split if None.

        Raises:
          FileNotFoundError: no files are found.
          ValueError: the split is unknown.
        """
        super().__init__(root, split, calibration)

    def _describe_missing(self) -> str:
        return f"found no {self.split}/colored_0/000000_10.png (expected in KITTI 2012)"
