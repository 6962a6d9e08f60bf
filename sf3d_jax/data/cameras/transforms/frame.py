"""A frame of a transforms.json."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera


class TransformsFrame(NamedTuple):
    """One frame of a transforms.json.

    Attributes:
      camera: the camera, posed in the file's world.
      image: `file_path` as written in the file, relative to the file's folder; or None.
      timestep: `timestep_index`, or None.
      camera_index: `camera_index`, or None.
      mask: `fg_mask_path` or `mask_path` as written in the file, or None.
    """

    camera: "Camera"
    image: str | None = None
    timestep: int | None = None
    camera_index: int | None = None
    mask: str | None = None
