"""MPI Sintel: scenes of an animated film, with dense flow, depth and cameras.

The stereo release, with images in clean_left and final_left and a baseline of 0.1 m, is read, too.
Its folder `occlusions` contains masks for disparity under the names of those for flow, so keep the
two releases in separate folders. There is no inverse-depth change and no backward flow.

Butler et al., "A naturalistic open source movie for optical flow evaluation" (ECCV 2012).
"""

from collections.abc import Collection, Iterator

import numpy as np

from sf3d_jax._checks import check_choice
from sf3d_jax.camera import Camera
from sf3d_jax.data._files import PathLike
from sf3d_jax.data.maps import read_flow, read_map
from sf3d_jax.data.maps.images import read_mask, read_unit_image
from sf3d_jax.data.maps.kinds import ScalarMap
from sf3d_jax.data.sets._dataset import Dataset, Entry
from sf3d_jax.data.sets._listing import list_subfolders
from sf3d_jax.data.sets._reading import (
    Files,
    combine_valid,
    get_flow_vectors,
    invert_depth,
    to_float32,
)
from sf3d_jax.data.sets._sequences import (
    choose,
    find_split_folder,
    list_pairs,
)
from sf3d_jax.data.sets.sintel import layout
from sf3d_jax.data.sets.sintel.files import read_sintel_camera, read_sintel_disparity
from sf3d_jax.samples import Sample

BASELINE = 0.1

# Kinds that are also read for the next frame.
_OF_BOTH = ("image", "depth", "disparity", "camera")


class Sintel(Dataset):
    """Pairs of frames of Sintel.

        training/ or test/
          clean/ or final/ (clean_left/ or final_left/ in the stereo release)
            alley_1/frame_0001.png
          flow/alley_1/frame_0001.flo
          invalid/alley_1/frame_0001.png          where the flow has no value
          occlusions/alley_1/frame_0001.png       points that the next frame hides
          depth/alley_1/frame_0001.dpt
          camdata_left/alley_1/frame_0001.cam     cameras
          disparities/alley_1/frame_0001.png      disparity of the stereo release

    A sample has these fields if their files exist: the two images, `flow`, `valid` (the flow has a
    value), `occlusion`, `inv_depth`, `next_inv_depth` and the cameras. The intrinsics are those of
    the original 1024 x 436 images. Images of another size are treated as resized, with disparities
    in their own pixels; other aspect ratios are refused.
    """

    def __init__(
        self,
        root: PathLike,
        split: str = "training",
        *,
        render: layout.Render = "clean",
        scenes: Collection[str] | None = None,
        frames: int = 2,
    ) -> None:
        """Lists the files.

        Args:
          root: folder of the splits, or of one split.
          split: "training", or "test", which only has images.
          render: rendering pass, "clean" or "final".
          scenes: scenes to read, such as "alley_1"; all if None.
          frames: frames per sample; above 2, a sample is a `Sequence`.

        Raises:
          FileNotFoundError: no files are found, or a scene is missing.
          ValueError: an option has an unknown value.
        """
        check_choice("render", render, layout.RENDERS)
        self.split, self.render, self.scenes = split, render, scenes
        self._top = find_split_folder(root, split, layout.SPLITS)
        super().__init__(root, list(self._list_entries()), frames=frames)

    def _describe_missing(self) -> str:
        return f"found no {self.split}/{self.render}/SCENE/frame_0001.png (expected in Sintel)"

    def _list_entries(self) -> Iterator[Entry]:
        folders = lambda place: list_subfolders(self._top / place.folder)
        images = layout.IMAGES[self.render]
        kinds = {"image": next((place for place in images if folders(place)), images[0])}
        kinds |= layout.KINDS
        scenes = {kind: folders(place) for kind, place in kinds.items()}
        kinds = {kind: place for kind, place in kinds.items() if scenes[kind]}
        if "flow" not in kinds:
            kinds.pop("occlusion", None)  # the stereo release has the occlusion of disparity
        if "depth" in kinds:
            kinds.pop("disparity", None)
        found = set().union(*(scenes[kind] for kind in ("image", "flow", "depth")))
        for scene in choose(found, self.scenes, self._top):
            frames = {kind: place.frames(self._top, scene) for kind, place in kinds.items()}
            yield from list_pairs(scene, frames, _OF_BOTH, digits=4)

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored in its files.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; NaN where a depth is not a number.

        Raises:
          FormatError: a file is malformed.
          OSError: a file is missing.
        """
        files = Files(entry)
        image, next_image = files.both("image", read_unit_image)
        invalid = files.read("invalid", read_mask)
        occlusion = files.read("occlusion", read_mask)
        depths = files.both("depth", read_map)
        disparities = files.both("disparity", read_sintel_disparity)
        flow = files.read("flow", read_flow)
        size = files.size()

        camera, next_camera = (
            read_sintel_camera(files.paths[name], size) if name in files.paths else None
            for name in ("camera", "next_camera")
        )
        return Sample(
            image=image,
            next_image=next_image,
            flow=get_flow_vectors(flow),
            inv_depth=_compute_inverse_depth(depths[0], disparities[0], camera),
            next_inv_depth=_compute_inverse_depth(depths[1], disparities[1], next_camera),
            valid=combine_valid(flow, None if invalid is None else ~invalid),
            occlusion=occlusion,
            camera=camera,
            next_camera=next_camera,
            name=entry.name,
        )


def _compute_inverse_depth(
    depth: ScalarMap | None, disparity: ScalarMap | None, camera: Camera | None
) -> np.ndarray | None:
    """Computes 1/z from a depth, or else from a disparity and its camera."""
    if depth is None and disparity is not None and camera is not None:
        return to_float32(disparity.values / (camera.focal[0] * BASELINE))
    return invert_depth(depth)
