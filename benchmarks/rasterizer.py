"""How fast Gaussians are drawn, beside gsplat's own reference in PyTorch.

    python benchmarks/rasterizer.py [--quick] [--no-peer] [--repeats N] [--json FILE]
    python benchmarks/rasterizer.py --million

The scene is a head: the shell of an ellipsoid, made of flat Gaussians that lie in it, which fills
about 34 % of the image; their size falls with the root of their number. All ways run in turn in
one loop; figures are medians, and ratios of the fastest rounds too. A gradient is that of the sum
of the images times fixed random numbers, forward pass included, to means, scales, rotations,
opacities and colours; where motion is drawn (12 channels), to the means and rotations at the second
time too. "both motions" adds the motion to a previous time in the same pass, "features" 12 numbers
of each Gaussian; both are compared with one motion alone.

The peer is `gsplat.cuda._torch_impl`, eager; `gsplat_reference` says what of it is ours. It draws
3 channels and alpha; ours of 3 channels draw inverse depth too. Image and gradient of both are
compared before anything is timed, outside the pixels where rounding may carry a Gaussian over a
threshold.
"""

import argparse
import ctypes
import gc
import importlib.metadata
import pathlib
import resource
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np
from gsplat_reference import Gsplat
from report import Report, time_ratios
from timing import Way, race

import sf3d_jax as sf3d
from sf3d_jax.gaussians import (
    Gaussians,
    intersections_needed,
    render,
    render_motion,
    room_for,
)

FEATURES = 12
# Repetitions by number of Gaussians and side of the image.
SIZES = {(1_000, 256): 15, (5_000, 256): 11, (20_000, 512): 7, (50_000, 512): 5, (200_000, 1024): 5}
PEER_UP_TO = 50_000
RADII, CENTRE = np.array([0.075, 0.1, 0.085]), np.array([0, 0, 1.0])
MOTION = np.array([0.004, -0.002, 0.01])
# The standard deviation along the surface of one of 20000 Gaussians, in metres, gives as many
# intersections as a head of that many; the focal length, in sides of the image, fills 34 % of it.
SPREAD, FOCAL = 0.00193, 3.73


# The head


def head(count, seed=0):
    """(means, scales, rotations, opacities, colours), (means, rotations) at a second time, and
    those at a time before.
    """
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
    now = (arms + CENTRE, scales, rotations, opacities, rng.uniform(size=(count, 3)))
    others = [turned(arms, rotations, way) for way in (1, -1)]
    return tuple(tuple(map(np.float32, x)) for x in (now, *others))


def turned(arms, rotations, way):
    """Means and rotations after (way 1) or before (-1) the head's motion."""
    turn = about([0.2, 0.97, 0.1], 0.06 * way)
    side = np.cross(turn[1:], arms)
    moved = arms + 2 * (turn[0] * side + np.cross(turn[1:], side))
    return moved + CENTRE + MOTION * way, product(turn, rotations)


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
        annotation = render_motion(first, second, camera, max_intersections=limit)
        return tuple(jax.tree.leaves(annotation))

    return draw


def drawing_both(limit, features=None):
    """All that `render_motion` draws with a previous time, and with features if they are given."""

    def draw(now, later, before, camera):
        _, scales, _, opacities, colors = now
        at = lambda x: Gaussians.from_scales_rotations(x[0], scales, x[1], opacities, colors)
        values = None if features is None else features(colors)
        annotation = render_motion(
            *(Gaussians.from_scales_rotations(*now), at(later), camera),
            **dict(previous_gaussians=at(before), features=values, max_intersections=limit),
        )
        return tuple(jax.tree.leaves(annotation))

    return draw


def some_features(colors):
    """12 numbers of each Gaussian."""
    return jnp.concatenate([colors * k for k in range(FEATURES // 3)], -1)


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
    return count, room_for(count)


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


def ways(now, later, before, camera, limit, peer):
    """What is timed, by name."""
    arrays, moving = jax.device_put((now, camera)), jax.device_put((now, later, camera))
    draw, draw_motion = drawing(limit), drawing_motion(limit)
    both, all_three = drawing_both(limit), jax.device_put((now, later, before, camera))
    table = {"ours": Way(draw, arrays, False), "ours, motion": Way(draw_motion, moving, False)}
    table["ours, both motions"] = Way(both, all_three, False)
    with_features = drawing_both(limit, some_features)
    table["ours, both motions, features"] = Way(with_features, all_three, False)
    numbers = random_numbers(jax.eval_shape(draw, *arrays))
    more = random_numbers(jax.eval_shape(draw_motion, *moving))
    table["ours, gradient"] = Way(gradient(draw, 0), (*arrays, numbers), False)
    table["ours, motion, gradient"] = Way(gradient(draw_motion, (0, 1)), (*moving, more), False)
    most = random_numbers(jax.eval_shape(both, *all_three))
    table["ours, both motions, gradient"] = Way(
        gradient(both, (0, 1, 2)), (*all_three, most), False
    )
    if peer:
        table["gsplat"] = peer.torch.no_grad()(peer.__call__)
        table["gsplat, gradient"] = peer.gradient(numbers[:2])
    return table


def measured(count, side, repeats, with_peer):
    """All figures of one size."""
    now, later, before = head(count)
    camera = camera_of(side)
    intersections, limit = needed(now, camera)
    peer = Gsplat(now, side, FOCAL * side) if with_peer and count <= PEER_UP_TO else None
    table = ways(now, later, before, camera, limit, peer)
    alpha = table["ours"].run(*table["ours"].arguments)[1]
    filled = float((alpha > 0.5).mean())
    print(f"{count} Gaussians, {side} x {side}, {100 * filled:.0f} % filled, ", end="")
    print(f"{intersections} intersections, room for {limit}; {repeats} rounds\n")
    if peer:
        shown = ", ".join(f"{name} {x:.1e}" for name, x in compared(table, peer).items())
        print(f"ours and gsplat's differ by: {shown}\n")
    rounds = [race(table, 1) for _ in range(repeats)]
    times = {name: [x[name] for x in rounds] for name in table}
    medians = {name: statistics.median(x) for name, x in times.items()}
    rows = []
    for name, run in table.items():
        # XLA keeps memory from call to call, and tells what it needs; of others it is the growth.
        memory = getattr(run, "temporary", None)
        memory = peak_growth(run) if memory is None else memory
        rows.append(
            {
                "Gaussians": count,
                "image": side,
                "intersections": intersections,
                "way": name,
                "ms": medians[name],
                "fastest, ms": min(times[name]),
                "ns an intersection": 1e6 * medians[name] / intersections,
                "memory, MiB": round(memory / 2**20, 1),
            }
        )
    return rows, time_ratios(medians, PEERS)


def million():
    """A million Gaussians, drawn once."""
    now, *_ = head(1_000_000)
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
    return report


# What each way of ours is compared with.
PEERS = {
    "ours": "gsplat",
    "ours, gradient": "gsplat, gradient",
    "ours, motion": "gsplat",
    "ours, motion, gradient": "gsplat, gradient",
    "ours, both motions": "ours, motion",
    "ours, both motions, features": "ours, motion",
    "ours, both motions, gradient": "ours, motion, gradient",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two small sizes, three rounds")
    parser.add_argument("--no-peer", action="store_true", help="ours only")
    parser.add_argument("--million", action="store_true", help="only a million Gaussians, once")
    parser.add_argument("--repeats", type=int, help="rounds, for all sizes")
    parser.add_argument("--json", help="write the figures there")
    options = parser.parse_args()
    with_peer = not options.no_peer and jax.default_backend() == "cpu"
    peers = ("gsplat", "torch") if with_peer and not options.million else ()
    report = Report("rasterizer", **{name: importlib.metadata.version(name) for name in peers})
    if options.million:
        report.add("a million Gaussians, once", [million()])
        report.write(options.json)
        return
    sizes = dict(list(SIZES.items())[:2]) if options.quick else SIZES
    rows, ratios = [], {}
    for (count, side), repeats in sizes.items():
        repeats = options.repeats or (3 if options.quick else repeats)
        more, found = measured(count, side, repeats, with_peer)
        rows += more
        ratios |= {f"{count}, {name}": ratio for name, ratio in found.items()}
    report.add("a head", rows, ratios)
    report.write(options.json)


if __name__ == "__main__":
    main()
