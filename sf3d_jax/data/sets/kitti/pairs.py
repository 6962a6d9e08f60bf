"""Code shared by KITTI 2012 and KITTI 2015: one folder per kind, and one number per image pair.

With focal length f and baseline B, d = disparity / (f B) and c = (next_disparity - disparity) /
(f B), pixel by pixel. The camera is taken as the reference.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.maps import read_disparity, read_flow
from sf3d_jax.data.maps.images import read_unit_image
from sf3d_jax.data.sets._dataset import Dataset, Entry
from sf3d_jax.data.sets._listing import Place
from sf3d_jax.data.sets._reading import (
    Files,
    combine_valid,
    get_flow_vectors,
    subtract,
    to_float32,
)
from sf3d_jax.data.sets._sequences import find_split_folder
from sf3d_jax.data.sets.kitti.calibration import read_kitti_calibration
from sf3d_jax.data.sets.kitti.layout import SPLITS
from sf3d_jax.samples import Sample

_IMAGES = ("image", "next_image")


class KittiPairs(Dataset):
    """Pairs of frames of KITTI; a subclass defines where the files lie.

    Attributes:
      split: "training" or "testing".
    """

    # The places where each kind may lie; the first one with files counts. "flow_inside" is the flow
    # of points that stay in the image, and is only used with the first place of "flow".
    _kinds: Mapping[str, Sequence[Place]]
    _calibration_files: Place
    # The left camera of the pair that the ground-truth disparity belongs to.
    _left: int

    def __init__(self, root: PathLike, split: str, calibration: PathLike | None) -> None:
        """Lists the files."""
        self.split = split
        self._top = find_split_folder(root, split, SPLITS)
        own = self._top / self._calibration_files.folder
        self._calibration = (
            (own if own.is_dir() else None) if calibration is None else Path(calibration)
        )
        super().__init__(root, list(self._list_entries()))

    def _list_entries(self) -> Iterator[Entry]:
        places = self._kinds
        there = {kind: [place.frames(self._top) for place in places[kind]] for kind in places}
        kinds = {
            kind: next(frames for frames in found if frames.numbers)
            for kind, found in there.items()
            if any(frames.numbers for frames in found)
        }
        # If either image exists, both are expected, in the same folder.
        seen = [there[kind].index(kinds[kind]) for kind in _IMAGES if kind in kinds]
        if seen:
            kinds |= {kind: there[kind][min(seen)] for kind in _IMAGES}
        if "flow" not in kinds or kinds["flow"] is not there["flow"][0]:
            kinds.pop("flow_inside", None)
        calibration = self._calibration
        one_each = calibration is not None and calibration.is_dir()
        for number in sorted(set().union(*(frames.numbers for frames in kinds.values()))):
            files = {kind: frames.file(number) for kind, frames in kinds.items()}
            if calibration is not None:
                name = self._calibration_files.path(number).name
                files["calibration"] = calibration / name if one_each else calibration
            yield Entry(f"{number:06d}", "10", "11", files)

    @np.errstate(over="ignore", invalid="ignore")
    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored in its files.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; pixels without ground truth are not valid.

        Raises:
          FormatError: a file is malformed, or the calibration has another aspect ratio than the
            images.
          OSError: a file is missing.
        """
        files = Files(entry)
        image, next_image = files.both("image", read_unit_image)
        flow = files.read("flow", read_flow)
        flow_inside = files.read("flow_inside", read_flow)
        disparity, next_disparity = files.both("disparity", read_disparity)
        size = files.size()

        camera = inv_depth = next_inv_depth = None
        valid, leaves_image = combine_valid(flow), None
        if "calibration" in files.paths:
            path = files.paths["calibration"]
            camera, baseline = read_kitti_calibration(path, size=size, camera=self._left)
            per_pixel = camera.focal[0] * baseline
            inv_depth = None if disparity is None else disparity.values / per_pixel
            next_inv_depth = None if next_disparity is None else next_disparity.values / per_pixel
            if flow is None or next_disparity is not None:
                valid = combine_valid(flow, disparity, next_disparity)
        if flow is not None and flow_inside is not None:
            leaves_image = flow.valid & ~flow_inside.valid
        return Sample(
            image=image,
            next_image=next_image,
            flow=get_flow_vectors(flow),
            inv_depth=to_float32(inv_depth),
            inv_depth_change=to_float32(subtract(next_inv_depth, inv_depth)),
            valid=valid,
            occlusion=leaves_image,
            camera=camera,
            name=entry.name,
        )
