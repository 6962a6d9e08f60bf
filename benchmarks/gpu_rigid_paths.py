"""The hot paths of rigid motion and of several frames, by name; see gpu_paths.py."""

import functools

import gpu_inputs as inputs
import jax
from gpu_path import Path, Paths, camera, mean_of, with_gradient

import sf3d_jax as sf3d
from sf3d_jax import losses, metrics, rigid_field, tracks

# The grid of an eighth of the image, its embeddings, and the radius of its windows; the radius of
# windows of an image.
GRID, EMBEDDING, REACH, RADIUS = (68, 120), 16, 16, 9
# Bodies and points of each; points of a clip, and its frames.
CLOUDS, TRACKED, FRAMES = (64, 1024), 512, 24


def rigid_fits(size: tuple[int, int]) -> Paths:
    """One rigid motion of points, of the camera, and of each body."""
    flow, depth, change = inputs.flow(size), inputs.inv_depth(size), inputs.change(size)
    points, motions = inputs.vectors(CLOUDS), inputs.vectors(CLOUDS)
    both = (camera(size), camera(size, 0.1))
    fit_motions = lambda points, motions: sf3d.fit_rigid(points, motions=motions)
    with_change = lambda flow, depth, change, *cameras: sf3d.ego_motion(
        flow, depth, *cameras, inv_depth_change=change
    )
    from_flow = lambda flow, *cameras: sf3d.ego_motion(flow, None, *cameras)[::3]
    maps = (flow, depth, change)
    return {
        **with_gradient("fit_rigid", fit_motions, (points, motions), (0, 1)),
        **with_gradient("ego_motion", with_change, (*maps, *both), (0, 1, 2)),
        "ego_motion flow and depth": Path(sf3d.ego_motion, (flow, depth, *both)),
        "ego_motion flow": Path(from_flow, (flow, *both)),
        "rigid_bodies": Path(sf3d.rigid_bodies, (*maps, both[0])),
    }


def rigid_fields(size: tuple[int, int], grid: tuple[int, int]) -> Paths:
    """A rigid motion for each pixel: of its window, and one step of RAFT-3D's layer."""
    maps = lambda size: (inputs.flow(size), inputs.inv_depth(size), inputs.change(size))
    local = functools.partial(rigid_field.local, radius=RADIUS)
    field, depth, view = inputs.rigid_motions(size), inputs.inv_depth(size), camera(size)
    refine = lambda field, flow, depth, change, view, confidence, affinity: rigid_field.refine(
        field, flow, depth, change, view, confidence=confidence, affinity=affinity, radius=REACH
    )
    network = (inputs.positive(grid, 3), inputs.image(grid, EMBEDDING))
    arguments = (inputs.rigid_motions(grid), *maps(grid), camera(grid), *network)
    return {
        **with_gradient("rigid_field.local", local, (*maps(size), view), (0, 1, 2)),
        **with_gradient("rigid_field.motion", rigid_field.motion, (field, depth, view), (0, 1)),
        **with_gradient("rigid_field.refine", refine, arguments, (0, 1, 2, 3, 5, 6)),
    }


def chains(size: tuple[int, int]) -> Paths:
    """Steps of a clip made one, points followed through it, and smoothness over time."""
    step = lambda *batch: tracks.Motion(
        *(make((*batch, *size)) for make in (inputs.flow, inputs.inv_depth, inputs.change))
    )
    view, clip = camera(size), step(FRAMES - 1)
    chain = lambda first, second, view: tracks.chain(first, second, view)[:3]
    points = inputs.pixels((TRACKED,), size)
    paths = (FRAMES - 1, TRACKED)
    unsteady = functools.partial(mean_of, losses.temporal_smoothness)
    scored = (inputs.pixels((FRAMES, TRACKED), size), inputs.mask((FRAMES, TRACKED)))
    score = functools.partial(metrics.TapVid.update, size=size)
    return {
        **with_gradient("tracks.chain", chain, (step(), step(), view), (0, 1)),
        "tracks.track": Path(tracks.track, (points, clip, view)),
        "temporal_smoothness grad": Path(jax.grad(unsteady), (inputs.vectors(paths),)),
        "TapVid.update": Path(score, (metrics.TapVid.empty(), *scored, *scored)),
    }
