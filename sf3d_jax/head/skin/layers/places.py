"""Points of a surface with what every layer needs of them, and soft regions.

Regions are compact bumps and soft steps; the softness is never less than the distance between the
samples, so that no edge shows stairs.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sf3d_jax.head.skin.noise import Array as Array
from sf3d_jax.head.skin.noise import blend, draw_noise

Vector = npt.ArrayLike


class Places(NamedTuple):
    """Points on the rest shape of all people.

    Attributes:
      points: (N, 3) float32, centimetres, finite.
      spacing: (N,) distance between samples, centimetres.
      pattern: number of the person's noise.
    """

    points: Array
    spacing: Array
    pattern: int

    def choose(self, mask: npt.NDArray[np.bool_]) -> "Places":
        """The points where a mask (N,) is true."""
        return Places(self.points[mask], self.spacing[mask], self.pattern)

    @property
    def axes(self) -> tuple[Array, Array, Array]:
        """|x|, y and z: the face is symmetric."""
        return np.abs(self.points[:, 0]), self.points[:, 1], self.points[:, 2]

    def noise(self, key: int, wavelength: float, octaves: int = 1, gain: float = 0.5) -> Array:
        """Noise number `key` of this person, of root mean square 1."""
        return draw_noise(
            self.points, wavelength, self.key(key), self.spacing, octaves=octaves, gain=gain
        )

    def key(self, key: int) -> int:
        """The number of a pattern of this person; keys are 16 apart, the octaves in between."""
        return self.pattern + 16 * key

    def bump(self, center: Vector, radii: Vector) -> Array:
        """1 at a place and at its mirror image, 0 outside of an ellipsoid, (1 - q^2)^2 between."""
        c, r = np.asarray(center, np.float32), np.asarray(radii, np.float32)
        q = sum(np.square((x - c[i]) / r[i]) for i, x in enumerate(self.axes))
        return np.square(np.maximum(1 - q, 0)).astype(np.float32)

    def soften(self, distance: Array, softness: npt.ArrayLike) -> Array:
        """A region: 1 where its signed distance is negative, 0 where it is positive."""
        width = np.maximum(np.asarray(softness, np.float32), 2 * self.spacing)
        return blend(0.5 - distance / width)


def mix(color: Array, share: Array, other: Array) -> Array:
    """Colours (N, 3) covered by others to a share (N,)."""
    return color + np.clip(share, 0, 1)[:, None] * (other - color)
