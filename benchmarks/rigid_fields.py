"""Tables of `rigid_field.local` for rigid.py, beside SciPy's uniform_filter on as many maps."""

import functools

import jax
import numpy as np
from rigid_ego import single
from rigid_scenes import make_scene, read_objects
from scipy import ndimage
from timing import Way, race

from sf3d_jax import rigid_field

SIZE = 540, 960
RADII = 5, 9, 15, 31
# The maps whose means over a window a weighted rigid fit needs.
MAPS = 17


def measure_residuals(radius):
    """What is left in metres where the whole window holds one body of the rendered scene."""
    scene = read_objects()
    moving, _ = ndimage.label((scene.labels > 0) & scene.valid)
    bodies = np.where(scene.valid, moving, -1)
    inv_depth = np.where(scene.valid, scene.inv_depth, 0)
    maps = single((scene.flow, inv_depth, scene.change, scene.camera))
    _, residual, valid = rigid_field.local(*maps, radius=radius)
    size = 2 * radius + 1
    whole = ndimage.maximum_filter(bodies, size) == ndimage.minimum_filter(bodies, size)
    length = np.linalg.norm(residual, axis=-1)
    for name, chosen in (("of moving bodies", bodies > 0), ("of what is static", bodies == 0)):
        chosen = chosen & whole & np.asarray(valid)
        yield {
            "radius": radius,
            "pixels": name,
            "count": int(chosen.sum()),
            "median, m": float(np.median(length[chosen])),
            "largest, m": float(length[chosen].max()),
        }


def filter_maps(radius, maps):
    for x in maps:
        ndimage.uniform_filter(x, 2 * radius + 1)


def time_windows(radii, repeats, gradient):
    """Times of `local`, of its gradient at one radius if asked for, and of the filter."""
    scene = make_scene(0, SIZE, turn=5.0, bodies=3, one_camera=True)
    inv_depth = np.where(scene.valid, scene.inv_depth, 0)
    flow, *others = single((scene.flow, inv_depth, scene.change, scene.camera))
    maps = np.float32(np.random.default_rng(0).normal(size=(MAPS, *SIZE)))

    def local(flow, *others, radius):
        return rigid_field.local(flow, *others, radius=radius)

    def square(flow, *others):
        return (local(flow, *others, radius=radii[0]).residual ** 2).sum()

    arguments = flow, *others
    table = {}
    for r in radii:
        table[r] = Way(functools.partial(local, radius=r), arguments, False)
        table[f"filter {r}"] = functools.partial(filter_maps, r, maps)
    if gradient:
        table["gradient"] = Way(jax.grad(square), arguments, False)
    medians = race(table, repeats)
    rows = []
    for name in (*radii, *(["gradient"] if gradient else [])):
        r = radii[0] if name == "gradient" else name
        filtered = medians[f"filter {r}"]
        rows.append(
            {
                "way": "local, gradient" if name == "gradient" else "local",
                "radius": r,
                "ms": medians[name],
                "x least radius": medians[name] / medians[radii[0]],
                "uniform_filter, ms": filtered,
                "x uniform_filter": medians[name] / filtered,
                "temporaries, MiB": round(table[name].temporary / 2**20, 1),
            }
        )
    ratios = {f"{x['way']}, radius {x['radius']}": x["x uniform_filter"] for x in rows}
    ratios |= {"largest radius over the least": rows[len(radii) - 1]["x least radius"]}
    ratios["temporaries, MiB"] = rows[0]["temporaries, MiB"]
    return rows, ratios


def report_fields(report, quick):
    rows = [row for radius in ((5,) if quick else (5, 9)) for row in measure_residuals(radius)]
    report.add("rigid_field.local, residual of the rendered scene", rows)
    radii = RADII[:1] if quick else RADII
    rows = time_windows(radii, 2 if quick else 15, not quick)
    report.add("rigid_field.local, 540 x 960", *rows)
