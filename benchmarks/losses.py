"""Times losses beside PyTorch and kornia.

    python benchmarks/losses.py [--height H --width W --repeats N --json FILE]

All ways run in turn in one loop. Gradients are those of the mean, by the second image or by the
flows, forward pass included. PyTorch runs eager, on as many threads as there are cores.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
from report import Report, time_ratios
from timing import Way, race

import sf3d_jax as sf3d
from sf3d_jax import losses
from sf3d_jax.losses import masked_mean


def unsupervised(image, next_image, flow, backward_flow):
    """What an unsupervised estimator minimises: both ways, census, occlusion, smoothness."""
    total = 0.0
    ways = (image, next_image, flow, backward_flow), (next_image, image, backward_flow, flow)
    for here, there, forth, back in ways:
        warped, seen = sf3d.backward_warp(there, forth)
        hidden, _ = sf3d.occlusion_from_consistency(forth, back)
        visible = seen & (jax.lax.stop_gradient(hidden) == 0)
        unlike = masked_mean(*losses.census(here, warped, valid=visible))
        smooth = masked_mean(*losses.first_order_smoothness(forth, here))
        total = total + unlike + 0.1 * smooth
    return total


def ours(image, other, flow, backward_flow):
    """Names, and functions with their arguments."""
    pair = (image, other)
    both = (image, other, flow, backward_flow)
    mean = lambda loss: lambda *x: masked_mean(*loss(*x))
    gaussian = lambda a, b: losses.ssim(a, b, window="gaussian")
    by_second = lambda loss: jax.grad(mean(loss), argnums=1)
    singles = {
        "census 7 x 7": losses.census,
        "ssim 3 x 3": losses.ssim,
        "ssim 11 x 11": gaussian,
        "ncc 7 x 7": losses.ncc,
    }
    ways = {}
    for name, loss in singles.items():
        ways[name] = mean(loss), pair
        ways[f"{name}, gradient"] = by_second(loss), pair
    ways["unsupervised"] = unsupervised, both
    ways["unsupervised, gradient"] = jax.grad(unsupervised, argnums=(2, 3)), both
    return ways


def theirs(image, other, flow, backward_flow):
    """The same in PyTorch: census by unfold, SSIM by kornia, warps by grid_sample."""
    import kornia
    import torch
    import torch.nn.functional as F

    tensor = lambda x: torch.from_numpy(np.array(x)).permute(2, 0, 1)[None].contiguous()
    image, other, flow, backward_flow = map(tensor, (image, other, flow, backward_flow))
    height, width = image.shape[-2:]
    v, u = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack([u, v])[None].float()
    scale = torch.tensor([width - 1, height - 1]).view(1, 2, 1, 1) / 2

    def signs(x):
        grey = 255 * x.mean(1, keepdim=True)
        around = F.unfold(F.pad(grey, (3,) * 4), 7).view(1, 49, height, width)
        steps = around - grey
        return steps / torch.sqrt(0.81 + steps**2)

    def census(a, b, mask=None):
        unlike = (signs(a) - signs(b)) ** 2
        unlike = (unlike / (0.1 + unlike)).mean(1)
        return unlike.mean() if mask is None else (unlike * mask).sum() / (mask.sum() + 1e-6)

    def warp(x, flow):
        there = pixels + flow
        at = (there / scale - 1).permute(0, 2, 3, 1)
        inside = ((at.abs() <= 1).all(-1)).float()
        return F.grid_sample(x, at, align_corners=True), inside

    def smoothness(flow, image):
        total = 0
        for axis in (-1, -2):
            edge = torch.exp(-10 * image.diff(dim=axis).abs().mean(1))
            total = total + (edge * flow.diff(dim=axis).abs().sum(1)).mean() / 2
        return total

    def whole(flow, back):
        total = 0
        for a, b, there, again in ((image, other, flow, back), (other, image, back, flow)):
            warped, inside = warp(b, there)
            with torch.no_grad():
                returned, _ = warp(again, there)
                missed = ((there + returned) ** 2).sum(1)
                visible = missed < 0.01 * (there**2 + returned**2).sum(1) + 0.5
            total = total + census(a, warped, inside * visible) + 0.1 * smoothness(there, a)
        return total

    ssim = lambda size: lambda a, b: kornia.losses.ssim_loss(a, b, size)

    def gradient(loss, *inputs):
        def run():
            leaves = [x.clone().requires_grad_() for x in inputs]
            loss(*leaves).backward()

        return run

    def forward(loss, *inputs):
        def run():
            with torch.no_grad():
                loss(*inputs)

        return run

    ways = {}
    for name, loss in (
        ("census 7 x 7", census),
        ("ssim 3 x 3", ssim(3)),
        ("ssim 11 x 11", ssim(11)),
    ):
        ways[f"{name}, torch"] = forward(loss, image, other)
        first = lambda b, loss=loss: loss(image, b)
        ways[f"{name}, gradient, torch"] = gradient(first, other)
    ways["unsupervised, torch"] = forward(whole, flow, backward_flow)
    ways["unsupervised, gradient, torch"] = gradient(whole, flow, backward_flow)
    return ways


def inputs(height, width):
    """Two smooth images, and flows of a few pixels between them."""
    rng = np.random.default_rng(0)
    noise = jnp.asarray(rng.uniform(size=(2, height // 4, width // 4, 3)), jnp.float32)
    image, other = jax.image.resize(noise, (2, height, width, 3), "linear")
    coarse = jnp.asarray(rng.normal(size=(2, 12, 40, 2)) * 4, jnp.float32)
    flow, backward = jax.image.resize(coarse, (2, height, width, 2), "linear")
    return image, other, flow, backward


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=375)
    parser.add_argument("--width", type=int, default=1242)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--json", help="file to write the figures to")
    parser.add_argument("--quick", action="store_true", help="three rounds")
    arguments = parser.parse_args()
    report = Report("losses")
    maps = inputs(arguments.height, arguments.width)

    table, compiled = {}, {}
    for name, (function, values) in ours(*maps).items():
        start = time.perf_counter()
        jax.jit(function).lower(*values).compile()
        compiled[name] = time.perf_counter() - start
        table[name] = Way(function, values, reuse=False)
    peers = theirs(*maps)
    for run in peers.values():
        run()
    medians = race({**table, **peers}, 3 if arguments.quick else arguments.repeats)

    ratios = time_ratios(medians, {name: f"{name}, torch" for name in table})
    rows = [
        {
            "way": name,
            "ms": medians[name],
            "temporaries, MiB": round(way.temporary / 2**20, 1),
            "compiled in, s": compiled[name],
            "PyTorch, ms": medians.get(f"{name}, torch"),
            "times faster": 1 / ratios[name] if name in ratios else None,
        }
        for name, way in table.items()
    ]
    report.add(f"{arguments.height} x {arguments.width} x 3", rows, ratios)
    report.write(arguments.json)


if __name__ == "__main__":
    main()
