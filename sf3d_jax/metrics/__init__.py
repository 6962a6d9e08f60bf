"""What benchmarks report: means over pixels that add up exactly, on any number of devices.

Every metric is a frozen pytree without state:

    metric = metrics.KittiSceneFlow.empty()
    metric = metric.update(flow=estimate, flow_occ=truth)     # for every batch
    metric.compute()                                          # {"Fl-all": 20.7, ...}

`update` runs under jit, vmap and shard_map; `merge` adds two metrics, and `psum` those of all
devices. Counts are exact, and sums carry twice the digits of a float: neither the number of
pixels nor the order of the images shows in the result. `empty(pool="image")` takes the mean over
images of the means over their pixels, as many papers do, in place of the benchmarks' mean over
all pixels. The leading axes of what is given to `update` are images.

A map is an array, or a pair (values, valid) as the readers of `sf3d_jax.data` return it. A true
value that is not finite, or 3e9 and more, does not count. An estimate of that kind is an outlier,
has no part in a mean of errors, and is counted by itself; only KITTI fills it in first. What is
not given is left out of the result.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
