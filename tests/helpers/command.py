"""The command line in this process, and files for it."""

import numpy as np
import pytest
from helpers.files import made

from sf3d_jax.cli import main
from sf3d_jax.data.sets.kitti import benchmark as kitti
from sf3d_jax.data.sets.spring import benchmark as spring

SIZE = (12, 16)


def run(words, capsys):
    """Runs `sf3d` with these words: (exit code, what it printed, the last line of its errors)."""
    try:
        main([str(word) for word in words])
        code = 0
    except SystemExit as stopped:
        code = stopped.code
    said = capsys.readouterr()
    return code, said.out, said.err.replace("\r", "\n").strip().splitlines()[-1:]


@pytest.fixture
def sf3d_command(tmp_path, monkeypatch, capsys):
    """Runs the command in an empty folder: (exit code, what it printed, its errors)."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: run(words, capsys)


def draw(seed, *channels, size=SIZE, low=5, high=60):
    """Random numbers that a KITTI PNG holds exactly."""
    rng = np.random.default_rng(seed)
    return np.float32(np.round(64 * rng.uniform(low, high, (*size, *channels))) / 64)


def spring_file(root, scene, folder, frame, ending):
    return made(root / scene / folder / f"{folder.split('/')[-1]}_{frame:04}{ending}")


def small_benchmarks(monkeypatch):
    """Lets KITTI have three images to submit, and Spring a scene of two frames."""
    monkeypatch.setattr(kitti.layout, "TEST_PAIRS", 3)
    monkeypatch.setattr(spring.layout, "TEST_FRAMES", {3: 2})
    monkeypatch.setattr(kitti, "SIZES", {SIZE, (12, 15)})
    monkeypatch.setattr(spring, "SIZES", {SIZE})
