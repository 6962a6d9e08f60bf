"""Files and data sets of scene flow, read into and written from NumPy arrays.

Conventions, whatever the file's own are:

- Channels last, rows from the top. Integers are pixel centres: (0, 0) is the top left one.
- Flow is (u, v) in pixels, to the right and down, on the first frame's grid.
- Disparity is positive, in pixels of a rectified stereo pair. KITTI's second disparity, `disp_1`,
  stands on the *first* frame's grid: with focal length f and baseline B, the inverse-depth change
  is (disp_1 - disp_0) / (f B), pixel by pixel.
- Depth and baselines are in metres; depth is along the optical axis.
- A map comes with `valid`; a pixel without a value holds 0 there and is False.
- Cameras are `Camera`, in float64, with OpenCV's axes, in the world of their file. The samples of a
  data set have the world at their first camera.

A file that is not what it should be raises `FormatError`, a ValueError that names it. Writers put
a whole new file in place, or leave the old one.

Data sets, `loader`, `check` and scenes of Gaussians are imported when first used: they need JAX,
which other files do not.
"""

import importlib
from typing import TYPE_CHECKING, Any

from sf3d_jax.data._files import FormatError
from sf3d_jax.data.camera_json import FrameCamera, read_json_cameras, write_json_cameras
from sf3d_jax.data.clips import Clip, clip_frames, read_clips, write_clips
from sf3d_jax.data.colmap import (
    ColmapImage,
    read_colmap,
    read_colmap_cameras,
    read_colmap_images,
    write_colmap_cameras,
    write_colmap_images,
)
from sf3d_jax.data.images import read_image, read_mask, write_image, write_mask
from sf3d_jax.data.kitti import Calibration, read_kitti_calibration, write_kitti_calibration
from sf3d_jax.data.maps import (
    FlowMap,
    ScalarMap,
    read_disparity,
    read_flow,
    read_map,
    write_disparity,
    write_flow,
    write_map,
)
from sf3d_jax.data.nersemble import read_nersemble_cameras, write_nersemble_cameras
from sf3d_jax.data.sintel import (
    read_sintel_camera,
    read_sintel_disparity,
    write_sintel_camera,
    write_sintel_disparity,
)
from sf3d_jax.data.spring_cameras import (
    read_spring_extrinsics,
    read_spring_intrinsics,
    write_spring_extrinsics,
    write_spring_intrinsics,
)
from sf3d_jax.data.tartanair import (
    read_tartanair_flow,
    read_tartanair_poses,
    tartanair_camera,
    write_tartanair_poses,
)
from sf3d_jax.data.things import (
    StereoPoses,
    read_things_cameras,
    things_camera,
    write_things_cameras,
)
from sf3d_jax.data.transforms import TransformsFrame, read_transforms, write_transforms
from sf3d_jax.data.vkitti2 import (
    VectorMap,
    read_vkitti2_cameras,
    read_vkitti2_depth,
    read_vkitti2_scene_flow,
    write_vkitti2_cameras,
    write_vkitti2_depth,
    write_vkitti2_scene_flow,
)

if TYPE_CHECKING:
    from sf3d_jax.data._stacking import stack
    from sf3d_jax.data.checking import Finding, Report, check, check_dataset
    from sf3d_jax.data.gaussian_ply import read_gaussian_ply, write_gaussian_ply
    from sf3d_jax.data.loading import loader
    from sf3d_jax.data.sets import (
        Dataset,
        Driving,
        Entry,
        FlyingThings3D,
        FolderPairs,
        Kitti2015,
        Monkaa,
        Motion,
        Sintel,
        Spring,
        SRFlow3D,
        SRFlow3DWriter,
        TartanAir,
        VirtualKitti2,
        recognise,
    )

_LATER = {
    "stack": "_stacking",
    "Finding": "checking",
    "Report": "checking",
    "check": "checking",
    "check_dataset": "checking",
    "read_gaussian_ply": "gaussian_ply",
    "write_gaussian_ply": "gaussian_ply",
    "loader": "loading",
    "Dataset": "sets",
    "Driving": "sets",
    "Entry": "sets",
    "FlyingThings3D": "sets",
    "FolderPairs": "sets",
    "Kitti2015": "sets",
    "Monkaa": "sets",
    "Motion": "sets",
    "SRFlow3D": "sets",
    "SRFlow3DWriter": "sets",
    "Sintel": "sets",
    "Spring": "sets",
    "TartanAir": "sets",
    "VirtualKitti2": "sets",
    "recognise": "sets",
}

__all__ = [
    "Calibration",
    "Clip",
    "ColmapImage",
    "Dataset",
    "Driving",
    "Entry",
    "Finding",
    "FlowMap",
    "FlyingThings3D",
    "FolderPairs",
    "FormatError",
    "FrameCamera",
    "Kitti2015",
    "Monkaa",
    "Motion",
    "Report",
    "SRFlow3D",
    "SRFlow3DWriter",
    "ScalarMap",
    "Sintel",
    "Spring",
    "StereoPoses",
    "TartanAir",
    "TransformsFrame",
    "VectorMap",
    "VirtualKitti2",
    "check",
    "check_dataset",
    "clip_frames",
    "loader",
    "read_clips",
    "read_colmap",
    "read_colmap_cameras",
    "read_colmap_images",
    "read_disparity",
    "read_flow",
    "read_gaussian_ply",
    "read_image",
    "read_json_cameras",
    "read_kitti_calibration",
    "read_map",
    "read_mask",
    "read_nersemble_cameras",
    "read_sintel_camera",
    "read_sintel_disparity",
    "read_spring_extrinsics",
    "read_spring_intrinsics",
    "read_tartanair_flow",
    "read_tartanair_poses",
    "read_things_cameras",
    "read_transforms",
    "read_vkitti2_cameras",
    "read_vkitti2_depth",
    "read_vkitti2_scene_flow",
    "recognise",
    "stack",
    "tartanair_camera",
    "things_camera",
    "write_clips",
    "write_colmap_cameras",
    "write_colmap_images",
    "write_disparity",
    "write_flow",
    "write_gaussian_ply",
    "write_image",
    "write_json_cameras",
    "write_kitti_calibration",
    "write_map",
    "write_mask",
    "write_nersemble_cameras",
    "write_sintel_camera",
    "write_sintel_disparity",
    "write_spring_extrinsics",
    "write_spring_intrinsics",
    "write_tartanair_poses",
    "write_things_cameras",
    "write_transforms",
    "write_vkitti2_cameras",
    "write_vkitti2_depth",
    "write_vkitti2_scene_flow",
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'sf3d_jax.data' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"sf3d_jax.data.{_LATER[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
