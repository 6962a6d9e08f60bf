"""What the tests of robustness share: whole files, and the same ones damaged."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from sf3d_jax.data import FormatError


class Format(NamedTuple):
    """A file as it is written, and what reads it.

    Another format is tested by another line of a list of these.
    """

    name: str
    make: Callable[[Path], None]
    read: Callable[[Path], object]


def check(path, content, read, verify):
    """Reads the content: a result that is verified, or an error that names the file. Says which."""
    with open(path, "r+b") as file:  # far faster than to write the file anew
        file.write(content)
        file.truncate()
    try:
        result = read(path)
    except FormatError as error:
        assert str(path) in str(error) and len(str(error)) < 2000
        return False
    verify(result)
    return True


def check_damaged(path, format, verify, damage):
    """Reads a file whole, cut off at 200 places, and a thousand times with bytes changed.

    Args:
      path: of the file.
      format: that makes and reads it.
      verify: asserts that a result is well formed.
      damage: (rng, number, old byte) to the new byte of the file of that number.
    """
    format.make(path)
    whole = path.read_bytes()
    assert check(path, whole, format.read, verify)

    rng = np.random.default_rng([*format.name.encode()])
    for length in rng.integers(0, len(whole), 200):
        check(path, whole[:length], format.read, verify)
    for number in range(1000):
        damaged = bytearray(whole)
        for place in rng.integers(0, len(whole), rng.integers(1, 4)):
            damaged[place] = damage(rng, number, damaged[place])
        check(path, bytes(damaged), format.read, verify)


def refused_with(path, read):
    """How many bytes Python allocates until a file is refused by its name."""
    tracemalloc.start()
    try:
        with pytest.raises(FormatError) as error:
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(error.value).startswith(f"{path}: expected ")
    return peak
