"""The instruction set that a process has and how it is limited, before NumPy starts."""

import json
import os
import subprocess
import sys

import pytest

from sf3d_jax import making
from sf3d_jax.making.running import instructions

# From /proc/cpuinfo of processors of four generations, what matters of it.
HASWELL = "fpu sse sse2 ssse3 sse4_1 sse4_2 avx f16c fma bmi1 avx2 bmi2"
ICE_LAKE = f"{HASWELL} avx512f avx512dq avx512cd avx512bw avx512vl avx512_vnni"
PROCESSORS = {
    "sse4_2": "fpu sse sse2 ssse3 sse4_1 sse4_2",
    "avx": "fpu sse sse2 ssse3 sse4_1 sse4_2 avx f16c",
    "avx2": HASWELL,
    "avx512_vnni": ICE_LAKE,
    "avx512_bf16": f"{ICE_LAKE} avx512_bf16",
    "amx": f"{ICE_LAKE} avx512_bf16 amx_bf16 amx_tile amx_int8",
}


def have(monkeypatch, flags):
    monkeypatch.setattr(instructions, "_read_flags", lambda: {*flags.split()})


@pytest.mark.parametrize("level", PROCESSORS)
def test_the_level_is_the_newest_that_the_processor_has(monkeypatch, level):
    have(monkeypatch, PROCESSORS[level])
    assert making.find_level({}) == level
    place = making.LEVELS.index(level)
    for number, limit in enumerate(making.LEVELS):
        flags = f"--a=b --xla_cpu_max_isa=SSE4_2 --xla_cpu_max_isa={limit.upper()} --c"
        found = making.find_level({"XLA_FLAGS": flags})  # the last one counts, as for XLA
        assert making.LEVELS.index(found) <= min(place, number)
        assert number > place or found in (limit, "avx2")  # Ice Lake has AVX-512 with VNNI only


def test_without_flags_the_kind_of_processor_is_the_level(monkeypatch):
    have(monkeypatch, "")
    monkeypatch.setattr(instructions.platform, "machine", lambda: "arm64")
    assert making.find_level({}) == "arm64"
    with pytest.raises(ValueError, match=r"^isa: is for x86 .* this one is arm64"):
        making.limit_level("avx2")


def test_the_variables_limit_xla_numpy_and_openblas():
    given = {"XLA_FLAGS": "--xla_cpu_max_isa=AVX512 --other=1", "NPY_DISABLE_CPU_FEATURES": "AVX2"}
    found = instructions.list_variables("avx2", given)
    assert found["XLA_FLAGS"] == "--other=1 --xla_cpu_max_isa=AVX2"
    assert found["OPENBLAS_CORETYPE"] == "Haswell"
    disabled = found["NPY_DISABLE_CPU_FEATURES"].split()
    assert disabled[0] == "AVX2" and {"AVX512F", "AVX512_SKX", "X86_V4"} <= {*disabled}
    assert "X86_V3" not in disabled and "FMA3" not in disabled
    older = instructions.list_variables("avx", {})["NPY_DISABLE_CPU_FEATURES"].split()
    assert {"AVX2", "FMA3", "X86_V3", "X86_V4"} <= {*older}
    assert "NPY_DISABLE_CPU_FEATURES" not in instructions.list_variables("avx512", {})


@pytest.mark.parametrize(
    "level, said",
    [
        ("mmx", "isa: expected sse4_2, avx, avx2, .* or amx_fp16, got 'mmx'"),
        ("avx512", "isa: expected avx2 or older, as this processor has, got avx512"),
        ("AVX512", "isa: expected avx2 or older, as this processor has, got avx512"),
        ("avx", "isa: NumPy and JAX have already started; set XLA_FLAGS='.*=AVX' OPENBLAS_CORE"),
    ],
)
def test_a_level_that_cannot_be_is_named(monkeypatch, level, said):
    have(monkeypatch, HASWELL)
    before = {**os.environ}
    with pytest.raises(ValueError, match=f"^{said}"):
        making.limit_level(level)
    assert before == {**os.environ}


LIMIT = """
import json, os, sys
from sf3d_jax.making.running import instructions
from sf3d_jax.making import limit_level
instructions._read_flags = lambda: set(sys.argv[1].split())
limit_level("avx2")
print(json.dumps([dict(os.environ), "numpy" in sys.modules]))
"""


def test_a_process_is_limited_before_numpy_is_imported():
    words = [sys.executable, "-c", LIMIT, ICE_LAKE]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    environment, is_started = json.loads(done.stdout)
    wanted = instructions.list_variables("avx2", os.environ)
    assert {name: environment[name] for name in wanted} == wanted and not is_started
    again = subprocess.run(  # in its children, which have the variables from the start
        [sys.executable, "-c", f"import numpy; {LIMIT}", ICE_LAKE], env=environment, check=True
    )
    assert again.returncode == 0
