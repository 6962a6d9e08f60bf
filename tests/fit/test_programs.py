"""Images of several sizes: how many programs they get, and that the arrays do not show."""

import itertools

import numpy as np
import pytest
from helpers import programs

from sf3d_jax import Camera, fit
from sf3d_jax.fit import _programs, two_images
from sf3d_jax.fit._programs import Program, choose_program, make_exact_program
from sf3d_jax.fit._pyramid.plan import make_arrays, make_plan


@pytest.mark.parametrize("base", [(48, 64), (375, 1242), (97, 33)])
def test_sizes_within_a_quarter_of_each_other_get_two_programs(base):
    rng = np.random.default_rng(0)
    for trial in range(50):
        sides = [rng.integers(n, int(1.25 * n) + 1, 10).tolist() for n in base]
        sizes = list(zip(*sides, strict=True))
        chosen = [choose_program(size, ("test", base, trial)) for size in sizes]
        assert len(set(chosen)) <= 2
        for size, program in zip(sizes, chosen, strict=True):
            assert program.holds(size)
            assert all(most <= 1.57 * n for most, n in zip(program.most, size, strict=True))


def test_the_sizes_of_a_data_set_share_the_first_program():
    sizes = [(375, 1242), (370, 1224), (374, 1238), (370, 1226), (376, 1241)]
    assert {choose_program(size, "KITTI") for size in sizes} == {
        Program((353, 1153), (384, 1280)),
    }
    assert choose_program((48, 64), "small").most == (48, 64)
    assert choose_program((1, 7), "tiny") == make_exact_program((1, 7))


@pytest.mark.parametrize("least, most", [((36, 48), (50, 66)), ((400, 500), (520, 650))])
@pytest.mark.parametrize("reach", [0.0, 0.3, 1.0])
def test_arrays_hold_the_plans_of_all_sizes(least, most, reach):
    arrays = make_arrays(least, most, reach)
    sides = (np.linspace(a, b, 7).astype(int).tolist() for a, b in zip(least, most, strict=True))
    for size in itertools.product(*sides):
        plan = make_plan(size, reach)
        coarse = plan.rest.sizes[plan.rest.number - 1]
        assert (coarse <= arrays.coarse).all() and (plan.radii <= arrays.radii).all()
        if plan.between.number:
            assert (plan.between.sizes[plan.between.number - 1] <= arrays.between).all()


def textured(size):
    rng = np.random.default_rng(0)
    wide = rng.random((size[0] + 8, size[1] + 8, 1))
    smooth = sum(np.roll(wide, (i, j), (0, 1)) for i in range(3) for j in range(3)) / 9
    cut = lambda v, u: np.float32(smooth[v : v + size[0], u : u + size[1]])
    return cut(4, 4), cut(3, 2)


@pytest.mark.thorough
def test_ten_sizes_take_two_compilations_and_have_the_motion_of_their_own(monkeypatch):
    monkeypatch.setattr(_programs, "_chosen", {})
    sizes = [(40 + i % 7, 50 - i) for i in range(10)]
    pairs = [textured(size) for size in sizes]
    before = programs.counts["programs"]
    fitted = [fit.flow(*pair) for pair in pairs]
    assert programs.counts["programs"] - before <= 2
    monkeypatch.setattr(two_images, "choose_program", lambda size, kind: make_exact_program(size))
    for pair, shared in list(zip(pairs, fitted, strict=True))[1::4]:
        own = fit.flow(*pair)
        for name in ("flow", "backward_flow", "confidence"):
            a, b = getattr(own, name), getattr(shared, name)
            np.testing.assert_allclose(a, b, atol=1e-4)
        np.testing.assert_array_equal(own.valid, shared.valid)
        np.testing.assert_array_equal(own.occlusion.hidden, shared.occlusion.hidden)


@pytest.mark.thorough
def test_sizes_with_depth_share_programs(monkeypatch):
    monkeypatch.setattr(_programs, "_chosen", {})
    asked = []
    choose = lambda size, kind: asked.append(kind) or choose_program(size, kind)
    monkeypatch.setattr(two_images, "choose_program", choose)
    for size in [(16, 24), (18, 23), (17, 22), (19, 26)]:
        image, next_image = textured(size)
        inv_depth = np.full(size, 0.5, np.float32)
        camera = Camera(np.float32([20, 20]), np.float32([11, 8]), size=size)
        fit.scene_flow(image, next_image, inv_depth, inv_depth, camera)
    assert len(set(asked)) == 1
