"""TartanAir V2: flights through rendered worlds, seen by twelve cameras.

The flow is forward and computed from depth and poses. There is no inverse-depth change; where
nothing moves, `rigid_motion(inv_depth, camera, next_camera)` gives it. The first release has flow
for lcam_front only, in steps of 1/64 pixel; the tools of the data set now compute it for any
camera.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Literal

import numpy as np

from sf3d_jax._checks import check_choice
from sf3d_jax.camera import Camera
from sf3d_jax.data._files import PathLike
from sf3d_jax.data.cameras.sizes import TARTANAIR_V2, check_aspect
from sf3d_jax.data.maps import read_flow, read_map
from sf3d_jax.data.maps.images import read_unit_image
from sf3d_jax.data.maps.kinds import FlowMap, ScalarMap
from sf3d_jax.data.sets._dataset import Entry
from sf3d_jax.data.sets._listing import FrameFiles
from sf3d_jax.data.sets._reading import (
    Files,
    combine_valid,
    get_flow_vectors,
    invert_depth,
)
from sf3d_jax.data.sets.tartanair import layout
from sf3d_jax.data.sets.tartanair.computed_flow import read_computed_flow, read_computed_occlusion
from sf3d_jax.data.sets.tartanair.flights import Flights, list_flight_files, read_both_poses
from sf3d_jax.samples import Sample


class TartanAirV2(Flights):
    """Pairs of frames of TartanAir V2.

        AbandonedFactory/                                or another environment
          Data_easy/ or Data_hard/
            P000/                                        or another flight
              image_lcam_front/000000_lcam_front.png
              depth_lcam_front/000000_lcam_front_depth.png
                                                         depth in metres, float32 as four bytes
              flow_lcam_front/
                000000_000001_flow.png                   flow and mask in a 16-bit PNG, or
                000000_000001_lcam_front_flow.npz        flow and masks from the tools
              pose_lcam_front.txt                        one pose per frame, from frame 0

    Every camera has its own folders. Images are 640 x 640 pixels and 90 degrees wide; images of
    another size are treated as resized. A sample has these fields if their files exist: the two
    images, `flow`, `valid` (outside the mask), `inv_depth`, `next_inv_depth`, the cameras and, from
    an .npz, `occlusion`, which includes points that leave the image.
    """

    def __init__(
        self,
        root: PathLike,
        *,
        camera: str = "lcam_front",
        environments: Collection[str] | None = None,
        difficulty: Literal["easy", "hard"] | None = None,
        flights: Collection[str] | None = None,
        frames: int = 2,
    ) -> None:
        """Lists the files.

        Args:
          root: folder of the environments.
          camera: "lcam_" or "rcam_" for the left or right stereo camera, followed by "front",
            "back", "left", "right", "top" or "bottom".
          environments: environments to read, such as "AbandonedFactory"; all if None.
          difficulty: "easy" or "hard"; both if None.
          flights: flights to read in every environment that has them, such as "P000"; all if None.
          frames: frames per sample; above 2, a sample is a `Sequence`.

        Raises:
          FileNotFoundError: no files are found, or an environment or a flight is missing.
          ValueError: the camera or the difficulty is unknown.
        """
        check_choice("camera", camera, layout.CAMERAS)
        if difficulty is not None:
            check_choice("difficulty", difficulty, layout.DIFFICULTIES_V2)
        self.camera = camera
        self.environments, self.difficulty, self.flights = environments, difficulty, flights
        entries = self._list_pairs(
            Path(root), layout.DIFFICULTIES_V2, layout.get_poses_name_v2(camera)
        )
        super().__init__(root, list(entries), frames=frames)

    def _describe_missing(self) -> str:
        folder = layout.DIFFICULTIES_V2[self.difficulty or "easy"]
        name = layout.get_kinds_v2(self.camera)["image"].path(0)
        return f"found no ENVIRONMENT/{folder}/P000/{name} (expected in TartanAir V2)"

    def _list_kinds(self, flight: Path) -> dict[str, FrameFiles]:
        kinds = list_flight_files(flight, layout.get_kinds_v2(self.camera))
        computed = kinds.pop("computed")
        return kinds | {"flow": computed, "occlusion": computed} if computed.numbers else kinds

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored in its files.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; NaN where a depth is not a number.

        Raises:
          FormatError: a file is malformed, or has no pose for the frame.
          OSError: a file is missing.
        """
        files = Files(entry)
        image, next_image = files.both("image", read_unit_image)
        depth, next_depth = files.both("depth", _read_depth)
        flow = files.read("flow", _read_flow)
        occlusion = files.read("occlusion", read_computed_occlusion)
        size = files.size()

        camera = next_camera = None
        if (both := read_both_poses(entry)) is not None:
            check_aspect(entry.files["poses"], TARTANAIR_V2, size)
            camera, next_camera = (_make_camera(size, pose) for pose in both)
        return Sample(
            image=image,
            next_image=next_image,
            flow=get_flow_vectors(flow),
            inv_depth=invert_depth(depth),
            next_inv_depth=invert_depth(next_depth),
            valid=combine_valid(flow),
            occlusion=occlusion,
            camera=camera,
            next_camera=next_camera,
            name=entry.name,
        )


def _read_depth(path: Path) -> ScalarMap:
    is_packed = path.suffix.lower() == ".png"
    return read_map(path, format="tartanair" if is_packed else None)


def _read_flow(path: Path) -> FlowMap:
    ending = path.suffix.lower()
    if ending == ".npz":
        return read_computed_flow(path)
    return read_flow(path, format="tartanair" if ending == ".png" else None)


def _make_camera(size: tuple[int, int], world_to_camera: np.ndarray) -> Camera:
    """Makes the camera of the published images, 90 degrees wide and high, and resizes it."""
    height, width = TARTANAIR_V2
    point = (width - 1) / 2, (height - 1) / 2
    camera = Camera.pinhole(width / 2, height / 2, *point, TARTANAIR_V2, world_to_camera)
    return camera.resize(size)
