"""A plain call of every public function of arrays: a new function is one entry here.

The arguments are NumPy's in float32, small and of few shapes; options have their defaults.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from helpers.losses_cases import (
    CHANGE,
    CHANGES,
    COVARIANCE,
    FIRST,
    FLOW,
    FLOWS,
    IMAGE,
    INV_DEPTH,
    NEXT_INV_DEPTH,
    OTHER,
    RESIDUAL,
    SECOND,
    SHARES,
    SIZE,
    TARGET,
    TARGET_CHANGE,
    VALID,
    VECTORS,
)
from helpers.meshes import sphere

import sf3d_jax as sf3d
from sf3d_jax import (
    augment,
    data,
    depth_change,
    fit,
    gaussians,
    head,
    losses,
    metrics,
    rigid_field,
    se3,
    tracks,
)


class Call(NamedTuple):
    """A public function, or one of its methods, and what it is called with.

    Attributes:
      function: of the arguments.
      arguments: trees of arrays and numbers.
    """

    function: Callable
    arguments: tuple


def cast_floating(tree, dtype):
    """The floating leaves in another type."""
    is_floating = lambda x: np.issubdtype(np.asarray(x).dtype, np.floating)
    return jax.tree.map(lambda x: np.asarray(x, dtype) if is_floating(x) else x, tree)


ONE = np.float32(3)
FIRST, SECOND = cast_floating((FIRST, SECOND), np.float32)
HALF = (SIZE[0] // 2, SIZE[1] // 2)
WINDOW = (8, 9)
KEY = jax.random.key(0)
SAMPLE = sf3d.Sample(
    image=IMAGE,
    next_image=OTHER,
    flow=FLOW,
    inv_depth=INV_DEPTH,
    inv_depth_change=CHANGE,
    valid=VALID,
    occlusion=~VALID,
    camera=FIRST,
    next_camera=SECOND,
)
# The pair, and back again.
SEQUENCE = sf3d.Sequence(
    images=np.stack([IMAGE, OTHER, IMAGE]),
    flow=np.stack([FLOW, -FLOW]),
    inv_depth=np.stack([INV_DEPTH, NEXT_INV_DEPTH, INV_DEPTH]),
)
POINTS = np.random.default_rng(3).normal(size=(5, 3)).astype(np.float32)
BALL = gaussians.Gaussians(
    0.1 * POINTS + np.float32([0, 0, 1]),
    np.tile(0.02 * np.eye(3, dtype=np.float32), (5, 1, 1)),
    np.full(5, 0.9, np.float32),
    np.abs(POINTS),
)
MOTION = (FLOW, INV_DEPTH, CHANGE)


def halved(function):
    return lambda x: function(x, HALF)


def squared(x):
    return (x * x).sum()


TWISTS = 0.3 * np.random.default_rng(4).normal(size=(5, 6)).astype(np.float32)
POSES = np.stack([FIRST.world_to_camera, SECOND.world_to_camera] * 3)[:5].astype(np.float32)
QUATERNIONS = np.random.default_rng(5).normal(size=(5, 4)).astype(np.float32)
UP = np.float32([0, -1, 0])
TRANSFORMS = {
    "se3.exp": Call(se3.exp, (TWISTS,)),
    "se3.log": Call(se3.log, (POSES,)),
    "se3.compose": Call(se3.compose, (POSES, POSES[0])),
    "se3.inverse": Call(se3.inverse, (POSES,)),
    "se3.apply": Call(se3.apply, (POSES, POINTS)),
    "se3.displacement": Call(se3.displacement, (POSES, POINTS)),
    "se3.between": Call(se3.between, (POSES, POSES[0])),
    "se3.interpolate": Call(lambda a, b: se3.interpolate(a, b, 0.5), (POSES, POSES[0])),
    "se3.adjoint": Call(se3.adjoint, (POSES,)),
    "se3.look_at": Call(se3.look_at, (POINTS, POINTS[::-1] + UP, UP)),
    "se3.from_quaternion": Call(se3.from_quaternion, (QUATERNIONS, POINTS)),
    "se3.to_quaternion": Call(se3.to_quaternion, (POSES,)),
    "se3.from_rotation_vector": Call(se3.from_rotation_vector, (POINTS,)),
    "se3.to_rotation_vector": Call(se3.to_rotation_vector, (POSES,)),
}

GEOMETRY = {
    "Camera.moved": Call(lambda c, t: c.moved(t), (FIRST, SECOND.world_to_camera)),
    "Camera.between": Call(lambda a, b: a.between(b), (FIRST, SECOND)),
    "point_map": Call(sf3d.point_map, (INV_DEPTH, FIRST)),
    "normals": Call(sf3d.normals, (INV_DEPTH, FIRST)),
    "Camera.pinhole": Call(lambda f, c: sf3d.Camera.pinhole(f, f, c, c, SIZE), (ONE, ONE)),
    "Camera.from_matrix": Call(
        lambda k: sf3d.Camera.from_matrix(k, SIZE), (np.eye(3, dtype=np.float32),)
    ),
    "Sequence.pair": Call(lambda x: x.pair(1), (SEQUENCE,)),
    "Sequence.pairs": Call(lambda x: x.pairs(), (SEQUENCE,)),
    "Camera.crop": Call(lambda c: c.crop(1, 2, HALF), (FIRST,)),
    "Camera.pad": Call(lambda c: c.pad(1, 2, (30, 30)), (FIRST,)),
    "Camera.stride": Call(lambda c: c.stride(2), (FIRST,)),
    "Camera.flip": Call(lambda c: c.flip(), (FIRST,)),
    "Camera.resize": Call(lambda c: c.resize(HALF), (FIRST,)),
    "pixel_grid": Call(lambda: sf3d.pixel_grid(SIZE), ()),
    "project": Call(sf3d.project, (VECTORS, FIRST)),
    "unproject": Call(sf3d.unproject, (TARGET, INV_DEPTH, FIRST)),
    "scene_flow": Call(sf3d.scene_flow, (*MOTION, FIRST, SECOND)),
    "image_motion": Call(sf3d.image_motion, (VECTORS, INV_DEPTH, FIRST, SECOND)),
    "rigid_motion": Call(sf3d.rigid_motion, (INV_DEPTH, FIRST, SECOND)),
    "ego_motion": Call(sf3d.ego_motion, (FLOW, INV_DEPTH, FIRST, SECOND)),
    "rigid_change": Call(sf3d.rigid_change, (FLOW, INV_DEPTH, FIRST)),
    "scene_flow_covariance": Call(
        sf3d.scene_flow_covariance, (*MOTION, FIRST, np.ones((*SIZE, 4), np.float32))
    ),
    "rigid_field.local": Call(
        lambda *motion: rigid_field.local(*motion, radius=2), (*MOTION, FIRST)
    ),
    "rigid_field.motion": Call(
        rigid_field.motion, (np.eye(3, 4, dtype=np.float32), INV_DEPTH, FIRST)
    ),
    "rigid_field.refine": Call(
        lambda *maps: rigid_field.refine(*maps[:5], confidence=maps[5], affinity=maps[6], radius=2),
        (np.tile(POSES[0], (*SIZE, 1, 1)), *MOTION, FIRST, np.abs(VECTORS), IMAGE),
    ),
    "depth_change.optical_expansion": Call(depth_change.optical_expansion, (FLOW,)),
    "depth_change.from_depths": Call(depth_change.from_depths, (INV_DEPTH, NEXT_INV_DEPTH)),
    "depth_change.from_disparities": Call(
        depth_change.from_disparities, (INV_DEPTH, NEXT_INV_DEPTH, ONE)
    ),
    "depth_change.from_scaled": Call(depth_change.from_scaled, (INV_DEPTH, CHANGE, ONE)),
    "depth_change.from_motion_in_depth": Call(
        depth_change.from_motion_in_depth, (NEXT_INV_DEPTH, INV_DEPTH)
    ),
    "depth_change.from_log_motion_in_depth": Call(
        depth_change.from_log_motion_in_depth, (CHANGE, INV_DEPTH)
    ),
    "depth_change.from_time_to_contact": Call(
        depth_change.from_time_to_contact, (NEXT_INV_DEPTH, INV_DEPTH, ONE)
    ),
    "depth_change.to_depths": Call(depth_change.to_depths, (INV_DEPTH, CHANGE)),
    "depth_change.to_disparities": Call(depth_change.to_disparities, (INV_DEPTH, CHANGE, ONE)),
    "depth_change.to_scaled": Call(depth_change.to_scaled, (INV_DEPTH, CHANGE, ONE)),
    "depth_change.to_motion_in_depth": Call(depth_change.to_motion_in_depth, (INV_DEPTH, CHANGE)),
    "depth_change.to_log_motion_in_depth": Call(
        depth_change.to_log_motion_in_depth, (INV_DEPTH, CHANGE)
    ),
    "depth_change.to_time_to_contact": Call(
        depth_change.to_time_to_contact, (INV_DEPTH, CHANGE, ONE)
    ),
}

WARPING = {
    "sample": Call(sf3d.sample, (IMAGE, TARGET)),
    "backward_warp": Call(sf3d.backward_warp, (IMAGE, FLOW)),
    "forward_splat": Call(sf3d.forward_splat, (IMAGE, FLOW)),
    "warp_inverse_depth": Call(sf3d.warp_inverse_depth, (INV_DEPTH, CHANGE, FLOW)),
    "occlusion_from_consistency": Call(sf3d.occlusion_from_consistency, (FLOW, TARGET)),
    "occlusion_from_range_map": Call(sf3d.occlusion_from_range_map, (FLOW,)),
    "occlusion_from_depth": Call(sf3d.occlusion_from_depth, (*MOTION, NEXT_INV_DEPTH)),
    "resize_image": Call(halved(sf3d.resize_image), (IMAGE,)),
    "resize_flow": Call(halved(sf3d.resize_flow), (FLOW,)),
    "resize_inv_depth": Call(halved(sf3d.resize_inv_depth), (INV_DEPTH,)),
    "resize_sparse_flow": Call(
        lambda flow, valid: sf3d.resize_sparse_flow(flow, HALF, valid=valid), (FLOW, VALID)
    ),
    "resize_mask": Call(halved(sf3d.resize_mask), (VALID,)),
    "pyramid": Call(lambda x: sf3d.pyramid(x, 2), (IMAGE,)),
}

AUGMENTATIONS = {
    "augment.random_scale": Call(lambda k, s: augment.random_scale(k, s, WINDOW), (KEY, SAMPLE)),
    "augment.random_crop": Call(lambda k, s: augment.random_crop(k, s, WINDOW), (KEY, SAMPLE)),
    "augment.random_flip": Call(augment.random_flip, (KEY, SAMPLE)),
    "augment.random_color": Call(augment.random_color, (KEY, SAMPLE)),
    "augment.random_eraser": Call(augment.random_eraser, (KEY, SAMPLE)),
}

RIGID = {
    "fit_rigid": Call(sf3d.fit_rigid, (POINTS, POINTS[::-1].copy())),
    "rigid_bodies": Call(sf3d.rigid_bodies, (*MOTION, FIRST)),
}

GAUSSIANS_AND_FITS = {
    "gaussians.render": Call(gaussians.render, (BALL, FIRST)),
    "gaussians.render_motion": Call(
        lambda now, after, before, features, camera: gaussians.render_motion(
            now, after, camera, previous_gaussians=before, features=features
        ),
        (BALL, BALL, BALL, BALL.colors, FIRST),
    ),
    "gaussians.intersections_needed": Call(gaussians.intersections_needed, (BALL, FIRST)),
    "gaussians.spherical_harmonics": Call(
        gaussians.spherical_harmonics, (np.ones((5, 4, 3), np.float32), POINTS)
    ),
    "gaussians.Gaussians.from_scales_rotations": Call(
        gaussians.Gaussians.from_scales_rotations,
        (POINTS, np.abs(POINTS), np.ones((5, 4), np.float32), BALL.opacities, BALL.colors),
    ),
    "fit.flow": Call(fit.flow, (IMAGE, OTHER)),
    "fit.scene_flow": Call(fit.scene_flow, (IMAGE, OTHER, INV_DEPTH, NEXT_INV_DEPTH, FIRST)),
    "fit.refine": Call(lambda x: fit.refine(squared, x, steps=2), (FLOW,)),
}

VERTICES, FACES = cast_floating(sphere(rings=3, around=4), np.float32)
COVER = cast_floating(head.cover(VERTICES, FACES, 20), np.float32)
FEATURES = head.surface_features(COVER, FACES, VERTICES, FACES[:, 0])
PAINT = np.abs(np.random.default_rng(5).normal(size=(20, 3))).astype(np.float32)
ALL = np.ones(20, bool)
BOUND = data.BoundGaussians(BALL, np.arange(5, dtype=np.int32))
LIKE_MAPS = {name: np.zeros((*SIZE, n), np.float32) for name, n in [("colors", 3), ("flow", 2)]}
ANNOTATION = gaussians.Annotation(
    **LIKE_MAPS,
    alpha=INV_DEPTH,
    inv_depth=INV_DEPTH,
    inv_depth_change=CHANGE,
    scene_flow=VECTORS,
    valid=VALID,
    edge=~VALID,
    overflow=np.int32(0),
    features=np.broadcast_to(FEATURES[0], (*SIZE, FEATURES.shape[-1])).copy(),
    backward=None,
)
HEAD = {
    "pieces": Call(head.pieces, (COVER, FACES, VERTICES)),
    "carry": Call(head.carry, (COVER, FACES, VERTICES, PAINT)),
    "is_facing": Call(head.is_facing, (COVER, FACES, VERTICES, FIRST)),
    "select": Call(lambda x, keep: head.select(x, keep, 24), (PAINT, ALL)),
    "sure_pixels": Call(head.sure_pixels, (ANNOTATION, FIRST)),
    "attach": Call(head.attach, (BOUND, FACES, VERTICES)),
    "FaceModel.vertices": Call(
        lambda model, weights: model.vertices(expression=weights),
        (head.blendshapes(VERTICES, {"smile": 0.1 * VERTICES}), np.ones(1, np.float32)),
    ),
    "blendshapes": Call(
        lambda x, target: head.blendshapes(x, {"smile": target}), (VERTICES, 0.1 * VERTICES)
    ),
}

TERMS = {"one": (0.5, ONE), "two": (2, ONE)}
LOSS = {
    **{
        name: Call(getattr(losses, name), (RESIDUAL,))
        for name in ("l1", "l2", "charbonnier", "generalized_charbonnier", "huber")
    },
    "general_robust": Call(lambda x: losses.general_robust(x, alpha=0.5), (RESIDUAL,)),
    "mixture_of_laplace": Call(losses.mixture_of_laplace, (RESIDUAL, *SHARES)),
    "gaussian_nll": Call(losses.gaussian_nll, (VECTORS, 2 * VECTORS, COVARIANCE)),
    **{
        name: Call(getattr(losses, name), (IMAGE, OTHER))
        for name in ("brightness", "census", "ssim", "ncc", "photometric", "gradient_difference")
    },
    **{
        f"{order}_order_smoothness": Call(
            getattr(losses, f"{order}_order_smoothness"), (FLOW, IMAGE)
        )
        for order in ("first", "second")
    },
    "total_variation": Call(losses.total_variation, (FLOW,)),
    "srflow_terms": Call(losses.srflow_terms, (FLOW, TARGET, VALID)),
    "end_point_error": Call(losses.end_point_error, (FLOW, TARGET)),
    "inverse_depth_change_error": Call(losses.inverse_depth_change_error, (CHANGE, TARGET_CHANGE)),
    "log_motion_in_depth_error": Call(
        losses.log_motion_in_depth_error, (CHANGE, TARGET_CHANGE, INV_DEPTH)
    ),
    "depth_consistency": Call(losses.depth_consistency, (*MOTION, NEXT_INV_DEPTH)),
    "point_reconstruction": Call(
        losses.point_reconstruction, (VECTORS, INV_DEPTH, NEXT_INV_DEPTH, FIRST, SECOND)
    ),
    "forward_backward_error": Call(losses.forward_backward_error, (FLOW, TARGET)),
    "rigidity": Call(losses.rigidity, (VECTORS, INV_DEPTH, FIRST)),
    "temporal_smoothness": Call(losses.temporal_smoothness, (VECTORS,)),
    "raft": Call(losses.raft, (FLOWS, TARGET)),
    "raft3d": Call(losses.raft3d, (FLOWS, CHANGES, TARGET, TARGET_CHANGE)),
    "self_supervision": Call(
        lambda flow, teacher, own, others: losses.self_supervision(
            flow, teacher, weight=own, teacher_weight=others
        ),
        (FLOW, TARGET, INV_DEPTH, NEXT_INV_DEPTH),
    ),
    "consistency_weight": Call(losses.consistency_weight, (FLOW, TARGET)),
    "multi_scale": Call(
        lambda *x: losses.multi_scale(losses.brightness, *x, levels=2), (IMAGE, OTHER)
    ),
    "multi_scale_flow": Call(lambda *x: losses.multi_scale_flow(x[:1], x[1]), (FLOW, TARGET)),
    "masked_mean": Call(losses.masked_mean, (INV_DEPTH, VALID)),
    "compose": Call(losses.compose, (TERMS,)),
    "balance": Call(losses.balance, ({"one": ONE, "two": ONE},)),
}


STEP = tracks.Motion(*MOTION, VALID, ~VALID)
TRACKS = {
    "chain": Call(tracks.chain, (STEP, STEP, FIRST, SECOND)),
    "track": Call(tracks.track, (TARGET[0], jax.tree.map(lambda x: np.stack([x, x]), STEP), FIRST)),
}


def measured(name, **maps):
    """All that a metric does with one update."""

    def run(maps):
        metric = getattr(metrics, name).empty().update(**maps)
        metric.merge(metric).compute()
        return metric

    return Call(run, (maps,))


def update_with_tracks(metric, estimate, truth, visible, **options):
    """The metric of these tracks, which is what runs on a GPU."""
    return metric.empty().update(estimate, visible, truth, visible, **options)


def measure_tracks(metric, *tracks, **options):
    metric = update_with_tracks(metric, *tracks, **options)
    metric.merge(metric).compute()
    return metric


METRICS = {
    "DepthChange": measured(
        "DepthChange",
        inv_depth_change=CHANGE,
        true_inv_depth_change=TARGET_CHANGE,
        true_inv_depth=INV_DEPTH,
    ),
    "FlyingThings3D": measured(
        "FlyingThings3D", flow=FLOW, true_flow=TARGET, true_inv_depth=INV_DEPTH
    ),
    "KittiSceneFlow": measured("KittiSceneFlow", flow=FLOW, flow_occ=(TARGET, VALID)),
    "MotionInDepth": measured(
        "MotionInDepth", log_motion_in_depth=CHANGE, true_log_motion_in_depth=TARGET_CHANGE
    ),
    "SRFlow3D": measured("SRFlow3D", flow=FLOW, true_flow=TARGET, mask=VALID),
    "SintelFlow": measured("SintelFlow", flow=FLOW, true_flow=TARGET, occluded=VALID),
    "SpringSceneFlow": measured("SpringSceneFlow", flow=FLOW, true_flow=TARGET),
    "TapVid": Call(lambda *x: measure_tracks(metrics.TapVid, *x, size=SIZE), (FLOW, TARGET, VALID)),
    "TapVid3D": Call(
        lambda *x: measure_tracks(metrics.TapVid3D, *x[:3], camera=x[3]),
        (VECTORS, VECTORS + np.float32(0.1), VALID, FIRST),
    ),
    "fill_holes": Call(metrics.fill_holes, (INV_DEPTH, VALID)),
    "occlusion_boundary_distance": Call(metrics.occlusion_boundary_distance, (VALID,)),
}

CALLS = {
    **TRANSFORMS,
    **GEOMETRY,
    **WARPING,
    **AUGMENTATIONS,
    **RIGID,
    **GAUSSIANS_AND_FITS,
    **{f"head.{name}": call for name, call in HEAD.items()},
    **{f"tracks.{name}": call for name, call in TRACKS.items()},
    **{f"losses.{name}": call for name, call in LOSS.items()},
    **{f"metrics.{name}": call for name, call in METRICS.items()},
}
