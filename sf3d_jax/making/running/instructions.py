"""The instruction set that this process computes with, and how to limit it.

XLA, NumPy and OpenBLAS choose the code for the processor that they find. Codes for other sets round
differently: NumPy's `exp` with AVX-512 differs from that with AVX2 in the last bit. Limited to the
same set, processors of different generations write the same bytes.

Only the standard library is imported here, as the limits must be set before NumPy and JAX start.
"""

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple


class _Level(NamedTuple):
    """An instruction set of x86, by the words of those who know it.

    Attributes:
      flags: flags of a processor that has it, as in /proc/cpuinfo.
      blas: OpenBLAS's name of a processor that has it and nothing newer.
    """

    flags: frozenset[str]
    blas: str


# From old to new; the names are those of XLA's flag in lower case.
_LEVELS = {
    "sse4_2": _Level(frozenset({"sse4_2"}), "Nehalem"),
    "avx": _Level(frozenset({"avx"}), "Sandybridge"),
    "avx2": _Level(frozenset({"avx2", "fma"}), "Haswell"),
    "avx512": _Level(frozenset({"avx512f", "avx512bw", "avx512dq", "avx512vl"}), "SkylakeX"),
    "avx512_vnni": _Level(frozenset({"avx512_vnni"}), "SkylakeX"),
    "avx512_bf16": _Level(frozenset({"avx512_bf16"}), "Cooperlake"),
    "amx": _Level(frozenset({"amx_tile", "amx_int8", "amx_bf16"}), "Sapphirerapids"),
    "amx_fp16": _Level(frozenset({"amx_fp16"}), "Sapphirerapids"),
}
LEVELS = (*_LEVELS,)
# NumPy's names of what is newer than AVX and than AVX2, in old and new versions; it ignores those
# that it does not know.
_NEWER_THAN_AVX = ("FMA3", "AVX2", "X86_V3")
_NEWER_THAN_AVX2 = (
    *("AVX512F", "AVX512CD", "AVX512_SKX", "AVX512_CLX", "AVX512_CNL", "AVX512_ICL"),
    *("AVX512_SPR", "X86_V4"),
)
_FLAG = re.compile(r"--xla_cpu_max_isa=(\w+)")


def find_level(environment: Mapping[str, str] | None = None) -> str:
    """Finds the instruction set that XLA compiles for.

    Args:
      environment: environment variables; None for those of this process.

    Returns:
      One of LEVELS: the newest that the processor has, or the one that XLA_FLAGS allows if that is
      older. The name of the kind of processor, such as "arm64", where none of them is known.
    """
    limits = _FLAG.findall(
        (os.environ if environment is None else environment).get("XLA_FLAGS", "")
    )
    limit = limits[-1].lower() if limits else LEVELS[-1]
    flags = _read_flags()
    known = [*_take_known(flags)]
    if not known:
        return limit if limits else platform.machine()
    allowed = [name for name in known if LEVELS.index(name) <= LEVELS.index(limit)]
    return allowed[-1] if allowed else known[0]


def limit_level(level: str) -> None:
    """Limits XLA, NumPy and OpenBLAS of this process and its children to an instruction set.

    Args:
      level: one of LEVELS, in capitals or not.

    Raises:
      ValueError: the level is unknown, or the processor does not have it, or NumPy or JAX has
        already chosen its code.
    """
    level = level.lower()
    if level not in LEVELS:
        raise ValueError(f"isa: expected {', '.join(LEVELS[:-1])} or {LEVELS[-1]}, got {level!r}")
    newest = find_level({})
    if newest not in LEVELS:
        raise ValueError(f"isa: is for x86 processors under Linux, but this one is {newest}")
    if LEVELS.index(newest) < LEVELS.index(level):
        raise ValueError(f"isa: expected {newest} or older, as this processor has, got {level}")
    variables = list_variables(level, os.environ)
    is_set = all(os.environ.get(name) == value for name, value in variables.items())
    if "numpy" in sys.modules and not is_set:
        listed = " ".join(f"{name}='{value}'" for name, value in variables.items())
        raise ValueError(f"isa: NumPy and JAX have already started; set {listed} before Python")
    os.environ.update(variables)


def list_variables(level: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Lists the environment variables that limit a process to an instruction set.

    Args:
      level: one of LEVELS.
      environment: environment variables to start from.

    Returns:
      Those that are added or replaced.
    """
    flags = _FLAG.sub("", environment.get("XLA_FLAGS", ""))
    place = LEVELS.index(level)
    disabled = [*environment.get("NPY_DISABLE_CPU_FEATURES", "").replace(",", " ").split()]
    for newer, oldest in ((_NEWER_THAN_AVX, "avx2"), (_NEWER_THAN_AVX2, "avx512")):
        if place < LEVELS.index(oldest):
            disabled += [name for name in newer if name not in disabled]
    variables = {
        "XLA_FLAGS": " ".join([*flags.split(), f"--xla_cpu_max_isa={level.upper()}"]),
        "OPENBLAS_CORETYPE": _LEVELS[level].blas,
    }
    return variables | ({"NPY_DISABLE_CPU_FEATURES": " ".join(disabled)} if disabled else {})


def _read_flags() -> set[str]:
    """Reads the flags of the processor; none where the system does not list them."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return set()
    found = re.search(r"^flags\s*:(.*)$", text, re.MULTILINE)
    return {*found[1].split()} if found else set()


def _take_known(flags: set[str]) -> Iterator[str]:
    """Lists the levels that a processor has together with all older ones."""
    for name, level in _LEVELS.items():
        if not level.flags <= flags:
            return
        yield name
