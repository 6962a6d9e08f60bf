"""KITTI 2015: street scenes, with sparse scene flow in the training set.

With focal length f and baseline B, d = disp_0 / (f B) and c = (disp_1 - disp_0) / (f B), pixel by
pixel. The camera is the reference, so the scene flow includes the car's own motion. A folder of
predictions has `flow`, `disp_0` and `disp_1`, with a value at every pixel.

Menze and Geiger, "Object Scene Flow for Autonomous Vehicles" (CVPR 2015).
"""

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.sets.kitti import layout
from sf3d_jax.data.sets.kitti.pairs import KittiPairs


class Kitti2015(KittiPairs):
    """Pairs of frames of KITTI 2015, or predictions in its format.

        training/ or testing/
          image_2/
            000000_10.png              the first image of a pair
            000000_11.png              the second image
          flow_occ/000000_10.png       flow
          disp_occ_0/000000_10.png     disparity of the first frame
          disp_occ_1/000000_10.png     disparity of the second frame, on the first frame's grid
          flow_noc/, disp_noc_0/, disp_noc_1/
                                       the same, only for points that stay in the image
          obj_map/000000_10.png        numbers of the moving objects
          calib_cam_to_cam/000000.txt  calibration

    A sample has these fields if their files exist: the two images, `flow`, `inv_depth` and
    `inv_depth_change` (both need the calibration), the camera, `valid` where all the motion is
    known, and `occlusion`, which is True where the point leaves the image, the only occlusions that
    KITTI marks. Image sizes vary between samples. Images whose size differs from the calibration
    are treated as resized, with disparities in their own pixels. `next_camera` is None, because the
    camera is the reference.
    """

    _kinds = layout.KINDS
    _calibration_files = layout.CALIBRATION
    _left = 2

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
        return f"found no {self.split}/image_2/000000_10.png (expected in KITTI 2015)"
