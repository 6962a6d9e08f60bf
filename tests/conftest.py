"""Eight virtual devices, so that sharding is tested on any machine."""

import gc
import pathlib

import jax
import pytest

pytest_plugins = ["helpers.shared_files"]

jax.config.update("jax_num_cpu_devices", 8)


# In these files, and in tests marked as laws, which ask for laws on small maps, most of the time
# would go into machine code that runs a few times. LLVM's optimizations are left out; XLA's own,
# which rewrite the maths, are not.
LAWS = (
    "augment/",
    "cli/test_evaluate",
    "cli/test_fit",
    "fit/",
    "gaussians/test_rendering",
    "house/test_readme",
    "losses/test_laws",
    "metrics/",
    "test_poison",
    "test_transforms",
    "warping/",
)


@pytest.fixture(autouse=True)
def compilation(request):
    """Compiles fast rather than for speed what tests laws."""
    path = request.path.relative_to(pathlib.Path(__file__).parent).as_posix()
    law = path.startswith(LAWS) or request.node.get_closest_marker("law") is not None
    jax.config.update("jax_disable_most_optimizations", law)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.fixture(autouse=True, scope="module")
def programs():
    """Lets go of a file's programs: a process may map no more than 65530 pieces of memory."""
    yield
    jax.clear_caches()
    gc.collect()
