"""KITTI 2015: street scenes, with sparse scene flow in the training set.

    SPLIT/image_2/NNNNNN_10.png, NNNNNN_11.png      the two images
    SPLIT/flow_occ/NNNNNN_10.png                    flow
    SPLIT/disp_occ_0/NNNNNN_10.png                  disparity of the first frame
    SPLIT/disp_occ_1/NNNNNN_10.png                  disparity of the second, on the first's grid
    SPLIT/flow_noc, disp_noc_0, disp_noc_1          the same, only of what stays in the image
    SPLIT/calib_cam_to_cam/NNNNNN.txt               calibration

With focal length f and baseline B, d = disp_0 / (f B) and c = (disp_1 - disp_0) / (f B), pixel by
pixel. The camera is taken as the reference: the scene flow includes the car's own motion. A folder
of predictions has `flow`, `disp_0` and `disp_1`, with a value in every pixel.

Menze and Geiger, "Object Scene Flow for Autonomous Vehicles" (CVPR 2015).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.maps import read_disparity, read_flow
from sf3d_jax.data.sets._dataset import Dataset, Entry, check_sizes
from sf3d_jax.data.sets._sequences import (
    all_valid,
    as_float32,
    read_images,
    split_folder,
)
from sf3d_jax.data.sets.kitti import layout
from sf3d_jax.data.sets.kitti.calibration import Calibration, read_kitti_calibration
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
                name = layout.CALIBRATION.file(number).name
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
        files = entry.files
        images = read_images(files)
        flow = read_flow(files["flow"]) if "flow" in files else None
        inside = read_flow(files["flow_inside"]) if "flow_inside" in files else None
        disparities = {
            name: read_disparity(files[name])
            for name in ("disparity", "next_disparity")
            if name in files
        }
        pairs = {"flow": flow, "flow_inside": inside, **disparities}
        masks = {name: pair.valid for name, pair in pairs.items() if pair is not None}
        maps = images | masks
        check_sizes(files, maps)
        calibration = _calibration(files, next(iter(maps.values())).shape[:2])

        channels = {}
        if calibration is not None:
            per_pixel = calibration.camera.focal[0] * calibration.baseline
            inv_depths = {name: pair.values / per_pixel for name, pair in disparities.items()}
            if "disparity" in inv_depths:
                channels["inv_depth"] = inv_depths["disparity"]
            if len(inv_depths) == 2:
                change = inv_depths["next_disparity"] - inv_depths["disparity"]
                channels["inv_depth_change"] = change
        motion = ("flow", *(disparities if calibration is not None else ()))
        return Sample(
            **images,
            **as_float32(channels),
            flow=None if flow is None else flow.flow,
            valid=all_valid(*(masks.get(name) for name in motion)),
            occlusion=masks["flow"] & ~masks["flow_inside"] if "flow_inside" in masks else None,
            camera=None if calibration is None else calibration.camera,
            name=entry.name,
        )


def _calibration(files: Mapping[str, Path], size: tuple[int, int]) -> Calibration | None:
    """The calibration of a sample: the file has the size of a day, the image its own."""
    path = files.get("calibration")
    return None if path is None else read_kitti_calibration(path, size=size)
