"""Tests of what GPUs run, without a GPU: its forms on the CPU, and its programs as text."""

import contextlib
import re
from unittest import mock

import jax
import pytest


@contextlib.contextmanager
def gpu_forms():
    """Runs on the CPU what other devices run."""
    # Kernels for CUDA alone have no other GPU's form, and do not run here.
    elsewhere = lambda *arguments, default, rocm=None, **_: (rocm or default)(*arguments)
    forced = mock.patch("sf3d_jax._numerics.platforms.platform_dependent", elsewhere)
    # The precision is part of the key of JAX's caches, so no program of the CPU's form is reused.
    # It changes no product that names its own, and none on a CPU.
    with forced, jax.default_matmul_precision("highest"):
        yield


@pytest.fixture(params=["cpu", pytest.param("gpu", marks=pytest.mark.thorough)])
def each_platform(request):
    """Runs a test with the forms of either platform."""
    with gpu_forms() if request.param == "gpu" else contextlib.nullcontext():
        yield request.param


def lower_for_gpu(function, *arguments):
    """The StableHLO of a function for an NVIDIA GPU, before optimization; shapes suffice."""
    traced = jax.jit(function).trace(*arguments)
    return traced.lower(lowering_platforms=("cuda",)).as_text()


def count_loops(text):
    """The number of loops in StableHLO; each step of one is a launch or more."""
    return text.count("stablehlo.while")


def name_card(card):
    """Names the card to lower for."""
    device = jax.sharding.AbstractDevice(card, num_cores=None, platform="gpu")
    mesh = jax.sharding.AbstractMesh((), (), abstract_device=device)
    return jax.sharding.use_abstract_mesh(mesh)


def count_kernels(text):
    """The number of calls of kernels of Pallas in StableHLO."""
    return len(re.findall(r"custom_call @(?:mosaic_gpu_v2|__gpu\$xla\.gpu\.triton)\(", text))
