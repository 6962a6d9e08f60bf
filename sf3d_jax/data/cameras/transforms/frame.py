"""A frame of a transforms.json."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera


class TransformsFrame(NamedTuple):
    """One frame of a transforms.json.

    Attributes:
      camera: with the world of the file.
      image: its `file_path` as it stands in the file, relative to its folder; or None.
      timestep: its `timestep_index`, or None.
      camera_index: its `camera_index`, or None.
      mask: its `fg_mask_path` or `mask_path` as it stands in the file, or None.
    """

    camera: "Camera"
    image: str | None = None
    timestep: int | None = None
    camera_index: int | None = None
    mask: str | None = None
