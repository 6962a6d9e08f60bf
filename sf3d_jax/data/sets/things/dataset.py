"""FlyingThings3D, Monkaa and Driving: rendered stereo sequences with dense scene flow.

    frames_RENDER/SCENE/SIDE/NNNN.png                                images, 960 x 540
    optical_flow/SCENE/into_WAY/SIDE/OpticalFlowIntoWay_NNNN_S.pfm   flow
    disparity/SCENE/SIDE/NNNN.pfm                                    disparity
    disparity_change/SCENE/into_WAY/SIDE/NNNN.pfm                    its change
    camera_data/SCENE/camera_data.txt                                poses

RENDER is cleanpass or finalpass (frames_RENDER_webp is read, too), WAY is future or past. SCENE is
SPLIT/LETTER/NNNN in FlyingThings3D, a name in Monkaa, and FOCAL/DIRECTION/SPEED in Driving.

The change stands on the first frame's grid: the same point has disparity + change in the next one.
Both signs of disparity are in circulation; where it is negative, so is the sign of its change. The
baseline B is 1, the unit of the poses: "metres" are units of the scene. With the focal length f,
d = |disparity| / (f B), c = change / (f B). The principal point is (479.5, 269.5).

Mayer et al., "A Large Dataset to Train Convolutional Networks for Disparity, Optical Flow, and
Scene Flow Estimation" (CVPR 2016).
"""

from collections.abc import Collection
from typing import Any

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.sets._sequences import Direction, Side, check_choice
from sf3d_jax.data.sets.things import layout
from sf3d_jax.data.sets.things.common import Things


class FlyingThings3D(Things):
    """Pairs of frames of FlyingThings3D.

    A sample has whichever of these the folders hold: the two images, `flow`, `inv_depth`,
    `inv_depth_change`, `next_inv_depth` and the cameras. A few scenes have no pose of some frames:
    where there is a camera_data, to read a pair with such a frame is a `FormatError` that says
    which image to `exclude`.
    """

    _levels = 2
    _advice = "; exclude=[{!r}] leaves it out"

    def __init__(
        self,
        root: PathLike,
        split: str = "TRAIN",
        *,
        render: layout.Render = "cleanpass",
        side: Side = "left",
        direction: Direction = "forward",
        scenes: Collection[str] | None = None,
        exclude: Collection[str] = (),
    ) -> None:
        """Lists the files.

        Args:
          root: the folder that holds frames_cleanpass, optical_flow and so on.
          split: "TRAIN" or "TEST".
          render: "cleanpass" or "finalpass".
          side: "left" or "right", which camera.
          direction: of time, "forward" or "backward".
          scenes: to read, such as "A/0000"; all if None.
          exclude: scenes and images to leave out, such as "TRAIN/A/0000" and, like the lines of
            the benchmark's all_unused_files.txt, "TRAIN/A/0000/left/0006.png". Pairs with one of
            these images are left out, such as those of a frame without a pose.

        Raises:
          FileNotFoundError: there is nothing, or a scene is missing.
          ValueError: an option is none of those.
        """
        check_choice("split", split, layout.SPLITS)
        self.split = self._under = split
        self._exclude = frozenset(name.strip().split(".")[0] for name in exclude)
        super().__init__(root, render, side, direction, scenes)

    def _options(self) -> dict[str, Any]:
        return super()._options() | {"split": self.split, "exclude": self._exclude}


class Monkaa(Things):
    """Pairs of frames of Monkaa; a sample has what one of FlyingThings3D has."""

    def __init__(
        self,
        root: PathLike,
        *,
        render: layout.Render = "cleanpass",
        side: Side = "left",
        direction: Direction = "forward",
        scenes: Collection[str] | None = None,
    ) -> None:
        """Lists the files.

        Args:
          root: the folder that holds frames_cleanpass, optical_flow and so on.
          render: "cleanpass" or "finalpass".
          side: "left" or "right", which camera.
          direction: of time, "forward" or "backward".
          scenes: to read, such as "a_rain_of_stones_x2"; all if None.

        Raises:
          FileNotFoundError: there is nothing, or a scene is missing.
          ValueError: an option is none of those.
        """
        super().__init__(root, render, side, direction, scenes)


class Driving(Things):
    """Pairs of frames of Driving; a sample has what one of FlyingThings3D has."""

    _levels = 2

    def __init__(
        self,
        root: PathLike,
        *,
        focal: str = "35mm_focallength",
        render: layout.Render = "cleanpass",
        side: Side = "left",
        direction: Direction = "forward",
        scenes: Collection[str] | None = None,
    ) -> None:
        """Lists the files.

        Args:
          root: the folder that holds frames_cleanpass, optical_flow and so on.
          focal: "35mm_focallength" (1050 pixels) or "15mm_focallength" (450 pixels).
          render: "cleanpass" or "finalpass".
          side: "left" or "right", which camera.
          direction: of time, "forward" or "backward".
          scenes: to read, such as "scene_forwards/fast"; all if None.

        Raises:
          FileNotFoundError: there is nothing, or a scene is missing.
          ValueError: an option is none of those.
        """
        check_choice("focal", focal, layout.FOCALS)
        self.focal = self._under = focal
        self._focal = layout.FOCALS[focal]
        super().__init__(root, render, side, direction, scenes)

    def _options(self) -> dict[str, Any]:
        return super()._options() | {"focal": self.focal}
