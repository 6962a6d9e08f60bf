"""The package as text: its files, who imports whom, and its public functions."""

import ast
import functools
import inspect
import pathlib
import re

import sf3d_jax as sf3d

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "sf3d_jax"
FILES = sorted(PACKAGE.rglob("*.py"))
STUBS = sorted(PACKAGE.rglob("__init__.pyi"))


def module_of(path):
    """The dotted name of a file; of a stub, that of its package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path) for path in FILES}


@functools.cache
def all_nodes(path):
    return list(ast.walk(ast.parse(path.read_text())))


def nodes(path, kind):
    return [node for node in all_nodes(path) if isinstance(node, kind)]


def imports(path):
    """The modules of every import statement, inside functions and for type checkers too.

    `from package import name` is an import of the module of that name where there is one, and
    else of the package's `__init__`, which has to define the name.
    """
    for node in nodes(path, ast.Import | ast.ImportFrom):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
            continue
        assert node.level == 0, f"{path}: write {ast.unparse(node)} out, from sf3d_jax on"
        for alias in node.names:
            inside = f"{node.module}.{alias.name}"
            yield inside if inside in MODULES else node.module


@functools.cache
def graph():
    """{module: modules of this package that it imports}; a stub's imports are its package's."""
    found = {}
    for path in [*FILES, *STUBS]:
        own = {name for name in imports(path) if name.split(".")[0] == "sf3d_jax"}
        assert own <= MODULES, f"{path} imports {own - MODULES}, which are not modules"
        found[module_of(path)] = found.get(module_of(path), set()) | own
    return found


def circle(edges):
    """One circle of imports as a list of modules, or None."""
    done, path = set(), []

    def visit(module):
        if module in path:
            return [*path[path.index(module) :], module]
        if module in done:
            return None
        path.append(module)
        for other in sorted(edges.get(module, ())):
            if found := visit(other):
                return found
        path.pop()
        done.add(module)
        return None

    return next(filter(None, map(visit, sorted(edges))), None)


# What imports or runs a module whose name is a string, and the modules that hold it.
STRING_IMPORTS = {"importlib", "import_module", "imp", "pkgutil", "runpy", "run_module", "run_path"}
STRING_IMPORTS |= {"__import__", "modules", "eval", "exec"}


def string_imports(tree):
    """The words in a syntax tree that import by a string, under whatever name they are imported.

    To ask whether a name is in `sys.modules` imports nothing.
    """
    nodes = list(ast.walk(tree))
    compared = [node for node in nodes if isinstance(node, ast.Compare)]
    asked = [x for node in compared if is_membership(node) for x in node.comparators]
    words = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            words |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            words |= {(node.module or "").split(".")[0], *(alias.name for alias in node.names)}
        elif isinstance(node, ast.Name):
            words |= {node.id} - {"modules"}  # a variable's name
        elif isinstance(node, ast.Attribute) and node not in asked:
            words.add(node.attr)
    return words & STRING_IMPORTS


def is_membership(comparison):
    return all(isinstance(operator, ast.In | ast.NotIn) for operator in comparison.ops)


def crossings(edges):
    """[(module, other)]: what one benchmark's folder imports from that of another."""
    return [
        (module, other)
        for module, others in edges.items()
        for other in sorted(others)
        if None not in (homes := {benchmark(module), benchmark(other)}) and len(homes) == 2
    ]


def benchmark(module):
    """The benchmark to whose folder a module belongs, or None."""
    found = re.match(r"sf3d_jax\.data\.sets\.([a-z]\w*)", module)
    return found and found[1]


def stub_names(path):
    """{name: module it comes from} of a stub."""
    return {alias.name: node.module for node in nodes(path, ast.ImportFrom) for alias in node.names}


def public_functions():
    """{name: function} of what the package, its modules and its classes offer."""
    found = {}
    for name, thing in offered(sf3d).items():
        collect(name, thing, found)
    return found


def collect(name, thing, found):
    """Adds the functions below a public name."""
    if inspect.ismodule(thing):
        for member, value in offered(thing).items():
            collect(f"{name}.{member}", value, found)
    elif inspect.isclass(thing):
        found |= {f"{name}.{method}": f for method, f in methods(thing)}
    elif callable(thing):
        found[name] = inspect.unwrap(thing)


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
