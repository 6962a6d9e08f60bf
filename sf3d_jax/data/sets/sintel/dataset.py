"""MPI Sintel: scenes of an animated film, with dense flow, depth and cameras.

    SPLIT/clean, SPLIT/final                  images, SCENE/frame_NNNN.png
    SPLIT/flow                                flow, SCENE/frame_NNNN.flo
    SPLIT/invalid, SPLIT/occlusions           masks of the flow, SCENE/frame_NNNN.png
    SPLIT/depth, SPLIT/camdata_left           depth and cameras, SCENE/frame_NNNN.dpt and .cam
    SPLIT/disparities                         disparity of the stereo release, used without depth

The images of the stereo release, clean_left and final_left, are read, too. Its baseline is 0.1 m.
Its folder `occlusions` has the masks of the disparity under the same name as those of the flow:
keep the two releases in folders of their own. There is no change of the inverse depth, and no
backward flow.

Butler et al., "A naturalistic open source movie for optical flow evaluation" (ECCV 2012).
"""

from collections.abc import Collection, Iterator
from typing import Any

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.maps import read_flow, read_map
from sf3d_jax.data.maps.images import read_mask
from sf3d_jax.data.sets._dataset import Dataset, Entry, check_sizes
from sf3d_jax.data.sets._listing import Folder
from sf3d_jax.data.sets._sequences import (
    all_valid,
    as_float32,
    check_choice,
    chosen,
    inverse_depth,
    pairs,
    read_images,
    split_folder,
)
from sf3d_jax.data.sets.sintel import layout
from sf3d_jax.data.sets.sintel.files import read_sintel_camera, read_sintel_disparity
from sf3d_jax.samples import Sample

BASELINE = 0.1

# What is read of the next frame, too.
_OF_BOTH = ("image", "depth", "disparity", "camera")


class Sintel(Dataset):
    """Pairs of frames of Sintel.

    A sample has whichever of these the folders hold: the two images, `flow`, `valid` outside the
    invalid pixels of the flow, `occlusion`, `inv_depth` and `next_inv_depth`, and the cameras.
    """

    def __init__(
        self,
        root: PathLike,
        split: str = "training",
        *,
        render: layout.Render = "clean",
        scenes: Collection[str] | None = None,
    ) -> None:
        """Lists the files.

        Args:
          root: the folder that holds the splits, or one split.
          split: "training", or "test", which has images only.
          render: "clean" or "final".
          scenes: to read, such as "alley_1"; all if None.

        Raises:
          FileNotFoundError: there is nothing, or a scene is missing.
          ValueError: an option is none of those.
        """
        check_choice("render", render, layout.RENDERS)
        self.split, self.render, self.scenes = split, render, scenes
        self._top = split_folder(root, split, layout.SPLITS)
        super().__init__(root, list(self._entries()))

    def _missing(self) -> str:
        return f"no {self.split}/{self.render}/SCENE/frame_0001.png, as Sintel has it"

    def _entries(self) -> Iterator[Entry]:
        folders = lambda place: Folder(self._top / place.folder, "").subfolders
        images = layout.IMAGES[self.render]
        kinds = {"image": next((place for place in images if folders(place)), images[0])}
        kinds |= layout.KINDS
        scenes = {kind: folders(place) for kind, place in kinds.items()}
        kinds = {kind: place for kind, place in kinds.items() if scenes[kind]}
        if "flow" not in kinds:
            kinds.pop("occlusion", None)  # it is that of the disparity
        if "depth" in kinds:
            kinds.pop("disparity", None)
        found = set().union(*(scenes[kind] for kind in ("image", "flow", "depth")))
        for scene in chosen(found, self.scenes, self._top):
            frames = {kind: place.frames(self._top, scene) for kind, place in kinds.items()}
            yield from pairs(scene, frames, _OF_BOTH, digits=4)

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as its files have it.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; NaN where a depth is no number.

        Raises:
          FormatError: a file is not what it should be.
          OSError: a file is missing.
        """
        files = entry.files
        maps: dict[str, Any] = {**read_images(files)}
        flow = read_flow(files["flow"]) if "flow" in files else None
        masks = {name: read_mask(files[name]) for name in ("invalid", "occlusion") if name in files}
        read = {"depth": read_map, "disparity": read_sintel_disparity}
        depths = {
            f"{of}{kind}": (kind, read[kind](files[f"{of}{kind}"]))
            for kind in read
            for of in ("", "next_")
            if f"{of}{kind}" in files
        }
        maps |= masks | {name: pair.valid for name, (_, pair) in depths.items()}
        if flow is not None:
            maps["flow"] = flow.flow
        check_sizes(files, maps)
        size = next(iter(maps.values())).shape[:2]

        cameras = {
            name: read_sintel_camera(files[name], size)
            for name in ("camera", "next_camera")
            if name in files
        }
        inv_depths: dict[str, Any] = {}
        for of in ("", "next_"):
            focal = cameras[f"{of}camera"].focal[0] if cameras else None
            if f"{of}depth" in depths:
                inv_depths[f"{of}inv_depth"] = inverse_depth(depths[f"{of}depth"][1])
            elif f"{of}disparity" in depths and focal is not None:
                values = depths[f"{of}disparity"][1].values
                inv_depths[f"{of}inv_depth"] = values / (focal * BASELINE)
        known = None if flow is None else flow.valid
        return Sample(
            **{name: maps[name] for name in ("image", "next_image") if name in maps},
            **as_float32(inv_depths),
            **cameras,
            flow=None if flow is None else flow.flow,
            valid=all_valid(known, ~masks["invalid"] if "invalid" in masks else None),
            occlusion=masks.get("occlusion"),
            name=entry.name,
        )
