"""The subset of FlyingThings3D on which DispNet and FlowNet 2.0 were trained.

All frames of a split are numbered consecutively, video after video, and no file says where a video
ends. But the last frame of a video has no motion into the future, and the first none into the past,
so the pairs are exactly the frames with a motion file: 19,640 in train and 3,824 in val.

Units and camera are those of FlyingThings3D. The subset has no poses: the camera is taken as the
reference, so the scene flow includes its motion.

Ilg et al., "FlowNet 2.0: Evolution of Optical Flow Estimation with Deep Networks" (CVPR 2017).
"""

import dataclasses
from collections.abc import Iterator
from typing import Literal

from sf3d_jax._checks import check_choice
from sf3d_jax.data._files import PathLike
from sf3d_jax.data.cameras.checks import is_same_shape
from sf3d_jax.data.cameras.sizes import THINGS
from sf3d_jax.data.maps.images import read_mask
from sf3d_jax.data.sets._dataset import Entry
from sf3d_jax.data.sets._listing import FrameFiles
from sf3d_jax.data.sets._reading import Files
from sf3d_jax.data.sets._sequences import (
    SIDES,
    Direction,
    Side,
    TwoWays,
    find_split_folder,
    get_step,
    reverse_direction,
)
from sf3d_jax.data.sets.things import layout
from sf3d_jax.data.sets.things.cameras import FOCAL, things_camera
from sf3d_jax.data.sets.things.reading import read_things
from sf3d_jax.samples import Sample


class FlyingThings3DSubset(TwoWays):
    """Pairs of frames of FlyingThings3D's subset.

        train/ or val/
          image_clean/ or image_final/
            left/0000000.png
          flow/
            left/into_future/0000000.flo
            left/into_past/0000001.flo
          flow_occlusions/
            left/into_future/0000000.png            points that the next frame does not show
          disparity/
            left/0000000.pfm
          disparity_change/
            left/into_future/0000000.pfm

    A sample has these fields if their files exist: the two images, `flow`, `inv_depth`,
    `inv_depth_change`, `next_inv_depth`, `occlusion` and the camera. `next_camera` is None; so is
    the camera if there is only flow, and its aspect ratio is not that of 960 x 540 pixels. NaN in
    the flow of a few files is invalid.

    Frames are paired if they have a flow, disparity change or occlusion in the given direction, or
    else in the other one, and never across the end of a video.
    """

    def __init__(
        self,
        root: PathLike,
        split: str = "train",
        *,
        render: Literal["clean", "final"] = "clean",
        side: Side = "left",
        direction: Direction = "forward",
        frames: int = 2,
    ) -> None:
        """Lists the files.

        Args:
          root: folder FlyingThings3D_subset, or one of its splits.
          split: "train" or "val".
          render: rendering pass, "clean" or "final".
          side: camera, "left" or "right".
          direction: "forward" or "backward" in time.
          frames: frames per sample; above 2, a sample is a `Sequence`.

        Raises:
          FileNotFoundError: no files are found, or no motion that shows where a video ends.
          ValueError: an option has an unknown value.
        """
        check_choice("render", render, layout.RENDERS_OF_SUBSET)
        check_choice("side", side, SIDES)
        self._step = get_step(direction)
        self.split, self.render, self.side, self.direction = split, render, side, direction
        self._top = find_split_folder(root, split, layout.SPLITS_OF_SUBSET)
        super().__init__(root, list(self._list_entries()), frames=frames)

    def _describe_missing(self) -> str:
        motion = f"flow/{self.side}/into_{layout.WAYS[self.direction]}/0000000.flo"
        image = f"image_{self.render}/{self.side}/0000000.png"
        return (
            f"found no {self.split}/{motion} (expected in the subset of FlyingThings3D); {image} "
            "alone does not say where a video ends"
        )

    def _get_options(self) -> dict[str, object]:
        return {"split": self.split, "render": self.render, "side": self.side}

    def _list_motion(self, direction: Direction) -> dict[str, FrameFiles]:
        """Lists the motion files in a direction, of the kinds that were downloaded."""
        places = layout.get_subset_motion(direction, self.side)
        frames = {kind: place.frames(self._top) for kind, place in places.items()}
        return {kind: of for kind, of in frames.items() if of.numbers}

    def _has_motion(self, direction: Direction) -> bool:
        return bool(self._list_motion(direction))

    def _find_first_frames(self, own: dict[str, FrameFiles]) -> list[int]:
        """Finds the first frames of all pairs."""
        if own:
            return sorted(set().union(*(of.numbers for of in own.values())))
        back = self._list_motion(reverse_direction(self.direction))
        return sorted({n - self._step for of in back.values() for n in of.numbers})

    def _list_entries(self) -> Iterator[Entry]:
        own = self._list_motion(self.direction)
        places = {
            "image": layout.get_subset_image(self.render, self.side),
            "disparity": layout.get_subset_disparity(self.side),
        }
        both = {kind: place.frames(self._top) for kind, place in places.items()}
        both = {kind: of for kind, of in both.items() if of.numbers}
        sequence = f"{self.split}/{self.side}"
        for number in self._find_first_frames(own):
            after = number + self._step
            files = {kind: of.file(number) for kind, of in (both | own).items()}
            files |= {f"next_{kind}": of.file(after) for kind, of in both.items()}
            yield Entry(sequence, f"{number:07d}", f"{after:07d}", files)

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored in its files.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; NaN where a map has no value.

        Raises:
          FormatError: a file is malformed.
          OSError: a file is missing.
        """
        files = Files(entry)
        occlusion = files.read("occlusion", read_mask)
        sample = read_things(files, FOCAL)
        size = files.size()
        camera = things_camera(size) if is_same_shape(THINGS, size) else None
        return dataclasses.replace(sample, occlusion=occlusion, camera=camera, name=entry.name)
