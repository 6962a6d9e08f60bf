"""How one Gaussian weighs on one pixel, and what it shows there: what all back ends share.

Front to back, with alpha_k of the k-th Gaussian at the pixel and T_k = prod_{j < k} (1 - alpha_j),

    w_k = alpha_k T_k   while T_{k+1} > 1e-4, then 0,

and an image is sum_k w_k value_k. `_splats` has the formulas of alpha and of the depths.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from sf3d_jax.gaussians._splats import CUT

CAP = 0.99
STOP = 1e-4
HALF = 0.5


class Layout(NamedTuple):
    """Which numbers the table of Gaussians and the images have, static.

    Attributes:
      colors: the number of channels C.
      motion: None, "mean" or "median".
    """

    colors: int
    motion: str | None = None

    @property
    def depth_column(self) -> int:
        """Where mu_z is in the table; the colours end there, the peaks follow."""
        return 6 + self.colors

    @property
    def motion_column(self) -> int:
        """Where the motions start in the table."""
        return self.depth_column + 6

    @property
    def images(self) -> int:
        """How many images are summed: colours, alpha, depth, its square, 3 of motion, depth.

        Without motion the first three; the last is there for the median only, of which it and the
        motion are the values themselves, not blended.
        """
        return self.colors + 2 + {None: 0, "mean": 4, "median": 5}[self.motion]

    @property
    def depth_image(self) -> int:
        """Which image is the depth."""
        return self.colors + 1

    @property
    def motion_image(self) -> int:
        """Which image is the first of the motion's."""
        return self.depth_image + 2

    @property
    def blended(self) -> tuple[int, ...]:
        """The images of which the weights have a derivative.

        Those of the median are not weighted, and the square of the depth tells edges only.
        """
        square = self.depth_image + 1
        return tuple(i for i in range(self.images) if not self.halved(i) and i != square)

    def halved(self, image: int) -> bool:
        """Whether an image shows the Gaussian where half of the light is gone, and no other."""
        return self.motion == "median" and image >= self.motion_image


def weigh(alpha: jax.Array, clear: jax.Array, after: jax.Array) -> jax.Array:
    """w of a Gaussian before which T is `clear`, and behind which it is `after`."""
    return jnp.where(after > STOP, alpha * clear, 0)


def crossing(clear: jax.Array, after: jax.Array) -> jax.Array:
    """1 for the Gaussian at which T falls to a half or below, otherwise 0."""
    return ((clear > HALF) & (after <= HALF)).astype(clear.dtype)


def blend(
    sums: tuple[jax.Array, ...],
    clear: jax.Array,
    alpha: jax.Array,
    values: list[jax.Array],
    layout: Layout,
) -> tuple[jax.Array, tuple[jax.Array, ...]]:
    """T behind a Gaussian, and the sums of all images with it."""
    after = clear * (1 - alpha)
    weight, half = weigh(alpha, clear, after), crossing(clear, after)
    shares = (half if layout.halved(i) else weight for i in range(layout.images))
    parts = zip(sums, shares, values, strict=True)
    return after, tuple(total + share * value for total, share, value in parts)


class Peak(NamedTuple):
    """Where on the pixel's ray a Gaussian is densest.

    Attributes:
      tau: its depth, in depths of the mean.
      s: 1 - tau, with all its digits.
      inverse: 1 / (1 + 2 l + q); 0, as is tau, where the densest point is behind the camera.
    """

    tau: jax.Array
    s: jax.Array
    inverse: jax.Array


def alpha_at(x: jax.Array, y: jax.Array, roots: list[jax.Array], opacity: jax.Array) -> jax.Array:
    """alpha at the offset (x, y) from the mean; 0 below the cut."""
    p, q, r = roots
    raw = opacity * jnp.exp(-0.5 * ((p * x + q * y) ** 2 + (r * y) ** 2))
    return jnp.where(raw >= CUT, jnp.minimum(raw, CAP), 0)


def peak_at(x: jax.Array, y: jax.Array, peaks: list[jax.Array]) -> Peak:
    """The densest point of the ray at the offset (x, y) from the mean."""
    linear = peaks[0] * x + peaks[1] * y
    squares = peaks[2] * x * x + peaks[3] * x * y + peaks[4] * y * y
    # |a|^2 / |a0|^2 is positive, but its terms cancel where a flat Gaussian is seen from the side.
    length = jnp.maximum(1 + 2 * linear + squares, 4 * jnp.finfo(x.dtype).eps)
    ahead = 1 + linear > 0
    s = jnp.where(ahead, (squares + linear) / length, 1)
    return Peak(1 - s, s, jnp.where(ahead, 1 / length, 0))


def values_at(
    x: jax.Array, y: jax.Array, peak: Peak, columns: list[jax.Array], layout: Layout
) -> list[jax.Array]:
    """What a Gaussian shows at the offset (x, y) from the mean, for every image."""
    depth = columns[layout.depth_column] * peak.tau
    values = [*columns[6 : layout.depth_column], jnp.ones_like(columns[0]), depth]
    if layout.motion is not None:
        values += [depth * depth, *moved(x, y, peak, columns[layout.motion_column :])]
    return [*values, depth] if layout.motion == "median" else values


def moved(x: jax.Array, y: jax.Array, peak: Peak, motions: list[jax.Array]) -> list[jax.Array]:
    """X' - X of the densest point: dmu + tau P (x, y) - s Q."""
    start, along, aside, centre = (motions[i : i + 3] for i in range(0, 12, 3))
    x, y = peak.tau * x, peak.tau * y
    return [start[i] + along[i] * x + aside[i] * y - centre[i] * peak.s for i in range(3)]
