"""The benchmarks' bookkeeping: what counts as slower, and tables that are made, not typed."""

import json
import subprocess
import sys
import types

import pytest
from helpers.house import ROOT

FOLDER = ROOT / "benchmarks"


def reports(**ratios):
    return {"a": {"subject": "a", "ratios": ratios}, "b": {"subject": "b", "ratios": {"z": 1.0}}}


def run_compare(tmp_path, baseline, new):
    paths = [tmp_path / "baseline.json", tmp_path / "new.json"]
    for path, content in zip(paths, (baseline, new), strict=True):
        path.write_text(json.dumps(content))
    command = [sys.executable, FOLDER / "compare.py", paths[1], "--baseline", paths[0]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    "new, code, says",
    [
        (reports(x=1.14, y=2.0), 0, "3 ratios: 0 worse, 0 better, 0 missing"),
        (reports(x=1.16, y=2.0), 1, "a, x: 1 -> 1.16 (+16%)"),
        (reports(x=1.0, y=1.6), 0, "a, y: 2 -> 1.6 (-20%)"),
        (reports(x=1.0), 1, "missing from the new run:\n  a, y"),
        (reports(x=1.0, y=float("nan")), 1, "1 worse"),
        ({"subject": "b", "ratios": {"z": 1.0}}, 0, "1 ratios: 0 worse"),
    ],
)
def test_what_is_slower_by_more_than_the_tolerance_fails(tmp_path, new, code, says):
    found, text = run_compare(tmp_path, reports(x=1.0, y=2.0), new)
    assert found == code and says in text


def test_the_tables_of_the_readme_are_those_of_the_baseline(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import tables

    text = (FOLDER / "README.md").read_text()
    marks = tables.MARK.findall(text)
    kept = tables.read_reports()
    assert {subject for _, subject, *_ in marks} == set(kept)
    assert tables.with_tables(text, kept) == text
    outside = tables.MARK.sub("", text)
    assert "|---|" not in outside and "| --- |" not in outside


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    import gpu

    return gpu


def test_a_program_is_beyond_its_budget_by_more_than_a_tenth(gpu):
    figures = {"launches": 11, "MB moved": 8.0, "compile, s": 0.1, "x CPU's lines": 1.0}
    budget = {"launches": 10, "MB moved": 8.0, "compile, s": 5}
    assert gpu.beyond(figures, budget) == []
    assert gpu.beyond(figures | {"launches": 12}, budget) == ["launches 12 of 10"]
    assert gpu.beyond(figures | {"MB moved": 9.0}, budget) == ["MB moved 9 of 8"]
    assert gpu.beyond(figures | {"x CPU's lines": 2.3}, budget) == ["x CPU's lines 2.3 of 2"]


def test_every_hot_path_has_a_budget_and_shapes(gpu):
    import gpu_inputs
    import gpu_paths
    import jax

    paths, budgets = gpu_paths.make_paths(), json.loads(gpu.BUDGETS.read_text())
    assert set(budgets) == set(paths)
    for name, path in paths.items():
        assert {"launches", "MB moved", "compile, s"} <= set(budgets[name]), name
        assert jax.tree.leaves(gpu_inputs.shapes_of(path.arguments)), name


def test_missing_wheels_are_named(gpu, monkeypatch, capsys):
    monkeypatch.setattr(gpu.gpu_compile, "missing_wheels", lambda: ["nvidia-cuda-nvcc-cu12"])
    assert gpu.compile_all("h200", None, None) == 2
    assert "nvidia-cuda-nvcc-cu12; see benchmarks/README.md" in capsys.readouterr().err


def fail():
    raise ValueError("out of memory\nmore")


def test_a_path_that_does_not_compile_is_one_line_and_does_not_end_the_run(
    gpu, monkeypatch, capsys, tmp_path
):
    figures = {"launches": 9, "MB moved": 1.0, "MB temporary": 8.0, "x CPU's lines": 1.0}
    file, budgets = tmp_path / "new.json", tmp_path / "budgets.json"
    budgets.write_text(json.dumps({x: {"launches": 10, "MB temporary": 2.0} for x in "abc"}))
    rows = lambda: json.loads(file.read_text())["tables"]["programs for an H200"]

    def compile_one(card, path):
        if path == "third":
            assert [row["path"] for row in rows()] == ["a"]
        return fail() if path == "second" else figures

    monkeypatch.setattr(gpu, "BUDGETS", budgets)
    monkeypatch.setattr(gpu, "chosen", lambda _: {"a": "first", "b": "second", "c": "third"})
    monkeypatch.setattr(gpu, "compiled", compile_one)
    monkeypatch.setattr(gpu.gpu_compile, "missing_wheels", list)
    monkeypatch.setattr(gpu.gpu_compile, "prepare", lambda: None)
    assert gpu.compile_all("h200", None, file) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "b does not compile: ValueError: out of memory" in lines and "more" not in lines
    assert [row["beyond"] for row in rows()] == ["MB temporary 8 of 2"] * 2


def test_a_path_that_raises_does_not_end_the_timing(gpu, monkeypatch, tmp_path):
    import gpu_timing

    file = tmp_path / "times.json"
    times = {"good": (1e-3, 1e6), "render": (2e-3, 1e6)}
    monkeypatch.setattr(gpu_timing, "copied_per_second", lambda: 4e9)
    monkeypatch.setattr(
        gpu_timing, "measured", lambda path: times[path] if path in times else fail()
    )
    assert gpu_timing.time_paths({x: x for x in ("bad", "good", "render")}, file) == ["bad"]
    rows = json.loads(file.read_text())["tables"]["times"]
    assert [row["error"] for row in rows] == ["ValueError: out of memory", None, None]
    assert [row["x copy"] for row in rows] == [None, 0.25, 0.125]


def of(platform):
    return lambda: [types.SimpleNamespace(platform=platform)]


def test_without_a_gpu_the_message_names_what_to_install(gpu, monkeypatch, capsys):
    monkeypatch.setattr("jax.devices", of("cpu"))
    assert gpu.time_all(None, None) == 2
    assert "jax[cuda12]" in capsys.readouterr().err


@pytest.mark.parametrize("failed, code", [(["render"], 1), ([], 0)])
def test_the_exit_code_says_whether_a_timed_path_raised(gpu, monkeypatch, failed, code):
    import gpu_timing

    monkeypatch.setattr("jax.devices", of("gpu"))
    monkeypatch.setattr(gpu_timing, "time_paths", lambda paths, file: failed)
    assert gpu.time_all(["render"], None) == code


def test_what_is_drawn_has_the_shape_that_is_compiled_for(gpu):
    import gpu_inputs

    size = (2, 20, 30)
    image, flow = gpu_inputs.draw((gpu_inputs.image(size), gpu_inputs.flow(size)))
    assert image.shape == (*size, 3) and image.min() >= 0 and image.max() <= 1
    assert flow.shape == (*size, 2) and 1 < abs(flow).max() < 10
    assert gpu_inputs.draw(gpu_inputs.inv_depth(size)).min() > 0


def test_a_copy_is_timed_by_the_bytes_that_it_reads_and_writes(gpu):
    import gpu_timing

    assert gpu_timing.copied_per_second(2**20) > 1e7
    assert gpu_timing.verdict("render", 1.1, 0.0)["met"] == "no"
    assert gpu_timing.verdict("1080p b8 backward_warp", 9.0, 0.85)["met"] == "yes"
