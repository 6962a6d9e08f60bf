"""How fast warps and splats are, beside PyTorch, OpenCV, SciPy's form in JAX and dm_pix.

    python benchmarks/warping.py [--repeats N] [--json FILE]

All ways run in turn in one loop; figures are medians. A gradient is that of the sum of
squares, forward pass included. PyTorch's softmax splat is the usual one of four index_add,
exponents taken as they are; ours is stabilised at each target. The flow is smooth, a few
pixels in the median, and leaves the image here and there.
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np
from report import Report, time_ratios
from timing import Way, race, rows_of

import sf3d_jax as sf3d

SIZES = {"540x960x3": (540, 960, 3), "375x1242x32": (375, 1242, 32)}


def inputs(shape):
    """(image, flow, importance), float32."""
    height, width = shape[:2]
    rng = np.random.default_rng(0)
    image = rng.normal(size=shape).astype(np.float32)
    v, u = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    flow = np.stack([6 * np.sin(u / 61 + v / 37), 5 * np.cos(u / 43 - v / 59)], -1)
    return (
        image,
        (flow + 0.1 * rng.normal(size=flow.shape)).astype(np.float32),
        rng.normal(size=(height, width)).astype(np.float32),
    )


def square_gradient(function, wrt):
    return jax.grad(lambda *a: jnp.square(function(*a)).sum(), wrt)


def ours(image, flow):
    return sf3d.backward_warp(image, flow).values


def map_coordinates(image, flow, mapped=True):
    height, width, count = image.shape
    u, v = jnp.arange(width) + flow[..., 0], jnp.arange(height)[:, None] + flow[..., 1]
    one = lambda x: jax.scipy.ndimage.map_coordinates(x, (v, u), order=1, mode="constant")
    if mapped:
        return jax.vmap(one, in_axes=-1, out_axes=-1)(image)
    return jnp.stack([one(image[..., c]) for c in range(count)], axis=-1)


def in_dm_pix(image, flow):
    import dm_pix

    height, width, channels = image.shape
    u, v = jnp.arange(width) + flow[..., 0], jnp.arange(height)[:, None] + flow[..., 1]
    places = jnp.broadcast_arrays(v[..., None], u[..., None], jnp.arange(channels) * 1.0)
    return dm_pix.flat_nd_linear_interpolate(image, jnp.stack(places))


def splat(mode):
    if mode == "softmax":
        return lambda x, flow, m: sf3d.forward_splat(x, flow, mode=mode, importance=m).values
    return lambda x, flow: sf3d.forward_splat(x, flow, mode=mode).values


class InTorch:
    """Warp and splats in eager PyTorch, in its own layout."""

    def __init__(self, image, flow, importance):
        import torch

        self.torch = torch
        self.image = torch.from_numpy(image).permute(2, 0, 1)[None].contiguous()
        self.flow, self.importance = torch.from_numpy(flow), torch.from_numpy(importance)
        height, width = importance.shape
        self.v, self.u = torch.meshgrid(
            torch.arange(height, dtype=torch.float32),
            torch.arange(width, dtype=torch.float32),
            indexing="ij",
        )

    def warp(self):
        height, width = self.importance.shape
        u = (self.u + self.flow[..., 0]) * (2 / (width - 1)) - 1
        v = (self.v + self.flow[..., 1]) * (2 / (height - 1)) - 1
        grid = self.torch.stack([u, v], -1)[None]
        sample = self.torch.nn.functional.grid_sample
        return sample(self.image, grid, padding_mode="zeros", align_corners=True)

    def splat_sum(self, values=None):
        torch = self.torch
        height, width = self.importance.shape
        values = self.image[0].flatten(1) if values is None else values
        u, v = self.u + self.flow[..., 0], self.v + self.flow[..., 1]
        u0, v0 = u.detach().floor(), v.detach().floor()
        total = torch.zeros(values.shape[0], height * width)
        for dv in (0, 1):
            for du in (0, 1):
                weight = (1 - (u - u0 - du).abs()) * (1 - (v - v0 - dv).abs())
                column, row = (u0 + du).long(), (v0 + dv).long()
                inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
                weight = (weight * inside).flatten()
                place = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).flatten()
                total = total.index_add(1, place, values * weight)
        return total

    def splat_softmax(self):
        torch = self.torch
        factor = self.importance.exp().flatten()
        total = self.splat_sum(torch.cat([self.image[0].flatten(1) * factor, factor[None]]))
        # The constant is the peer's: it biases pixels of little weight, and ours has none.
        return total[:-1] / (total[-1:] + 1e-7)

    def gradient(self, function, *names):
        def run():
            leaves = [getattr(self, name) for name in names]
            for x in leaves:
                x.requires_grad_(True)
                x.grad = None
            function().square().sum().backward()
            for x in leaves:
                x.requires_grad_(False)

        return run


def warps(image, flow, importance):
    arrays = jnp.asarray(image), jnp.asarray(flow)
    table = {
        "warp": Way(ours, arrays, False),
        "warp, gradient to image and flow": Way(square_gradient(ours, (0, 1)), arrays, False),
        "warp, gradient to flow": Way(square_gradient(ours, 1), arrays, False),
        "map_coordinates": Way(map_coordinates, arrays, False),
        "map_coordinates, channel by channel": Way(
            lambda *a: map_coordinates(*a, mapped=False), arrays, False
        ),
        "map_coordinates, gradient": Way(square_gradient(map_coordinates, (0, 1)), arrays, False),
    }
    try:
        table["dm_pix"] = Way(in_dm_pix, arrays, False)
        table["dm_pix, gradient"] = Way(square_gradient(in_dm_pix, (0, 1)), arrays, False)
    except ImportError:
        print("dm_pix is not installed")
    if jax.default_backend() == "cpu":
        there = InTorch(image, flow, importance)
        table["torch grid_sample"] = there.warp
        table["torch grid_sample, gradient"] = there.gradient(there.warp, "image", "flow")
        if image.shape[-1] <= 4:
            import cv2

            pixels = np.float32(sf3d.pixel_grid(image.shape[:2])) + flow
            table["cv2.remap"] = lambda: cv2.remap(image, pixels, None, cv2.INTER_LINEAR)
    return table


def splats(image, flow, importance):
    arrays = jnp.asarray(image), jnp.asarray(flow)
    three = (*arrays, jnp.asarray(importance))
    table = {
        "sum splat": Way(splat("sum"), arrays, False),
        "softmax splat": Way(splat("softmax"), three, False),
        "sum splat, gradient": Way(square_gradient(splat("sum"), (0, 1)), arrays, False),
        "softmax splat, gradient": Way(square_gradient(splat("softmax"), (0, 1, 2)), three, False),
    }
    if jax.default_backend() == "cpu":
        there = InTorch(image, flow, importance)
        table["torch sum splat"] = there.splat_sum
        table["torch softmax splat"] = there.splat_softmax
        table["torch sum splat, gradient"] = there.gradient(there.splat_sum, "image", "flow")
        table["torch softmax splat, gradient"] = there.gradient(
            there.splat_softmax, "image", "flow", "importance"
        )
    return table


# What each way of ours is compared with.
PEERS = {
    "warp": "torch grid_sample",
    "warp, gradient to image and flow": "torch grid_sample, gradient",
    "sum splat": "torch sum splat",
    "softmax splat": "torch softmax splat",
    "sum splat, gradient": "torch sum splat, gradient",
    "softmax splat, gradient": "torch softmax splat, gradient",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--json", help="write the figures there")
    parser.add_argument("--quick", action="store_true", help="three rounds, one size")
    options = parser.parse_args()
    report = Report("warping")
    for name, shape in list(SIZES.items())[: 1 if options.quick else None]:
        for kind, make, reference in (("warps", warps, "warp"), ("splats", splats, "sum splat")):
            table = make(*inputs(shape))
            medians = race(table, 3 if options.quick else options.repeats)
            rows = rows_of(table, medians, reference)
            report.add(f"{kind}, {name}", rows, time_ratios(medians, PEERS))
    report.write(options.json)


if __name__ == "__main__":
    main()
