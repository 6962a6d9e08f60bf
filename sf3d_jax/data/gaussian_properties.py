"""Properties of a .ply of 3D Gaussians that may be ignored, and those that change the scene.

A property that is neither read nor listed here as harmless is refused unless it is 0 in every
Gaussian, because it may change where a Gaussian is or how it looks. Properties of time and motion
are refused by name, whatever their values, and so are Gaussians bound to moving triangles.
"""

import re
from collections.abc import Iterable

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike

# Properties that do not change the rendering.
_HARMLESS = re.compile(
    "|".join(
        [
            "n[xyz]",  # normals: 3D Gaussian Splatting (zeros), SuGaR, gsplat, nerfstudio
            "red|green|blue|alpha",  # copies of f_dc and opacity for point-cloud viewers
            # Labels of the object: Gaussian Grouping, Feature 3DGS, OpenGaussian.
            r"obj_dc_\d+|semantic_\d+|ins_feat_[rgb]2?|ins_feat_\d+",
            "label|object_id|instance_id",
            "confidence",  # a weight of the training loss
        ]
    )
)

# Properties of Gaussians that appear, fade or move.
_MOVING = re.compile(
    "|".join(
        [
            r"trbf_\w+|motion_\w+|omega_\w+",  # SpacetimeGaussians
            # 4DGS and 4D-Rotor; others have f_t_0 or delta_x_t0
            r"t|mu_t|scale_t\w*|scaling_t\w*|rot_[rl]_\w+|rotation_[rl]\w*",
            r"(f_)?t_\w+|\w+_t\d*|\w*time\w*|\w*duration\w*",
            r"\w*velocity\w*|vel_\w+|v[xyz]|angular_\w+|\w*deform\w*|\w*flow\w*",
        ]
    )
)

# Gaussians bound to a moving mesh, as in GaussianAvatars, are not in world axes.
_BOUND = re.compile(r"binding_\d+")

# Harmless elements: those of meshes, and of the camera of a scene made from one image (ml-sharp).
_ELEMENTS = set(
    "face edge camera material tristrips range_grid extrinsic intrinsic image_size frame disparity "
    "color_space version".split()
)


def check_elements(path: PathLike, elements: Iterable[tuple[str, int]]) -> None:
    """Refuses a file with an unknown element, which may belong to the Gaussians.

    Args:
      path: file path used in error messages.
      elements: name and number of rows of each element except `vertex`.

    Raises:
      FormatError: an element is neither empty nor known to be harmless.
    """
    for name, rows in elements:
        if rows and name not in _ELEMENTS:
            found = f"an element {name[:80]}, whose effect on them is unknown"
            raise FormatError(path, "a scene of 3D Gaussians", found)


def check_names(path: PathLike, names: Iterable[str]) -> None:
    """Refuses Gaussians that are not at rest in the world, by the names of their properties.

    Args:
      path: file path used in error messages.
      names: names of all properties.

    Raises:
      FormatError: a property describes time, motion, or a binding to moving triangles.
    """
    expected = "Gaussians in world axes, at rest"
    for name in names:
        if _BOUND.fullmatch(name):
            found = f"{name}: they are in the axes of moving triangles; use read_bound_gaussians"
            raise FormatError(path, expected, found)
        if _MOVING.fullmatch(name):
            found = f"{name[:80]}: they change with time; export the scene of one moment"
            raise FormatError(path, expected, found)


def check_rest(path: PathLike, table: np.ndarray, read: Iterable[str]) -> None:
    """Refuses Gaussians with a property whose effect is unknown.

    Args:
      path: file path used in error messages.
      table: structured array [N] of all properties.
      read: names of the properties that are read.

    Raises:
      FormatError: a property is not read, not known to be harmless, and not 0 everywhere.
    """
    known = set(read)
    for name in table.dtype.names or ():
        if name not in known and not _HARMLESS.fullmatch(name) and table[name].any():
            found = f"{name[:80]}, whose effect on them is unknown and which is not 0"
            raise FormatError(path, "3D Gaussians of known properties", found)
