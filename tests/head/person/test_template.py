"""The template: closed parts, oriented outwards, and its cache; meshing against closed forms."""

import os
import subprocess
import sys

import numpy as np
import pytest
from helpers.persons import normals, person, place

from sf3d_jax.head.person.template import building, caching, meshing

RADIUS = 1.0


def sphere(points):
    return np.linalg.norm(points, axis=1) - RADIUS


def finer_above(points):
    return np.where(points[:, 2] > 0.3, 0.06, 0.25)


def are_edges_paired(faces):
    """Whether each edge is run along once in either direction."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).tolist()
    once = set(map(tuple, edges))
    return len(once) == len(edges) and all((b, a) in once for a, b in once)


def volume(vertices, faces):
    a, b, c = (vertices[faces[:, i]] for i in range(3))
    return (np.cross(a, b) * c).sum() / 6


def test_a_sphere_of_cells_of_three_sizes_is_closed_and_has_its_area_and_volume():
    bounds = np.array([[-1.6] * 3, [1.6] * 3])
    vertices, quads = meshing.mesh_surface(sphere, finer_above, bounds, 0.05, 3)
    vertices = meshing.relax(sphere, meshing.project(sphere, vertices, 3, 0.05), quads, 4, 0.05)
    faces = meshing.split_quads(vertices, quads)
    assert are_edges_paired(faces)
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), RADIUS, atol=1e-4)
    np.testing.assert_allclose(volume(vertices, faces), 4 / 3 * np.pi, rtol=0.02)
    area = np.linalg.norm(normals(vertices, faces), axis=1).sum() / 2
    np.testing.assert_allclose(area, 4 * np.pi, rtol=0.02)
    # Cells are small above and large below.
    top, bottom = (np.sum(vertices[:, 2] * sign > 0.5) for sign in (1, -1))
    assert top > 5 * bottom


def test_every_part_of_the_template_is_closed_and_oriented_outwards():
    one = person(0)
    bodies = [("skin", "mouth"), *((name,) for name in one.part_names[2:])]
    for names in bodies:
        faces = one.faces[np.isin(one.parts, [place(one, name) for name in names])]
        assert are_edges_paired(faces), names
        assert volume(one.template, faces) > 0, names
    assert len(bodies) == 6


def test_the_template_has_forty_to_fifty_thousand_triangles_without_slivers():
    one = person(0)
    assert 40_000 < len(one.faces) < 50_000
    assert set(np.unique(one.faces)) == set(range(len(one.template)))
    corners = one.template[one.faces]
    longest = np.linalg.norm(corners - np.roll(corners, 1, axis=1), axis=-1).max(1)
    height = np.linalg.norm(normals(one.template, one.faces), axis=1) / longest
    assert height.min() > 0
    flat = height < 0.1 * longest
    assert flat.mean() < 0.01 and flat[one.parts == place(one, "skin")].mean() < 0.002


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache, and how often the template was made."""
    made, whole = [], caching.load_template()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(caching, "make_template", lambda: made.append(1) or whole)
    return tmp_path / "sf3d_jax", made


def load():
    template = caching.load_template.__wrapped__()
    np.testing.assert_array_equal(template.vertices, caching.load_template().vertices)
    np.testing.assert_array_equal(template.faces, caching.load_template().faces)
    np.testing.assert_array_equal(template.vertex_parts, caching.load_template().vertex_parts)


def test_the_template_is_made_once_and_read_back(cache):
    folder, made = cache
    load()
    load()
    assert len(made) == 1
    assert [path.suffix for path in folder.iterdir()] == [".npz"]


@pytest.mark.parametrize("fault", ["empty", "text", "truncated", "other arrays", "wrong faces"])
def test_a_broken_cache_is_made_again(cache, fault):
    folder, made = cache
    load()
    (path,) = folder.iterdir()
    content = path.read_bytes()
    if fault == "empty":
        path.write_bytes(b"")
    elif fault == "text":
        path.write_bytes(b"not a template")
    elif fault == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif fault == "other arrays":
        np.savez(path, vertices=np.zeros((3, 3)))
    else:
        whole = caching.load_template()
        np.savez(path, **whole._replace(faces=whole.faces + 1)._asdict())
    load()
    assert len(made) == 2
    assert path.read_bytes() == content


def test_a_home_that_cannot_be_written_is_done_without(cache, tmp_path, monkeypatch):
    _, made = cache
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    load()
    load()
    assert len(made) == 2
    assert blocked.read_text() == "no folder"


PROGRAM = """
import hashlib
from sf3d_jax import head
weights = dict.fromkeys(head.EXPRESSIONS, 0.3)
points = head.Person(7).vertices(weights, rotation=(0.3, 0.2, 0.1))
print(hashlib.sha256(points.tobytes()).hexdigest())
"""
# The second process does without the instructions that round otherwise.
OLD_PROCESSOR = {
    "NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512_SKX",
    "OPENBLAS_CORETYPE": "Nehalem",
}


@pytest.mark.thorough
def test_another_process_of_another_processor_with_an_empty_cache_makes_the_same_bits(tmp_path):
    bits = []
    for number in range(2):
        environment = {"XDG_CACHE_HOME": str(tmp_path / str(number)), "PYTHONHASHSEED": str(number)}
        environment |= OLD_PROCESSOR if number else {}
        run = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", PROGRAM],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        bits.append(run.stdout)
    assert bits[0] == bits[1]


@pytest.mark.thorough
def test_making_it_anew_gives_what_the_cache_holds():
    for new, kept in zip(building.make_template(), caching.load_template(), strict=True):
        np.testing.assert_array_equal(new, kept)
