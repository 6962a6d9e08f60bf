"""Sums over pixels that stay exact, however many are added and in whatever order.

A count is a pair of 32-bit words: it holds up to 2^64 pixels, and a sum of counts is the same to
the bit in any order. A sum of numbers is a double-float, with twice the digits of a float, so
adding a small term to a large sum loses nothing.
"""

import dataclasses
from collections.abc import Callable, Hashable, Mapping
from typing import ClassVar, Self, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._checks import check_choice
from sf3d_jax._numerics import jit
from sf3d_jax._numerics.double import Double
from sf3d_jax.metrics._sums import Terms, Totals, sum_first_axis, sum_terms

POOLS = ("pixels", "image")

M = TypeVar("M", bound="Metric")


@dataclasses.dataclass(frozen=True)
class Metric:
    """Means over pixels: a frozen pytree, the base of every metric.

    Every method returns a new metric. `vmap` gives each image its own metric; `compute` merges such
    a batch of metrics, and only `vmap` can update it.

    Attributes:
      counts: (n, 2), uint32, for each of the n means the number of pixels or images, as high and
        low word.
      hits: (n, 2), uint32, for means of bool, the number that are true, as high and low word.
      sums: (n,), the other sums.
      pool: "pixels" or "image"; static.
    """

    counts: jax.Array
    hits: jax.Array
    sums: Double
    pool: str = dataclasses.field(metadata={"static": True})

    # The name of each mean and the factor it is reported with: 100 for percent.
    units: ClassVar[Mapping[str, float]] = {}
    # Adds images; the arguments differ between metrics.
    update: ClassVar[Callable[..., "Metric"]]

    @classmethod
    def empty(cls, *, pool: str = "pixels") -> Self:
        """The metric of no pixels.

        Args:
          pool: "pixels" for the mean over all pixels, which benchmarks report; "image" for the mean
            over images of each image's mean, ignoring images where no pixel counts.

        Returns:
          A metric to `update`.

        Raises:
          ValueError: pool is neither of the two.
        """
        check_choice("pool", pool, POOLS)
        count = len(cls.units)
        dtype = jax.dtypes.canonicalize_dtype(float)
        # An explicit transfer, which a transfer guard allows.
        words, zeros = jax.device_put((np.zeros((count, 2), np.uint32), np.zeros(count, dtype)))
        return cls(words, words, Double(zeros, zeros), pool)

    def merge(self, other: Self) -> Self:
        """The metric of the pixels of both.

        Args:
          other: metric of the same class and pool.

        Returns:
          A metric; its counts are the same to the bit in any order of merging.

        Raises:
          TypeError: other is of another class.
          ValueError: other has another pool, or only one of the two is a batch of metrics.
        """
        if type(other) is not type(self):
            wanted, got = type(self).__name__, type(other).__name__
            raise TypeError(f"other: expected a {wanted}, got {got}")
        if other.pool != self.pool:
            raise ValueError(f"other: expected pool={self.pool!r}, got {other.pool!r}")
        # Broadcasting would count it once per member of the batch.
        batch, others = self.counts.shape[:-2], other.counts.shape[:-2]
        if others != batch:
            raise ValueError(f"other: expected metrics of the batch shape {batch}, got {others}")
        return _merge(self, other)

    def psum(self, axis_name: Hashable) -> Self:
        """The metric of the pixels of all devices, inside shard_map, pmap or vmap.

        Args:
          axis_name: name of the mapped axis, or a tuple of names.

        Returns:
          The same metric on each device; its counts equal those of one device to the bit.
        """
        place = jnp.arange(lax.psum(1, axis_name)) == lax.axis_index(axis_name)

        def gather(x: jax.Array) -> jax.Array:
            # Like all_gather, except that JAX knows the result to be the same on all devices.
            spread = jnp.where(place.reshape(-1, *[1] * x.ndim), x, jnp.zeros_like(x))
            return lax.psum(spread, axis_name)

        return dataclasses.replace(
            self,
            counts=_psum_words(self.counts, axis_name),
            hits=_psum_words(self.hits, axis_name),
            sums=sum_first_axis(jax.tree.map(gather, self.sums)),
        )

    def compute(self) -> dict[str, float]:
        """The means, in float64; works outside jit only.

        Returns:
          {name: mean} in a fixed order; a mean over no pixels is left out.

        Raises:
          TypeError: the metric is traced by jit or another transformation.
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
        """The metric with an update's pixels; names without a term get none."""
        if batch := self.counts.shape[:-2]:
            wanted = "expected one metric, or an update of each under vmap"
            raise ValueError(f"self: {wanted}; got a batch of the shape {batch}")
        given = [name for name in self.units if name in terms and terms[name][1].size]
        if not given:
            return self
        of = _pool_images if self.pool == "image" else _pool_pixels
        totals = of([terms[name] for name in given], self.sums.hi.dtype)
        # Names without a term take the zero at the end.
        place = np.array([given.index(n) if n in given else len(given) for n in self.units])
        counts, hits, sums = jax.tree.map(lambda x: jnp.pad(x, (0, 1))[place], totals)
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


def _pool_pixels(terms: list[Terms], dtype: np.dtype) -> Totals:
    """What all images together add to each mean."""
    rows = [(values.reshape(1, -1), use.reshape(1, -1)) for values, use in terms]
    return jax.tree.map(lambda x: x[0], sum_terms(rows, dtype))


def _pool_images(terms: list[Terms], dtype: np.dtype) -> Totals:
    """What the images add to each mean: one value per image, the mean over its pixels."""
    row = lambda x: x.reshape(-1, x.shape[-2] * x.shape[-1])
    each = sum_terms([(row(values), row(use)) for values, use in terms], dtype)
    seen = each.counts > 0
    sums = each.sums + _widen_count(each.hits, dtype)
    means = sums / _widen_count(jnp.maximum(each.counts, 1), dtype)
    means = jax.tree.map(lambda x: jnp.where(seen, x, 0), means)
    counts = seen.sum(0, dtype=jnp.uint32)
    return Totals(counts, jnp.zeros_like(counts), sum_first_axis(means))


def _widen_count(count: jax.Array, dtype: np.dtype) -> Double:
    """A count of up to 2^32 as a double-float; one float is exact only up to 2^24."""
    low = count & 0xFFF
    return Double.of((count - low).astype(dtype)) + low.astype(dtype)


def _add_words(a: jax.Array, b: jax.Array) -> jax.Array:
    """The sum of two counts, (..., 2) words each."""
    low = a[..., 1] + b[..., 1]
    carry = (low < a[..., 1]).astype(jnp.uint32)
    return jnp.stack([a[..., 0] + b[..., 0] + carry, low], axis=-1)


def _psum_words(words: jax.Array, axis_name: Hashable) -> jax.Array:
    """The sum of counts over a mapped axis, by half words, which hold up to 2^16 terms."""
    halves = lax.psum((words & 0xFFFF, words >> 16), axis_name)
    low, high = halves[0], halves[1] + (halves[0] >> 16)
    carry = jnp.stack([high[..., 1] >> 16, jnp.zeros_like(high[..., 1])], axis=-1)
    return ((high << 16) | (low & 0xFFFF)) + carry


def _read_words(words: jax.Array) -> list[int]:
    """Counts as integers, summed over a batch of metrics."""
    parts = np.asarray(words).astype(object).reshape(-1, *words.shape[-2:]).sum(0)
    return [int(high << 32) + int(low) for high, low in parts]
