"""The rules of the house that a machine can check."""

import ast
import importlib
import inspect
import itertools
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tomllib

import pytest

import sf3d_jax as sf3d

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "sf3d_jax"
FILES = [p for p in sorted(PACKAGE.rglob("*.py")) if p != PACKAGE / "__init__.py"]

# A file imports only what stands before it. The core ends with the gaussians.
CORE = """_numerics _double _differences _angle _checks _lens _optics camera samples projection
    _two_views scene_flow _optical_expansion depth_change _windows sampling splatting resizing
    visibility augment losses metrics fit gaussians""".split()
FLOORS = [*CORE, "data", "head", "training", "views", "cli"]
CORE_IMPORTS = {"sf3d_jax", "jax", "jaxlib", "numpy", "chex", "optax"} | sys.stdlib_module_names
DATA_IMPORTS = {"data", "camera", "samples"}
# The only files of data that may reach further up.
DATA_REACHES = {
    "data/loading.py",
    "data/_stacking.py",
    "data/checking",
    "data/gaussian_ply.py",
}

# What the published contract has otherwise.
POSITIONAL_OPTIONS = {("Camera.stride", "offset")}


def floor_of(path):
    """The place of a file in the list: its own name, or that of the package it is part of."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def reaches_up(path):
    """Whether it is the loader or the check, which build on the core."""
    inside = path.relative_to(PACKAGE).as_posix()
    return any(inside == place or inside.startswith(f"{place}/") for place in DATA_REACHES)


def imported(path, *, typing=True):
    """(module, names) of every import statement, inside functions too."""
    tree = ast.parse(path.read_text())
    unseen = set()
    if not typing:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
                unseen |= {id(x) for statement in node.body for x in ast.walk(statement)}
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, []) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or ""), [alias.name for alias in node.names]


def imported_floors(path):
    """The floors that a file imports; the whole package counts as the last of them."""
    for module, names in imported(path, typing=False):
        assert not module.startswith("."), f"{path.name}: write {module} out, from sf3d_jax on"
        if module.startswith("sf3d_jax."):
            yield module.split(".")[1]
        elif module == "sf3d_jax":
            names = names or [FLOORS[-1]]
            yield from (sf3d._HOMES.get(n, n) for n in names if n != "__version__")


def public_functions():
    """(name, function) of what the package, its modules and its classes offer."""
    for name in sf3d.__all__:
        thing = getattr(sf3d, name)
        members = offered(thing) if inspect.ismodule(thing) else {name: thing}
        for member, value in members.items():
            prefix = f"{name}." if inspect.ismodule(thing) else ""
            if inspect.isclass(value):
                yield from ((f"{prefix}{member}.{n}", f) for n, f in methods(value))
            elif callable(value):
                yield f"{prefix}{member}", inspect.unwrap(value)


def offered(module):
    """The names of a module's `__all__`; without one, what it defines or imports `as` itself."""
    if hasattr(module, "__all__"):
        return {name: getattr(module, name) for name in module.__all__}
    source = inspect.getsource(module)
    mine = lambda name, value: (
        f"import {name} as {name}\n" in source
        or getattr(inspect.unwrap(value), "__module__", None) == module.__name__
    )
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_") and callable(value) and mine(name, value)
    }


def methods(cls):
    for name, value in vars(cls).items():
        function = getattr(value, "__func__", value)
        if not name.startswith("_") and inspect.isfunction(function):
            yield name, function


FUNCTIONS = dict(public_functions())
each_file = pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
each_function = pytest.mark.parametrize("name", FUNCTIONS)


def test_what_is_public_was_found():
    wanted = {
        "scene_flow",
        "Camera.from_matrix",
        "Camera.stride",
        "depth_change.to_scaled",
        "depth_change.optical_expansion",
        "data.read_flow",
        "views.flow_to_color",
    }
    assert wanted <= set(FUNCTIONS)
    public_checks = {"data.check", "data.check_dataset"}
    assert {name for name in FUNCTIONS if "check" in name} == public_checks


@each_file
def test_imports_go_upwards_in_the_list(path):
    floor = floor_of(path)
    assert floor in FLOORS, f"{floor} has no place in the list"
    for other in imported_floors(path):
        assert other in FLOORS, f"{floor} imports {other}, which has no place in the list"
        assert FLOORS.index(other) <= FLOORS.index(floor), f"{floor} imports {other}"
        if floor == "data" and not reaches_up(path):
            assert other in DATA_IMPORTS, f"data imports {other}"


@pytest.mark.parametrize("path", [*FILES, PACKAGE / "__init__.py"], ids=lambda p: p.stem)
def test_the_core_imports_its_five_dependencies_only(path):
    if path != PACKAGE / "__init__.py" and floor_of(path) not in CORE:
        return
    roots = {module.split(".")[0] for module, _ in imported(path)}
    assert roots <= CORE_IMPORTS, f"{path.name} imports {roots - CORE_IMPORTS}"


# The time of this process alone: on a busy machine the clock on the wall runs for others too.
IMPORT = """
import json, sys, time
import jax
before, start = set(sys.modules), time.process_time()
import sf3d_jax
sf3d_jax.scene_flow, sf3d_jax.camera, sf3d_jax.depth_change
print(json.dumps([time.process_time() - start, sorted(set(sys.modules) - before)]))
"""


def fresh_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


def test_the_import_costs_little_more_than_jax():
    runs = [json.loads(fresh_python(IMPORT)) for _ in range(3)]
    modules = set().union(*(names for _, names in runs))
    assert "sf3d_jax.scene_flow" in modules
    heavy = {"cv2", "h5py", "scipy", "tyro", "tqdm"}
    assert not [name for name in modules if name.split(".")[0] in heavy]
    assert statistics.median(seconds for seconds, _ in runs) < 0.3


def test_the_package_alone_waits_for_its_first_name():
    assert fresh_python("import sf3d_jax, sys; print('jax' in sys.modules)").strip() == "False"


@each_function
def test_docstrings_name_every_argument_and_the_result(name):
    function = FUNCTIONS[name]
    signature, text = inspect.signature(function), inspect.getdoc(function) or ""
    for argument in signature.parameters:
        if argument not in ("self", "cls"):
            assert re.search(rf"^  +\**{argument}: ", text, re.MULTILINE), argument
    if signature.return_annotation not in (None, "None"):
        assert "\nReturns:\n" in text


@each_function
def test_options_are_keyword_only(name):
    for p in inspect.signature(FUNCTIONS[name]).parameters.values():
        if p.default not in (p.empty, None) and (name, p.name) not in POSITIONAL_OPTIONS:
            assert p.kind is p.KEYWORD_ONLY, p.name


def test_the_lazy_names_are_those_that_type_checkers_see():
    seen = {}
    for module, names in imported(PACKAGE / "__init__.py"):
        if module == "sf3d_jax" or module.startswith("sf3d_jax."):
            seen |= {name: module.removeprefix("sf3d_jax").removeprefix(".") for name in names}
    assert seen == {**dict.fromkeys(sf3d._MODULES, ""), **sf3d._HOMES}
    assert set(sf3d.__all__) == {"__version__", *seen}


def test_every_lazy_name_is_there():
    for name in sf3d._MODULES:
        assert getattr(sf3d, name) is importlib.import_module(f"sf3d_jax.{name}")
    for name, home in sf3d._HOMES.items():
        value = getattr(importlib.import_module(f"sf3d_jax.{home}"), name)
        assert getattr(sf3d, name) is value
    assert set(sf3d.__all__) <= set(dir(sf3d))
    with pytest.raises(AttributeError, match="no_such_name"):
        sf3d.no_such_name  # noqa: B018


def test_a_module_does_not_take_the_name_of_its_function():
    code = "import sf3d_jax.scene_flow, sf3d_jax; print(callable(sf3d_jax.scene_flow))"
    assert fresh_python(code).strip() == "True"


def test_the_top_level_is_tidy():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a checkout, to tell files of the repository from others")
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    expected = {"pyproject.toml", "sf3d_jax", "benchmarks", "tests"}
    expected |= {"README.md", "LICENSE", "CHANGELOG.md"}
    assert {name for name in top if not name.startswith(".")} <= expected


@each_file
def test_files_and_functions_are_short(path):
    source = path.read_text()
    assert len(source.splitlines()) < 400
    for f in ast.walk(ast.parse(source)):
        if isinstance(f, ast.FunctionDef):
            body = f.body[ast.get_docstring(f) is not None :]
            assert not body or body[-1].end_lineno - body[0].lineno + 1 < 60, f.name


def test_the_dependencies_are_five_and_have_no_upper_caps():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    name = lambda requirement: re.split(r"[^\w-]", requirement)[0]
    five = ["jax", "jaxlib", "numpy", "chex", "optax"]
    assert [name(r) for r in project["dependencies"]] == five
    listed = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in [*itertools.chain(*listed), f"python{project['requires-python']}"]:
        assert not re.search("[<~!]|==", requirement), requirement
