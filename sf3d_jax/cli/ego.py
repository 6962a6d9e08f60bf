"""The motion of the camera for `sf3d convert --ego`: found, written and put into words."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

import sf3d_jax as sf3d
from sf3d_jax import data, depth_change
from sf3d_jax.cli.cameras import Cameras
from sf3d_jax.cli.reading import describe_scene_flow, format_length
from sf3d_jax.views import percent

# What a negative and a positive component mean, for the axes x right, y down and z forward.
_WAYS = (("to the left", "to the right"), ("up", "down"), ("backward", "forward"))
# The grey of unknown pixels: neither black, as what moves, nor bright, as what is static.
_UNKNOWN = 64
_TURNS = (("down", "up"), ("to the left", "to the right"), ("anticlockwise", "clockwise"))


def choose_inverse_depth(
    maps: Mapping[str, np.ndarray], cameras: Cameras, *, path: Path
) -> np.ndarray | None:
    """Gets the inverse depth of the first image from the one map that is given, if any.

    Args:
      maps: at most one of disparity, depth and inverse_depth.
      cameras: the cameras and the baseline.
      path: file of the flow, for messages.

    Returns:
      Inverse depth [H, W], per metre, NaN or 0 where unknown; None without a map.

    Raises:
      ValueError: there is a disparity but no baseline.
    """
    if "inverse_depth" in maps:
        return maps["inverse_depth"]
    if "depth" in maps:
        depth = maps["depth"]
        return np.array(depth_change.from_depths(depth, depth).inv_depth)
    if "disparity" not in maps:
        return None
    if cameras.baseline is None:
        raise ValueError(
            f"{path}: disparities need --baseline METRES or a --calibration with both cameras"
        )
    scale = float(cameras.camera.focal[0]) * cameras.baseline
    disparity = maps["disparity"]
    return np.array(depth_change.from_disparities(disparity, disparity, scale).inv_depth)


def write_ego_motion(
    target: Path,
    maps: Mapping[str, np.ndarray],
    cameras: Cameras,
    draw: Callable[[Path, dict[str, np.ndarray]], None] | None = None,
) -> str:
    """Finds the motion of the camera, and writes what is static and what is left.

    Args:
      target: .npz file of the conversion. NAME_static.png is written beside it and, if the maps
        have the inverse-depth change, NAME_residual.npz.
      maps: flow and valid; also inv_depth and inv_depth_change, if known.
      cameras: the cameras; the pose of the second one is not used.
      draw: draws what is left as a figure, if it is known.

    Returns:
      Lines that say what was written, and how the camera moved.

    Raises:
      OSError: a file cannot be written.
    """
    change = maps.get("inv_depth_change")
    found = sf3d.ego_motion(
        maps["flow"],
        maps.get("inv_depth"),
        cameras.camera,
        cameras.next_camera,
        inv_depth_change=change,
        valid=maps["valid"],
    )
    if not found.valid:
        return f"{target.stem}: the pixels do not determine the camera's motion"
    lines = [] if change is None else [_write_residual(target, maps, cameras, found, draw)]
    path = target.with_name(f"{target.stem}_static.png")
    static = np.array(found.static, np.float32)
    shades = np.where(maps["valid"], np.rint(255 * static), _UNKNOWN)
    data.write_image(path, shades.astype(np.uint8))
    share = percent((static > 0.5).sum() / maps["valid"].sum())
    lines.append(f"{path}: {share} of the valid pixels are static (white)")
    lines.append(describe_motion(found.transform, has_scale="inv_depth" in maps))
    return "\n".join(lines)


def _write_residual(
    target: Path,
    maps: Mapping[str, np.ndarray],
    cameras: Cameras,
    found: sf3d.EgoMotion,
    draw: Callable[[Path, dict[str, np.ndarray]], None] | None,
) -> str:
    """Writes the scene flow that is left, with the cameras in the axes of the first one."""
    path = target.with_name(f"{target.stem}_residual.npz")
    then = cameras.camera if cameras.next_camera is None else cameras.next_camera
    camera = dataclasses.replace(cameras.camera, world_to_camera=np.eye(3, 4, dtype=np.float32))
    next_camera = dataclasses.replace(then, world_to_camera=np.array(found.transform))
    left = dict(maps) | {"vectors": np.array(found.residual), "static": np.array(found.static)}
    data.write_scene_flow_npz(
        path, left, camera, baseline=cameras.baseline, next_camera=next_camera
    )
    if draw is not None:
        draw(path.with_name(f"{path.stem}_picture.png"), left)
    return describe_scene_flow(path, left, is_fixed=False)


def describe_motion(transform: np.ndarray, *, has_scale: bool) -> str:
    """Describes the motion of the camera in the axes of the first one.

    Args:
      transform: [3, 4], [R | t], from the first camera's axes to the second's.
      has_scale: whether t is in metres; otherwise only its direction is known.

    Returns:
      One line.
    """
    # The pose of the second camera in the axes of the first.
    pose = np.asarray(sf3d.se3.inverse(transform), np.float64)
    centre, turn = pose[:, 3], np.asarray(sf3d.se3.log(pose), np.float64)[3:]
    distance, angle = np.linalg.norm(centre), np.degrees(np.linalg.norm(turn))
    moved, turned = "did not move", "did not turn"
    if distance > 0:
        length = format_length(distance) if has_scale else "an unknown distance"
        moved = f"moved {length} towards {_describe(centre, _WAYS)}"
    if angle > 0:
        turned = f"turned by {angle:.3g} degrees about {_describe(turn, _TURNS)}"
    return f"  the camera {moved}, and {turned}; axes x right, y down, z forward"


def _describe(vector: np.ndarray, words: tuple[tuple[str, str], ...]) -> str:
    """Describes a direction in numbers, and by its largest component in words."""
    direction = vector / np.linalg.norm(vector)
    largest = int(np.abs(direction).argmax())
    numbers = ", ".join(f"{x:.3f}" for x in direction + 0.0)
    return f"({numbers}), mostly {words[largest][int(direction[largest] > 0)]}"
