"""What the command looks like in a terminal, without one, and when it is interrupted."""

import dataclasses
import importlib
import inspect
import io
import os
import pathlib
import re
import sys
import time

import numpy as np
import pytest
from helpers.terminal import COMMAND, ESCAPE, interrupt, run_in_terminal

import sf3d_jax
from sf3d_jax import data
from sf3d_jax.cli import ABOUT, _progress, demo, folding, main, usage
from sf3d_jax.cli.inputs import make_folder, name_flags

WRONG = {
    "convert --depth1 a": "convert has no flag --depth1; did you mean --depth or --next-depth",
    "convert --depth a --nope 1": r"convert has no flag --nope \(see sf3d convert --help\)",
    "convert --focal 500": "convert has no flag --focal; did you mean --fx?",
    "convert --fx wide": "--fx: expected FLOAT, got wide",
    "evaluate kiti --prediction a --truth b": "benchmark: expected 'kitti', .*, got 'kiti'; did",
    "evaluate kitti --pred a --truth b": "evaluate has no flag --pred; did you mean --prediction",
    "evaluate kitti --gt a": "evaluate has no flag --gt; did you mean --truth",
    "convert --fx 1 --flow a --fx=2": "--fx is given twice; give it once",
    "convert --flow a --next-depth b --next_depth c": "--next-depth is given twice",
    "fit A.png --out x": "expected two images, got one",
    "demo --output x.png": "--output: expected a folder, got x.png",
    "submit kitti --prediction a --output x.zip": "--output: expected a folder, got x.zip",
    "demo --size 3": "--size: expected 2 values, such as 512 512, got 1",
    "convert --fx --flow a": "--fx: expected 1 value, got none",
    "convrt --flow a": "expected the command .* got 'convrt'; did you mean convert",
    "evaluate kitti --prediction a": "Missing from sf3d evaluate: --truth PATH",
    "convert a.flo": "not part of any flag: a.flo",
    "": "expected the command 'check', 'convert', .*'render' or 'submit'",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_are_one_line_without_a_box(words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(words.split())
    said = capsys.readouterr()
    assert stopped.value.code == 2 and not said.out
    assert re.fullmatch(rf"sf3d: {WRONG[words]}.*\n", said.err)


@pytest.mark.parametrize("words", ["demo --help", "--version", "demo --nope"])
def test_closed_outputs_are_no_mistake(words, monkeypatch):
    """As after `sf3d ... >&- 2>&-`: Python has no such streams then."""
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    try:
        main(words.split())
    except SystemExit as stopped:
        assert stopped.code == (2 if "nope" in words else 0)
    finally:
        sys.stdout.close()
        sys.stderr.close()


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}], ids=["colours", "none"])
def test_in_a_terminal_wrong_words_are_the_same_line(columns, environment):
    words = "convert --depth1 a"
    done = run_in_terminal([*COMMAND, *words.split()], columns, **environment)
    assert done.code == 2
    assert re.fullmatch(rf"sf3d: {WRONG[words]}.*\r\n", done.text)


@pytest.mark.parametrize("columns", [40, 80])
@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}], ids=["colours", "none"])
def test_the_boxes_of_help_fit_and_have_colours_if_wanted(columns, environment):
    done = run_in_terminal([*COMMAND, "demo", "--help"], columns, **environment)
    assert done.code == 0 and (ESCAPE in done.text) == (not environment)
    plain = re.sub(rf"{ESCAPE}\[[0-9;]*m", "", done.text)
    boxes = [line for line in plain.splitlines() if line[:1] in tuple("│╭╰")]
    assert {*map(len, boxes)} == {columns}


def plain_lines(text):
    return re.sub(rf"{ESCAPE}\[[0-9;]*m", "", text).splitlines()


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize("words", ["", "convert", "render"])
def test_all_lines_of_help_fit_and_its_paragraphs_stay(columns, words):
    done = run_in_terminal([*COMMAND, *words.split(), "--help"], columns)
    lines = plain_lines(done.text)
    assert done.code == 0 and max(map(len, lines)) <= columns
    above = "\n".join(lines).split("╭")[0].strip()
    _, *paragraphs = (" ".join(x.split()) for x in above.split("\n\n"))
    module = importlib.import_module(f"sf3d_jax.cli.{words or 'convert'}")
    doc = inspect.getdoc(getattr(module, words.title())) if words else ABOUT
    assert paragraphs == [" ".join(x.split()) for x in doc.split("\n\n")]


def test_folding_is_at_spaces_and_commas_and_counts_no_colours():
    bold = f"{ESCAPE}[1musage:{ESCAPE}[0m"
    folded = folding.fold(f"{bold} sf3d [-h] {{one,two,three}}\n\none two  three\nfour\n", 20)
    expected = f"{bold} sf3d [-h]\n       {{one,two,\n       three}}\n\none two  three\nfour\n"
    assert folded == expected
    assert folding.fold("a-word-that-is-long b c d e", 8) == "a-word-that-is-long\nb c d e"


def test_the_version_is_said(capsys):
    main(["--version"])
    assert capsys.readouterr().out == f"sf3d_jax {sf3d_jax.__version__}\n"


def test_all_flags_are_known_to_their_commands():
    from sf3d_jax.cli.convert import Convert
    from sf3d_jax.cli.render import Render

    flags = {*usage.list_flags(Convert)}
    assert {"--flow", "--fx", "--next-pose", "--picture"} <= flags and "--camera" not in flags
    assert "--scene" not in usage.list_flags(Render)


TRACK = """
import time
from sf3d_jax.cli._progress import say, track
for name in track(["a", "b", "a long name of a file of a frame", "d"], "file"):
    time.sleep(0.15)
    say(f"{name} done")
"""


@pytest.mark.parametrize("columns", [40, 80])
def test_a_bar_stays_within_the_terminal_and_goes_away(columns):
    done = run_in_terminal([sys.executable, "-c", TRACK], columns)
    assert done.code == 0 and "| 2/4" in done.text.replace(" ", " ")
    lines = re.sub(rf"{ESCAPE}\[[0-9;]*[A-Za-z]", "", done.text).replace("\r", "\n").split("\n")
    assert max(map(len, lines)) <= columns
    assert not lines[-1].strip() and "d done" in lines


def test_without_a_terminal_progress_is_a_plain_line_now_and_then(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for name in _progress.track(["a", "b", "c"], "file"):
        now[0] += 3.0
        _progress.say(f"{name} done")
    said = capsys.readouterr()
    assert said.err == "2 of 3 files, c\n3 of 3 files\n"
    assert said.out == "a done\nb done\nc done\n"


def test_a_last_line_is_only_where_there_was_one_before(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for _ in _progress.track(["a", "b"], "file"):
        now[0] += 2.0
    assert not capsys.readouterr().err
    with _progress.show_progress("file") as show:
        for done in (1, 2, 2):
            now[0] += 6.0
            show(done, 2, "")
    assert capsys.readouterr().err == "1 of 2 files\n2 of 2 files\n"


def test_what_takes_long_says_why(monkeypatch):
    monkeypatch.setattr(_progress, "_PATIENCE", 0.05)
    monkeypatch.setattr(sys, "stderr", said := io.StringIO())
    with _progress.say_if_slow():
        pass
    time.sleep(0.1)
    assert not said.getvalue()
    with _progress.say_if_slow():
        time.sleep(0.2)
    assert said.getvalue().startswith("  compiling programs")


def test_an_interruption_leaves_no_folder_and_no_file(tmp_path):
    np.save(tmp_path / "depth.npy", np.ones((4, 6), np.float32))
    os.mkfifo(tmp_path / "flow.flo")  # to be read, it waits for somebody who writes
    flags = "--flow flow.flo --depth depth.npy --next-depth depth.npy --output out/here".split()
    camera = "--fx 40 --fy 40 --cx 2 --cy 2".split()

    def wait():
        deadline = time.monotonic() + 60
        while not (tmp_path / "out/here").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)

    done = interrupt(["convert", *flags, *camera], tmp_path, wait)
    assert done == (130, "sf3d: interrupted; finished files are complete\n")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["depth.npy", "flow.flo"]


def test_only_new_folders_that_are_empty_go_away(tmp_path):
    (tmp_path / "old").mkdir()
    for path, stays in (("old/new", False), ("old", True), ("one/two", False)):
        with pytest.raises(KeyError), make_folder(tmp_path / path):
            assert (tmp_path / path).is_dir()
            raise KeyError
        assert (tmp_path / path).exists() == stays
    with pytest.raises(KeyError), make_folder(tmp_path / "a/b"):
        (tmp_path / "a/b/file").touch()
        raise KeyError
    assert (tmp_path / "a/b/file").exists() and not (tmp_path / "one").exists()


def test_a_file_that_is_called_as_a_field_is_no_flag():
    @dataclasses.dataclass
    class Options:
        scale: float = 1.0

    with pytest.raises(data.FormatError, match=r"^scale: expected a map, found none$"):
        with name_flags(Options()):
            raise data.FormatError("scale", "a map", "none")
    with pytest.raises(ValueError, match=r"^--scale: expected a positive number$"):
        with name_flags(Options()):
            raise ValueError("scale: expected a positive number")


@pytest.mark.skipif(not pathlib.Path("/proc/self").exists(), reason="needs a folder of the system")
@pytest.mark.parametrize(
    "words, message",
    [
        ("--output /proc/x", "--output: cannot make the folder /proc/x"),
        ("--output /proc/x.npz", "/proc/x.npz: cannot be written|--output: cannot write to the f"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    np.save("flow.npy", np.zeros((20, 30, 2), np.float32))
    np.save("depth.npy", np.ones((20, 30), np.float32))
    maps = "--flow flow.npy --depth depth.npy --next-depth depth.npy".split()
    with pytest.raises(SystemExit) as stopped:
        main(["convert", *maps, *"--fx 40 --fy 40 --cx 2 --cy 2".split(), *words.split()])
    assert stopped.value.code == 2 and re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize("words", ["check a", "evaluate kitti --prediction a --truth ."])
def test_a_file_given_for_a_folder_is_called_a_file(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    pathlib.Path("a").touch()
    with pytest.raises(SystemExit) as stopped:
        main(words.split())
    assert stopped.value.code == 2 and "a file; name a folder" in capsys.readouterr().err


def test_notes_of_the_compiler_do_not_reach_users(monkeypatch):
    """They are errors of XLA's log, such as "Very slow compile?", which level 3 leaves out."""
    monkeypatch.setattr(demo.Demo, "run", lambda self: None)
    for given, level in ((None, "3"), ("0", "0")):
        monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
        if given:
            monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", given)
        main(["demo", "--no-cache"])
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == level
