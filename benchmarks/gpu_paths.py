"""The hot paths that gpu.py times and compiles, by name.

Maps are 540 x 960 unless the name says otherwise; "b8" is a batch of 8 x 384 x 512, "1080p b8" one
of 8 x 1080 x 1920. "grad" is the gradient of the sum of squares of what is returned, or of the mean
of a loss, by all floating maps, of a loss by what is estimated.
"""

import functools
from typing import Any

import gpu_inputs as inputs
import jax
import jax.numpy as jnp
import numpy as np
from gpu_path import Path, Paths, camera, gradient, mean_of, with_gradient
from gpu_rigid_paths import GRID, chains, rigid_fields, rigid_fits
from losses import unsupervised
from rasterizer import camera_of

import sf3d_jax as sf3d
from sf3d_jax import augment, fit, gaussians, losses, metrics
from sf3d_jax.losses import masked_mean

SIZE, BATCH, LARGE = (540, 960), (8, 384, 512), (8, 1080, 1920)
FEATURE_SIZE, FEATURES = (375, 1242), 32
FIT_SIZE = (384, 512)
# The head of 20,000 Gaussians has 193,709 intersections.
HEAD, HEAD_SIDE, HEAD_INTERSECTIONS = 20_000, 512, 193_709
HEAD_FEATURES = 12


def make_paths() -> Paths:
    """All paths by name."""
    single = conversion(SIZE) | warps(SIZE) | splats(SIZE) | visibility(SIZE) | similarity(SIZE)
    single |= smoothness(SIZE) | fits() | rasterizer() | augmentations(SIZE, (256, 512))
    single |= resizing(SIZE) | scores(SIZE) | features() | surfaces(SIZE)
    single |= rigid_fits(SIZE) | rigid_fields(SIZE, GRID) | chains(SIZE)
    batch = conversion(BATCH) | warps(BATCH) | splats(BATCH) | visibility(BATCH)
    batch |= similarity(BATCH) | scores(BATCH) | augmentations(BATCH, (320, 448))
    large = conversion(LARGE) | warps(LARGE) | splats(LARGE)
    return (
        single
        | {f"b8 {name}": batch[name] for name in BATCHED}
        | {f"1080p b8 {name}": large[name] for name in ENLARGED}
    )


BATCHED = (
    "scene_flow 2cam",
    "image_motion 2cam",
    "backward_warp",
    "backward_warp grad flow",
    "backward_warp grad both",
    "splat softmax",
    "splat softmax grad",
    "warp_inverse_depth",
    "occlusion consistency",
    "occlusion range_map",
    "occlusion depth",
    "census",
    "census grad",
    "ssim3",
    "ssim3 grad",
    "photometric grad",
    "unsupervised grad",
    "KittiSceneFlow.update",
    "aug crop",
    "aug flip",
    "aug scale",
    "aug color",
    "aug eraser",
)
ENLARGED = (
    "scene_flow 1cam",
    "scene_flow 2cam",
    "image_motion 2cam",
    "backward_warp",
    "backward_warp grad both",
    "splat sum",
    "splat softmax",
)


def lens_camera(size: tuple[int, ...], model: str, shift: float = 0.0) -> sf3d.Camera:
    pinhole = camera(size, shift)
    coefficients = np.array(LENSES[model], np.float32)
    return sf3d.Camera(
        pinhole.focal,
        pinhole.principal_point,
        pinhole.world_to_camera,
        coefficients,
        size=pinhole.size,
        model=model,
    )


LENSES = {"opencv": [-0.1, 0.02, 1e-3, -1e-3, 0.0], "fisheye": [-0.02, 3e-3, -1e-3, 1e-4]}


def conversion(size: tuple[int, ...]) -> Paths:
    """Scene flow and back, with one camera, two, and lenses."""
    flow, depth, change = inputs.flow(size), inputs.inv_depth(size), inputs.change(size)
    vectors, cameras = inputs.vectors(size), (camera(size), camera(size, 0.1))
    maps = (flow, depth, change)
    fisheyes = tuple(lens_camera(size, "fisheye", shift) for shift in (0.0, 0.1))
    variances = inputs.positive(size, 4)
    return {
        **with_gradient("scene_flow 1cam", sf3d.scene_flow, (*maps, cameras[0]), (0, 1, 2)),
        **with_gradient("scene_flow 2cam", sf3d.scene_flow, (*maps, *cameras), (0, 1, 2, 3, 4)),
        "scene_flow opencv": Path(sf3d.scene_flow, (*maps, lens_camera(size, "opencv"))),
        **with_gradient("scene_flow fisheye", sf3d.scene_flow, (*maps, fisheyes[0]), (0, 1, 2)),
        "scene_flow 2cam fisheye": Path(sf3d.scene_flow, (*maps, *fisheyes)),
        "scene_flow_covariance": Path(sf3d.scene_flow_covariance, (*maps, cameras[0], variances)),
        **with_gradient("image_motion 2cam", sf3d.image_motion, (vectors, depth, *cameras), (0, 1)),
        "rigid_motion": Path(sf3d.rigid_motion, (depth, *cameras)),
    }


def warps(size: tuple[int, ...], channels: int = 3) -> Paths:
    maps = (inputs.image(size, channels), inputs.flow(size))
    bicubic = functools.partial(sf3d.backward_warp, method="bicubic")
    return {
        "backward_warp": Path(sf3d.backward_warp, maps),
        "backward_warp grad flow": Path(gradient(sf3d.backward_warp, (1,)), maps),
        "backward_warp grad both": Path(gradient(sf3d.backward_warp, (0, 1)), maps),
        "backward_warp bicubic": Path(bicubic, maps),
        "backward_warp bicubic grad both": Path(gradient(bicubic, (0, 1)), maps),
    }


def splats(size: tuple[int, ...], channels: int = 3) -> Paths:
    maps = (inputs.image(size, channels), inputs.flow(size))
    three = (*maps, inputs.scalar(size, 0.0, 3.0))
    surface = (inputs.inv_depth(size), inputs.change(size), inputs.flow(size))
    total = functools.partial(sf3d.forward_splat, mode="sum")
    softmax = lambda x, flow, m: sf3d.forward_splat(x, flow, mode="softmax", importance=m)
    deterministic = lambda x, flow, m: sf3d.forward_splat(
        x, flow, mode="softmax", importance=m, deterministic=True
    )
    return {
        **with_gradient("splat sum", total, maps, (0, 1)),
        **with_gradient("splat softmax", softmax, three, (0, 1, 2)),
        "splat deterministic": Path(deterministic, three),
        **with_gradient("warp_inverse_depth", sf3d.warp_inverse_depth, surface, (0, 1, 2)),
    }


def features() -> Paths:
    """Warps and splats of 32 channels, and the step of a training in bfloat16."""
    named = {
        "warp32": "backward_warp",
        "warp32 grad both": "backward_warp grad both",
        "splat32 softmax": "splat softmax",
        "splat32 softmax grad": "splat softmax grad",
    }
    found = warps(FEATURE_SIZE, FEATURES) | splats(FEATURE_SIZE, FEATURES)
    steps = {f"{name} step": training_step(dtype) for name, dtype in STEP_DTYPES.items()}
    return {name: found[path] for name, path in named.items()} | steps


STEP_DTYPES = {"bf16": "bfloat16", "f32": "float32"}


def training_step(dtype: str) -> Path:
    """Features and images in a dtype, warped by a float32 flow, with the gradient of the losses."""
    images = [inputs.image(SIZE, dtype=dtype) for _ in range(2)]
    maps = [inputs.image(SIZE, FEATURES, dtype) for _ in range(2)]

    def loss(flow, here, there, image, next_image):
        moved, seen = sf3d.backward_warp(there, flow)
        unlike = losses.charbonnier(moved - here).mean(-1)
        warped, inside = sf3d.backward_warp(next_image, flow)
        return (
            masked_mean(unlike, seen).astype(jnp.float32)
            + masked_mean(*losses.census(image, warped, valid=inside)).astype(jnp.float32)
            + masked_mean(*losses.photometric(image, warped, valid=inside)).astype(jnp.float32)
        )

    return Path(jax.grad(loss, (0, 1, 2)), (inputs.flow(SIZE), *maps, *images))


def visibility(size: tuple[int, ...]) -> Paths:
    flow, depth, change = inputs.flow(size), inputs.inv_depth(size), inputs.change(size)
    by_range = lambda back, flow: sf3d.occlusion_from_range_map(back, flow=flow)
    return {
        "occlusion consistency": Path(sf3d.occlusion_from_consistency, (flow, flow)),
        "occlusion range_map": Path(by_range, (flow, flow)),
        "occlusion depth": Path(sf3d.occlusion_from_depth, (flow, depth, change, depth)),
    }


def similarity(size: tuple[int, ...]) -> Paths:
    """Means of losses of two images, with gradients by the second; and the unsupervised loss."""
    pair, flow = (inputs.image(size), inputs.image(size)), inputs.flow(size)
    named = {
        "census": losses.census,
        "ssim3": losses.ssim,
        "ssim11": functools.partial(losses.ssim, window="gaussian"),
        "ncc7": losses.ncc,
        "photometric": losses.photometric,
    }
    paths = {}
    for name, loss in named.items():
        mean = functools.partial(mean_of, loss)
        paths[name] = Path(mean, pair)
        paths[f"{name} grad"] = Path(jax.grad(mean, 1), pair)
    four = (*pair, flow, flow)
    paths["unsupervised"] = Path(unsupervised, four)
    paths["unsupervised grad"] = Path(jax.grad(unsupervised, (2, 3)), four)
    return paths


def smoothness(size: tuple[int, ...]) -> Paths:
    flow_and_image = (inputs.flow(size), inputs.image(size))
    moving = (inputs.vectors(size), inputs.inv_depth(size), camera(size))
    first = functools.partial(mean_of, losses.first_order_smoothness)
    second = functools.partial(mean_of, losses.second_order_smoothness)
    rigid = functools.partial(mean_of, losses.rigidity)
    return {
        "smooth1 grad": Path(jax.grad(first), flow_and_image),
        "smooth2 grad": Path(jax.grad(second), flow_and_image),
        "rigidity": Path(rigid, moving),
        "rigidity grad": Path(jax.grad(rigid), moving),
    }


def fits() -> Paths:
    """Flow without a network, of a pair and of a batch."""
    pair = (inputs.image(FIT_SIZE), inputs.image(FIT_SIZE))
    batch = (inputs.image((4, *FIT_SIZE)), inputs.image((4, *FIT_SIZE)))
    return {
        "fit.flow 384x512": Path(fit.flow, pair),
        "fit.flow b4 384x512": Path(fit.flow, batch),
    }


def rasterizer() -> Paths:
    """A head of 20,000 Gaussians at 512 x 512; "xla" is plain JAX, "both" has features, too."""
    view = camera_of(HEAD_SIDE)
    now, later, before = (inputs.gaussians(HEAD, time) for time in range(3))
    both = (now, later, before, inputs.positive((HEAD,), HEAD_FEATURES), view)
    room = gaussians.room_for(HEAD_INTERSECTIONS)
    paths = {"intersections_needed": Path(gaussians.intersections_needed, (now, view))}
    for backend, suffix in (("xla", " xla"), ("auto", "")):
        options = {"max_intersections": room, "backend": backend}
        draw = functools.partial(gaussians.render, **options)
        draw_motion = functools.partial(gaussians.render_motion, **options)
        draw_both = functools.partial(render_both, **options)
        paths |= with_gradient(f"render{suffix}", draw, (now, view), (0,))
        paths |= with_gradient(f"render_motion{suffix}", draw_motion, (now, later, view), (0, 1))
        paths |= with_gradient(f"render_motion both{suffix}", draw_both, both, (0, 1, 2, 3))
    return paths


def render_both(now, later, before, features, view, **options):
    """Both motions and features in one pass."""
    return gaussians.render_motion(
        now, later, view, previous_gaussians=before, features=features, **options
    )


def augmentations(size: tuple[int, ...], window: tuple[int, int]) -> Paths:
    sample = sf3d.Sample(
        image=inputs.image(size),
        next_image=inputs.image(size),
        flow=inputs.flow(size),
        inv_depth=inputs.inv_depth(size),
        inv_depth_change=inputs.change(size),
        camera=camera(size),
        next_camera=camera(size, 0.1),
    )
    arguments = (inputs.key(), sample)
    return {
        "aug crop": Path(lambda key, x: augment.random_crop(key, x, window), arguments),
        "aug flip": Path(augment.random_flip, arguments),
        "aug scale": Path(lambda key, x: augment.random_scale(key, x, window), arguments),
        "aug color": Path(augment.random_color, arguments),
        "aug eraser": Path(augment.random_eraser, arguments),
    }


def resizing(size: tuple[int, int]) -> Paths:
    half = (size[0] // 2, size[1] // 2)
    sparse = lambda flow, valid: sf3d.resize_sparse_flow(flow, half, valid=valid)
    return {
        "resize_image half": Path(lambda x: sf3d.resize_image(x, half), (inputs.image(size),)),
        "resize_flow half": Path(lambda x: sf3d.resize_flow(x, half), (inputs.flow(size),)),
        "resize_inv_depth half": Path(
            lambda x: sf3d.resize_inv_depth(x, half), (inputs.inv_depth(size),)
        ),
        "resize_sparse_flow half": Path(sparse, (inputs.flow(size), inputs.mask(size))),
    }


def surfaces(size: tuple[int, ...]) -> Paths:
    """Points and normals of the surfaces."""
    arguments = (inputs.inv_depth(size), camera(size))
    return {
        "point_map": Path(sf3d.point_map, arguments),
        **with_gradient("normals", sf3d.normals, arguments, (0,)),
    }


def scores(size: tuple[int, ...]) -> Paths:
    """Updates of the benchmarks' metrics."""
    flow, disparity = inputs.flow(size), inputs.positive(size)
    estimate = {"flow": flow, "disparity": disparity, "next_disparity": disparity}
    twice = (*size[:-2], 2 * size[-2], 2 * size[-1])
    truth = {
        "true_flow": inputs.flow(twice),
        "true_disparity": inputs.positive(twice),
        "true_next_disparity": inputs.positive(twice),
    }
    kitti = {"flow_occ": flow, "disparity_occ": disparity, "next_disparity_occ": disparity}
    moving = {"vectors": inputs.vectors(size), "true_vectors": inputs.vectors(size)}
    sintel = {"flow": flow, "true_flow": flow, "occluded": inputs.mask(size)}
    return {
        "KittiSceneFlow.update": update(metrics.KittiSceneFlow, estimate | kitti),
        "SpringSceneFlow.update": update(metrics.SpringSceneFlow, estimate | truth),
        "FlyingThings3D.update": update(metrics.FlyingThings3D, moving),
        "SintelFlow.update": update(metrics.SintelFlow, sintel),
    }


def update(metric: type[metrics.Metric], maps: dict[str, Any]) -> Path:
    return Path(lambda state, maps: state.update(**maps), (metric.empty(), maps))
