"""Virtual KITTI 2: rendered street scenes in several kinds of weather, with dense scene flow.

The scene flow in the files is X1 in the axes of the second camera minus X0 in those of the first,
so it includes the motion of the camera. Only its depth change dz is read: z1 = z0 + dz and

    c = 1/z1 - 1/z0 = -dz / (z0 z1).

`scene_flow` of a sample stays None, because the scene flow computed from the motion and the cameras
excludes the camera's motion. The sky has no surface: its inverse depth is 0.

Gaidon et al., "Virtual Worlds as Proxy for Multi-Object Tracking Analysis" (CVPR 2016); Cabon,
Murray and Humenberger, "Virtual KITTI 2" (2020).
"""

from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data.maps import read_flow
from sf3d_jax.data.maps.images import read_unit_image
from sf3d_jax.data.maps.kinds import ScalarMap
from sf3d_jax.data.sets._caching import cache_by_file
from sf3d_jax.data.sets._dataset import Entry
from sf3d_jax.data.sets._listing import Folder, list_subfolders
from sf3d_jax.data.sets._reading import (
    Files,
    combine_valid,
    get_both_frames,
    get_flow_vectors,
    invert_depth,
)
from sf3d_jax.data.sets._sequences import (
    Direction,
    TwoWays,
    choose,
    get_step,
    list_pairs,
)
from sf3d_jax.data.sets.vkitti2 import layout
from sf3d_jax.data.sets.vkitti2.files import (
    read_vkitti2_cameras,
    read_vkitti2_depth,
    read_vkitti2_scene_flow,
)
from sf3d_jax.samples import Sample

# The depth of the far plane in metres, which the sky has, too.
SKY = np.float32(655.35)


class VirtualKitti2(TwoWays):
    """Pairs of frames of Virtual KITTI 2.

        Scene01/
          clone/                                                  or another variation
            frames/
              rgb/Camera_0/rgb_00000.jpg                          images
              depth/Camera_0/depth_00000.png
              forwardFlow/Camera_0/flow_00000.png
              forwardSceneFlow/Camera_0/sceneFlow_00000.png       X1 - X0
              backwardFlow/Camera_0/backwardFlow_00001.png
              backwardSceneFlow/Camera_0/backwardSceneFlow_00001.png
            intrinsic.txt
            extrinsic.txt

    A sample has these fields if their files exist: the two images, `flow`, `inv_depth`,
    `inv_depth_change` (from depth and scene flow), `next_inv_depth`, the cameras, and `valid` where
    all the motion is known. The intrinsics are those of the original 1242 x 375 images. Images of
    another size are treated as resized; other aspect ratios are refused.
    """

    def __init__(
        self,
        root: PathLike,
        *,
        scenes: Collection[str] | None = None,
        variations: Collection[str] | None = None,
        camera: int = 0,
        direction: Direction = "forward",
        frames: int = 2,
    ) -> None:
        """Lists the files.

        Args:
          root: folder with Scene01 and so on.
          scenes: scenes to read, such as "Scene01"; all if None.
          variations: variations to read, such as "clone" or "rain"; all if None.
          camera: 0 (left) or 1 (right).
          direction: "forward" or "backward" in time.
          frames: frames per sample; above 2, a sample is a `Sequence`.

        Raises:
          FileNotFoundError: no files are found, or a scene or a variation is missing.
          ValueError: an option has an unknown value.
        """
        if camera not in layout.CAMERAS:
            raise ValueError(f"camera: expected 0 or 1, got {camera!r}")
        self._step = get_step(direction)
        self.scenes, self.variations = scenes, variations
        self.camera, self.direction = camera, direction
        super().__init__(root, list(self._list_entries(Path(root))), frames=frames)

    def _get_options(self) -> dict[str, object]:
        return {"scenes": self.scenes, "variations": self.variations, "camera": self.camera}

    def _has_motion(self, direction: Direction) -> bool:
        motion = {p.folder for p in layout.get_motion_places(direction, self.camera).values()}
        frames = (path / layout.FRAMES for path in self._list_sequences(self.root).values())
        return any(motion & list_subfolders(path) for path in frames)

    def _describe_missing(self) -> str:
        name = f"Scene01/clone/frames/rgb/Camera_{self.camera}/rgb_00000.jpg"
        return f"found no {name} (expected in Virtual KITTI 2)"

    def _list_sequences(self, root: Path) -> dict[str, Path]:
        """Finds the folders of the selected scenes and variations."""
        top = Folder(root, "")
        inside = {name: top.inside(name).subfolders for name in top.subfolders}
        with_frames = {
            (scene, variation): root / scene / variation
            for scene, variations in inside.items()
            for variation in variations
            if (root / scene / variation / layout.FRAMES).is_dir()
        }
        scenes = choose({scene for scene, _ in with_frames}, self.scenes, root)
        variations = choose({name for _, name in with_frames}, self.variations, root)
        return {
            f"{scene}/{variation}": with_frames[scene, variation]
            for scene in scenes
            for variation in variations
            if (scene, variation) in with_frames
        }

    def _list_entries(self, root: Path) -> Iterator[Entry]:
        sequences = self._list_sequences(root)
        frames = {name: path / layout.FRAMES for name, path in sequences.items()}
        there = list_subfolders(*frames.values())
        both = layout.get_frame_places(self.camera)
        kinds = both | layout.get_motion_places(self.direction, self.camera)
        kinds = {kind: place for kind, place in kinds.items() if place.folder in there}
        cameras = layout.CAMERA_FILES
        paths = (path / file for path in sequences.values() for file in cameras.values())
        has_cameras = any(path.is_file() for path in paths)
        for name, path in sequences.items():
            of = {kind: place.frames(frames[name]) for kind, place in kinds.items()}
            shared = {of: path / file for of, file in cameras.items()} if has_cameras else {}
            sequence = f"{name}/Camera_{self.camera}"
            yield from list_pairs(sequence, of, [*both], digits=5, step=self._step, shared=shared)

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored in its files.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; pixels without ground truth are not valid.

        Raises:
          FormatError: a file is malformed, or has no camera for the frame.
          OSError: a file is missing.
        """
        files = Files(entry)
        image, next_image = files.both("image", read_unit_image)
        depth, next_depth = files.both("depth", read_vkitti2_depth)
        flow = files.read("flow", lambda path: read_flow(path, format="vkitti2"))
        vectors = files.read("vectors", read_vkitti2_scene_flow)
        size = files.size()

        camera, next_camera = self._get_cameras(entry, size)
        change, known = None, None
        if depth is not None and vectors is not None:
            change, known = _compute_change(depth, vectors.vectors[..., 2], vectors.valid)
        return Sample(
            image=image,
            next_image=next_image,
            flow=get_flow_vectors(flow),
            inv_depth=_compute_inverse_depth(depth),
            inv_depth_change=change,
            next_inv_depth=_compute_inverse_depth(next_depth),
            valid=combine_valid(flow, known),
            camera=camera,
            next_camera=next_camera,
            name=entry.name,
        )

    def _get_cameras(
        self, entry: Entry, size: tuple[int, int]
    ) -> tuple[Camera, Camera] | tuple[None, None]:
        """Reads the cameras of both frames, in the world of the scene."""
        if "extrinsic" not in entry.files:
            return None, None
        path = entry.files["extrinsic"]
        cameras = _read_cameras(entry.files["intrinsic"], path, size)
        return get_both_frames(
            entry,
            {frame: camera for (frame, side), camera in cameras.items() if side == self.camera},
            lambda frame: FormatError(
                path, f"camera {self.camera} in frame {frame}", f"{len(cameras)} other entries"
            ),
        )


_read_cameras = cache_by_file(read_vkitti2_cameras)


def _compute_inverse_depth(depth: ScalarMap | None) -> np.ndarray | None:
    """Computes 1/z, with 0 in the sky."""
    inverse = invert_depth(depth)
    if depth is None or inverse is None:
        return None
    return np.where(depth.values < SKY, inverse, np.float32(0))


def _compute_change(
    depth: ScalarMap, dz: np.ndarray, known: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Computes c = -dz / (z0 z1), and where it is known, which includes the sky (c = 0)."""
    sky = depth.valid & (depth.values >= SKY)
    end = depth.values + dz
    moved = known & depth.valid & ~sky & (end > 0)
    product = np.where(moved, depth.values * end, 1)
    return np.where(moved, -dz / product, 0), moved | sky
