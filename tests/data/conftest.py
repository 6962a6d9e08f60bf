"""Where the files are that others wrote."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2].parent / "shared" / "real"


@pytest.fixture
def real():
    """Finds a real file by its name below the folder, or skips the test."""

    def find(name):
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"needs {path}, a file of a public data set")
        return path

    return find
