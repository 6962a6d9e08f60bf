"""A user's mesh: its targets and its sequences, its unit, what the cameras look at, its colours."""

import numpy as np
import pytest
from helpers.small_heads import make_egg

from sf3d_jax import data
from sf3d_jax.head.skin.srgb import linear_to_srgb
from sf3d_jax.making import Options, plan
from sf3d_jax.making.heads import open_head
from sf3d_jax.making.heads.head import turn


def open_egg(tmp_path, mesh=None, name="egg.glb", index=0, **options):
    path = tmp_path / name
    data.write_mesh(path, make_egg() if mesh is None else mesh)
    chosen = Options(subjects=2, test=1, frames=5, gaussians=800, head=str(path), **options)
    return open_head(plan(chosen).subjects[index], chosen)


def test_targets_move_by_their_weights_and_the_head_turns(tmp_path):
    egg = make_egg()
    motion = tmp_path / "motion.npz"
    weights, rotation = np.linspace(0, 1, 5), np.linspace(0, 0.3, 15).reshape(5, 3)
    np.savez(motion, nose=weights, rotation=rotation)
    head = open_egg(tmp_path, motion=str(motion))
    for k in range(5):
        moved = egg.vertices + weights[k] * egg.targets["nose"]
        low, high = egg.vertices.min(0), egg.vertices.max(0)
        pivot = [(low[0] + high[0]) / 2, low[1] + 0.2 * (high[1] - low[1]), (low[2] + high[2]) / 2]
        expected = turn(moved, np.array(pivot), tuple(rotation[k]))
        np.testing.assert_allclose(head.find_vertices(k), expected, atol=1e-7)
    np.testing.assert_allclose(head.neutral, egg.vertices, atol=1e-7)
    opened = egg.vertices + egg.targets["jawOpen"]
    np.testing.assert_allclose(head.rest, opened, atol=1e-7)


def test_drawn_motions_differ_between_subjects_and_use_every_target(tmp_path):
    first, second = (open_egg(tmp_path, index=i) for i in (0, 1))
    assert np.abs(first.find_vertices(3) - second.find_vertices(3)).max() > 1e-4
    assert np.abs(first.find_vertices(3) - first.find_vertices(2)).max() > 1e-5
    again = open_egg(tmp_path)
    assert np.array_equal(again.find_vertices(3), first.find_vertices(3))


def test_a_sequence_of_vertices_moves_any_mesh(tmp_path):
    egg = make_egg()
    vertices = egg.vertices + np.random.default_rng(0).normal(size=(6, *egg.vertices.shape)) / 100
    motion = tmp_path / "motion.npz"
    np.savez(motion, vertices=vertices, faces=egg.faces)
    head = open_egg(tmp_path, egg._replace(targets={}), "egg.obj", motion=str(motion))
    for k in range(5):
        np.testing.assert_allclose(head.find_vertices(k), vertices[k])
    np.savez(motion, vertices=vertices, faces=egg.faces[::-1])
    with pytest.raises(data.FormatError, match="faces of the head"):
        open_egg(tmp_path, egg._replace(targets={}), "egg.obj", motion=str(motion))


def test_centimetres_become_metres_with_their_motion(tmp_path):
    egg = make_egg()
    large = egg._replace(vertices=100 * egg.vertices, targets={})
    motion = tmp_path / "motion.npz"
    np.savez(motion, vertices=np.tile(large.vertices, (5, 1, 1)))
    head = open_egg(tmp_path, large, "egg.obj", motion=str(motion))
    np.testing.assert_allclose(head.neutral, egg.vertices, atol=1e-6)
    np.testing.assert_allclose(head.find_vertices(2), egg.vertices, atol=1e-6)
    assert head.extent == pytest.approx(1.15 * 0.22, rel=0.02)


def test_cameras_look_at_the_face_of_a_body(tmp_path):
    egg = make_egg()
    body = egg.vertices * [3, 8, 3] - [0, 1.5, 0]
    vertices = np.concatenate([egg.vertices, body])
    targets = {k: np.concatenate([x, np.zeros_like(x)]) for k, x in egg.targets.items()}
    faces = np.concatenate([egg.faces, egg.faces + len(egg.vertices)])
    head = open_egg(tmp_path, data.Mesh(vertices, faces, targets=targets))
    assert np.abs(head.target[:2]).max() < 0.08 and head.extent < 0.4
    assert set(head.groups) == {0, 1}


def test_a_recorded_head_may_be_anywhere(tmp_path):
    egg = make_egg()
    motion = tmp_path / "motion.npz"
    np.savez(motion, vertices=np.tile(np.add(egg.vertices, [1, 2, 3]), (5, 1, 1)))
    head = open_egg(tmp_path, egg._replace(targets={}), "egg.obj", motion=str(motion))
    np.testing.assert_allclose(head.target, [1, 2, 3], atol=0.02)


@pytest.mark.parametrize(
    "factor, is_refused", [(0.01, True), (100, True), (0.6, False), (1.8, False)]
)
def test_a_motion_in_another_unit_than_the_head_is_refused(tmp_path, factor, is_refused):
    # The head is in centimetres, and moved anywhere and turned.
    egg = make_egg()
    large = egg._replace(vertices=100 * egg.vertices, targets={})
    moved = factor * turn(large.vertices, np.zeros(3), (1.0, 0.5, 0.2)) + [5, 3, -9]
    motion = tmp_path / "motion.npz"
    np.savez(motion, vertices=np.tile(moved, (5, 1, 1)))
    if not is_refused:
        assert open_egg(tmp_path, large, "egg.obj", motion=str(motion)).find_vertices(4).any()
        return
    with pytest.raises(data.FormatError, match=r"'vertices' in the unit of the head.* spread"):
        open_egg(tmp_path, large, "egg.obj", motion=str(motion))


def test_a_texture_paints_the_pieces(tmp_path):
    egg = make_egg()
    # The left half of the texture is red, and the right half blue.
    texture = np.zeros((8, 8, 3), np.uint8)
    texture[:, :4, 0] = texture[:, 4:, 2] = 255
    uv = np.stack([0.25 + 0.5 * (egg.vertices[:, 0] > 0), np.full(len(egg.vertices), 0.5)], 1)
    mesh = egg._replace(uv=uv, face_uv=egg.faces, targets={})
    data.write_image(tmp_path / "skin.png", texture)
    head = open_egg(tmp_path, mesh, "egg.obj", texture=str(tmp_path / "skin.png"))
    colors = head.paint()
    across = egg.vertices[egg.faces[head.cover.triangles]][..., 0]
    left, right = (across > 1e-6).all(1), (across < -1e-6).all(1)
    np.testing.assert_allclose(colors[left], [[0, 0, 1]] * left.sum(), atol=1e-6)
    np.testing.assert_allclose(colors[right], [[1, 0, 0]] * right.sum(), atol=1e-6)


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_texture_stays_in_place_on_a_mesh_that_is_turned_outwards(tmp_path, is_reversed):
    egg = make_egg()
    faces = egg.faces[:, ::-1] if is_reversed else egg.faces
    # The red of the texture grows from left to right by the width of the egg.
    ramp = np.zeros((2, 256, 3), np.uint8)
    ramp[..., 0] = np.arange(256)
    low, high = egg.vertices.min(0), egg.vertices.max(0)
    share = (egg.vertices - low) / (high - low) * 0.98 + 0.01
    mesh = egg._replace(faces=faces, uv=share[:, :2], face_uv=faces, targets={})
    data.write_image(tmp_path / "ramp.png", ramp)
    head = open_egg(tmp_path, mesh, "egg.obj", texture=str(tmp_path / "ramp.png"))
    red = linear_to_srgb(head.paint()[:, 0])
    corners = share[head.faces[head.cover.triangles], 0]
    across = (head.cover.corners.mean(1) * corners).sum(1)
    np.testing.assert_allclose(red, across, atol=0.01)


def test_the_seams_of_a_texture_do_not_divide_a_surface(tmp_path):
    egg = make_egg()
    # Every triangle has vertices of its own, as files have that keep texture coordinates in them.
    split = egg._replace(
        vertices=egg.vertices[egg.faces].reshape(-1, 3),
        faces=np.arange(egg.faces.size, dtype=np.int32).reshape(-1, 3)[:, ::-1],
        targets={},
    )
    head, whole = open_egg(tmp_path, split, "split.ply"), open_egg(tmp_path, egg, "egg.glb")
    assert len(set(head.groups)) == len(set(whole.groups))
    volume = lambda x: np.linalg.det(x.neutral[x.faces]).sum()
    np.testing.assert_allclose(volume(head), volume(whole), rtol=1e-5)


def test_a_mesh_without_texture_coordinates_has_plain_skin_and_refuses_a_texture(tmp_path):
    colors = [open_egg(tmp_path, index=i).paint() for i in (0, 1)]
    for x in colors:
        assert x.shape == (800, 3) and (x > 0.02).all() and (x < 0.8).all()
    assert np.abs(colors[0].mean(0) - colors[1].mean(0)).max() > 1e-3
    data.write_image(tmp_path / "skin.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(data.FormatError, match="texture coordinates"):
        open_egg(tmp_path, texture=str(tmp_path / "skin.png")).paint()


def test_groups_of_the_file_divide_connected_parts(tmp_path):
    egg = make_egg()
    groups = (np.arange(len(egg.faces)) % 3 == 0).astype(np.int32)
    mesh = egg._replace(groups=groups, group_names=("skin", "lips"), targets={})
    head = open_egg(tmp_path, mesh, "egg.obj")
    given = data.read_mesh(tmp_path / "egg.obj").groups
    same = lambda x: x[:, None] == x
    assert np.array_equal(same(head.groups), same(given)) and set(head.groups) == {0, 1}
