"""Keeps the template: it is made once, in a few seconds, and stored in the user's cache.

The name of its file holds a hash of the modules that make it, so a change of them makes it anew.
"""

import functools
import hashlib
import os
import pathlib
import tempfile
import zipfile

import numpy as np

from sf3d_jax.head.person import landmarks, rounding
from sf3d_jax.head.person.template.building import Template, make_template


@functools.cache
def load_template() -> Template:
    """The template, from the user's cache if it is there, else made and kept there.

    A file that cannot be read is made again, and a cache that cannot be written is done without.
    """
    path = _cache_folder() / f"head_{_source_hash()}.npz"
    template = _read(path)
    if template is None:
        template = make_template()
        _write(path, template)
    for array in template:
        array.setflags(write=False)
    return template


def _cache_folder() -> pathlib.Path:
    root = os.environ.get("XDG_CACHE_HOME")
    return pathlib.Path(root if root else pathlib.Path.home() / ".cache") / "sf3d_jax"


def _source_hash() -> str:
    """Hash of what the template depends on: the modules that make it, and NumPy.

    NumPy rounds differently with other instructions of the processor, and a home may be shared.
    """
    instructions = np.show_config(mode="dicts")["SIMD Extensions"]["found"]
    digest = hashlib.sha256(f"{np.__version__} {instructions}".encode())
    own = pathlib.Path(__file__).parent.glob("*.py")
    for path in (pathlib.Path(landmarks.__file__), pathlib.Path(rounding.__file__), *sorted(own)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _read(path: pathlib.Path) -> Template | None:
    try:
        # NumPy leaves a broken file open if it opens it itself.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            template = Template(*(arrays[name] for name in Template._fields))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return template if _is_whole(template) else None


def _is_whole(template: Template) -> bool:
    vertices, faces, vertex_parts = template
    return (
        vertices.dtype == np.float64
        and faces.dtype == vertex_parts.dtype == np.int32
        and vertices.ndim == faces.ndim == 2
        and vertices.shape[1] == faces.shape[1] == 3
        and vertex_parts.shape == vertices.shape[:1]
        and len(faces) > 0
        and faces.min() >= 0
        and faces.max() < len(vertices)
    )


def _write(path: pathlib.Path, template: Template) -> None:
    """Writes under another name and renames, so that nobody reads half a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    except OSError:
        return
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez(file, **template._asdict())
        os.replace(name, path)
    except OSError:
        pathlib.Path(name).unlink(missing_ok=True)
