"""Steps made one, and points followed, in clips whose motion is known between any two frames."""

import cv2
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import thorough
from helpers.moving_clips import plate_and_wall, shell
from helpers.platforms import count_loops, lower_for_gpu
from helpers.support import (
    as_numpy,
    camera,
    cast,
    float64,
    grid,
    opencv_matrix,
    opencv_rays,
    pose,
)

from sf3d_jax import tracks

SIZE, FRAMES = (30, 40), 6
CLIP = plate_and_wall(SIZE, FRAMES)


def chain(clip, dtype=np.float64):
    """The first two steps of a clip made one."""
    steps = (clip.step(t, t + 1, dtype) for t in (0, 1))
    with float64():
        return as_numpy(tracks.chain(*steps, *cast((clip.camera(1), clip.camera(2)), dtype)))


def find_middle(clip):
    """Where points are in the second frame, which are seen, and which amid their own surface."""
    which, points = clip.cast(clip.grid(), 0)
    pixels, _, hidden = clip.see(which, points, 1)
    low = np.floor(pixels).astype(int)
    rows, columns = (
        [np.clip(low[..., k] + i, 0, n - 1) for i in (0, 1)]
        for k, n in zip((1, 0), clip.size, strict=True)
    )
    shown = clip.cast(clip.grid(), 1)[0]
    amid = np.all([shown[r, c] == which for r in rows for c in columns], axis=0)
    return pixels, clip.is_inside(pixels) & ~hidden, amid


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_chain_of_planes_is_exact(dtype):
    """Also where it is extrapolated by half a pixel, on the rim of the image."""
    got, truth = chain(CLIP, dtype), CLIP.step(0, 2)
    pixels, seen, amid = find_middle(CLIP)
    outermost = np.abs(pixels - (np.array(SIZE[::-1]) - 1) / 2) > (np.array(SIZE[::-1]) - 1) / 2
    np.testing.assert_array_equal(got.valid, seen)
    assert (outermost.any(-1) & seen).any() and 0.5 < seen.mean() < 1 and (seen & ~amid).any()
    error = np.abs(got.flow - truth.flow).max(-1)
    bound = 1e-12 if dtype == np.float64 else 4e-8 * SIZE[1]
    assert error[seen & amid].max() < bound
    # At the edge of a surface the nearest pixel is taken, whose motion differs by this much.
    assert error[seen].max() < 0.05
    change = np.abs(got.inv_depth_change - truth.inv_depth_change)[seen & amid]
    assert change.max() < bound / 10
    np.testing.assert_allclose(got.inv_depth, CLIP.step(0, 1).inv_depth, rtol=1e-6)
    assert not got.flow[~seen].any() and not got.inv_depth_change[~seen].any()
    # Hidden is what the second step hides at the nearest pixel: wrong beside edges alone.
    wrong = (got.hidden != truth.hidden) & seen
    assert wrong.mean() < 0.02 and (got.hidden & truth.hidden).sum() > 5


@thorough.parametrize(
    "stretch, width",
    [(s, w) for s in (0.0, 0.02) for w in (40, 80, 160, 320)],
    default=[(0.0, 40)],
)
def test_the_error_on_smooth_surfaces_halves_when_the_width_doubles(stretch, width):
    errors = []
    for w in (width // 2, width) if width > 40 else (width,):
        clip = shell((w * 3 // 4, w), 3, stretch)
        got, truth = chain(clip), clip.step(0, 2)
        np.testing.assert_array_equal(got.valid, find_middle(clip)[1])
        errors.append(np.abs(got.flow - truth.flow)[got.valid].max())
    assert 1e-6 < errors[-1] < 1e-3
    if len(errors) > 1:
        assert errors[1] < 0.62 * errors[0]


def test_a_step_that_is_not_known_ends_there():
    """By a mask, by what hides the point, or without a surface; and only there."""
    first, second = CLIP.step(0, 1), CLIP.step(1, 2)
    expected = chain(CLIP)
    valid = np.ones(SIZE, bool)
    valid[4:8, 5:9] = False
    first.hidden[10:12, 20:24] = True
    first.inv_depth[20, 10:12] = [0, np.nan]
    with float64():
        first = first._replace(valid=valid)
        got = as_numpy(tracks.chain(first, second, CLIP.camera(1), CLIP.camera(2)))
    lost = ~valid
    lost[10:12, 20:24] = lost[20, 10:12] = True
    np.testing.assert_array_equal(got.valid, expected.valid & ~lost)
    for x, y in zip(got, expected, strict=True):
        np.testing.assert_array_equal(x[~lost], y[~lost])
    assert not got.inv_depth[20, 10:12].any() and got.inv_depth[5, 6] > 0


def stack(clip, frames):
    """All steps of a clip with their axis of time."""
    steps = [clip.step(t, t + 1) for t in range(frames - 1)]
    return jax.tree.map(lambda *x: np.stack(x), *steps)


STEPS = stack(CLIP, FRAMES)
QUERIES = np.random.default_rng(0).uniform([0, 0], [39, 29], (300, 2))


def follow(queries, steps=STEPS):
    with float64():
        return as_numpy(tracks.track(queries, steps, CLIP.camera(*range(FRAMES))))


def truth_of(which, points):
    """Pixels, inverse depths and places; which are seen and known, and by two pixels off edges."""
    known, path = np.ones(which.shape, bool), []
    far_from_edges = np.ones(which.shape, bool)
    for t in range(FRAMES):
        pixels, inv_depth, hidden = CLIP.see(which, points, t)
        seen = known & ~hidden & CLIP.is_inside(pixels)
        around = [pixels + np.array([i, j]) for i in (-2, 0, 2) for j in (-2, 0, 2)]
        amid = np.any([np.all([CLIP.cast(x, t)[0] == k for x in around], 0) for k in (0, 1)], 0)
        far_from_edges &= amid | ~known
        path.append((pixels, inv_depth, CLIP.place(which, points, t), seen, known))
        known = seen
    return [np.stack(x) for x in zip(*path, strict=True)], far_from_edges


def test_points_are_followed_through_a_clip():
    """Pixels and points: in planes exactly, until something hides them or they leave the image."""
    which, points = CLIP.cast(QUERIES, 0)
    (pixels, inv_depth, places, seen, known), usual = truth_of(which, points)
    for queries in (QUERIES, CLIP.place(which, points, 0)):
        got = follow(queries)
        np.testing.assert_array_equal(got.valid[:, usual], known[:, usual])
        np.testing.assert_array_equal(got.visible[:, usual], seen[:, usual])
        valid = got.valid & usual
        np.testing.assert_allclose(got.pixels[valid], pixels[valid], atol=1e-11)
        np.testing.assert_allclose(got.inv_depth[valid], inv_depth[valid], rtol=1e-12)
        np.testing.assert_allclose(got.points[valid], places[valid], atol=1e-11)
        assert not got.pixels[~got.valid].any() and not got.points[~got.valid].any()
        assert not (got.visible & ~got.valid).any()
    assert 0.5 < usual.mean() < 0.95 and (known & ~seen)[:, usual].sum() > 20
    # At edges, the motion of the nearest pixel of the surface is taken.
    right = got.valid & known
    assert np.abs(got.pixels - pixels)[right].max() < 0.1


def test_a_bad_query_or_pixel_touches_no_other_track():
    expected = follow(QUERIES)
    bad = QUERIES.copy()
    bad[:4] = [[np.nan, 1], [np.inf, 2], [-1, 3], [1e30, 5]]
    got = follow(bad)
    assert not got.valid[:, :4].any()
    steps = jax.tree.map(np.copy, STEPS)
    steps.flow[2, 12, 17] = np.nan
    steps.inv_depth[1, 20, 30] = -1
    broken = follow(QUERIES, steps)
    at = np.stack([expected.pixels[2] - [17, 12], expected.pixels[1] - [30, 20]])
    # The slope of the inverse depth is read two pixels further.
    touched = (np.abs(at).max(-1) < 4).any(0)
    assert 0 < touched.sum() < 60
    for x, y, z in zip(got, broken, expected, strict=True):
        np.testing.assert_array_equal(x[:, 4:], z[:, 4:])
        np.testing.assert_array_equal(y[:, ~touched], z[:, ~touched])
        assert np.isfinite(y).all()


def test_what_a_mask_hides_ends_there():
    """A mask counts, whatever the inverse depths of the next frame say."""
    expected = follow(QUERIES)
    steps = jax.tree.map(np.copy, STEPS)
    steps.hidden[1, 4:14, 3:17] = True
    got = follow(QUERIES, steps)
    u, v = np.moveaxis(np.round(expected.pixels[1]), -1, 0)
    marked = expected.visible[1] & (u >= 3) & (u < 17) & (v >= 4) & (v < 14)
    assert marked.sum() > 20 and expected.visible[2, marked].any()
    np.testing.assert_array_equal(got.valid[:3], expected.valid[:3])
    assert not got.visible[2, marked].any() and not got.valid[3:, marked].any()
    np.testing.assert_array_equal(got.valid[:, ~marked], expected.valid[:, ~marked])


def test_wrong_arguments_are_named():
    step, steps, one = CLIP.step(0, 1, np.float32), STEPS, CLIP.camera(1)
    with pytest.raises(TypeError, match=r"first: expected a tracks.Motion, got tuple"):
        tracks.chain(tuple(step), step, one)
    with pytest.raises(ValueError, match=r"first.inv_depth: expected shape"):
        tracks.chain(step._replace(inv_depth=step.inv_depth[1:]), step, one)
    with pytest.raises(TypeError, match=r"second.hidden: expected an array of bool"):
        tracks.chain(step, step._replace(hidden=step.inv_depth), one)
    with pytest.raises(ValueError, match=r"second: expected maps of the camera's size"):
        tracks.chain(step, step, one.crop(0, 0, (20, 20)))
    with pytest.raises(TypeError, match="camera: expected a Camera, got"):
        tracks.chain(step, step, 1.0)
    with pytest.raises(TypeError, match=r"motions: expected a tracks.Motion, got list; stack the"):
        tracks.track(QUERIES, [step, step], one)
    with pytest.raises(TypeError, match="cameras: expected a Camera, got list; stack them"):
        tracks.track(QUERIES, steps, [one] * 6)
    with pytest.raises(ValueError, match=r"points: expected pixels \(..., n, 2\)"):
        tracks.track(QUERIES[0], steps, one)
    with pytest.raises(ValueError, match=r"motions: expected an axis of steps"):
        tracks.track(QUERIES, step, one)
    with pytest.raises(ValueError, match=r"cameras: expected batch axes \(..., 6\)"):
        tracks.track(QUERIES, steps, CLIP.camera(0, 1, 2))
    with pytest.raises(ValueError, match=r"motions: expected maps of the cameras' size"):
        tracks.track(QUERIES, steps, one.crop(0, 0, (20, 20)))
    with pytest.raises(ValueError, match=r"motions: expected as many steps as flow"):
        tracks.track(QUERIES, steps._replace(flow=steps.flow[:1]), one)


def random_change(tree, seed):
    rng = np.random.default_rng(seed)
    is_number = lambda x: x.dtype != bool
    return jax.tree.map(lambda x: rng.normal(size=x.shape) if is_number(x) else np.zeros(0), tree)


def add(tree, change, t):
    return jax.tree.map(lambda x, d: x if x.dtype == bool else x + t * d, tree, change)


def check_gradient(function, *inputs):
    """The derivative in reverse and forward mode, against finite differences, in float64."""
    with float64():
        change = random_change(inputs, 3)
        weights = random_change(as_numpy(function(*inputs)), 4)

        @jax.jit
        def loss(inputs):
            results = jax.tree.leaves(function(*inputs))
            pairs = zip(results, jax.tree.leaves(weights), strict=True)
            return sum((x * w).sum() for x, w in pairs if x.dtype != bool)

        step = 1e-6
        numeric = (loss(add(inputs, change, step)) - loss(add(inputs, change, -step))) / (2 * step)
        gradient = jax.grad(loss, allow_int=True)(inputs)
        pairs = zip(jax.tree.leaves(gradient), jax.tree.leaves(change), strict=True)
        products = [float((g * d).sum()) for g, d in pairs if d.size]
        assert min(map(abs, products)) > 0
        np.testing.assert_allclose(sum(products), float(numeric), rtol=1e-5)


@pytest.mark.thorough
def test_the_gradient_of_a_chain_is_that_of_finite_differences():
    clip = shell((12, 16), 3)
    first, second = (clip.step(t, t + 1, hidden=False) for t in (0, 1))
    cameras = clip.camera(1), clip.camera(2)
    check_gradient(lambda a, b: tracks.chain(a, b, *cameras)[:3], first, second)


@pytest.mark.thorough
def test_the_gradient_of_tracks_is_that_of_finite_differences():
    clip = shell((12, 16), 4)
    steps = stack(clip, 4)._replace(hidden=None)
    queries = np.random.default_rng(1).uniform([3, 3], [11, 8], (9, 2))
    cameras = clip.camera(*range(4))
    check_gradient(lambda q, s: tracks.track(q, s, cameras)[:3], queries, steps)


@pytest.mark.thorough
@pytest.mark.parametrize("lens", ["opencv", "fisheye"])
def test_a_chain_through_bent_lenses_is_that_of_projected_points(lens):
    """A static plane and cameras that move, by the projections of OpenCV.

    Pixels are not affine in rays there, so the error is that of a smooth surface.
    """
    views = [
        camera(lens, pose(np.array([0.01, -0.02, 0.015]) * t, [0.03 * t, 0, 0.02 * t]))
        for t in range(3)
    ]
    normal = np.array([0.05, -0.1, 0.5])

    def see(points, t):
        matrix, coefficients = opencv_matrix(views[t]), np.float64(views[t].distortion)
        own = points @ np.float64(views[t].world_to_camera)[:, :3].T
        own = own + np.float64(views[t].world_to_camera)[:, 3]
        function = cv2.fisheye.projectPoints if lens == "fisheye" else cv2.projectPoints
        still = np.zeros(3)
        pixels, _ = function(own.reshape(-1, 1, 3), still, still, matrix, coefficients)
        return pixels.reshape(*own.shape[:-1], 2), 1 / own[..., 2]

    def step(t, after):
        world_to_camera = np.float64(views[t].world_to_camera)
        rays = opencv_rays(grid(), views[t]) @ world_to_camera[:, :3]
        start = -world_to_camera[:, :3].T @ world_to_camera[:, 3]
        points = start + ((1 - start @ normal) / (rays @ normal))[..., None] * rays
        (now, depth), (then, next_depth) = see(points, t), see(points, after)
        return tracks.Motion(then - now, depth, next_depth - depth)

    with float64():
        got = as_numpy(tracks.chain(step(0, 1), step(1, 2), views[1], views[2]))
    truth = step(0, 2)
    assert got.valid.mean() > 0.7
    np.testing.assert_allclose(got.flow[got.valid], truth.flow[got.valid], atol=1e-3)
    wanted = truth.inv_depth_change[got.valid]
    np.testing.assert_allclose(got.inv_depth_change[got.valid], wanted, atol=1e-5)


@pytest.mark.thorough
def test_a_batch_is_a_loop_mapped_or_in_shards():
    """Of clips, with one camera of all frames and batch; and on several devices."""
    clips = [plate_and_wall((12, 16), 4), shell((12, 16), 4)]
    steps = [jax.tree.map(np.float32, stack(c, 4)._replace(valid=None, hidden=None)) for c in clips]
    queries = np.float32(np.random.default_rng(0).uniform([0, 0], [15, 11], (2, 20, 2)))
    batch = jax.tree.map(lambda *x: np.stack(x), *steps)
    lens = cast(clips[0].camera(0), np.float32)
    loop = [tracks.track(queries[i], steps[i], lens) for i in range(2)]
    expected = as_numpy(jax.tree.map(lambda *x: jnp.stack(x), *loop))
    assert 0.3 < expected.valid.mean() < 1
    one = lambda q, s: tracks.track(q, s, lens)
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:2]), ("batch",))
    part = jax.sharding.PartitionSpec("batch")
    everywhere = jax.shard_map(one, mesh=mesh, in_specs=part, out_specs=part)
    for run in (one, jax.vmap(one), jax.jit(everywhere)):
        got = as_numpy(run(queries, batch))
        np.testing.assert_array_equal(got.valid, expected.valid)
        np.testing.assert_array_equal(got.visible, expected.visible)
        np.testing.assert_allclose(got.pixels, expected.pixels, atol=1e-5)
    first, second = (jax.tree.map(lambda x, t=t: x[:, t], batch) for t in (0, 1))
    expected = as_numpy(tracks.chain(first, second, lens))
    linked = lambda a, b: tracks.chain(a, b, lens)
    for run in (
        jax.vmap(linked),
        jax.jit(jax.shard_map(linked, mesh=mesh, in_specs=part, out_specs=part)),
    ):
        got = as_numpy(run(first, second))
        np.testing.assert_array_equal(got.valid, expected.valid)
        np.testing.assert_allclose(got.flow, expected.flow, atol=1e-5)


@pytest.mark.thorough
def test_bfloat16_is_followed_in_float32():
    """Its inverse depths differ by their rounding, which is no edge of a surface."""
    clip = shell((12, 16), 3)
    first, second = (cast(clip.step(t, t + 1)[:3], jnp.bfloat16) for t in (0, 1))
    got = tracks.chain(
        tracks.Motion(*first), tracks.Motion(*second), cast(clip.camera(1), jnp.float32)
    )
    assert got.flow.dtype == got.inv_depth_change.dtype == jnp.bfloat16
    _, seen, _ = find_middle(clip)
    assert (np.array(got.valid) == seen).mean() > 0.97
    error = np.abs(np.float32(got.flow) - clip.step(0, 2).flow)[np.array(got.valid) & seen]
    assert error.max() < 0.1


@pytest.mark.thorough
def test_on_a_gpu_only_the_frames_are_a_loop():
    step = jax.tree.map(np.float32, CLIP.step(0, 1)._replace(valid=None, hidden=None))
    lens = cast(CLIP.camera(0), np.float32)
    linked = lambda a, b: tracks.chain(a, b, lens).flow.sum()
    for function in (linked, jax.grad(linked, argnums=(0, 1))):
        assert count_loops(lower_for_gpu(function, step, step)) == 0
    steps = jax.tree.map(lambda x: np.stack([x, x]), step)
    assert (
        count_loops(
            lower_for_gpu(lambda q, s: tracks.track(q, s, lens), np.float32(QUERIES), steps)
        )
        == 1
    )
