"""The rendered scenes of tests/assets, whose README describes them and their storage."""

import functools
import pathlib

import numpy as np

ASSETS = pathlib.Path(__file__).resolve().parents[1] / "assets"
SUFFIX = "_exponent"


def rendered(name):
    """The arrays of a scene by their names; they are shared and cannot be written to."""
    return dict(_read(name))


@functools.cache
def _read(name):
    with np.load(ASSETS / f"{name}.npz") as stored:
        arrays = dict(stored)
    for key in [key for key in arrays if key.endswith(SUFFIX)]:
        exponent, kind = int(arrays.pop(key)), key.removesuffix(SUFFIX)
        arrays[kind] = decode(arrays[kind], exponent)
    for array in arrays.values():
        array.flags.writeable = False
    return arrays


def decode(planes, exponent):
    """Float32 [H, W, ...] from the bytes [4, H, W, ...] of its differences along the rows.

    The lowest byte comes first. A code 2n stands for a difference of n steps of 2^-exponent, and
    2n - 1 for -n steps.
    """
    codes = np.ascontiguousarray(np.moveaxis(planes, 0, -1)).view("<u4")[..., 0].astype(np.int64)
    differences = (codes >> 1) ^ -(codes & 1)
    return np.float32(np.ldexp(np.float64(np.cumsum(differences, axis=1)), -exponent))
