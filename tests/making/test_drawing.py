"""Frames of a subject: what is drawn, that it is true, and that it depends on the frame alone.

All default tests draw the egg in one size, so that they share their programs.
"""

import dataclasses

import jax
import numpy as np
import pytest
from helpers.plain_light import light_plainly
from helpers.ray_caster import cast_motion
from helpers.small_heads import make_egg

from sf3d_jax import data
from sf3d_jax.head.person.landmarks import PARTS
from sf3d_jax.making import Options, open_subject, plan
from sf3d_jax.making.drawing import check_seen, round_room

SIZE = (40, 48)


@pytest.fixture(scope="module")
def options(tmp_path_factory):
    path = tmp_path_factory.mktemp("heads") / "egg.glb"
    data.write_mesh(path, make_egg())
    # At 5 frames per second, motions are large even in a small image.
    small = dict(subjects=2, test=1, frames=4, fps=5.0, size=SIZE, gaussians=1500)
    return Options(**small, head=str(path), background="black", sensor="ideal")


@pytest.fixture(scope="module")
def subject(options):
    return open_subject(plan(options).subjects[1], options)


@pytest.fixture(scope="module")
def frames(options, subject):
    return [subject.draw(k) for k in range(options.frames)]


def find_truth(subject, frame, other):
    """The float64 truth of the mesh that a subject draws."""
    now, then = subject.vertices(frame), subject.vertices(other)
    return cast_motion(now, then, subject.faces, subject.camera(frame), subject.camera(other))


def is_same(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


def test_a_frame_is_the_same_whichever_were_drawn_before(options, frames):
    again = open_subject(plan(options).subjects[1], options)
    for k in (2, 0, 3):
        assert is_same(again.draw(k), frames[k])


def test_another_subject_and_another_seed_move_otherwise(options, subject):
    for other in (
        plan(options).subjects[0],
        plan(dataclasses.replace(options, seed=1)).subjects[1],
    ):
        opened = open_subject(other, options)
        assert np.abs(opened.vertices(1) - subject.vertices(1)).max() > 1e-3
        poses = opened.camera(1).world_to_camera, subject.camera(1).world_to_camera
        assert np.abs(poses[0] - poses[1]).max() > 1e-2


def test_only_frames_with_a_neighbour_have_a_motion_to_it(frames):
    assert [x.backward is None for x in frames] == [True, False, False, False]
    assert [x.forward is None for x in frames] == [False, False, False, True]
    for frame in frames:
        assert frame.image.shape == (*SIZE, 3) and frame.image.dtype == np.uint8
        assert frame.mask.shape == SIZE and frame.mask.dtype == bool
        assert frame.inv_depth.shape == SIZE and frame.inv_depth.dtype == np.float32


def test_sure_pixels_have_the_motion_of_the_mesh(subject, frames):
    for k, other, motion in [(1, 2, frames[1].forward), (2, 1, frames[2].backward)]:
        truth = find_truth(subject, k, other)
        sure = frames[k].mask
        assert sure[truth.hit].mean() > 0.6 and truth.hit[sure].all()
        off = np.linalg.norm(motion.flow - truth.flow, axis=-1)[sure]
        moved = np.linalg.norm(truth.flow, axis=-1)[sure].mean()
        assert moved > 0.3 and off.mean() < 0.01 * moved and off.max() < 0.1 * moved
        depth = 1 / frames[k].inv_depth[sure] - truth.hits.depth[sure]
        assert np.abs(depth).mean() < 5e-4
        change = (motion.inv_depth_change - truth.inv_depth_change)[sure]
        assert np.abs(change).mean() < 2e-4


def test_the_subject_is_lit_before_its_background(subject, frames):
    hit = find_truth(subject, 1, 2).hit
    image, far = frames[1].image.astype(int).sum(-1), ~grow(hit)
    assert (image[far] == 0).all() and (frames[1].inv_depth[far] == 0).all() and far.any()
    assert (image[frames[1].mask] > 60).all() and hit.mean() > 0.2


def grow(hit):
    """A mask and its neighbours up to two pixels away."""
    grown = np.pad(hit, 2)
    rows, columns = hit.shape
    shifts = [grown[i : i + rows, j : j + columns] for i in range(5) for j in range(5)]
    return np.any(shifts, axis=0)


def test_the_mask_of_the_subject_holds_the_sure_pixels(options, subject, frames):
    every = open_subject(
        plan(options).subjects[1], dataclasses.replace(options, mask="subject")
    ).draw(1)
    assert np.array_equal(every.image, frames[1].image)
    assert every.mask[frames[1].mask].all() and every.mask.sum() > frames[1].mask.sum()
    hit = find_truth(subject, 1, 2).hit
    assert (every.mask != hit).mean() < 0.06


def test_the_mask_of_the_subject_needs_both_motions(options, subject, frames, monkeypatch):
    annotate, known = subject._annotate, np.random.default_rng(0).random(SIZE) > 0.5

    def annotate_partly(*x):
        found = annotate(*x)
        backward = found.backward._replace(valid=np.array(found.backward.valid) & known)
        return found._replace(backward=backward)

    monkeypatch.setattr(subject, "_options", dataclasses.replace(options, mask="subject"))
    whole = subject.draw(1).mask
    monkeypatch.setattr(subject, "_annotate", annotate_partly)
    assert np.array_equal(subject.draw(1).mask, whole & known) and (whole & ~known).any()


def test_baked_light_moves_with_the_subject(options, subject):
    baked = open_subject(plan(options).subjects[1], dataclasses.replace(options, light="baked"))
    colors = [baked._find_state(k).gaussians.colors for k in (0, 3)]
    assert np.array_equal(*colors)
    moving = [np.asarray(subject._find_state(k).gaussians.colors) for k in (0, 3)]
    assert np.abs(moving[0] - moving[1]).max() > 1e-4


def test_light_falls_on_the_outside_of_the_mesh(subject):
    vertices, scene = subject.vertices(1), subject._scene
    normals = np.zeros_like(vertices)
    for face in subject.faces:
        a, b, c = vertices[face]
        normals[face] += np.cross(b - a, c - a)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    middles = np.asarray(scene.cover.corners).mean(1)
    normal = (middles[..., None] * normals[subject.faces[scene.cover.triangles]]).sum(1)
    lit = scene.find_light(vertices)
    np.testing.assert_allclose(lit.normals, normal, atol=1e-5)
    expected = light_plainly(scene.lights, normal, scene.reflectance, lit.ambient, lit.shares)
    np.testing.assert_allclose(lit.light, expected, atol=1e-5)
    # On an egg, nothing hides a light or the room but the surface itself.
    assert np.median(lit.ambient) > 0.97 and np.median(lit.shares) > 0.97


def test_highlights_are_added_to_what_a_camera_sees(options, subject):
    state = subject._find_state(1)
    shown = subject._scene.show(state, subject.camera(1)).colors - state.gaussians.colors
    assert (np.asarray(shown) >= 0).all() and 1e-3 < np.asarray(shown).max() < 3
    other = subject._scene.show(state, subject.camera(3)).colors - state.gaussians.colors
    assert np.abs(np.asarray(other - shown)).max() > 1e-4
    baked = open_subject(plan(options).subjects[1], dataclasses.replace(options, light="baked"))
    state = baked._find_state(1)
    assert np.array_equal(baked._scene.show(state, baked.camera(1)).colors, state.gaussians.colors)


def test_a_lamp_that_flickers_changes_the_light_alone(options, subject, frames):
    lamp = open_subject(plan(options).subjects[1], dataclasses.replace(options, light="flicker"))
    brightness = [lamp._scene.flicker.find_brightness(k / options.fps) for k in range(4)]
    assert np.ptp(brightness) > 0.02
    frame = lamp.draw(1)
    assert is_same(frame._replace(image=0), frames[1]._replace(image=0))
    change = frame.image[frame.mask].astype(float).mean() - frames[1].image[frame.mask].mean()
    assert np.sign(change) == np.sign(brightness[1] - 1) and abs(change) > 0.1


def test_the_noise_of_a_sensor_belongs_to_the_frame(options, frames):
    noisy = dataclasses.replace(options, sensor="camera")
    subject = open_subject(plan(noisy).subjects[1], noisy)
    first = subject.draw(1)
    assert is_same(first._replace(image=0), frames[1]._replace(image=0))
    subject.draw(2)
    assert is_same(subject.draw(1), first)
    assert is_same(open_subject(plan(noisy).subjects[1], noisy).draw(1), first)


def test_a_frame_that_does_not_exist_is_refused(subject):
    for frame in (-1, 4):
        for find in (subject.draw, subject.camera, subject.vertices):
            with pytest.raises(ValueError, match=f"frame: expected 0 to 3, got {frame}"):
                find(frame)


@pytest.mark.parametrize("frame", ["0", 1.0, True, None, np.zeros(3)], ids=repr)
def test_a_frame_that_is_no_integer_is_refused(subject, frame):
    for find in (subject.draw, subject.camera, subject.vertices):
        with pytest.raises(TypeError, match="frame: expected an integer, got"):
            find(frame)
    assert subject.camera(np.int64(1)).size == SIZE


def test_arguments_of_another_type_are_named(options):
    with pytest.raises(TypeError, match="subject: expected SubjectPlan, got int"):
        open_subject(0, options)
    with pytest.raises(TypeError, match="options: expected Options, got dict"):
        open_subject(plan(options).subjects[0], {})


def test_an_image_without_the_subject_is_refused(options):
    inv_depth = np.zeros((40, 48), np.float32)
    with pytest.raises(data.FormatError, match=r"egg\.glb: .*counterclockwise.* in frame 3"):
        check_seen(inv_depth, 3, options)
    moved = dataclasses.replace(options, motion="far.npz")
    with pytest.raises(data.FormatError, match=r"far\.npz: .*in the image.* in frame 2"):
        check_seen(inv_depth, 2, moved)
    inv_depth[5, 6] = 1.0
    check_seen(inv_depth, 2, moved)


def test_a_subject_that_left_the_image_is_refused(options, subject, monkeypatch):
    annotate = subject._annotate
    empty = lambda *x: annotate(*x)._replace(inv_depth=np.zeros(SIZE))
    monkeypatch.setattr(subject, "_annotate", empty)
    with pytest.raises(data.FormatError, match="nothing of it in frame 1"):
        subject.draw(1)


def test_few_numbers_of_gaussians_are_drawn():
    assert {round_room(n, 1000) for n in range(1001)} == {125 * k for k in range(1, 9)}
    for count, most in [(0, 1), (1, 1), (5, 7), (999, 1001)]:
        assert max(count, 1) <= round_room(count, most)


@pytest.mark.thorough
def test_a_room_is_behind_the_subject_in_the_image_alone(options, subject, frames):
    inside = open_subject(
        plan(options).subjects[1], dataclasses.replace(options, background="room")
    )
    drawn = [inside.draw(k) for k in (0, 3)]
    for frame, before_black in zip(drawn, (frames[0], frames[3]), strict=True):
        assert is_same(frame._replace(image=0), before_black._replace(image=0))
        far = ~grow(find_truth(subject, 1, 2).hit)
        assert (frame.image[far] > 0).all() and np.ptp(frame.image[far].astype(int)) > 20
        hidden = frame.image[frame.mask].astype(int) - before_black.image[frame.mask]
        assert hidden.min() >= 0 and np.median(hidden) <= 3
    # The cameras of two frames see other parts of it.
    assert (drawn[0].image != drawn[1].image)[far].mean() > 0.5


def has_other_neighbours(groups):
    """Where one of the eight pixels around belongs to another group."""
    rows, columns = groups.shape
    padded = np.pad(groups, 1, mode="edge")
    shifts = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.any([x != groups for x in shifts], axis=0)


@pytest.mark.thorough
@pytest.mark.optimized
@pytest.mark.parametrize("index", range(3))
def test_a_person_has_the_motion_of_its_mesh(index):
    options = Options(subjects=3, test=1, frames=100)
    subject = open_subject(plan(options).subjects[index], options)
    for k in (3, 60):
        frame = subject.draw(k)
        for other, motion in ((k + 1, frame.forward), (k - 1, frame.backward)):
            truth = find_truth(subject, k, other)
            sure = frame.mask & truth.hit
            off = np.linalg.norm(motion.flow - truth.flow, axis=-1)
            depth = np.abs(1 / np.where(sure, frame.inv_depth, 1) - truth.hits.depth)
            assert (frame.mask & ~truth.hit).sum() < 60
            assert sure.sum() > 0.8 * truth.hit.sum()
            # Gaussians reach up to a pixel over the edge of what they cover, so what is beside
            # another surface may show that one. Then skin, eyes and mouth; and what is worn, whose
            # locks and hems are many small steps.
            groups = np.where(truth.hit, subject._head.groups[truth.hits.triangles], -1)
            sure &= ~has_other_neighbours(groups)
            bare = groups < len(PARTS)
            skin, worn = sure & bare, sure & ~bare
            assert off[skin].mean() < 0.002 and (off[skin] > 0.1).mean() < 1e-3
            assert depth[skin].mean() < 7e-5
            assert off[worn].mean() < 0.01 and (off[worn] > 0.1).mean() < 1e-2
            assert depth[worn].mean() < 5e-4


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(3))
def test_a_made_data_set_has_nothing_wrong(tmp_path, seed):
    options = Options(subjects=2, test=1, frames=4, size=(128, 128), gaussians=60_000, seed=seed)
    for subject in plan(options).subjects:
        writer = data.SRFlow3DWriter(tmp_path, subject.split, scale=options.scale)
        drawn = open_subject(subject, options)
        for k in range(options.frames):
            frame = drawn.draw(k)
            writer.write(subject.name, k, **frame._asdict())
    for split in ("train", "test"):
        for direction in ("forward", "backward"):
            reports = list(data.check_dataset(data.SRFlow3D(tmp_path, split, direction=direction)))
            assert len(reports) == options.frames - 1
            assert not [report for report in reports if not report.ok], reports
