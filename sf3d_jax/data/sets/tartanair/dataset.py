"""TartanAir: flights through static rendered worlds, with depth, flow and poses.

The flow is forward, for the left camera, and computed from depth and poses. There is no
inverse-depth change; since nothing moves, `rigid_motion(inv_depth, camera, next_camera)` gives it.

Wang et al., "TartanAir: A Dataset to Push the Limits of Visual SLAM" (IROS 2020).
"""

from collections.abc import Collection
from pathlib import Path
from typing import Literal

from sf3d_jax._checks import check_choice
from sf3d_jax.data._files import PathLike
from sf3d_jax.data.cameras.sizes import TARTANAIR, check_aspect
from sf3d_jax.data.maps import read_map
from sf3d_jax.data.maps.images import read_unit_image
from sf3d_jax.data.sets._dataset import Entry
from sf3d_jax.data.sets._listing import FrameFiles
from sf3d_jax.data.sets._reading import (
    Files,
    combine_valid,
    get_flow_vectors,
    invert_depth,
)
from sf3d_jax.data.sets.tartanair import layout
from sf3d_jax.data.sets.tartanair.files import read_tartanair_flow, tartanair_camera
from sf3d_jax.data.sets.tartanair.flights import Flights, list_flight_files, read_both_poses
from sf3d_jax.samples import Sample


class TartanAir(Flights):
    """Pairs of frames of TartanAir, of the left camera.

        abandonedfactory/                           or another environment
          Easy/ or Hard/
            P000/                                   or another flight
              image_left/000000_left.png
              depth_left/000000_left_depth.npy      depth in metres
              flow/
                000000_000001_flow.npy              flow between two frames
                000000_000001_mask.npy              nonzero where the flow is not valid
              pose_left.txt                         one pose per frame, from frame 0

    A sample has these fields if their files exist: the two images, `flow`, `valid` (outside the
    mask), `inv_depth`, `next_inv_depth` and the cameras. The intrinsics are those of the original
    640 x 480 images. Images of another size are treated as resized; other aspect ratios are
    refused.
    """

    def __init__(
        self,
        root: PathLike,
        *,
        environments: Collection[str] | None = None,
        difficulty: Literal["Easy", "Hard"] | None = None,
        flights: Collection[str] | None = None,
        frames: int = 2,
    ) -> None:
        """Lists the files.

        Args:
          root: folder of the environments.
          environments: environments to read, such as "abandonedfactory"; all if None.
          difficulty: "Easy" or "Hard"; both if None.
          flights: flights to read in every environment that has them, such as "P000"; all if None.
          frames: frames per sample; above 2, a sample is a `Sequence`.

        Raises:
          FileNotFoundError: no files are found, or an environment or a flight is missing.
          ValueError: the difficulty is unknown.
        """
        if difficulty is not None:
            check_choice("difficulty", difficulty, layout.DIFFICULTIES)
        self.environments, self.difficulty, self.flights = environments, difficulty, flights
        entries = self._list_pairs(Path(root), layout.DIFFICULTIES, layout.POSES)
        super().__init__(root, list(entries), frames=frames)

    def _describe_missing(self) -> str:
        name = f"ENVIRONMENT/{self.difficulty or 'Easy'}/P000/image_left/000000_left.png"
        return f"found no {name} (expected in TartanAir)"

    def _list_kinds(self, flight: Path) -> dict[str, FrameFiles]:
        return list_flight_files(flight, layout.KINDS)

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
        depth, next_depth = files.both("depth", read_map)
        flow = files.read("flow", lambda path: read_tartanair_flow(path, files.paths.get("mask")))
        size = files.size()

        camera = next_camera = None
        if (both := read_both_poses(entry)) is not None:
            check_aspect(entry.files["poses"], TARTANAIR, size)
            camera, next_camera = (tartanair_camera(TARTANAIR, pose).resize(size) for pose in both)
        return Sample(
            image=image,
            next_image=next_image,
            flow=get_flow_vectors(flow),
            inv_depth=invert_depth(depth),
            next_inv_depth=invert_depth(next_depth),
            valid=combine_valid(flow),
            camera=camera,
            next_camera=next_camera,
            name=entry.name,
        )
