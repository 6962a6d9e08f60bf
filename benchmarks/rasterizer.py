"""How fast Gaussians are drawn, beside gsplat's own reference in PyTorch.

    python benchmarks/rasterizer.py [--quick] [--no-peer] [--repeats N] [--json FILE]
    python benchmarks/rasterizer.py --million

The scene is a head: the shell of an ellipsoid, made of flat Gaussians that lie in it, which fills
about 34 % of the image; their size falls with the root of their number. All ways run in turn in
one loop; figures are medians, and ratios of the fastest rounds too. A gradient is that of the sum
of the images times fixed random numbers, forward pass included, to means, scales, rotations,
opacities and colours; where motion is drawn (12 channels), to the means and rotations at the second
time too.

The peer is `gsplat.cuda._torch_impl`, eager: its projection, `_isect_offset_encode`,
`_rasterize_to_pixels` and `accumulate` as they are, with its own boxes and tiles of 16 pixels. What
it leaves to CUDA or to Python's loops is written here in PyTorch, vectorised: the pairs of tile and
Gaussian (`_isect_tiles`, loops there), the pixels that a Gaussian reaches
(`rasterize_to_indices_in_range`, CUDA there), and the two functions of nerfacc that `accumulate`
calls (CUDA there in part). It draws 3 channels and alpha; ours of 3 channels draw inverse depth
too. Image and gradient of both are compared before anything is timed, outside the pixels where
rounding may carry a Gaussian over a threshold. PyTorch has as many threads as it takes by itself,
but they sleep while they wait, unless OMP_WAIT_POLICY says otherwise: where another program runs,
threads that spin take two to twenty times as long, which is no merit of ours.
"""

import argparse
import ctypes
import gc
import importlib.metadata
import os
import pathlib
import resource
import statistics
import sys
import time
import types
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
from timing import Way, print_table, race, write_json

import sf3d_jax as sf3d
from sf3d_jax.gaussians import Gaussians, intersections_needed, render, render_motion
from sf3d_jax.gaussians.rendering import rounded_up

# Repetitions by number of Gaussians and side of the image.
SIZES = {(1_000, 256): 15, (5_000, 256): 11, (20_000, 512): 7, (50_000, 512): 5, (200_000, 1024): 5}
PEER_UP_TO = 50_000
RADII, CENTRE = np.array([0.075, 0.1, 0.085]), np.array([0, 0, 1.0])
MOTION = np.array([0.004, -0.002, 0.01])
# The standard deviation along the surface of one of 20000 Gaussians, in metres, gives as many
# intersections as a head of that many; the focal length, in sides of the image, fills 34 % of it.
SPREAD, FOCAL = 0.00193, 3.73
# Relative distances to the thresholds of alpha and of transmittance that rounding may pass.
ALPHA_BAND, TRANSMITTANCE_BAND = 2e-4, 1e-3


# The head


def head(count, seed=0):
    """(means, scales, rotations, opacities, colours) and (means, rotations) at a second time."""
    rng = np.random.default_rng(seed)
    places = rng.normal(size=(count, 3))
    places /= np.linalg.norm(places, axis=-1, keepdims=True)
    normals = places / RADII
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    scales = SPREAD * (20_000 / count) ** 0.5 * np.exp(rng.normal(0, 0.3, (count, 3)))
    scales[:, 2] = scales[:, :2].mean(-1) * rng.uniform(0.15, 0.3, count)
    rotations = product(from_z(normals), about([0, 0, 1], rng.uniform(0, 2 * np.pi, count)))
    opacities = np.minimum(rng.beta(4, 2, count), 0.98)

    arms = RADII * places
    turn = about([0.2, 0.97, 0.1], 0.06)
    side = np.cross(turn[1:], arms)
    turned = arms + 2 * (turn[0] * side + np.cross(turn[1:], side))
    now = (arms + CENTRE, scales, rotations, opacities, rng.uniform(size=(count, 3)))
    later = (turned + CENTRE + MOTION, product(turn, rotations))
    return tuple(map(np.float32, now)), tuple(map(np.float32, later))


def about(axis, angles):
    """Quaternions (w, x, y, z) that turn about an axis."""
    half = np.asarray(angles)[..., None] / 2
    return np.concatenate([np.cos(half), np.sin(half) * axis / np.linalg.norm(axis)], -1)


def from_z(normals):
    """Quaternions that turn the z axis into unit vectors."""
    x, y, z = np.moveaxis(normals, -1, 0)
    q = np.stack([1 + z, -y, x, 0 * z], -1)
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def product(p, q):
    w, x, y, z = np.moveaxis(p, -1, 0)
    a, b, c, d = np.moveaxis(q, -1, 0)
    parts = (
        w * a - x * b - y * c - z * d,
        w * b + x * a + y * d - z * c,
        w * c - x * d + y * a + z * b,
        w * d + x * c - y * b + z * a,
    )
    return np.stack(parts, -1)


def camera_of(side):
    middle = (side - 1) / 2
    return sf3d.Camera.pinhole(FOCAL * side, FOCAL * side, middle, middle, (side, side))


# Ours


def drawing(limit):
    """What `render` draws, as a tuple of float images."""

    def draw(now, camera):
        gaussians = Gaussians.from_scales_rotations(*now)
        return render(gaussians, camera, max_intersections=limit)[:3]

    return draw


def drawing_motion(limit):
    """All that `render_motion` draws, as a tuple of images."""

    def draw(now, later, camera):
        _, scales, _, opacities, colors = now
        first = Gaussians.from_scales_rotations(*now)
        second = Gaussians.from_scales_rotations(later[0], scales, later[1], opacities, colors)
        return tuple(render_motion(first, second, camera, max_intersections=limit))

    return draw


def gradient(draw, wrt):
    """Of the sum of all float images times given numbers, to the arguments `wrt`."""

    def loss(*arguments):
        *arguments, numbers = arguments
        images = [x for x in draw(*arguments) if jnp.issubdtype(x.dtype, jnp.floating)]
        return sum((x * n).sum() for x, n in zip(images, numbers, strict=True))

    return jax.grad(loss, wrt)


def random_numbers(images):
    rng = np.random.default_rng(1)
    floats = [x for x in images if jnp.issubdtype(x.dtype, jnp.floating)]
    return tuple(jnp.asarray(rng.normal(size=x.shape), x.dtype) for x in floats)


def needed(now, camera):
    """(intersections, the size that they are rounded up to)."""
    count = int(intersections_needed(Gaussians.from_scales_rotations(*now), camera))
    return count, rounded_up(count)


# gsplat


class Gsplat:
    """gsplat's reference, on the same head."""

    tile = 16

    def __init__(self, now, side):
        # Read when PyTorch is loaded.
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")
        import torch
        from gsplat.cuda import _torch_impl, _wrapper

        self.torch, self.reference, self.wrapper = torch, _torch_impl, _wrapper
        self.side, self.leaves = side, [torch.from_numpy(x) for x in now]
        # gsplat's pixel centres are half a pixel from the image's corner.
        middle, focal = side / 2, FOCAL * side
        self.matrix = torch.tensor([[[focal, 0, middle], [0, focal, middle], [0, 0, 1]]])
        self.band = None

    def __call__(self):
        """(colours, alpha)."""
        torch, reference, side = self.torch, self.reference, self.side
        means, scales, rotations, opacities, colors = self.leaves
        covariances, _ = reference._quat_scale_to_covar_preci(
            rotations, scales, compute_preci=False
        )
        radii, centres, depths, conics, _ = reference._fully_fused_projection(
            means, covariances, torch.eye(4)[None], self.matrix, side, side
        )
        tiles = -(-side // self.tile)
        keys, ids = self.tile_pairs(centres, radii, depths, tiles)
        offsets = reference._isect_offset_encode(keys, 1, tiles, tiles)
        nerfacc = types.ModuleType("nerfacc")
        nerfacc.render_weight_from_alpha = self.render_weight_from_alpha
        nerfacc.accumulate_along_rays = self.accumulate_along_rays
        with (
            mock.patch.dict(sys.modules, nerfacc=nerfacc),
            mock.patch.object(self.wrapper, "rasterize_to_indices_in_range", self.pixels_reached),
        ):
            image, alpha = reference._rasterize_to_pixels(
                centres, conics, colors[None], opacities[None], side, side, self.tile, offsets, ids
            )
        return image[0], alpha[0, ..., 0]

    def gradient(self, numbers):
        numbers = [self.torch.from_numpy(np.array(x)) for x in numbers]

        def run():
            for x in self.leaves:
                x.requires_grad_(True)
                x.grad = None
            sum((x * n).sum() for x, n in zip(self(), numbers, strict=True)).backward()
            for x in self.leaves:
                x.requires_grad_(False)
            return [x.grad.numpy() for x in self.leaves]

        return run

    def tile_pairs(self, centres, radii, depths, tiles):
        """As `_isect_tiles`: keys (tile, depth) in order, and the Gaussian of each."""
        torch = self.torch
        with torch.no_grad():
            centres, radii = centres[0] / self.tile, radii[0] / self.tile
            low = torch.floor(centres - radii).int().clamp(0, tiles)
            size = torch.ceil(centres + radii).int().clamp(0, tiles) - low
            counts = size.prod(-1) * (radii > 0).all(-1)
            ids = torch.repeat_interleave(counts)
            nth = torch.arange(len(ids)) - (counts.cumsum(0) - counts)[ids]
            (left, top), columns = low[ids].unbind(-1), size[ids, 0]
            tile = (top + nth // columns) * tiles + left + nth % columns
            keys, order = (tile << 32 | depths[0].view(torch.int32)[ids]).sort(stable=True)
            return keys, ids[order].int()

    def pixels_reached(self, start, stop, transmittances, centres, conics, opacities, *rest):
        """As `rasterize_to_indices_in_range`: ids of Gaussians, pixels and images, by pixel."""
        torch = self.torch
        width, _, tile, offsets, ids = rest
        with torch.no_grad():
            parameters = [*centres[0].unbind(-1), *conics[0].unbind(-1), opacities[0]]
            bounds = torch.cat([offsets.flatten(), torch.tensor([len(ids)])])
            first = bounds[:-1] + start * tile**2
            counts = (torch.minimum(bounds[1:], bounds[:-1] + stop * tile**2) - first).clamp(0)
            # Tiles of about as many Gaussians together, so that little is padding.
            order = counts.argsort(descending=True)[: int((counts > 0).sum())]
            found, done = [], 0
            while done < len(order):
                depth = int(counts[order[done]])
                chunk = order[done : done + max(1, 2**21 // (depth * tile**2))]
                nth = torch.arange(depth)
                inside = nth < counts[chunk][:, None]
                members = ids[torch.where(inside, first[chunk][:, None] + nth, 0)]
                rows, columns = chunk // offsets.shape[-1], chunk % offsets.shape[-1]
                steps = torch.arange(tile)
                y, x = rows[:, None] * tile + steps, columns[:, None] * tile + steps
                pixels = y[:, :, None] * width + x[:, None]
                before = transmittances.flatten()[pixels]
                reached = self.reached(parameters, members.long(), inside, y, x, pixels, before)
                at = reached.nonzero(as_tuple=True)
                found.append((members[at[0], at[3]], pixels[at[:3]]))
                done += len(chunk)
            gaussians, pixels = (torch.cat(x).long() for x in zip(*found, strict=True))
            return gaussians, pixels, torch.zeros_like(pixels)

    def reached(self, parameters, members, inside, y, x, pixels, transmittance, step=64):
        """Which Gaussians of the tiles reach which pixels: (tiles, rows, columns, Gaussians)."""
        torch = self.torch
        result = torch.zeros(*pixels.shape, members.shape[1], dtype=torch.bool)
        alive = torch.arange(len(members))
        for i in range(0, members.shape[1], step):
            some = members[alive, i : i + step]
            u, v, a, b, c, opacity = (p[some][:, None] for p in parameters)
            dx, dy = x[alive][..., None] + 0.5 - u, y[alive][..., None] + 0.5 - v
            # The terms of rows, of columns, and their product: few passes over all pixels.
            exponent = (0.5 * a * dx * dx)[:, None] + (0.5 * c * dy * dy)[:, :, None]
            exponent.addcmul_((b * dy)[:, :, None], dx[:, None])
            alpha = torch.exp(-exponent).mul_(opacity[:, None]).clamp_max_(0.999)
            hit = (alpha >= 1 / 255) & (exponent >= 0) & inside[alive, None, None, i : i + step]
            after = torch.where(hit, 1 - alpha, 1).cumprod_(-1)
            after.mul_(transmittance[alive][..., None])
            result[alive, ..., i : i + step] = hit & (after > 1e-4)
            if self.band is not None:
                near = ((255 * alpha - 1).abs() < ALPHA_BAND) & (after > 0.9e-4)
                near |= (1e4 * after - 1).abs() < TRANSMITTANCE_BAND
                self.band[pixels[alive][near.any(-1)]] = True
            transmittance[alive] = after[..., -1]
            alive = alive[(after[..., -1] > 1e-4).flatten(1).any(-1)]
            if not len(alive):
                break
        return result

    def render_weight_from_alpha(self, alphas, ray_indices, n_rays):
        """As nerfacc's, by one sum of logarithms over all pixels."""
        torch = self.torch
        logs = torch.log1p(-alphas.double())
        sums = logs.cumsum(0) - logs
        counts = torch.unique_consecutive(ray_indices, return_counts=True)[1]
        starts = sums[counts.cumsum(0) - counts]
        before = torch.exp(sums - starts.repeat_interleave(counts)).to(alphas.dtype)
        return alphas * before, before

    def accumulate_along_rays(self, weights, values, ray_indices, n_rays):
        """As nerfacc's."""
        terms = weights[:, None] if values is None else weights[:, None] * values
        return terms.new_zeros(n_rays, terms.shape[-1]).index_add(0, ray_indices, terms)

    def threshold_band(self):
        """The pixels where a Gaussian is within rounding of a threshold."""
        self.band = self.torch.zeros(self.side**2, dtype=self.torch.bool)
        with self.torch.no_grad():
            self()
        band, self.band = self.band.reshape(self.side, self.side).numpy(), None
        return band


# Figures


def compared(table, peer):
    """How far ours are from gsplat's outside the band: largest in images, L2 of gradients."""
    draw, slope = table["ours"], table["ours, gradient"]
    outside = ~peer.threshold_band()
    result = {"band": 1 - outside.mean()}
    pairs = zip(("color", "alpha"), draw.run(*draw.arguments), table["gsplat"](), strict=False)
    for name, ours, theirs in pairs:
        result[name] = np.abs(ours - theirs.numpy())[outside].max()
    *arrays, numbers = slope.arguments
    # What both draw, outside the band: inverse depth gets zeros.
    numbers = [n * k for n, k in zip(numbers, (outside[..., None], outside, 0.0), strict=True)]
    names = ("means", "scales", "rotations", "opacities", "colors")
    pairs = zip(slope.run(*arrays, tuple(numbers)), peer.gradient(numbers[:2])(), strict=True)
    for name, (ours, theirs) in zip(names, pairs, strict=True):
        result[f"gradient to {name}"] = np.linalg.norm(ours - theirs) / np.linalg.norm(theirs)
    return {name: float(x) for name, x in result.items()}


def peak_growth(run):
    """Bytes by which the process grew at most during a call; None where Linux does not tell."""
    gc.collect()
    try:
        ctypes.CDLL(None).malloc_trim(0)
        pathlib.Path("/proc/self/clear_refs").write_text("5")
        before = resident("VmRSS")
        run()
        return resident("VmHWM") - before
    except (OSError, AttributeError):
        return None


def resident(name):
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return next(int(x.split()[1]) for x in lines if x.startswith(name)) * 1024


def ways(now, later, camera, limit, peer):
    """What is timed, by name."""
    arrays, moving = jax.device_put((now, camera)), jax.device_put((now, later, camera))
    draw, draw_motion = drawing(limit), drawing_motion(limit)
    table = {"ours": Way(draw, arrays, False), "ours, motion": Way(draw_motion, moving, False)}
    numbers = random_numbers(jax.eval_shape(draw, *arrays))
    more = random_numbers(jax.eval_shape(draw_motion, *moving))
    table["ours, gradient"] = Way(gradient(draw, 0), (*arrays, numbers), False)
    table["ours, motion, gradient"] = Way(gradient(draw_motion, (0, 1)), (*moving, more), False)
    if peer:
        table["gsplat"] = peer.torch.no_grad()(peer.__call__)
        table["gsplat, gradient"] = peer.gradient(numbers[:2])
    return table


def measured(count, side, repeats, with_peer):
    """All figures of one size."""
    now, later = head(count)
    camera = camera_of(side)
    intersections, limit = needed(now, camera)
    peer = Gsplat(now, side) if with_peer and count <= PEER_UP_TO else None
    table = ways(now, later, camera, limit, peer)
    alpha = table["ours"].run(*table["ours"].arguments)[1]
    report = {
        "gaussians": count,
        "side": side,
        "intersections": intersections,
        "max_intersections": limit,
        "filled": float((alpha > 0.5).mean()),
    }
    print(f"{count} Gaussians, {side} x {side}, {100 * report['filled']:.0f} % filled, ", end="")
    print(f"{intersections} intersections, room for {limit}; {repeats} rounds\n")
    if peer:
        report["differences"] = compared(table, peer)
        shown = ", ".join(f"{name} {x:.1e}" for name, x in report["differences"].items())
        print(f"ours and gsplat's differ by: {shown}\n")
    rounds = [race(table, 1) for _ in range(repeats)]
    times = {name: [x[name] for x in rounds] for name in table}
    medians = {name: statistics.median(x) for name, x in times.items()}
    report["rows"] = print_table(table, medians, "ours")
    for row in report["rows"]:
        row["fastest_ms"] = min(times[row["way"]])
        # XLA keeps memory from call to call, and tells what it needs.
        theirs = row["temporary_bytes"] is None
        row["growth_bytes"] = peak_growth(table[row["way"]]) if theirs else None
    return report


def summary(reports):
    """One table over the sizes: milliseconds, ratios, memory."""
    titles = ["Gaussians", "image", "intersections", "ours", "ns each", "motion", "motion / ours"]
    titles += ["gsplat*", "gsplat / ours", "of the fastest", "temporaries", "motion's", "gsplat's"]
    print("ms, and MiB; x / y: forward / gradient, forward pass included")
    print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
    for report in reports:
        rows = {row["way"]: row for row in report["rows"]}

        def pair(way, key, scale=1.0, to=None, rows=rows):
            shown = []
            for name in (way, f"{way}, gradient"):
                value = rows.get(name, {}).get(key)
                if value is not None and to:
                    value /= rows[name.replace(way, to)][key]
                shown.append("" if value is None else f"{value * scale:.3g}")
            return " / ".join(shown) if any(shown) else ""

        cells = [str(report["gaussians"]), str(report["side"]), str(report["intersections"])]
        cells += [pair("ours", "ms"), pair("ours", "ms", 1e6 / report["intersections"])]
        cells += [pair("ours, motion", "ms"), pair("ours, motion", "ms", to="ours")]
        cells += [pair("gsplat", "ms"), pair("gsplat", "ms", to="ours")]
        cells += [pair("gsplat", "fastest_ms", to="ours")]
        mebi = 2.0**-20
        cells += [pair(way, "temporary_bytes", mebi) for way in ("ours", "ours, motion")]
        cells += [pair("gsplat", "growth_bytes", mebi)]
        print(f"| {' | '.join(cells)} |")
    print("memory: XLA's temporaries; growth of the process for gsplat")
    print("* pairs of tiles, pixels reached and nerfacc's sums in PyTorch written here, not CUDA")


def million():
    """A million Gaussians, drawn once."""
    now, _ = head(1_000_000)
    camera = camera_of(1024)
    intersections, limit = needed(now, camera)
    arrays = jax.device_put((now, camera))
    run = jax.jit(drawing(limit)).lower(*arrays).compile()
    start = time.perf_counter()
    alpha = jax.block_until_ready(run(*arrays))[1]
    report = {
        "seconds": time.perf_counter() - start,
        "intersections": intersections,
        "max_intersections": limit,
        "temporary_bytes": run.memory_analysis().temp_size_in_bytes,
        "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "filled": float((alpha > 0.5).mean()),
    }
    print(", ".join(f"{name} {x:.3g}" for name, x in report.items()))
    return report


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two small sizes, three rounds")
    parser.add_argument("--no-peer", action="store_true", help="ours only")
    parser.add_argument("--million", action="store_true", help="only a million Gaussians, once")
    parser.add_argument("--repeats", type=int, help="rounds, for all sizes")
    parser.add_argument("--json", help="write the figures there")
    options = parser.parse_args()
    device = jax.devices()[0].device_kind
    busy = os.getloadavg()[0]
    print(f"{device}, jax {jax.__version__}, float32; before it {busy:.1f} programs ran\n")
    if options.million:
        write_json(options.json, {"device": device, "load": busy, "million": million()})
        return
    with_peer = not options.no_peer and jax.default_backend() == "cpu"
    report = {"device": device, "load": busy}
    if with_peer:
        report |= {name: importlib.metadata.version(name) for name in ("gsplat", "torch")}
        print(f"gsplat {report['gsplat']}, torch {report['torch']}\n")
    sizes = dict(list(SIZES.items())[:2]) if options.quick else SIZES
    report["sizes"] = []
    for (count, side), repeats in sizes.items():
        repeats = options.repeats or (3 if options.quick else repeats)
        report["sizes"].append(measured(count, side, repeats, with_peer))
    summary(report["sizes"])
    write_json(options.json, report)


if __name__ == "__main__":
    main()
