"""Benchmark metrics: means over pixels that add up exactly, on any number of devices.

Every metric is a frozen pytree without hidden state:

    metric = metrics.KittiSceneFlow.empty()
    metric = metric.update(flow=estimate, flow_occ=truth)     # for every batch
    metric.compute()                                          # {"Fl-all": 20.7, ...}

`update` runs under jit, vmap and shard_map; `merge` adds two metrics, and `psum` those of all
devices. Counts are exact, and sums carry twice the digits of a float, so results do not depend on
the number of pixels or the order of the images. Benchmarks report the mean over all pixels;
`empty(pool="image")` takes the mean over images of each image's mean, as many papers do. The
leading axes of the maps passed to `update` are images.

A map is an array, or a pair (values, valid) as returned by the readers of `sf3d_jax.data`. True
values that are non-finite or at least 3e9 do not count. An estimate that is non-finite or at least
3e9 is an outlier, is left out of mean errors, and is reported as missing; only KITTI fills it in
first. A score is omitted if a map that it needs was not passed.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
