"""Eight virtual devices, so that sharding is tested on any machine; programs compiled fast."""

import gc
import os
import shutil

import jax
import pytest

pytest_plugins = [
    "helpers.command",
    "helpers.platforms",
    "helpers.programs",
    "helpers.shared_files",
]

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

# Most programs of the tests run a few times on small maps, and LLVM's optimizations would take
# longer than they save. XLA's own, which rewrite the maths, are not left out.
jax.config.update("jax_disable_most_optimizations", True)

# XLA's older code generator compiles twice as fast as the one that users have. A process has one
# of them, and newer releases have the new one alone, which has become faster there. The parts of a
# program, compiled side by side, would take more time of the processor than the whole of it.
FAST_CODE = "--xla_cpu_parallel_codegen_split_count=1"
if jax.__version_info__ < (0, 11):
    FAST_CODE += " --xla_cpu_use_fusion_emitters=false"


def pytest_addoption(parser):
    parser.addoption("--optimized", action="store_true", help="compile all programs as users do")
    parser.addoption(
        "--gpu-arithmetic",
        action="store_true",
        help="divisions, roots and exponentials are as inexact as those of GPUs",
    )
    parser.addoption(
        "--debug-nans",
        action="store_true",
        help="a NaN that a program returns is an error, but in tests marked as non_finite",
    )


def pytest_configure(config):
    if config.getoption("--gpu-arithmetic"):
        from helpers import gpu_arithmetic

        gpu_arithmetic.install()
    flags = os.environ.get("XLA_FLAGS", "")
    if not config.getoption("--optimized") and FAST_CODE not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {FAST_CODE}".strip()


def pytest_collection_finish():
    """Python's collector passes over what is there by now and looks seldom for what is new."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(autouse=True)
def optimization(request):
    """Optimizes what tests marked as `optimized` compile; the others share no program with them."""
    every = request.config.getoption("--optimized")
    fast = not every and request.node.get_closest_marker("optimized") is None
    if jax.config.read("jax_disable_most_optimizations") != fast:
        jax.clear_caches()
        jax.config.update("jax_disable_most_optimizations", fast)


@pytest.fixture(autouse=True)
def debug_nans(request):
    """Makes a NaN that a program returns an error, where the run asks for it."""
    asked = request.config.getoption("--debug-nans")
    with jax.debug_nans(asked and request.node.get_closest_marker("non_finite") is None):
        yield


@pytest.fixture(scope="session")
def wall_tree(tmp_path_factory):
    """A data set of walls made in one go, not to be changed."""
    from helpers.made_trees import make_walls

    out = tmp_path_factory.mktemp("walls")
    make_walls(out)
    return out


@pytest.fixture
def wall_copy(wall_tree, tmp_path):
    """A copy of it, which may be changed."""
    return shutil.copytree(wall_tree, tmp_path / "copy")


@pytest.fixture(autouse=True, scope="module")
def programs():
    """Lets go of a file's programs: a process may map no more than 65530 pieces of memory."""
    yield
    jax.clear_caches()
    gc.collect()
