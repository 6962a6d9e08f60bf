"""The layout: who may import whom, no circles, one list of public names, short files."""

import ast
import sys

import pytest
from helpers.house import (
    FILES,
    MODULES,
    PACKAGE,
    ROOT,
    STUBS,
    circle,
    crossings,
    graph,
    module_of,
    nodes,
    string_imports,
    stub_names,
)

# A file imports only what stands before it in these lists.
CORE = """_version _lazy _checks _rotations _numerics se3 camera conversion warping rigid samples
    augment losses metrics fit gaussians""".split()
FLOORS = [*CORE, "data", "head", "making", "views", "training", "cli"]
DATA_FLOORS = """arrays opencv _files cameras maps pose_files meshes gaussian_properties
    gaussian_ply bound_gaussians scene_flow_npz lifting closed_form sets checking loading
    evaluation""".split()
CORE_IMPORTS = {"sf3d_jax", "jax", "jaxlib", "numpy", "chex", "optax"} | sys.stdlib_module_names

# Rooms that use the library as its users do.
FACES = [path for path in FILES if path.relative_to(PACKAGE).parts[0] in ("cli", "views")]

COMMANDS = [path for path in FACES if path.relative_to(PACKAGE).parts[0] == "cli"]
COMMANDS += sorted((ROOT / "benchmarks").glob("*.py"))

each_file = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))


def floor(module, depth):
    """The name of a module at a depth below the package, or None."""
    parts = module.split(".")
    return parts[depth] if len(parts) > depth else None


def test_imports_go_upwards_in_the_list():
    for module in MODULES:
        if module != "sf3d_jax":
            check_imports(module)


def check_imports(module):
    own, inner = floor(module, 1), floor(module, 2)
    assert own in FLOORS, f"{own} has no place in the list"
    for other in graph()[module]:
        assert other != "sf3d_jax" or own in ("views", "training", "cli"), f"{module} imports all"
        if other == "sf3d_jax":
            continue
        assert floor(other, 1) in FLOORS, f"{other} has no place in the list"
        assert FLOORS.index(floor(other, 1)) <= FLOORS.index(own), f"{module} imports {other}"
        if own == floor(other, 1) == "data" and inner and floor(other, 2):
            places = [DATA_FLOORS.index(floor(x, 2)) for x in (other, module)]
            assert places[0] <= places[1], f"{module} imports {other}"


@pytest.mark.parametrize("path", FACES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_the_command_line_and_the_views_import_nothing_private(path):
    for node in nodes(path, ast.Import | ast.ImportFrom):
        names = [alias.name for alias in node.names]
        module = node.module if isinstance(node, ast.ImportFrom) else None
        for name in [f"{module}.{name}" for name in names] if module else names:
            own = name == "sf3d_jax._lazy" or name.startswith("sf3d_jax.cli.")
            if name.split(".")[0] == "sf3d_jax" and not own:
                assert not any(part.startswith("_") for part in name.split(".")), name


@pytest.mark.parametrize("path", COMMANDS, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_and_benchmarks_import_what_a_stub_offers(path):
    for node in nodes(path, ast.ImportFrom):
        parts = node.module.split(".")
        if parts[0] == "sf3d_jax" and parts[1:2] not in (["cli"], ["_lazy"]):
            for alias in node.names:
                assert is_offered(node.module, alias.name), f"{node.module}.{alias.name}"


def is_offered(module, name):
    """Whether a name stands in the stub of a package, or in a module that does."""
    stubs = {module_of(path): stub_names(path) for path in STUBS}
    package, _, inner = module.rpartition(".")
    return name in stubs[module] if module in stubs else inner in stubs.get(package, ())


def test_a_name_that_no_stub_offers_would_be_found():
    assert is_offered("sf3d_jax.data", "read_flow")
    assert is_offered("sf3d_jax.data.closed_form", "deforming_scene")
    assert not is_offered("sf3d_jax.data.arrays", "real_map")
    assert not is_offered("sf3d_jax.data", "arrays")


def test_no_imports_run_in_a_circle():
    assert circle(graph()) is None


def test_a_circle_would_be_found():
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["b", "c", "b"]
    assert circle({"a": {"b", "c"}, "b": {"c"}}) is None


def test_no_benchmark_imports_from_another():
    assert not crossings(graph())


def test_an_import_from_another_benchmark_would_be_found():
    kitti, spring = (f"sf3d_jax.data.sets.{name}" for name in ("kitti.layout", "spring"))
    shared = "sf3d_jax.data.sets._reading"
    edges = {kitti: {spring, shared}, shared: {kitti}, "sf3d_jax.data.evaluation": {kitti, spring}}
    assert crossings(edges) == [(kitti, spring)]
    assert not crossings({kitti: {"sf3d_jax.data.sets.kitti.calibration", shared}})


def test_nothing_is_imported_by_a_string():
    for path in FILES:
        if module_of(path) != "sf3d_jax._lazy":
            found = string_imports(ast.parse(path.read_text()))
            assert not found, f"{path}: {found}"


@pytest.mark.parametrize(
    "source",
    [
        "import importlib",
        "import importlib.util as tools",
        "from importlib import import_module as load",
        "from importlib.util import find_spec",
        "import runpy as r",
        "from runpy import run_path as run",
        "import pkgutil",
        "module = __import__(name)",
        "import builtins; builtins.__import__(name)",
        "from builtins import __import__ as load",
        "import sys as s; s.modules[name]",
        "import sys; 'jax' in sys.modules and sys.modules['jax']",
        "import sys; sys.modules == 'jax' in names",
        "from sys import modules as loaded",
        "exec(f'import {name}')",
        "eval('__import__(name)')",
    ],
)
def test_an_import_by_a_string_would_be_found(source):
    assert string_imports(ast.parse(source))


@pytest.mark.parametrize(
    "source",
    ["import sys; 'jax' in sys.modules", "import sys; 'jax' not in sys.modules", "modules = 3"],
)
def test_what_imports_nothing_is_not_taken_for_an_import(source):
    assert not string_imports(ast.parse(source))


def test_the_core_imports_its_five_dependencies_only():
    for path in FILES:
        if floor(module_of(path), 1) in {None, *CORE}:
            statements = nodes(path, ast.Import | ast.ImportFrom)
            names = [n.module for n in statements if isinstance(n, ast.ImportFrom)]
            names += [a.name for n in statements if isinstance(n, ast.Import) for a in n.names]
            roots = {name.split(".")[0] for name in names}
            assert roots <= CORE_IMPORTS, f"{path} imports {roots - CORE_IMPORTS}"


@pytest.mark.parametrize("path", STUBS, ids=module_of)
def test_a_module_does_not_bear_a_name_that_its_package_offers(path):
    package = module_of(path)
    for node in nodes(path, ast.ImportFrom):
        for alias in node.names:
            inside = f"{package}.{alias.name}"
            assert alias.asname == alias.name, f"write: import {alias.name} as {alias.name}"
            assert inside not in MODULES or node.module == package, inside


def test_files_and_functions_are_short():
    for path in FILES:
        assert len(path.read_text().splitlines()) < 400, path
        for f in nodes(path, ast.FunctionDef):
            body = f.body[ast.get_docstring(f) is not None :]
            assert not body or body[-1].end_lineno - body[0].lineno + 1 < 60, f"{path}: {f.name}"


def test_no_test_imports_a_test():
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in nodes(path, ast.ImportFrom):
            parts = (node.module or "").split(".")
            assert not any(part.startswith("test_") for part in parts), f"{path}: {node.module}"


def test_tests_mirror_the_package():
    rooms = {p.relative_to(PACKAGE).as_posix() for p in PACKAGE.rglob("*") if p.is_dir()}
    for folder in sorted((ROOT / "tests").rglob("test_*.py")):
        room = folder.parent.relative_to(ROOT / "tests").as_posix()
        assert room in {*rooms, ".", "house"}, f"there is no sf3d_jax/{room}"
