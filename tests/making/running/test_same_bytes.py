"""Heads, not walls: the bytes are the same on one core and two, in one process and several."""

import os
import pathlib
import subprocess
import sys

import pytest
from helpers.made_trees import digests

from sf3d_jax import making

TESTS = pathlib.Path(__file__).resolve().parents[2]
OPTIONS = "--subjects 2 --test 1 --frames 2 --size 48 64 --gaussians 5000".split()
COMMAND = "import os, sys; from sf3d_jax.cli import main; "
ONE_CORE = "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); "


def make(out, *words, code="", **environment):
    variables = os.environ | {"PYTHONPATH": str(TESTS.parent)} | environment
    program = [sys.executable, "-c", f"{COMMAND}{code}main(sys.argv[1:])"]
    subprocess.run([*program, "make", str(out), *OPTIONS, *words], env=variables, check=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("heads") / "whole"
    make(out)
    assert making.verify(out).is_complete
    return digests(out)


@pytest.mark.thorough
@pytest.mark.parametrize("how", ["one core", "two processes", "two workers", "compiled anew"])
def test_heads_have_the_same_bytes(tmp_path, whole, how):
    out = tmp_path / "out"
    if how == "one core":
        if sys.platform != "linux":
            pytest.skip("cannot choose cores")
        make(out, code=ONE_CORE)
    elif how == "two processes":
        make(out, "--process", "1/2")
        make(out, "--process", "0/2")
    elif how == "two workers":
        make(out, "--workers", "2")
    else:
        make(out, JAX_COMPILATION_CACHE_DIR=str(tmp_path / "cache"))
    assert digests(out) == whole


@pytest.mark.thorough
def test_an_older_instruction_set_is_that_of_an_older_processor(tmp_path):
    """XLA's flag and NumPy's stand for a processor that has nothing newer."""
    if making.find_level() not in making.LEVELS[3:]:
        pytest.skip("has nothing newer than AVX2")
    newer = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4"
    older = {
        "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_max_isa=AVX2",
        "NPY_DISABLE_CPU_FEATURES": newer,
        "OPENBLAS_CORETYPE": "Haswell",
    }
    make(tmp_path / "older", **older)
    make(tmp_path / "limited", "--isa", "avx2")
    found = digests(tmp_path / "limited")
    assert found == digests(tmp_path / "older")
    assert (
        making.find_level() != "avx2"
        and '"isa": "avx2"' in (tmp_path / "limited/making.json").read_text()
    )
