"""Cameras on spirals about a head.

The camera looks at a target T all the time. With its azimuth a and elevation e about T, and its
distance r, all smooth functions of time, its centre is

    T + r (sin a cos e, sin e, cos a cos e)

in the axes of a head: x to the subject's left, y up, z forward. At a = e = 0 it is straight before
the face.
"""

import dataclasses

import numpy as np

from sf3d_jax.camera import Camera


@dataclasses.dataclass(frozen=True)
class Spiral:
    """The path of a camera, in radians, metres and seconds.

    Attributes:
      target: [3], what the camera looks at.
      focal: focal length in pixels.
      size: (height, width) of the image.
      azimuth: middle and half range of the azimuth.
      elevation: middle and half range of the elevation.
      distance: middle and half range of the distance.
      period: time of one turn.
      phase: where on the turn the camera is at time 0.
    """

    target: np.ndarray
    focal: float
    size: tuple[int, int]
    azimuth: tuple[float, float]
    elevation: tuple[float, float]
    distance: tuple[float, float]
    period: float
    phase: float

    def camera(self, time: float) -> Camera:
        """The camera at a time.

        Args:
          time: seconds.

        Returns:
          A pinhole in float32, whose numbers are those that are drawn with and written.
        """
        turn = 2 * np.pi * time / self.period + self.phase
        azimuth = self.azimuth[0] + self.azimuth[1] * np.cos(turn)
        elevation = self.elevation[0] + self.elevation[1] * np.sin(turn)
        # The distance has half the frequency, so that the path closes after two turns only.
        distance = self.distance[0] + self.distance[1] * np.sin(turn / 2)
        height, width = self.size
        focal, cx, cy = map(np.float32, (self.focal, (width - 1) / 2, (height - 1) / 2))
        pose = look_at(self.target, azimuth, elevation, distance).astype(np.float32)
        return Camera.pinhole(focal, focal, cx, cy, self.size, pose)


def draw_spiral(
    generator: np.random.Generator, target: np.ndarray, extent: float, size: tuple[int, int]
) -> Spiral:
    """Draws the path of a camera at random.

    Args:
      generator: source of chance.
      target: [3], what the camera looks at, metres.
      extent: length in metres that the shorter side of the image shows at the target.
      size: (height, width) of the image.

    Returns:
      A path about the front of the target. Distances are DISTANCE times the extent, about 1 m to
      1.25 m for a head.
    """
    within = lambda low, high: float(generator.uniform(low, high))
    azimuth = within(-0.35, 0.35), within(0.05, 0.35)
    elevation = within(-0.1, 0.15), within(0.03, 0.12)
    distance = extent * within(*DISTANCE)
    return Spiral(
        target=np.asarray(target, np.float64),
        focal=min(size) * distance / extent,
        size=size,
        azimuth=azimuth,
        elevation=elevation,
        distance=(distance, NEARER * distance),
        period=within(5.0, 9.0),
        phase=within(0.0, 2 * np.pi),
    )


# Distance of a camera over the extent that it shows: a face is photographed from 1 m to 1.25 m.
DISTANCE = (3.3, 4.1)
NEARER = 0.035


def look_at(target: np.ndarray, azimuth: float, elevation: float, distance: float) -> np.ndarray:
    """The pose of a camera that looks at a target, its x axis horizontal.

    Args:
      target: [3], metres.
      azimuth: radians about the vertical, positive to the subject's left.
      elevation: radians above the horizontal.
      distance: metres from the target.

    Returns:
      world_to_camera, [3, 4].
    """
    sa, ca, se, ce = np.sin(azimuth), np.cos(azimuth), np.sin(elevation), np.cos(elevation)
    right = [ca, 0, -sa]
    down = [sa * se, -ce, ca * se]
    forward = [-sa * ce, -se, -ca * ce]
    rotation = np.array([right, down, forward])
    # The target is on the optical axis, `distance` away.
    translation = np.array([0, 0, distance]) - rotation @ target
    return np.concatenate([rotation, translation[:, None]], axis=1)
