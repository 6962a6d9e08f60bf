"""KITTI 2015: street scenes, with sparse scene flow in the training set.

With focal length f and baseline B, d = disp_0 / (f B) and c = (disp_1 - disp_0) / (f B), pixel by
pixel. The camera is taken as the reference: the scene flow includes the car's own motion. A folder
of predictions has `flow`, `disp_0` and `disp_1`, with a value in every pixel.

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
            000000_11.png              the second one
          flow_occ/000000_10.png       flow
          disp_occ_0/000000_10.png     disparity of the first frame
          disp_occ_1/000000_10.png     disparity of the second one, on the first one's grid
          flow_noc/, disp_noc_0/, disp_noc_1/
                                       the same, only of what stays in the image
          obj_map/000000_10.png        the moving objects, by their numbers
          calib_cam_to_cam/000000.txt  calibration

    A sample has these fields if their files exist: the two images, `flow`, `inv_depth` and
    `inv_depth_change` (both need the calibration), the camera, `valid` where all the motion is
    known, and `occlusion`: True where the point leaves the image, which is all that KITTI knows.
    Images of different samples differ in size; those of another size than the calibration says are
    taken as resized ones, disparities in their pixels. `next_camera` is None, as the camera is the
    reference.
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
        return f"no {self.split}/image_2/000000_10.png, as KITTI 2015 has it"
