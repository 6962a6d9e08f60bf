"""3D scene flow geometry for JAX: exact, differentiable, and as fast as memory allows.

Optical flow, inverse depth and inverse-depth change, with the cameras, are a complete
parameterisation of 3D scene flow. This package converts one into the other and back.

Arrays are channels last with any leading batch axes; pixels are (u, v) = (column, row) with
integers at pixel centres; axes are OpenCV's (x right, y down, z forward), in metres; what can
be undefined comes with a validity, and invalid pixels are zero and pass no gradient.

Names are looked up when first used, so that `sf3d --help` need not wait for JAX.
"""

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sf3d_jax import augment as augment
    from sf3d_jax import data as data
    from sf3d_jax import depth_change as depth_change
    from sf3d_jax import fit as fit
    from sf3d_jax import gaussians as gaussians
    from sf3d_jax import losses as losses
    from sf3d_jax import metrics as metrics
    from sf3d_jax import views as views
    from sf3d_jax.camera import Camera as Camera
    from sf3d_jax.projection import Points as Points
    from sf3d_jax.projection import Projection as Projection
    from sf3d_jax.projection import pixel_grid as pixel_grid
    from sf3d_jax.projection import project as project
    from sf3d_jax.projection import unproject as unproject
    from sf3d_jax.resizing import Resized as Resized
    from sf3d_jax.resizing import pyramid as pyramid
    from sf3d_jax.resizing import resize_flow as resize_flow
    from sf3d_jax.resizing import resize_image as resize_image
    from sf3d_jax.resizing import resize_inv_depth as resize_inv_depth
    from sf3d_jax.resizing import resize_mask as resize_mask
    from sf3d_jax.resizing import resize_sparse_flow as resize_sparse_flow
    from sf3d_jax.samples import Sample as Sample
    from sf3d_jax.sampling import Sampled as Sampled
    from sf3d_jax.sampling import backward_warp as backward_warp
    from sf3d_jax.sampling import sample as sample
    from sf3d_jax.scene_flow import ImageMotion as ImageMotion
    from sf3d_jax.scene_flow import SceneFlow as SceneFlow
    from sf3d_jax.scene_flow import image_motion as image_motion
    from sf3d_jax.scene_flow import rigid_motion as rigid_motion
    from sf3d_jax.scene_flow import scene_flow as scene_flow
    from sf3d_jax.scene_flow import scene_flow_covariance as scene_flow_covariance
    from sf3d_jax.splatting import Splatted as Splatted
    from sf3d_jax.splatting import WarpedInverseDepth as WarpedInverseDepth
    from sf3d_jax.splatting import forward_splat as forward_splat
    from sf3d_jax.splatting import warp_inverse_depth as warp_inverse_depth
    from sf3d_jax.visibility import Occlusion as Occlusion
    from sf3d_jax.visibility import occlusion_from_consistency as occlusion_from_consistency
    from sf3d_jax.visibility import occlusion_from_depth as occlusion_from_depth
    from sf3d_jax.visibility import occlusion_from_range_map as occlusion_from_range_map

__version__ = "0.1.0"

_MODULES = ("augment", "data", "depth_change", "fit", "gaussians", "losses", "metrics", "views")
_HOMES = {
    "Camera": "camera",
    "Points": "projection",
    "Projection": "projection",
    "pixel_grid": "projection",
    "project": "projection",
    "unproject": "projection",
    "Resized": "resizing",
    "pyramid": "resizing",
    "resize_flow": "resizing",
    "resize_image": "resizing",
    "resize_inv_depth": "resizing",
    "resize_mask": "resizing",
    "resize_sparse_flow": "resizing",
    "Sample": "samples",
    "Sampled": "sampling",
    "backward_warp": "sampling",
    "sample": "sampling",
    "ImageMotion": "scene_flow",
    "SceneFlow": "scene_flow",
    "image_motion": "scene_flow",
    "rigid_motion": "scene_flow",
    "scene_flow": "scene_flow",
    "scene_flow_covariance": "scene_flow",
    "Splatted": "splatting",
    "WarpedInverseDepth": "splatting",
    "forward_splat": "splatting",
    "warp_inverse_depth": "splatting",
    "Occlusion": "visibility",
    "occlusion_from_consistency": "visibility",
    "occlusion_from_depth": "visibility",
    "occlusion_from_range_map": "visibility",
}

__all__ = ["__version__", *_MODULES, *_HOMES]


class _Package(ModuleType):
    """Keeps the module `scene_flow`, when it is imported, from taking its function's name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"sf3d_jax.{name}")
    if name in _HOMES:
        value = getattr(importlib.import_module(f"sf3d_jax.{_HOMES[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'sf3d_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
