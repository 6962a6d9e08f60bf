"""Solid noise for textures: the same numbers on every machine, and nothing finer than asked for.

A lattice cell (i, j, k) gets 32 random bits from an integer hash. Everything else is made of sums,
products, quotients and roots, which IEEE 754 rounds exactly; there is no sine, exponential or
matrix product, whose last digit depends on the processor. Numbers are float32.

Detail that is too fine for the samples of a surface would appear as stripes. So each function takes
`spacing`, the distance between samples, and fades out what is shorter than twice this distance.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float32]
Bits = npt.NDArray[np.uint32]

# Odd multipliers with well-mixed bits: the fractions of the golden ratio and of two other roots.
_AXES = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
# The rounds of the hash "lowbias32": (shift, multiplier).
_ROUNDS = ((16, 0x7FEB352D), (15, 0x846CA68B))
_WORD = 0xFFFFFFFF
# A turn of the lattice between octaves, of rational sines and cosines, so that the lattice planes
# of two octaves never coincide and no coordinate plane is a lattice plane.
_TURN = np.array([[2, 3, 6], [-6, -2, 3], [3, -6, 2]], np.float32) / np.float32(7)
# The root mean square of a sum of eight corners before it is scaled, 512 times that of gradients
# uniform in a cube of half side 1: sqrt(8 A^2 B) with A = int f^2 and B = int f^2 t^2, f the blend.
_ROOT_MEAN_SQUARE = 511.5 * 0.190944
_FADED, _WHOLE = 2.0, 4.0


def hash_cells(x: Bits, y: Bits, z: Bits, key: int) -> Bits:
    """Random bits of lattice cells.

    Args:
      x: whole coordinate of the cells, modulo 2^32.
      y: second coordinate.
      z: third coordinate.
      key: number of the pattern; other keys give independent bits.

    Returns:
      `m(x 0x9E3779B1 + y 0x85EBCA77 + z 0xC2B2AE3D + key)` modulo 2^32, where m is the hash
      "lowbias32": h ^= h >> 16, h *= 0x7FEB352D, h ^= h >> 15, h *= 0x846CA68B, h ^= h >> 16.
    """
    bits = x * np.uint32(_AXES[0])
    bits += y * np.uint32(_AXES[1])
    bits += z * np.uint32(_AXES[2])
    bits += np.uint32(key & _WORD)
    return _mix(bits)


def blend(x: npt.ArrayLike) -> Array:
    """The smooth step t^3 (6 t^2 - 15 t + 10) of x clipped to 0 to 1."""
    t = np.clip(np.asarray(x, np.float32), 0, 1)
    return t * t * t * (t * (t * 6 - 15) + 10)


def fade(wavelength: float, spacing: npt.ArrayLike) -> Array:
    """The share of a wave that samples at a distance can show.

    Args:
      wavelength: length of the wave.
      spacing: distance between samples, in the same unit; 0 shows everything.

    Returns:
      0 up to two samples per wave, 1 from four on.
    """
    wide = np.asarray(spacing, np.float32)
    return blend((wavelength - _FADED * wide) / np.maximum((_WHOLE - _FADED) * wide, 1e-12))


def draw_noise(
    points: Array,
    wavelength: float,
    key: int,
    spacing: npt.ArrayLike = 0.0,
    *,
    octaves: int = 1,
    gain: float = 0.5,
) -> Array:
    """Gradient noise, octave by octave, each filtered by the distance between samples.

    Args:
      points: (N, 3) finite positions.
      wavelength: cell of the first octave; those of the next are half as large each.
      key: number of the pattern.
      spacing: scalar or (N,), distance between samples, in the unit of `points`.
      octaves: number of octaves.
      gain: amplitude of an octave relative to the one before it.

    Returns:
      (N,) noise of mean 0 and, unfiltered, of root mean square 1.
    """
    total = np.zeros(len(points), np.float32)
    power, x = 0.0, [np.asarray(points[:, i], np.float32) for i in range(3)]
    for octave in range(octaves):
        length, amplitude = wavelength * 0.5**octave, gain**octave
        x = [_TURN[i, 0] * x[0] + _TURN[i, 1] * x[1] + _TURN[i, 2] * x[2] for i in range(3)]
        share = np.broadcast_to(fade(length, spacing), total.shape)
        power += amplitude * amplitude
        if share.any():
            cells = [u * np.float32(1 / length) for u in x]
            total += _sum_corners(cells, key + octave) * (share * np.float32(amplitude))
    return total * np.float32(1 / power**0.5)


def draw_spots(
    points: Array, cell: float, key: int, spacing: npt.ArrayLike, *, share: float, radius: float
) -> Array:
    """Round spots at random places, at most one in a cell.

    A spot of radius r that samples at a distance of s cannot show becomes wider, r' = max(r, s),
    and weaker, by (r / r')^2, so that its sum over a surface stays. Spots of a quarter of a cell or
    more fade out: no wider spot would fit.

    Args:
      points: (N, 3) finite positions.
      cell: side of the cells.
      key: number of the pattern.
      spacing: scalar or (N,), distance between samples, in the unit of `points`.
      share: share of the cells that have a spot, 0 to 1.
      radius: largest radius, below 0.45 cells; the smallest is half of it.

    Returns:
      (N,) 1 in the middle of a spot, 0 outside.
    """
    corner, offset = _split(
        [np.asarray(points[:, i], np.float32) * (1 / cell) - 0.5 for i in range(3)]
    )
    wide = np.broadcast_to(np.asarray(spacing, np.float32) * np.float32(1 / cell), len(points))
    total = np.zeros(len(points), np.float32)
    for step in np.ndindex(2, 2, 2):
        i, j, k = (c + np.uint32(s) for c, s in zip(corner, step, strict=True))
        bits = hash_cells(i, j, k, key)
        near = _mix(bits + np.uint32(1))
        # The middle of a spot is .3 to .7 of a cell from its lower corner, in units of 1/1023.
        middle = [
            (near >> np.uint32(10 * i) & np.uint32(1023)).astype(np.float32) for i in range(3)
        ]
        d = [
            (o - s) - m * np.float32(0.4 / 1023) + 0.2
            for o, s, m in zip(offset, step, middle, strict=True)
        ]
        own = np.float32(radius / cell) * (0.5 + (bits & np.uint32(255)).astype(np.float32) / 510)
        shown = np.maximum(own, wide)
        q = (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]) / (shown * shown)
        strength = np.square(own / shown) * np.clip(1 - q, 0, 1)
        total += np.where(bits >> np.uint32(8) < int(share * (1 << 24)), strength, 0)
    return np.minimum(total, 1) * blend(2 - 4 * wide)


def _mix(bits: Bits) -> Bits:
    for shift, factor in _ROUNDS:
        bits = bits ^ (bits >> np.uint32(shift))
        bits *= np.uint32(factor)
    return bits ^ (bits >> np.uint32(_ROUNDS[0][0]))


def _split(cells: list[Array]) -> tuple[list[Bits], list[Array]]:
    """The whole and the fractional parts of coordinates in cells."""
    floors = [np.floor(u) for u in cells]
    return (
        [f.astype(np.int32).view(np.uint32) for f in floors],
        [u - f for u, f in zip(cells, floors, strict=True)],
    )


def _sum_corners(cells: list[Array], key: int) -> Array:
    """One octave of gradient noise, of root mean square 1."""
    corner, offset = _split(cells)
    planes = [
        [c * np.uint32(axis) for c in (low, low + np.uint32(1))]
        for low, axis in zip(corner, _AXES, strict=True)
    ]
    planes[2] = [z + np.uint32(key & _WORD) for z in planes[2]]
    x, y, z = ([t, t - 1] for t in offset)
    u, v, w = (blend(t) for t in offset)
    rows = []
    for i in (0, 1):
        for j in (0, 1):
            base = planes[0][i] + planes[1][j]
            ends = [_slope(_mix(base + planes[2][k]), x[i], y[j], z[k]) for k in (0, 1)]
            rows.append(ends[0] + w * (ends[1] - ends[0]))
    near, far = (rows[i] + v * (rows[i + 1] - rows[i]) for i in (0, 2))
    return (near + u * (far - near)) * np.float32(1 / _ROOT_MEAN_SQUARE)


def _slope(bits: Bits, x: Array, y: Array, z: Array) -> Array:
    """A random gradient times the way from its corner; its components are -511.5 to 511.5."""
    middle, low = np.float32(511.5), np.uint32(1023)
    total = ((bits & low).astype(np.float32) - middle) * x
    total += ((bits >> np.uint32(10) & low).astype(np.float32) - middle) * y
    total += ((bits >> np.uint32(22)).astype(np.float32) - middle) * z
    return total
