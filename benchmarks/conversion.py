"""How fast the conversion is, beside its peers and the copy of the same bytes.

    python benchmarks/conversion.py [--repeats N] [--json FILE] [--sizes ...]

All ways run in turn in one loop, so that what disturbs the machine disturbs them alike; the
figures are medians, and the ratios are what holds on another machine. "Reused" gives XLA the
last result's buffers back (donation), which is what a training loop does; "fresh" lets it
allocate, which on CPU costs page faults. The copy moves as many bytes as the conversion reads
and writes, 29 a pixel, half in and half out. The peers' way (RAFT-3D, M-FUSE, kornia) is to
subtract two unprojected points, without validity.
"""

import argparse
import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from report import Report, time_ratios
from timing import Way, race, rows_of

import sf3d_jax as sf3d

BYTES = 29  # 4 (2 + 1 + 1) read, 4 x 3 + 1 written


def inputs(size):
    """A smooth field: (flow, inverse depth, change), float32."""
    height, width = size
    rng = np.random.default_rng(0)
    flow = rng.normal(size=(height, width, 2)).astype(np.float32)
    inv_depth = rng.uniform(0.1, 1, size=size).astype(np.float32)
    change = (0.01 * rng.normal(size=size)).astype(np.float32)
    return flow, inv_depth, change


def cameras(size):
    height, width = size
    angle = 0.01
    turn = [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    make = lambda pose: sf3d.Camera.pinhole(
        width / 2, width / 2, width / 2 - 0.5, height / 2 - 0.5, size, pose
    )
    second = np.c_[turn, [0.05, 0.02, 0.01]]
    to_float32 = lambda camera: jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), camera)
    return to_float32(make(None)), to_float32(make(second))


def peers(flow, inv_depth, change, focal, centre):
    """Two unprojected points and their difference, in JAX."""
    height, width = inv_depth.shape
    u, v = jnp.meshgrid(jnp.arange(width, dtype=jnp.float32), jnp.arange(height, dtype=jnp.float32))
    pixels = jnp.stack([u, v], -1)

    def lift(pixels, inv_depth):
        rays = jnp.concatenate([(pixels - centre) / focal, jnp.ones_like(pixels[..., :1])], -1)
        return rays / inv_depth[..., None]

    return lift(pixels + flow, inv_depth + change) - lift(pixels, inv_depth)


def torch_peers(maps, camera):
    """The same in eager PyTorch: (forward, forward and gradient), or None without PyTorch."""
    try:
        import torch
    except ImportError:
        return None
    flow, inv_depth, change = (torch.from_numpy(np.array(x)) for x in maps)
    focal, centre = (torch.from_numpy(np.array(x)) for x in (camera.focal, camera.principal_point))

    def lift(pixels, inv_depth):
        rays = torch.cat([(pixels - centre) / focal, torch.ones_like(pixels[..., :1])], -1)
        return rays / inv_depth[..., None]

    def forward():
        height, width = inv_depth.shape
        u, v = torch.meshgrid(
            torch.arange(width, dtype=torch.float32),
            torch.arange(height, dtype=torch.float32),
            indexing="xy",
        )
        pixels = torch.stack([u, v], -1)
        return lift(pixels + flow, inv_depth + change) - lift(pixels, inv_depth)

    def gradient():
        for x in (flow, inv_depth, change):
            x.requires_grad_(True)
            x.grad = None
        forward().square().sum().backward()
        for x in (flow, inv_depth, change):
            x.requires_grad_(False)

    return forward, gradient


# What each way of ours is compared with.
PEERS = {
    "scene_flow, reused": "peers jitted, reused",
    "scene_flow, fresh": "peers jitted, fresh",
    "scene_flow, two cameras, reused": "peers jitted, reused",
    "image_motion, reused": "peers jitted, reused",
    "gradient, reused": "gradient of peers jitted, reused",
    "gradient, two cameras, reused": "gradient of peers jitted, reused",
}


def gradient_of(function):
    loss = lambda maps, *rest: jnp.square(function(*maps, *rest)).sum()
    return lambda *a: jax.grad(loss)(a[:3], *a[3:])


def ways(size):
    """Every way by name: a callable, and its temporary bytes where XLA knows them."""
    maps = tuple(jnp.asarray(x) for x in inputs(size))
    first, second = cameras(size)
    ours = lambda *a: tuple(sf3d.scene_flow(*a))
    vectors = lambda *a: sf3d.scene_flow(*a).vectors
    plain = (*maps, first.focal, first.principal_point)
    back = (ours(*maps, first)[0], maps[1])
    table = {
        "scene_flow, reused": Way(ours, (*maps, first), True),
        "scene_flow, fresh": Way(ours, (*maps, first), False),
        "scene_flow, two cameras, reused": Way(ours, (*maps, first, second), True),
        "image_motion, reused": Way(lambda *a: tuple(sf3d.image_motion(*a)), (*back, first), True),
        "peers jitted, reused": Way(peers, plain, True),
        "peers jitted, fresh": Way(peers, plain, False),
        "gradient, reused": Way(gradient_of(vectors), (*maps, first), True),
        "gradient, two cameras, reused": Way(gradient_of(vectors), (*maps, first, second), True),
        "gradient of peers jitted, reused": Way(gradient_of(peers), plain, True),
    }
    if jax.default_backend() == "cpu":
        source = np.zeros(size[0] * size[1] * BYTES // 2, np.uint8)
        target = np.zeros_like(source)
        table["copy of the same bytes"] = lambda: np.copyto(target, source)
        in_torch = torch_peers(maps, first)
        if in_torch:
            table["peers in eager PyTorch"], table["gradient of peers in PyTorch"] = in_torch
    else:
        words = jnp.zeros(size[0] * size[1] * BYTES // 8, jnp.float32)
        table["copy of the same bytes"] = Way(lambda x: x + 1, (words,), True)
    return table


def linearity(sizes, repeats):
    """Nanoseconds a pixel of the conversion, by size."""
    rows = []
    for size in sizes:
        maps = tuple(jnp.asarray(x) for x in inputs(size))
        run = Way(lambda *a: tuple(sf3d.scene_flow(*a)), (*maps, cameras(size)[0]), True)
        count = size[0] * size[1]
        milliseconds = race({"": run}, max(5, min(repeats, int(repeats * 2e6 / count))))[""]
        rows.append({"megapixels": count / 1e6, "ns a pixel": 1e6 * milliseconds / count})
    return rows


# Numbers of a strongly bent lens.
LENSES = {
    "opencv": [-0.3, 0.1, 0.001, -0.002, 0.02],
    "fisheye": [0.05, -0.01, 0.003, -0.001],
}


def lens_ways(size):
    """Scene flow of two cameras behind lenses, and its gradient to the maps."""
    maps = tuple(jnp.asarray(x) for x in inputs(size))
    table = {}
    for model, distortion in LENSES.items():
        pair = [
            dataclasses.replace(camera, model=model, distortion=jnp.float32(distortion))
            for camera in cameras(size)
        ]
        vectors = lambda *a: sf3d.scene_flow(*a).vectors
        table[f"scene_flow, {model}"] = Way(vectors, (*maps, *pair), True)
        table[f"gradient, {model}"] = Way(gradient_of(vectors), (*maps, *pair), True)
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--json", help="write the figures there")
    parser.add_argument("--quick", action="store_true", help="three rounds, one small size")
    options = parser.parse_args()
    repeats = 3 if options.quick else options.repeats
    report = Report("conversion")
    size = (1080, 1920)
    table = ways(size)
    medians = race(table, repeats)
    rows = rows_of(table, medians, "copy of the same bytes")
    report.add("1080 x 1920, float32", rows, time_ratios(medians, PEERS))
    scales = [(270, 384), (540, 960), (1080, 1920), (2160, 3840), (4320, 7680)]
    report.add("by size", linearity(scales[: 1 if options.quick else None], repeats))
    lenses = lens_ways((540, 960))
    medians = race(lenses, max(3, repeats // 4))
    rows = rows_of(lenses, medians, "scene_flow, opencv")
    report.add("lenses, 540 x 960", rows)
    report.write(options.json)


if __name__ == "__main__":
    main()
