"""What the derivatives are for: Gaussians fitted to images, and their motion to flow, by optax."""

import dataclasses

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from helpers.support import cast

from sf3d_jax.data.closed_form import deforming_scene, next_image
from sf3d_jax.gaussians import Gaussians, intersections_needed, render, render_motion

# Hundreds of steps of one program.
pytestmark = [pytest.mark.optimized, pytest.mark.thorough]

SIZES = [(48, 64), (96, 128)]


def view(size, camera_motion):
    """Camera and image of the scene at rest, the camera moved by multiples of 0.9 degrees."""
    scene = deforming_scene(size, amplitude=0.0, camera_motion=camera_motion)
    return cast(scene.next_camera, jnp.float32), np.float32(next_image(scene, amplitude=0.0)) / 255


def lift(scene, *, stride):
    """Round Gaussians at the points of every few pixels, as large as the gaps between them."""
    points = scene.points[::stride, ::stride].reshape(-1, 3)
    colors = scene.image[::stride, ::stride].reshape(-1, 3) / 255
    scales = 0.4 * stride * points[:, 2] / scene.camera.focal[0]
    return points, scales, colors


def psnr(image, wanted):
    return -10 * np.log10(np.mean((np.clip(image, 0, 1) - wanted) ** 2))


@pytest.mark.parametrize("size", SIZES[1:])
def test_gaussians_fitted_to_some_views_show_another_one(size):
    points, scales, colors = lift(deforming_scene(size, amplitude=0.0), stride=2)
    count = len(points)
    parameters = {
        "means": points,
        "scales": np.log(np.tile(scales[:, None], 3)),
        "rotations": np.tile([1.0, 0, 0, 0], (count, 1)),
        "opacities": np.full(count, 2.0),
        "colors": colors,
    }
    parameters = start = cast(parameters, jnp.float32)

    def build(parameters):
        scales, opacities = jnp.exp(parameters["scales"]), jax.nn.sigmoid(parameters["opacities"])
        rest = parameters["rotations"], opacities, parameters["colors"]
        return Gaussians.from_scales_rotations(parameters["means"], scales, *rest)

    views = [view(size, m) for m in (-2.0, -1.0, 0.0, 1.0, 2.0)]
    # They may grow; overflow would show as NaN.
    room = 2 * int(intersections_needed(build(parameters), views[0][0]))
    rates = {"means": 1e-3, "scales": 0.08, "rotations": 0.05, "opacities": 0.1, "colors": 0.05}
    # A rate for each, all falling to a tenth.
    adam = lambda rate: optax.adam(optax.cosine_decay_schedule(rate, 500, 0.1))
    optimizer = optax.partition({k: adam(v) for k, v in rates.items()}, {k: k for k in rates})

    def loss(parameters, camera, image):
        drawn = render(build(parameters), camera, max_intersections=room)
        return jnp.mean((drawn.colors - image) ** 2)

    @jax.jit
    def step(parameters, state, camera, image):
        gradient = jax.grad(loss)(parameters, camera, image)
        with jax.numpy_dtype_promotion("standard"):  # optax raises a float to an integer
            change, state = optimizer.update(gradient, state)
        return optax.apply_updates(parameters, change), state

    state = optimizer.init(parameters)
    for k in range(500):
        parameters, state = step(parameters, state, *views[k % len(views)])

    for camera, image in (view(size, 0.5), view(size, 1.5)):
        drawn, before = (
            render(build(p), camera, max_intersections=room) for p in (parameters, start)
        )
        assert drawn.overflow == 0
        assert psnr(before.colors, image) < 20 and psnr(drawn.colors, image) > 30


@pytest.mark.parametrize("size", SIZES)
def test_the_motion_of_gaussians_is_found_from_flow(size):
    scene = deforming_scene(size, amplitude=0.02)
    points, scales, colors = lift(scene, stride=2)
    factors = scales[:, None, None] * np.eye(3)
    gaussians = Gaussians(points, factors, np.full(len(points), 0.95), colors)
    gaussians = cast(gaussians, jnp.float32)
    cameras = cast((scene.camera, scene.next_camera), jnp.float32)
    room = int(intersections_needed(gaussians, cameras[0]))
    # One pixel across the view weighs as much as the same distance along it.
    scale = np.array([[[1, 1, scene.camera.focal[0]]]], np.float32)
    wanted = np.float32(np.concatenate([scene.flow, scene.inv_depth_change[..., None]], -1))

    def loss(means):
        later = dataclasses.replace(gaussians, means=means)
        seen = render_motion(gaussians, later, *cameras, max_intersections=room)
        found = jnp.concatenate([seen.flow, seen.inv_depth_change[..., None]], -1)
        missed = jnp.where(seen.valid[..., None], scale * (found - wanted), 0)
        return jnp.mean(missed**2), seen

    optimizer = optax.adam(optax.cosine_decay_schedule(2e-3, 150, 0.1))

    @jax.jit
    def step(means, state):
        gradient, seen = jax.grad(loss, has_aux=True)(means)
        with jax.numpy_dtype_promotion("standard"):  # optax raises a float to an integer
            change, state = optimizer.update(gradient, state)
        return optax.apply_updates(means, change), state, seen

    means, annotations = gaussians.means, []
    state = optimizer.init(means)
    for _ in range(150):
        means, state, seen = step(means, state)
        annotations.append(seen)

    first, last = annotations[0], annotations[-1]
    surface = np.linalg.norm(scene.vectors, axis=-1) > 0
    inside = cv2.erode(surface.astype(np.uint8), np.ones((7, 7))) > 0
    assert last.valid[inside].all() and last.overflow == 0
    mean = lambda x: np.linalg.norm(x, axis=-1)[inside].mean()
    flow, motion = (
        [mean(getattr(seen, name) - true) for seen in (first, last)]
        for name, true in (("flow", scene.flow), ("scene_flow", scene.vectors))
    )
    assert flow[0] > size[1] / 64 and flow[1] < 0.03
    assert motion[0] > 0.015 and motion[1] < 3e-4
    # Not only the pixels: each Gaussian is where its point has gone.
    truth = (scene.points + scene.vectors)[::2, ::2].reshape(-1, 3)
    missed = np.linalg.norm(means - truth, axis=-1)
    assert np.median(missed[inside[::2, ::2].ravel()]) < 1e-3
