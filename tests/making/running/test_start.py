"""What is refused before anything is written, and that a refused start leaves nothing behind.

Walls in closed form are drawn in place of heads.
"""

import shutil
from types import SimpleNamespace

import pytest
from helpers.made_trees import digests, make_walls, wall_options
from helpers.moving_wall import Wall

from sf3d_jax import data, making
from sf3d_jax.making.running import cluster, job, needs, record, subject


@pytest.mark.parametrize("left", ["train", "test", "manifest"])
def test_files_of_unknown_options_are_not_mixed_with_others(wall_tree, tmp_path, left):
    shutil.copytree(wall_tree / left, tmp_path / left)
    before = digests(tmp_path)
    with pytest.raises(
        FileExistsError, match=rf"{left}/.*: was made before, but .* no making.json"
    ):
        make_walls(tmp_path, wall_options(seed=99))
    with pytest.raises(FileExistsError):
        record.settle(tmp_path, wall_options())
    assert digests(tmp_path) == before


def test_files_of_other_subjects_are_left_alone(tmp_path):
    (tmp_path / "train/depth/person").mkdir(parents=True)
    (tmp_path / "train/depth/person/0000.npy").write_bytes(b"theirs")
    assert "train/depth/person/0000.npy" in make_walls(tmp_path)


@pytest.mark.parametrize(
    "spoil, said",
    [
        (lambda path: path.unlink(), r"depth/002/0003.npy: was made, and is gone; sf3d make .*ify"),
        (lambda path: path.write_bytes(b"1"), r"depth/002/0003.npy: expected the \d+ bytes made"),
    ],
)
def test_a_finished_subject_that_lost_a_file_is_not_called_complete(wall_copy, spoil, said):
    spoil(wall_copy / "train/depth/002/0003.npy")
    before = digests(wall_copy)
    with pytest.raises((OSError, ValueError), match=said):
        make_walls(wall_copy)
    assert digests(wall_copy) == before
    make_walls(wall_copy, process=(1, 4))  # has other subjects


def test_a_broken_manifest_is_named_with_what_to_do(wall_tree, wall_copy):
    path = wall_copy / "manifest/train/002.json"
    path.write_text("{")
    for run in (making.verify, make_walls):
        with pytest.raises(data.FormatError) as refused:
            run(wall_copy)
        assert "manifest/train/002.json" in f"{refused.value}"
        assert "remove it, and sf3d make writes it again" in f"{refused.value}"
    path.unlink()
    assert make_walls(wall_copy) == digests(wall_tree)


def test_a_first_head_that_cannot_be_used_leaves_the_options_free(tmp_path, monkeypatch):
    class Unusable(Wall):
        def __init__(self, plan, options):
            raise ValueError("texture: has no coordinates")

    (tmp_path / "head.obj").write_text("v 0 0 0\n")
    options = wall_options(head=str(tmp_path / "head.obj"))
    with monkeypatch.context() as patch:
        patch.setattr(subject, "open_drawing", Unusable)
        for more in ({}, {"dry_run": True}):
            with pytest.raises(ValueError, match=r"^texture: has no coordinates"):
                job.make(tmp_path / "out", options, **more)
        assert not (tmp_path / "out").exists()
    make_walls(tmp_path / "out")


def test_options_of_no_frame_may_be_given_up(tmp_path, wall_tree):
    make_walls(tmp_path, wall_options(seed=9), process=(4, 5))  # nothing but the record
    with pytest.raises(
        ValueError, match=r"^seed: .* no frame is made yet, so .* may also be remov"
    ):
        make_walls(tmp_path)
    (tmp_path / "making.json").unlink()
    assert make_walls(tmp_path) == digests(wall_tree)
    with pytest.raises(ValueError, match=r"^seed: .* or another folder$"):
        make_walls(tmp_path, wall_options(seed=9))


def test_a_dry_run_refuses_what_a_run_refuses_and_writes_nothing(wall_tree, tmp_path, monkeypatch):
    refused = [{"frames": 5}, {"size": (16, 32)}, {"head": "nowhere.glb"}, {"motion": "no.npz"}]
    for changes in refused:
        with pytest.raises((ValueError, OSError), match=f"^{next(iter(changes))}: "):
            make_walls(wall_tree, wall_options(**changes), dry_run=True)
    for changes in refused[2:]:
        with pytest.raises(OSError, match=f"^{next(iter(changes))}: there is no file no"):
            make_walls(tmp_path / "out", wall_options(**changes), dry_run=True)
    assert make_walls(tmp_path / "out", dry_run=True) == {}
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(needs.shutil, "disk_usage", lambda path: SimpleNamespace(free=100_000))
    with pytest.raises(OSError, match="16 frames need"):
        make_walls(tmp_path / "out", dry_run=True)


def test_a_file_that_has_moved_is_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("head.obj", "moved.obj", "other.obj"):
        (tmp_path / name).write_text(f"v 0 0 {name == 'other.obj':d}\n")
    before = make_walls("out", wall_options(head="head.obj"))
    for head in ("moved.obj", str(tmp_path / "head.obj")):
        assert make_walls("out", wall_options(head=head)) == before
    make_walls("out", wall_options(head="moved.obj", subjects=5))
    assert record.read_options(tmp_path / "out").head == "head.obj"
    with pytest.raises(ValueError, match=r"^head: .* was made with head.obj, got other.obj"):
        make_walls("out", wall_options(head="other.obj", subjects=5))


def test_millions_of_gaussians_are_a_warning(tmp_path):
    make_walls(tmp_path, wall_options(gaussians=1_000_000), dry_run=True)
    with pytest.warns(UserWarning, match="10,000,000 Gaussians take minutes to prepare"):
        make_walls(tmp_path, wall_options(gaussians=10_000_000), dry_run=True)


@pytest.mark.parametrize(
    "name, value",
    [
        *(("process", x) for x in ("0/2", 0, (0, 1, 2), (0.0, 2), None)),
        *(("workers", x) for x in ("2", 1.5, True, None)),
        *(("progress", 3), ("dask", 8786)),
    ],
)
def test_an_argument_of_another_type_is_named(tmp_path, name, value):
    with pytest.raises(TypeError, match=f"^{name}: expected "):
        making.make(tmp_path / "out", wall_options(), **{name: value})
    assert not (tmp_path / "out").exists()
    with pytest.raises(TypeError, match=r"^out: expected a path, got int"):
        making.make(3, wall_options())


def test_workers_of_a_cluster_get_paths_that_do_not_depend_on_their_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = wall_options(head="heads/a.obj", texture="/b.png")
    found = cluster.make_absolute(given)
    assert (found.head, found.texture) == (str(tmp_path / "heads/a.obj"), "/b.png")
    assert cluster.make_absolute(wall_options()) == wall_options()
