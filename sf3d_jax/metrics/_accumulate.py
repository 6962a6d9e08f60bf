"""Sums over pixels that stay exact however many are added, in whatever order.

A count is a pair of 32-bit words: 2^64 pixels fit, and a sum of counts is the same to the bit
whatever the order. A sum of numbers is a double-float: twice the digits of a float, so that a
term far below the last digit of the sum is not lost, neither within an image nor after many.
"""

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from typing import ClassVar, NamedTuple, Self, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._numerics import jit
from sf3d_jax._numerics.double import Double

POOLS = ("pixels", "image")

M = TypeVar("M", bound="Metric")

# One number a pixel, of bool where it is a rate, and the pixels that take part: (*b, H, W) both.
Terms = tuple[jax.Array, jax.Array]


class _Totals(NamedTuple):
    """What an update adds, one entry a term.

    Attributes:
      counts: uint32, pixels or images.
      hits: uint32, those of them that are true.
      sums: the sums of numbers.
    """

    counts: jax.Array
    hits: jax.Array
    sums: Double


@dataclasses.dataclass(frozen=True)
class Metric:
    """Means over pixels; a frozen pytree, and the base of every metric.

    Every method returns a new metric. Under `vmap` each image has a metric of its own; `compute`
    takes such a batch of metrics for the merged one, and only vmap updates one.

    Attributes:
      counts: (n, 2), uint32, the high and the low word of how many pixels, or images, each of
        the n means is over.
      hits: (n, 2), uint32, likewise, how many of them are true, of the means of bool.
      sums: (n,), the other sums.
      pool: "pixels" or "image"; static.
    """

    counts: jax.Array
    hits: jax.Array
    sums: Double
    pool: str = dataclasses.field(metadata={"static": True})

    # The name of each mean and what it is multiplied by: 100 for percent.
    units: ClassVar[Mapping[str, float]] = {}
    # Adds images; each metric has arguments of its own.
    update: ClassVar[Callable[..., "Metric"]]

    @classmethod
    def empty(cls, *, pool: str = "pixels") -> Self:
        """The metric of no pixel.

        Args:
          pool: "pixels" for the mean over all pixels, which is what benchmarks report; "image"
            for the mean over images of the mean over each one's pixels, in which an image
            without a pixel to count has no part.

        Returns:
          A metric to `update`.

        Raises:
          ValueError: pool is neither.
        """
        if pool not in POOLS:
            raise ValueError(f"pool: expected one of {POOLS}, got {pool!r}")
        count = len(cls.units)
        dtype = jax.dtypes.canonicalize_dtype(float)
        # Sent by name, which a transfer guard lets pass.
        words, zeros = jax.device_put((np.zeros((count, 2), np.uint32), np.zeros(count, dtype)))
        return cls(words, words, Double(zeros, zeros), pool)

    def merge(self, other: Self) -> Self:
        """The metric of the pixels of both.

        Args:
          other: of the same class and pool.

        Returns:
          A metric; its counts do not depend on the order of merging, to the bit.

        Raises:
          TypeError: other is of another class.
          ValueError: other has another pool, or one of them is a batch that the other is not.
        """
        if type(other) is not type(self):
            wanted, got = type(self).__name__, type(other).__name__
            raise TypeError(f"other: expected a {wanted}, got {got}")
        if other.pool != self.pool:
            raise ValueError(f"other: expected pool={self.pool!r}, got {other.pool!r}")
        # Broadcast, it would count once for each member of the batch.
        batch, others = self.counts.shape[:-2], other.counts.shape[:-2]
        if others != batch:
            raise ValueError(f"other: expected metrics of the batch shape {batch}, got {others}")
        return _merge(self, other)

    def psum(self, axis_name: Hashable) -> Self:
        """The metric of the pixels of all devices, inside shard_map, pmap or vmap.

        Args:
          axis_name: of the mapped axis, or a tuple of names.

        Returns:
          The same metric on each device, its counts to the bit those of one device.
        """
        place = jnp.arange(lax.psum(1, axis_name)) == lax.axis_index(axis_name)

        def gather(x: jax.Array) -> jax.Array:
            # What all_gather does, but known to be the same everywhere.
            spread = jnp.where(place.reshape(-1, *[1] * x.ndim), x, jnp.zeros_like(x))
            return lax.psum(spread, axis_name)

        return dataclasses.replace(
            self,
            counts=_psum_words(self.counts, axis_name),
            hits=_psum_words(self.hits, axis_name),
            sums=_sum_first_axis(jax.tree.map(gather, self.sums)),
        )

    def compute(self) -> dict[str, float]:
        """The means, in float64 and outside jit.

        Returns:
          By name, in a fixed order; a mean over no pixel is left out.

        Raises:
          TypeError: the metric is traced, inside jit or another transformation.
        """
        try:
            counts, hits = _read_words(self.counts), _read_words(self.hits)
        except jax.errors.TracerArrayConversionError:
            raise TypeError("compute: works outside jit; return the metric from there") from None
        hi, lo = (np.asarray(x, np.float64) for x in (self.sums.hi, self.sums.lo))
        sums = (hi + lo).reshape(-1, len(self.units)).sum(0)
        return {
            name: unit * (hits[i] + float(sums[i])) / counts[i]
            for i, (name, unit) in enumerate(self.units.items())
            if counts[i]
        }

    def _add(self, terms: Mapping[str, Terms]) -> Self:
        """The metric with the pixels of an update; names without a term get none."""
        if batch := self.counts.shape[:-2]:
            wanted = "expected one metric, or an update of each under vmap"
            raise ValueError(f"self: {wanted}; got a batch of the shape {batch}")
        given = [name for name in self.units if name in terms and terms[name][1].size]
        if not given:
            return self
        of = _pool_images if self.pool == "image" else _pool_pixels
        totals = of([terms[name] for name in given], self.sums.hi.dtype)
        at = np.array([name in given for name in self.units]).nonzero()[0]
        place = lambda x: jnp.zeros(len(self.units), x.dtype).at[at].set(x)
        counts, hits, sums = jax.tree.map(place, totals)
        words = lambda x: jnp.stack([jnp.zeros_like(x), x], axis=-1)
        more = dataclasses.replace(self, counts=words(counts), hits=words(hits), sums=sums)
        return _merge(self, more)


@jit
def _merge(a: M, b: M) -> M:
    return dataclasses.replace(
        a,
        counts=_add_words(a.counts, b.counts),
        hits=_add_words(a.hits, b.hits),
        sums=a.sums + b.sums,
    )


def _pool_pixels(terms: list[Terms], dtype: np.dtype) -> _Totals:
    """What all images together add to each mean."""
    together = lambda x: x.reshape(1, -1)
    return jax.tree.map(lambda x: x[0], _sum_terms(terms, together, dtype))


def _pool_images(terms: list[Terms], dtype: np.dtype) -> _Totals:
    """What the images add to each mean: one number each, the mean over its pixels."""
    one_row_each = lambda x: x.reshape(-1, x.shape[-2] * x.shape[-1])
    each = _sum_terms(terms, one_row_each, dtype)
    seen = each.counts > 0
    sums = each.sums + _widen_count(each.hits, dtype)
    means = sums / _widen_count(jnp.maximum(each.counts, 1), dtype)
    means = jax.tree.map(lambda x: jnp.where(seen, x, 0), means)
    counts = seen.sum(0, dtype=jnp.uint32)
    return _Totals(counts, jnp.zeros_like(counts), _sum_first_axis(means))


def _sum_terms(
    terms: list[Terms], flat: Callable[[jax.Array], jax.Array], dtype: np.dtype
) -> _Totals:
    """The counts and sums of each image and term, (images, terms)."""
    counts, hits, numbers, places = [], [], [], []
    for i, (values, use) in enumerate(terms):
        values, use = flat(values), flat(use)
        counts.append(_count(use))
        if values.dtype == np.bool_:
            hits.append(_count(values & use))
        else:
            hits.append(jnp.zeros_like(counts[i]))
            numbers.append(_sum_in_eights(jnp.where(use, values.astype(dtype), 0)))
            places.append(i)
    sums = Double.of(jnp.zeros((len(counts[0]), len(terms)), dtype))
    if numbers:
        put = lambda x, y: x.at[:, np.array(places)].set(y)
        sums = jax.tree.map(put, sums, _sum_last_axis(jnp.stack(numbers, 1)))
    return _Totals(jnp.stack(counts, -1), jnp.stack(hits, -1), sums)


# XLA on CPU adds up a whole axis one number after the other; eight parts of it, element by
# element, it adds as vectors.
_PARTS = 8
# How many steps a loop over parts of an image takes: few, for a device on which each is a call.
_ROWS = 64


def _split_last_axis(x: jax.Array) -> jax.Array:
    """The last axis in eight parts, (..., 8, n), filled up with zeros."""
    x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -x.shape[-1] % _PARTS)])
    return x.reshape(*x.shape[:-1], _PARTS, -1)


def _count(x: jax.Array) -> jax.Array:
    return _split_last_axis(x).sum(-2, dtype=jnp.uint8).sum(-1, dtype=jnp.uint32)


def _sum_in_eights(x: jax.Array) -> jax.Array:
    """Sums of eight numbers each, in three rounds of half a unit in the last place at most."""
    x = _split_last_axis(x)
    while (half := x.shape[-2] // 2) > 0:
        x = x[..., :half, :] + x[..., half:, :]
    return x[..., 0, :]


def _widen_count(count: jax.Array, dtype: np.dtype) -> Double:
    """A count of up to 2^32 as a double-float: a float alone ends at 2^24."""
    low = count & 0xFFF
    return Double.of((count - low).astype(dtype)) + low.astype(dtype)


def _sum_last_axis(x: jax.Array) -> Double:
    """The sums over the last axis: of some rows first, then of the columns that are left."""
    # Of zeros, shard_map would not know that they differ between devices as the sums do.
    total = Double(x, 0 * x)
    while (count := total.hi.shape[-1]) > 1:
        rows = min(count, _ROWS)
        pad = [(0, 0)] * (x.ndim - 1) + [(0, -count % rows)]
        fold = lambda y, pad=pad, rows=rows: jnp.moveaxis(
            jnp.pad(y, pad).reshape(*y.shape[:-1], rows, -1), -2, 0
        )
        total = _sum_first_axis(jax.tree.map(fold, total))
    return total[..., 0]


def _sum_first_axis(x: Double) -> Double:
    """The sum over the first axis."""
    return lax.scan(lambda total, y: (total + y, None), x[0], x[1:])[0]


def _add_words(a: jax.Array, b: jax.Array) -> jax.Array:
    """The sum of two counts, each (..., 2) words."""
    low = a[..., 1] + b[..., 1]
    carry = (low < a[..., 1]).astype(jnp.uint32)
    return jnp.stack([a[..., 0] + b[..., 0] + carry, low], axis=-1)


def _psum_words(words: jax.Array, axis_name: Hashable) -> jax.Array:
    """The sum of counts over a mapped axis: of half words, which cannot overflow before 2^16."""
    halves = lax.psum((words & 0xFFFF, words >> 16), axis_name)
    low, high = halves[0], halves[1] + (halves[0] >> 16)
    carry = jnp.stack([high[..., 1] >> 16, jnp.zeros_like(high[..., 1])], axis=-1)
    return ((high << 16) | (low & 0xFFFF)) + carry


def _read_words(words: jax.Array) -> list[int]:
    """Counts as integers, those of a batch of metrics added."""
    parts = np.asarray(words).astype(object).reshape(-1, *words.shape[-2:]).sum(0)
    return [int(high << 32) + int(low) for high, low in parts]
