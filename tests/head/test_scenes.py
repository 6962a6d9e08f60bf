"""Real heads against the float64 ray caster and Blender's truth: how exact annotations are."""

import numpy as np
import pytest
from helpers import head_scenes as scenes

from sf3d_jax import data, head
from sf3d_jax.gaussians import Gaussians

pytestmark = [pytest.mark.thorough, pytest.mark.optimized]
COUNT = 60_000


@pytest.fixture(scope="module")
def cache():
    return {}


@pytest.fixture
def rendered(shared_file, cache):
    """Blender's scene, its truth, and what is drawn of it."""
    if not cache:
        scene, truth = scenes.rendered_head(shared_file)
        cache["all"] = scene, truth, *scenes.draw(scene, COUNT)
    return cache["all"]


def find_errors(annotation, truth, mask):
    return scenes.find_errors(
        annotation, truth["flow_fw"], truth["depth0"], truth["scene_flow"], mask
    )


def test_the_ray_caster_finds_what_blender_found(rendered):
    scene, truth, *_ = rendered
    cast = scenes.cast_scene(scene)
    assert (cast.hit != truth["valid"]).sum() <= 34
    both = cast.hit & truth["valid"]
    assert np.median(np.abs(cast.hits.depth - truth["depth0"])[both]) < 3e-7
    flow, motion = (
        np.median(np.linalg.norm(x - truth[name], axis=-1)[both])
        for x, name in ((cast.flow, "flow_fw"), (cast.scene_flow, "scene_flow"))
    )
    assert flow < 1e-4 and motion < 1e-7
    change = np.abs(cast.inv_depth_change - truth["inv_depth_change_fw"])[both]
    assert np.median(change) < 1e-6


def test_the_interior_of_a_head_is_exact(rendered):
    _, truth, annotation, _ = rendered
    inside = truth["interior0"] & truth["valid"]
    assert annotation.valid[inside].all()
    errors = find_errors(annotation, truth, inside)
    assert errors.flow.mean() <= 0.010
    assert errors.depth.mean() <= 0.12
    assert errors.motion.mean() <= 0.008


def test_sure_pixels_are_more_exact_and_nearly_all(rendered):
    _, truth, annotation, sure = rendered
    errors = find_errors(annotation, truth, sure)
    assert truth["valid"][sure].all()
    assert errors.flow.mean() <= 0.006
    assert np.quantile(errors.flow, 0.999) <= 0.1
    assert sure.sum() / truth["valid"].sum() >= 0.92


def test_the_full_gradient_is_four_times_as_exact_as_a_rigid_frame(rendered):
    scene, _, annotation, sure = rendered
    first, second = scenes.single(scene.states)

    def bind(carried, cover):
        """GaussianAvatars' binding of the same Gaussians to the triangles of the first time."""
        unit = np.broadcast_to(np.eye(3, dtype=np.float32), carried.factors.shape)
        of = lambda means, factors: data.BoundGaussians(
            Gaussians(means, factors, np.asarray(carried.opacities), np.asarray(carried.colors)),
            cover.triangles,
        )
        frame = head.attach(of(np.zeros_like(carried.means), unit), scene.faces, first)
        solve = lambda x: np.float32(np.linalg.solve(np.float64(frame.factors), np.float64(x)))
        means = solve((carried.means - frame.means)[..., None])[..., 0]
        return head.attach(of(means, solve(carried.factors)), scene.faces, second)

    rigid, _ = scenes.draw(scene, COUNT, move=bind)
    # By the ray caster: Blender cut some quads of the mesh along the other diagonal.
    cast = scenes.cast_scene(scene)
    full, other = (
        scenes.find_errors(x, cast.flow, cast.hits.depth, cast.scene_flow, sure & cast.hit)
        for x in (annotation, rigid)
    )
    assert other.flow.mean() >= 4 * full.flow.mean()
    assert other.motion.mean() >= 4 * full.motion.mean()


@pytest.mark.parametrize("seed, size", [(0, (512, 512)), (3, (512, 512)), (7, (384, 320))])
def test_other_heads_and_motions_are_as_exact(shared_file, seed, size):
    scene = scenes.random_head(shared_file, seed, size)
    cast = scenes.cast_scene(scene)
    annotation, sure = scenes.draw(scene, COUNT)
    errors = scenes.find_errors(
        annotation, cast.flow, cast.hits.depth, cast.scene_flow, sure & cast.hit
    )
    assert errors.flow.mean() <= 0.006
    assert errors.depth.mean() <= 0.12
    assert errors.motion.mean() <= 0.008
    assert np.quantile(errors.flow, 0.999) <= 0.1
    assert sure[cast.hit].mean() >= 0.92
    assert (sure & ~cast.hit).sum() <= 1e-4 * sure.sum()
    assert annotation.valid[cast.hit].all()


def test_both_directions_leave_the_same_pixels(rendered):
    scene, _, annotation, sure = rendered
    both, of_both = scenes.draw(scene, COUNT, previous=scene.states[1])
    np.testing.assert_array_equal(of_both, sure)
    np.testing.assert_allclose(both.backward.flow, annotation.flow, atol=1e-3)
