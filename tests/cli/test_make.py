"""`sf3d make`: its lines, exits and bar. Walls in closed form are drawn in place of heads."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import moving_wall
from helpers.made_trees import digests
from helpers.terminal import ESCAPE, run_in_terminal

from sf3d_jax import data, making
from sf3d_jax.cli import _progress, main
from sf3d_jax.cli.make import _OF_RUN, Make
from sf3d_jax.making.running import needs, subject

TESTS = pathlib.Path(__file__).resolve().parents[1]
PATH = os.pathsep.join([str(TESTS.parent), str(TESTS)])
SMALL = "--subjects 4 --test 1 --frames 4 --size 16 24".split()
WALLS = [sys.executable, "-c", "import sys; from helpers.moving_wall import run_command as run; "]
WALLS[-1] += "run(sys.argv[1:])"


@pytest.fixture(autouse=True)
def walls(monkeypatch, tmp_path):
    monkeypatch.setattr(subject, "open_drawing", moving_wall.Wall)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith(("SLURM_", "JOB_COMPLETION"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def made(tmp_path, wall_tree):
    """The digests of it as `out`, not to be changed."""
    (tmp_path / "out").symlink_to(wall_tree)
    return digests(wall_tree)


def run(capsys, *words, out="out", options=SMALL):
    """Runs the command: its exit code, and the lines of its output and of its errors."""
    code = 0
    try:
        main(["make", out, *options, *words])
    except SystemExit as stopped:
        code = stopped.code
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err.splitlines()


def test_the_flags_have_the_defaults_of_the_library():
    defaults = {field.name: field.default for field in dataclasses.fields(making.Options)}
    flags = {field.name: field.default for field in dataclasses.fields(Make)}
    assert {name: flags[name] for name in flags.keys() - _OF_RUN} == defaults


def test_the_first_line_says_what_there_is_to_do_and_the_last_that_it_is_done(
    capsys, tmp_path, wall_tree
):
    code, lines, errors = run(capsys)
    assert code == 0 and not errors
    first = r"all: 4 of 4 subjects, 16 frames of 16 x 24; needs \d+ kB, [\d.]+ [GT]B free"
    assert re.fullmatch(first, lines[0]) and lines[1:] == ["out: 4 subjects complete"]
    assert digests(tmp_path / "out") == digests(wall_tree)
    (tmp_path / "out/manifest/train/002.json").unlink()
    (tmp_path / "out/train/scaled_inv_depth/002/0001.npy").unlink()
    _, lines, _ = run(capsys)
    assert ", 15 of them made before; needs" in lines[0]
    _, lines, _ = run(capsys, "--verify", options=[])
    assert lines == ["out: all files are as they were written, and there are no others"]


def test_a_dry_run_lists_the_subjects_and_writes_nothing(capsys, tmp_path):
    code, lines, _ = run(capsys, "--dry-run", "--process", "1/3", options=["--subjects", "20"])
    assert code == 0 and not any(tmp_path.iterdir())
    assert lines[0].startswith("process 1/3 (--process): 7 of 20 subjects, 896 frames of 512 x 512")
    assert lines[1:] == [
        "  train: 18 subjects: 002, 003, ..., 019",
        "  test: 2 subjects: 000, 001",
        "  this process: 7 subjects: 001, 004, 007, 010, 013, 016, 019",
    ]


def test_a_dry_run_says_what_a_run_would_refuse(capsys, tmp_path, made):
    for words in (["--frames", "5"], ["--size", "16", "32"], ["--head", "nowhere.glb"]):
        name = words[0].removeprefix("--")
        place = SMALL.index(words[0]) if words[0] in SMALL else len(SMALL)
        options = [*SMALL[:place], *SMALL[place + len(words) :], *words]
        code, lines, errors = run(capsys, "--dry-run", options=options)
        assert (code, lines, len(errors)) == (2, [], 1) and errors[0].startswith(f"sf3d: --{name}:")
    code, _, errors = run(capsys, "--dry-run", "--motion", "nowhere.npz", out="new")
    assert (code, errors) == (2, ["sf3d: --motion: there is no file nowhere.npz"])
    assert digests(tmp_path / "out") == made and not (tmp_path / "new").exists()


def test_one_subject_needs_no_more_than_the_number_of_test_subjects(capsys):
    code, _, errors = run(capsys, options=["--subjects", "1"])
    said = "sf3d: --test: is 2 by default, but there is only 1 subject; give --test 0 or --test 1"
    assert (code, errors) == (2, [said])
    code, _, errors = run(capsys, options=["--subjects", "1", "--test", "3"])
    assert code == 2 and errors[0].startswith("sf3d: --test: expected at most 1")


def test_of_an_interrupted_tree_the_unfinished_subjects_are_said(capsys, tmp_path, wall_tree):
    out = shutil.copytree(wall_tree, tmp_path / "out")
    (out / "manifest/train/002.json").unlink()
    code, lines, _ = run(capsys, "--verify", options=[])
    wanted = "1 subject is unfinished: train/002; run the same command as before to go on"
    assert (code, lines) == (1, [wanted])
    (out / "manifest/train/003.json").unlink()
    (out / "notes.txt").touch()
    code, lines, _ = run(capsys, "--verify", options=[])
    assert lines[0].startswith("2 subjects are unfinished: train/002, train/003; run the same")
    assert lines[1:3] == ["1 file additional:", "  notes.txt"] and code == 1


def test_the_share_and_where_it_comes_from_are_said(capsys, monkeypatch, tmp_path, wall_tree):
    for part, value in zip(("ID", "MIN", "MAX", "STEP", "COUNT"), (3, 1, 3, 2, 2), strict=True):
        monkeypatch.setenv(f"SLURM_ARRAY_TASK_{part}", str(value))
    _, lines, _ = run(capsys)
    assert lines[0].startswith("process 1/2 (SLURM_ARRAY_TASK_ID): 2 of 4 subjects, 8 frames")
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID")
    monkeypatch.setenv("JOB_COMPLETION_INDEX", "0")
    code, _, errors = run(capsys)
    assert code == 2 and errors[0].startswith("sf3d: --processes: JOB_COMPLETION_INDEX is 0, but")
    _, lines, _ = run(capsys, "--processes", "2")
    assert lines[0].startswith("process 0/2 (JOB_COMPLETION_INDEX): 2 of 4 subjects, 8 frames")
    assert digests(tmp_path / "out") == digests(wall_tree)
    code, lines, _ = run(capsys, "--process", "6/8")
    assert code == 0
    assert lines == ["process 6/8 (--process): no subject for this process, as there are only 4"]


@pytest.mark.parametrize(
    "words, said",
    [
        (["--frames", "5"], "--frames: out/making.json was made with 4, got 5; give the same, or"),
        (["--seed", "1", "--mask", "subject"], "--seed, --mask: .* with 0 and sure, got 1 and sub"),
        (["--subjects", "3"], "--subjects: .* was made with 4, got 3; subjects can be added"),
        (["--test", "7"], "--test: expected at most 4, the number of subjects, got 7"),
        (["--size", "1", "2"], "--size: expected 16 or more, got 1"),
        (["--light", "dim"], "--light: expected 'baked', 'flicker' or 'moving', got 'dim'"),
        (["--process", "2"], "--process: expected I/N, such as 0/4, got 2"),
        (["--process", "0/2", "--processes", "2"], "--process, --processes: give one of them"),
        (["--workers", "0"], "--workers: expected at least 1, got 0"),
        (["--workers", "2", "--dask", "tcp://x"], "--workers, --dask: give one of them"),
        (["--isa", "mmx"], "--isa: expected sse4_2, avx, .*, got 'mmx'"),
        (["--isa", "avx"], "--isa: NumPy and JAX have already started; set XLA_FLAGS='.*=AVX' "),
        (["--isa", "amx_fp16"], "--isa: expected .* or older, as this processor has, got amx_fp16"),
        (["--subject", "3"], "make has no flag --subject; did you mean --subjects"),
    ],
)
def test_what_is_refused_is_one_line_and_changes_nothing(capsys, tmp_path, made, words, said):
    replaced = [*SMALL]
    for name in words[::2]:
        if name in SMALL:
            place = SMALL.index(name)
            replaced[place : place + 2 + (name == "--size")] = []
    if "--isa" in words and making.find_level() not in making.LEVELS:
        pytest.skip("has no levels")
    code, _, errors = run(capsys, *words, options=replaced)
    assert code == 2 and len(errors) == 1 and re.match(f"sf3d: {said}", errors[0]), errors
    assert digests(tmp_path / "out") == made


def test_a_file_in_place_of_the_folder_is_called_a_file(capsys, tmp_path):
    (tmp_path / "file").touch()
    for out in ("file", "file/out"):
        code, _, errors = run(capsys, out=out)
        assert (code, errors) == (2, ["sf3d: OUT: file is a file; name a folder"])
    code, _, errors = run(capsys, "--verify", out="nowhere")
    assert code == 2 and errors == [
        "sf3d: nowhere: there is no making.json; name a folder that sf3d make wrote"
    ]


def test_a_disk_that_is_too_small_is_refused_and_leaves_no_folder(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(needs.shutil, "disk_usage", lambda path: SimpleNamespace(free=12_345))
    code, lines, errors = run(capsys, out="a/b")
    assert code == 2 and lines[0].endswith("12.3 kB free")
    assert re.fullmatch(r"sf3d: a/b: 16 frames need \d+ kB, but 12.3 kB are free; .*", errors[0])
    assert not any(tmp_path.iterdir())


def test_another_instruction_set_is_a_note_in_one_line(capsys, wall_tree, tmp_path):
    tree = json.loads((wall_tree / "making.json").read_text()) | {"isa": "avx"}
    (tmp_path / "out").mkdir()
    (tmp_path / "out/making.json").write_text(json.dumps(tree))
    code, _, errors = run(capsys, "--process", "4/5")
    assert code == 0 and len(errors) == 1
    assert errors[0].startswith("sf3d: out/making.json was made with the instruction set avx, and")


def test_files_that_differ_are_listed_and_the_exit_code_is_1(capsys, wall_tree, tmp_path):
    out = shutil.copytree(wall_tree, tmp_path / "out")
    for number in range(14):
        (out / f"{number:02d}.txt").touch()
    (out / "train/depth/003/0000.npy").write_bytes(b"")
    code, lines, errors = run(capsys, "--verify", options=[])
    assert code == 1 and not errors
    assert lines[:3] == ["1 file changed:", "  train/depth/003/0000.npy", "14 files additional:"]
    assert lines[3] == "  00.txt" and lines[13] == "  ... and 4 more" and "making.json" in lines[14]


def test_a_long_silence_before_the_first_frame_is_explained(capsys, monkeypatch):
    monkeypatch.setattr(_progress, "_PATIENCE", 0.05)
    monkeypatch.setenv(moving_wall.PAUSE, "0.2")
    _, _, errors = run(capsys, options=["--subjects", "1", "--test", "0", *SMALL[4:]])
    assert errors == ["  compiling; this takes a minute for a new size"]


def test_without_a_terminal_lines_have_the_rate_and_the_time_left(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with _progress.show_progress("frame", with_rate=True) as show:
        show(100, 30_000, "")
        for done in (103, 130):
            now[0] += 6.0
            show(done, 30_000, "001/0003")
        now[0] += 6.0
        show(30_000, 30_000, "")
    assert capsys.readouterr().err.splitlines() == [
        "103 of 30000 frames, 001/0003",
        "130 of 30000 frames, 001/0003, 4.5 frames/s, 1:50:38 left",
        "30000 of 30000 frames, 2.49e+03 frames/s",
    ]


def plain_lines(text):
    text = re.sub(rf"{ESCAPE}\[[0-9;]*[A-Za-z]", "", text)
    lines = [line.rstrip() for line in text.replace("\r", "\n").split("\n")]
    # A busy machine may take more than two seconds to the first frame.
    return [line for line in lines if line and not line.startswith("  compiling")]


def in_terminal(words, columns=80, **more):
    return run_in_terminal(words, columns, PYTHONPATH=PATH, **more)


@pytest.mark.thorough
@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_bar_has_frames_a_second_and_time_left_and_fits(tmp_path, wall_tree, columns, workers):
    pause = {moving_wall.PAUSE: "0.1"}
    done = in_terminal([*WALLS, "make", "out", *SMALL, "--workers", workers], columns, **pause)
    assert done.code == 0, done.text
    first, *bars, last = plain_lines(done.text)
    assert first.startswith("all: 4 of 4 subjects") and last == "out: 4 subjects complete"
    assert all(len(bar) <= columns for bar in bars)
    assert any(re.search(r"\d\.\d+frame/s", bar) for bar in bars)
    assert any(re.search(r"\| +\d+/16 \[00:0\d<00:0\d", bar) for bar in bars)
    assert digests(tmp_path / "out") == digests(wall_tree)


@pytest.mark.thorough
@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_ctrl_c_is_130_and_one_line_and_loses_at_most_a_frame(
    tmp_path, wall_tree, columns, workers
):
    words = [*WALLS, "make", "out", *SMALL, "--workers", workers]
    pause = {moving_wall.PAUSE: "0.2"}
    done = in_terminal(words, columns, interrupt_at=" [4-9]/16", **pause)
    assert done.code == 130
    assert plain_lines(done.text)[-1] == "sf3d: interrupted; finished files are complete"
    assert "Traceback" not in done.text and done.text.count("interrupted") == 1
    assert not (tmp_path / "out/.locks").exists()
    shown = int(re.findall(r" (\d+)/16", done.text)[-1])
    done = in_terminal([*WALLS, "make", "out", *SMALL], columns)
    assert int(re.search(r", (\d+) of them made before", done.text)[1]) >= shown
    assert digests(tmp_path / "out") == digests(wall_tree)


@pytest.mark.thorough
@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize(
    "words, code, said",
    [
        (
            "--frames 5 --process 0/4",
            2,
            "sf3d: --frames: out/making.json was made with 4, got 5; give the same",
        ),
        ("--process 4/4", 2, "sf3d: --process: expected I/N with I from 0 to N - 1, got 4/4"),
        ("--process 1/2", 2, "sf3d: --process: another process, number "),
        ("--process 7/8", 0, "process 7/8 (--process): no subject for this process, as there"),
    ],
)
def test_in_a_terminal_the_last_line_says_what_is_wrong(tmp_path, made, columns, words, code, said):
    from sf3d_jax.making.running.locks import hold_share

    options = [*SMALL[:4], *SMALL[6:]] if "--frames" in words else SMALL
    with hold_share(tmp_path / "out", 1, 4):
        done = in_terminal([*WALLS, "make", "out", *options, *words.split()], columns)
    assert done.code == code and plain_lines(done.text)[-1].startswith(said)
    assert "Traceback" not in done.text and digests(tmp_path / "out") == made


@pytest.mark.thorough
def test_the_instruction_set_is_limited_before_numpy_starts(tmp_path):
    if making.find_level() not in making.LEVELS:
        pytest.skip("has no levels")
    code = (
        "import os, sys; from sf3d_jax.cli import main; main(sys.argv[1:]);"
        "print(*[os.environ[x] for x in ('XLA_FLAGS', 'OPENBLAS_CORETYPE')]);"
        "from sf3d_jax import making; print(making.find_level())"
    )
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"} | {"PYTHONPATH": PATH}
    words = [sys.executable, "-c", code, "make", "out", "--dry-run", "--isa", "avx"]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-2:] == ["--xla_cpu_max_isa=AVX Sandybridge", "avx"]
    assert not done.stderr and not any(tmp_path.iterdir())


def test_a_contact_sheet_needs_no_folder(capsys, tmp_path, monkeypatch):
    asked = []

    def draw(options, progress):
        asked.append(options)
        progress(24, 24, "023")
        return np.full((4, 6, 3), 128, np.uint8)

    monkeypatch.setattr(making, "draw_contact_sheet", draw)
    main(["make", "--contact-sheet", "sheet.png", "--seed", "5", "--size", "60", "80"])
    assert capsys.readouterr().out == f"Contact sheet: {tmp_path / 'sheet.png'}\n"
    np.testing.assert_array_equal(data.read_image("sheet.png"), draw(None, lambda *x: None))
    assert asked[0] == making.Options(seed=5, size=(60, 80))


@pytest.mark.parametrize(
    "words, says",
    [
        ([], "OUT: expected the folder of the data set, or --contact-sheet FILE"),
        (["--contact-sheet", "away/sheet.png"], "--contact-sheet: there is no folder away"),
        (["--contact-sheet", "."], "--contact-sheet: . is a folder; name a file"),
        (["--contact-sheet", "a.png", "--head", "a.obj"], "--head: expected 'procedural' for a"),
    ],
)
def test_no_folder_and_no_contact_sheet_are_one_line(capsys, words, says):
    with pytest.raises(SystemExit) as stopped:
        main(["make", *words])
    assert stopped.value.code == 2
    assert says in capsys.readouterr().err
