"""Eight virtual devices, so that sharding is tested on any machine, and the files of others."""

import gc
import pathlib

import jax
import pytest
from helpers.support import SHARED

jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")


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


@pytest.fixture
def real():
    """Finds a real file by its name below the folder, or skips the test."""

    def find(name):
        path = SHARED / "real" / name
        if not path.exists():
            pytest.skip(f"needs {path}, a file of a public data set")
        return path

    return find
