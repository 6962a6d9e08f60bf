"""The compiled programs that `sf3d` keeps from one call to the next, in fresh processes."""

import os
import subprocess
import sys

import numpy as np
import pytest

from sf3d_jax import data
from sf3d_jax.cli.cache import LARGEST_CACHE, remove_oldest

# What JAX does with its cache, while one small program is compiled.
PROGRAM = """
from sf3d_jax.cli.cache import keep_programs
keep_programs()
import jax
events = []
jax.monitoring.register_event_listener(lambda name, **_: events.append(name.split("/")[-1]))
assert jax.jit(lambda x: 3 * x + 1)(2.0) == 7
print("hits:", events.count("cache_hits"), "misses:", events.count("cache_misses"))
"""


@pytest.fixture
def home(tmp_path):
    """The environment of a user with nothing but a home."""
    names = [name for name in os.environ if not name.startswith(("JAX_", "XDG_", "XLA_"))]
    return {name: os.environ[name] for name in names} | {"HOME": str(tmp_path)}


def python(code, environment):
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.strip()


def programs(folder):
    return sorted(folder.rglob("*-cache"))


def test_a_program_is_compiled_once(home, tmp_path):
    assert python(PROGRAM, home).startswith("hits: 0 misses: ")
    kept = programs(tmp_path)
    assert kept and {path.parent for path in kept} == {tmp_path / ".cache/sf3d_jax/programs"}
    assert (tmp_path / ".cache/sf3d_jax/programs").stat().st_mode & 0o77 == 0
    assert python(PROGRAM, home).endswith("misses: 0")
    assert programs(tmp_path) == kept


def test_the_cache_folder_may_be_another_one(home, tmp_path):
    python(PROGRAM, home | {"XDG_CACHE_HOME": str(tmp_path / "other")})
    assert programs(tmp_path / "other/sf3d_jax/programs")
    assert not (tmp_path / ".cache").exists()


def test_a_folder_that_jax_was_given_wins(home, tmp_path):
    python(PROGRAM, home | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path / "own")})
    assert not (tmp_path / ".cache").exists()


def test_a_variable_of_jax_that_keeps_less_wins(home, tmp_path):
    python(PROGRAM, home | {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "1000"})
    assert not programs(tmp_path)


@pytest.mark.parametrize("what", ["a file", "read-only", "no home"])
def test_without_a_folder_to_write_to_it_goes_on(home, tmp_path, what):
    if what == "a file":
        (tmp_path / ".cache").write_text("")
    elif what == "read-only":
        if os.geteuid() == 0:
            pytest.skip("root may write everywhere")
        tmp_path.chmod(0o500)
    else:
        home["HOME"] = "/dev/null"
    assert python(PROGRAM, home).startswith("hits: 0")
    assert not programs(tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such modes")
@pytest.mark.parametrize("what", ["of all", "of the group", "another's"])
def test_a_folder_that_others_may_write_to_is_left_alone(home, tmp_path, what):
    folder = tmp_path / ".cache/sf3d_jax/programs"
    folder.mkdir(mode=0o700, parents=True)
    (folder / "jit_theirs-0-cache").write_text("")
    if what != "another's":
        folder.chmod({"of all": 0o777, "of the group": 0o770}[what])
    elif os.geteuid() == 0:
        os.chown(folder, 12345, -1)
    else:
        pytest.skip("only root may give a folder away")
    assert python(PROGRAM, home) == "hits: 0 misses: 0"
    assert [path.name for path in folder.iterdir()] == ["jit_theirs-0-cache"]


def test_a_program_that_was_written_by_half_is_compiled_and_kept_anew(home, tmp_path):
    python(PROGRAM, home)
    whole = {path: path.read_bytes() for path in programs(tmp_path)}
    for path, content in whole.items():
        path.write_bytes(content[: len(content) // 2])
    python(PROGRAM, home)
    assert {path: len(path.read_bytes()) for path in whole} == pytest.approx(
        {path: len(content) for path, content in whole.items()}, rel=0.2
    )
    assert python(PROGRAM, home).endswith("misses: 0")


def test_two_processes_at_once_do_not_disturb_each_other(home, tmp_path):
    words = [sys.executable, "-c", PROGRAM]
    both = [subprocess.Popen(words, env=home, stderr=subprocess.PIPE) for _ in range(2)]
    assert [(process.communicate()[1], process.returncode) for process in both] == [(b"", 0)] * 2
    assert python(PROGRAM, home).endswith("misses: 0")


def test_what_was_not_used_for_longest_is_removed(tmp_path):
    for age, name in enumerate(["new", "used", "old", "oldest"]):
        path = tmp_path / "programs" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(100))
        os.utime(path, (1e9 - age, 1e9 - age))
    os.utime(tmp_path / "programs/oldest", (2e9, 1e9 - 3))  # read last of all
    remove_oldest(tmp_path, 250)
    assert {path.name for path in (tmp_path / "programs").iterdir()} == {"new", "oldest"}
    remove_oldest(tmp_path / "nowhere", 0)


def test_the_folder_is_bounded_when_a_command_begins(home, tmp_path):
    folder = tmp_path / ".cache/sf3d_jax/programs"
    folder.mkdir(mode=0o700, parents=True)
    with (folder / "jit_large-0-cache").open("wb") as file:
        file.truncate(LARGEST_CACHE + 1)
    python(PROGRAM, home)
    assert programs(tmp_path) and not (folder / "jit_large-0-cache").exists()


WRONG = """
import io, sys
from sf3d_jax.cli import main
sys.stderr = io.StringIO()
try:
    main({words})
except SystemExit as end:
    print(end.code, len(sys.stderr.getvalue().splitlines()), "jax" in sys.modules)
"""


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["convert", "--flow"],
        ["convert", "--flow", "flow.flo"],
        ["fit", "a.png", "b.png", "--output", "out", "--smoothness", "-1"],
        ["render", "scene.ply", "--camera", "c.json", "--out", "out", "--size", "0", "0"],
    ],
)
def test_a_command_with_wrong_flags_touches_no_folder(home, tmp_path, words):
    said = python(WRONG.format(words=words), home)
    assert said.splitlines()[-1] == ("0 0 False" if words == ["--help"] else "2 1 False")
    assert not any(tmp_path.iterdir())


COMMAND = """
from sf3d_jax.cli import main
main(["convert", "--flow", "flow.flo", "--depth", "depth.npy", "--next-depth", "depth.npy",
      "--fx", "40", "--fy", "40", "--cx", "3", "--cy", "2"] + {words})
"""


def test_a_command_keeps_its_programs_unless_it_is_told_not_to(home, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data.write_flow("flow.flo", np.zeros((4, 6, 2), np.float32))
    data.write_map("depth.npy", np.ones((4, 6), np.float32))
    python(COMMAND.format(words=["--no-cache"]), home)
    assert (tmp_path / "flow.npz").exists() and not (tmp_path / ".cache").exists()
    python(COMMAND.format(words=[]), home)
    kept = programs(tmp_path)
    assert any(path.name.startswith("jit_scene_flow") for path in kept)
    python(COMMAND.format(words=[]), home)
    assert programs(tmp_path) == kept
