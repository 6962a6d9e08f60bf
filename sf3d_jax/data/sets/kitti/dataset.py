"""KITTI 2015: street scenes, with sparse scene flow in the training set.

With focal length f and baseline B, d = disp_0 / (f B) and c = (disp_1 - disp_0) / (f B), pixel by
pixel. The camera is taken as the reference: the scene flow includes the car's own motion. A folder
of predictions has `flow`, `disp_0` and `disp_1`, with a value in every pixel.

Menze and Geiger, "Object Scene Flow for Autonomous Vehicles" (CVPR 2015).
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.maps import read_disparity, read_flow
from sf3d_jax.data.sets._dataset import Dataset, Entry
from sf3d_jax.data.sets._reading import (
    Files,
    all_valid,
    as_float32,
    difference,
    flow_vectors,
    read_unit_image,
)
from sf3d_jax.data.sets._sequences import split_folder
from sf3d_jax.data.sets.kitti import layout
from sf3d_jax.data.sets.kitti.calibration import read_kitti_calibration
from sf3d_jax.samples import Sample

# Of each kind, the first place with files counts.
_KINDS = {
    **{kind: (place,) for kind, place in layout.IMAGES.items()},
    **{
        kind: (layout.TRUTH[kind], layout.TRUTH_INSIDE[kind], layout.PREDICTIONS[kind])
        for kind in layout.PREDICTIONS
    },
    "flow_inside": (layout.TRUTH_INSIDE["flow"],),
}


class Kitti2015(Dataset):
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

    A sample has whichever of these the folders hold: the two images, `flow`, `inv_depth` and
    `inv_depth_change` (both need the calibration), the camera, `valid` where all the motion is
    known, and `occlusion`: True where the point leaves the image, which is all that KITTI knows.
    Images of different samples differ in size. `next_camera` is None, as the camera is the
    reference.
    """

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
          calibration: a calibration file for all samples, or a folder of NNNNNN.txt; that of the
            split if None.

        Raises:
          FileNotFoundError: there is nothing.
          ValueError: there is no such split.
        """
        self.split = split
        self._top = split_folder(root, split, layout.SPLITS)
        own = self._top / layout.CALIBRATION.folder
        self._calibration = (
            (own if own.is_dir() else None) if calibration is None else Path(calibration)
        )
        super().__init__(root, list(self._entries()))

    def _missing(self) -> str:
        return f"no {self.split}/image_2/000000_10.png, as KITTI 2015 has it"

    def _entries(self) -> Iterator[Entry]:
        there = {kind: [place.frames(self._top) for place in _KINDS[kind]] for kind in _KINDS}
        kinds = {
            kind: next(frames for frames in places if frames.numbers)
            for kind, places in there.items()
            if any(frames.numbers for frames in places)
        }
        images = layout.IMAGES.keys()
        if kinds.keys() & images:  # where there is one of the two, both are expected
            kinds |= {kind: there[kind][0] for kind in images}
        if "flow" not in kinds or kinds["flow"] is not there["flow"][0]:
            kinds.pop("flow_inside", None)
        calibration = self._calibration
        one_each = calibration is not None and calibration.is_dir()
        for number in sorted(set().union(*(frames.numbers for frames in kinds.values()))):
            files = {kind: frames.file(number) for kind, frames in kinds.items()}
            if calibration is not None:
                name = layout.CALIBRATION.path(number).name
                files["calibration"] = calibration / name if one_each else calibration
            yield Entry(f"{number:06d}", "10", "11", files)

    @np.errstate(over="ignore", invalid="ignore")
    def read(self, entry: Entry) -> Sample:
        """Reads one sample as its files have it.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; what has no truth is not valid.

        Raises:
          FormatError: a file is not what it should be.
          OSError: a file is missing.
        """
        files = Files(entry)
        image, next_image = files.both("image", read_unit_image)
        flow = files.read("flow", read_flow)
        flow_inside = files.read("flow_inside", read_flow)
        disparity, next_disparity = files.both("disparity", read_disparity)
        size = files.size()

        camera = inv_depth = next_inv_depth = None
        valid, leaves_image = all_valid(flow), None
        if "calibration" in files.paths:  # it has the size of a day, the images have their own
            camera, baseline = read_kitti_calibration(files.paths["calibration"], size=size)
            per_pixel = camera.focal[0] * baseline
            inv_depth = None if disparity is None else disparity.values / per_pixel
            next_inv_depth = None if next_disparity is None else next_disparity.values / per_pixel
            valid = all_valid(flow, disparity, next_disparity)
        if flow is not None and flow_inside is not None:
            leaves_image = flow.valid & ~flow_inside.valid
        return Sample(
            image=image,
            next_image=next_image,
            flow=flow_vectors(flow),
            inv_depth=as_float32(inv_depth),
            inv_depth_change=as_float32(difference(next_inv_depth, inv_depth)),
            valid=valid,
            occlusion=leaves_image,
            camera=camera,
            name=entry.name,
        )
