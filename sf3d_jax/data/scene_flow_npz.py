"""Scene flow of one image with its camera in an .npz, as `sf3d convert` and `sf3d fit` write it.

Arrays of an image of H x W pixels; other maps of the same image may stand beside them:

    vectors                   [H, W, 3]   scene flow in metres, in the axes of the camera
    points                    [H, W, 3]   the surface in metres, in the axes of the camera
    valid                     [H, W]      bool; elsewhere the other maps are 0
    camera_focal              [2]         fx, fy in pixels
    camera_principal_point    [2]         cx, cy; integers are pixel centres
    camera_world_to_camera    [3, 4]
    camera_size               [2]         H, W
    camera_model              text        "pinhole"
    camera_baseline           a number    distance of the stereo cameras in metres, if known
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.data._files import FormatError, PathLike, write_bytes

if TYPE_CHECKING:
    from sf3d_jax.camera import Camera

_RESULT = "a result of `sf3d convert` (.npz)"


class SceneFlowMaps(NamedTuple):
    """Scene flow of one image.

    Attributes:
      vectors: [H, W, 3], in metres, in the axes of the camera.
      points: [H, W, 3], the surface in metres, in the axes of the camera.
      valid: bool [H, W].
      camera: of the image.
      baseline: distance of the stereo cameras in metres, or None.
    """

    vectors: np.ndarray
    points: np.ndarray
    valid: np.ndarray
    camera: "Camera"
    baseline: float | None


def write_scene_flow_npz(
    path: PathLike,
    maps: Mapping[str, npt.ArrayLike],
    camera: "Camera",
    *,
    baseline: float | None = None,
) -> None:
    """Writes maps of an image and its camera.

    Args:
      path: file to write.
      maps: arrays by name; `read_scene_flow_npz` needs vectors, points and valid.
      camera: of the image, a pinhole.
      baseline: distance of the stereo cameras in metres, if known.

    Raises:
      ValueError: the camera has a lens, which the file does not hold.
      FileNotFoundError: there is no folder for the file.
    """
    if camera.distortion is not None:
        raise ValueError(f"camera: expected a pinhole, got the lens {camera.model!r}")
    arrays: dict[str, Any] = {
        **maps,
        "camera_focal": camera.focal,
        "camera_principal_point": camera.principal_point,
        "camera_world_to_camera": camera.world_to_camera,
        "camera_size": camera.size,
        "camera_model": camera.model,
    }
    if baseline is not None:
        arrays["camera_baseline"] = baseline
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    write_bytes(path, buffer.getvalue())


def read_scene_flow_npz(path: PathLike) -> SceneFlowMaps:
    """Reads what `write_scene_flow_npz` wrote.

    Args:
      path: file to read.

    Returns:
      The maps in the dtype of the file, and the camera.

    Raises:
      FormatError: the file is not a whole .npz, lacks an array, or has maps of another size than
        its camera.
    """
    from sf3d_jax.camera import Camera

    content = Path(path).read_bytes()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            result = dict(file)
        height, width = (int(n) for n in result["camera_size"])
        camera = Camera(
            result["camera_focal"],
            result["camera_principal_point"],
            result["camera_world_to_camera"],
            size=(height, width),
            model=str(result["camera_model"]),
        )
        baseline = float(result["camera_baseline"]) if "camera_baseline" in result else None
        vectors, points, valid = (result[name] for name in ("vectors", "points", "valid"))
    except KeyError as error:
        raise FormatError(path, _RESULT, f"no array {error}") from None
    except Exception:  # a broken archive raises half a dozen kinds
        raise FormatError(path, _RESULT, "no whole archive of arrays") from None
    wanted = (*camera.size, 3), (*camera.size, 3), camera.size
    found = vectors.shape, points.shape, valid.shape
    if found != wanted:
        raise FormatError(path, f"maps of the shapes {wanted}", f"{found}")
    return SceneFlowMaps(vectors, points, valid, camera, baseline)
