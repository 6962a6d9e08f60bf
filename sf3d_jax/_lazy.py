"""Public names of a package, listed once in its `__init__.pyi` and imported when first used.

Type checkers and editors read the stub as it is. At run time `attach` parses it, so that
`import sf3d_jax` does not wait for packages that the program never touches. A line of the stub is

    from sf3d_jax.camera import Camera as Camera
"""

import ast
import importlib
import sys
from collections.abc import Callable
from pathlib import Path


def attach(
    package: str, file: str
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Makes `__getattr__`, `__dir__` and `__all__` of a package from its stub.

    Args:
      package: the package's `__name__`.
      file: the package's `__file__`; the stub stands beside it.

    Returns:
      The three, to be assigned in the package's `__init__.py`.
    """
    stub = ast.parse(Path(file).with_suffix(".pyi").read_text(encoding="utf-8"))
    homes = {
        alias.name: node.module
        for node in stub.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        home = homes[name]
        if home == package:
            return importlib.import_module(f"{package}.{name}")
        # As `from home import name` does it, which also finds a module of that name.
        value = getattr(importlib.__import__(home, fromlist=[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    names = sorted(homes)
    return get, lambda: names, names
