"""Eight virtual devices, so that sharding is tested on any machine, and the files of others."""

import jax
import pytest
from support import SHARED

jax.config.update("jax_num_cpu_devices", 8)


@pytest.fixture
def real():
    """Finds a real file by its name below the folder, or skips the test."""

    def find(name):
        path = SHARED / "real" / name
        if not path.exists():
            pytest.skip(f"needs {path}, a file of a public data set")
        return path

    return find
