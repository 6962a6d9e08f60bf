"""Makes the reference pages of the site from the stubs and the docstrings.

Every name of a stub gets one entry, under the path that a user writes. A page is a package; its
sections are the modules that the names come from, and a section begins with the docstring of its
module. So a new name needs no edit here.
"""

import ast
import functools
import inspect
import itertools
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

from signatures import class_signature, public_path, signature_of

import sf3d_jax as sf3d

ROOT = Path(sf3d.__file__).parent

# Pages of packages whose names are too many for one page, by the module that a name comes from.
SPLIT = {
    "sf3d_jax": {
        "sf3d_jax.camera": ("camera", "Cameras"),
        "sf3d_jax.conversion": ("scene_flow", "Scene flow"),
        "sf3d_jax.warping": ("warping", "Warping and visibility"),
        "sf3d_jax.rigid": ("rigid", "Rigid motion"),
        "sf3d_jax.samples": ("samples", "Samples"),
    },
    "sf3d_jax.data": {
        "sf3d_jax.data.sets.": ("data_sets", "data: data sets"),
        "sf3d_jax.data.maps": ("data_maps", "data: maps and images"),
        "sf3d_jax.data.cameras": ("data_cameras", "data: cameras"),
        "sf3d_jax.data.checking": ("data_checking", "data: consistency checks"),
        "sf3d_jax.data.evaluation": ("data_evaluation", "data: evaluation and submission"),
        "sf3d_jax.data.loading": ("data_loading", "data: batches"),
        "": ("data", "data: other files"),
    },
}

# The pages of the site in a reader's order; others follow.
ORDER = """camera se3 scene_flow depth_change warping rigid rigid_field tracks samples augment
    losses metrics fit gaussians views data_sets data_loading data_checking data_evaluation
    data_maps data_cameras data data_closed_form""".split()

SECTIONS = ("Args", "Returns", "Raises", "Attributes", "Yields")


class Name(NamedTuple):
    """A public name: the package that offers it, and the module it comes from."""

    package: str
    name: str
    home: str

    @property
    def path(self):
        """What a user writes."""
        return f"{self.package}.{self.name}"

    @property
    def owner(self):
        """The package as a module."""
        return functools.reduce(getattr, self.package.split(".")[1:], sf3d)

    @property
    def value(self):
        """What the name is bound to."""
        return getattr(self.owner, self.name)


@functools.cache
def list_names():
    """All public names of the stubs, and those of public modules without a stub."""
    found = []
    for stub in sorted(ROOT.rglob("__init__.pyi")):
        home = ".".join(stub.parent.relative_to(ROOT.parent).parts)
        package = re.sub(r"^sf3d_jax\.(conversion|rigid)\.", "sf3d_jax.", home)
        found += [
            Name(package, alias.name, node.module)
            for node in ast.parse(stub.read_text()).body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        ]
    modules = [x for x in found if inspect.ismodule(x.value)]
    for module in modules:
        if not (ROOT.parent.joinpath(*module.value.__name__.split("."), "__init__.pyi")).exists():
            own = [n for n, x in vars(module.value).items() if is_defined_in(x, module.value)]
            found += [Name(module.path, name, module.value.__name__) for name in own]
    return found


def is_defined_in(value, module):
    """Whether a public function or class is defined in a module."""
    function = inspect.unwrap(value) if callable(value) else None
    defined = getattr(function, "__module__", None) == module.__name__
    return defined and not function.__name__.startswith("_")


def list_pages():
    """{(file, title): its names}, in the order of the site."""
    pages = {}
    for name in list_names():
        if not inspect.ismodule(name.value):
            pages.setdefault(page_of(name), []).append(name)
    place = lambda page: ORDER.index(page[0]) if page[0] in ORDER else len(ORDER)
    return {page: pages[page] for page in sorted(pages, key=place)}


def page_of(name):
    """The file and the title of the page of a name."""
    for start, page in SPLIT.get(name.package, {}).items():
        if f"{name.home}.".startswith(start):
            return page
    title = name.package.removeprefix("sf3d_jax.")
    return title.replace(".", "_"), title


def write(folder):
    """Writes all pages, and the index of them, into a folder of the site."""
    folder.mkdir(exist_ok=True)
    pages = list_pages()
    places = link_targets(pages)
    texts = {
        f"{page}.rst": render_page(title, names, places) for (page, title), names in pages.items()
    }
    texts["index.rst"] = render_index(pages, places)
    texts["command_line.rst"] = render_commands()
    for file, text in texts.items():
        path = folder / file
        if not path.exists() or path.read_text() != text:  # Sphinx reads only what changed
            path.write_text(text)
    for path in folder.glob("*.rst"):
        if path.name not in texts:
            path.unlink()


def link_targets(pages):
    """The paths of all entries, methods included, which docstrings may refer to."""
    names = [name for listed in pages.values() for name in listed]
    found = {name.path for name in names}
    for name in names:
        if inspect.isclass(name.value):
            found |= {f"{name.path}.{member}" for member, _ in members(name.value)}
    return found


def members(cls):
    """The public methods and properties that a class defines, or takes from a private base."""
    found = {}
    for base in reversed(own_classes(cls)):
        for name, value in vars(base).items():
            function = getattr(value, "__func__", value)
            documented = inspect.isfunction(function) or isinstance(value, property)
            if not name.startswith("_") and documented and (value.__doc__ or function.__doc__):
                found[name] = value
    return list(found.items())


def own_classes(cls):
    """A class and its bases up to the first that is public or not of this package."""
    public = {name.value for name in list_names() if inspect.isclass(name.value)}
    is_own = lambda x: x is cls or (x not in public and x.__module__.startswith("sf3d_jax"))
    return list(itertools.takewhile(is_own, cls.__mro__))


def render_index(pages, places):
    """The package's docstring, and the list of all pages with a line for every name."""
    lines = [heading("Reference", "="), *render_text(sf3d.__doc__, "sf3d_jax", places)]
    lines += [
        ".. toctree::",
        "   :hidden:",
        "",
        *[f"   {page}" for page, _ in pages],
        "   command_line",
        "",
    ]
    for (page, title), names in pages.items():
        lines += [heading(f":doc:`{title} <{page}>`", "-"), ".. list-table::"]
        lines += ["   :class: names", "   :widths: 35 65", ""]
        for name in sorted(names, key=lambda x: x.name.lower()):
            lines += [f"   * - :py:obj:`~{name.path}`", f"     - {escape(summary(name.value))}"]
        lines += [""]
    return "\n".join(lines)


def render_page(title, names, places):
    """A page: the package's docstring, then its names by the module they come from."""
    package = names[0].package
    lines = [heading(title, "=")]
    pages = SPLIT.get(package, {"": ("", title)})
    if pages.get("", ("", ""))[1] == title:
        module = functools.reduce(getattr, package.split(".")[1:], sf3d)
        lines += render_text(module.__doc__ or "", package, places)
    homes = {name.home: [] for name in names}
    for name in names:
        homes[name.home].append(name)
    # First what is shared, whose modules are private.
    for home in sorted(homes, key=lambda x: "._" not in x):
        text = inspect.cleandoc(module_doc(home) or "")
        first, _, rest = text.partition("\n")
        if "._" not in home:
            lines += [heading(escape(first.rstrip(".")), "-")] if len(homes) > 1 else []
            lines += render_text(rest, package, places)
        for name in sorted(homes[home], key=is_named_tuple):  # results after functions
            lines += render_entry(name, places)
    return "\n".join(lines)


def is_named_tuple(name):
    """Whether a name is the type of a result."""
    return inspect.isclass(name.value) and issubclass(name.value, tuple)


def module_doc(home):
    """The docstring of a module, read from its file."""
    path = ROOT.parent.joinpath(*home.split("."))
    file = path.with_suffix(".py") if path.with_suffix(".py").exists() else path / "__init__.py"
    return ast.get_docstring(ast.parse(file.read_text()))


def render_entry(name, places):
    """A function, a class with its methods, or a constant."""
    value = name.value
    if inspect.isclass(value):
        kind, signature = "class", class_signature(value, places)
    elif callable(value):
        kind, signature = "function", signature_of(inspect.unwrap(value), places)
    else:
        lines = [f".. py:data:: {name.path}", "", f"   {constant_text(value)}", ""]
        return lines
    lines = [f".. py:{kind}:: {name.path}{signature}", ""]
    body = render_docstring(value, name.package, places, name.path)
    if inspect.isclass(value):
        base = public_path(value.__mro__[len(own_classes(value))].__name__, places)
        body = [f"Base: :py:class:`~{base}`", "", *body] if base else body
        body += render_constructor(value, name.package, places)
        for member, method in members(value):
            body += render_member(name, member, method, places)
    return [*lines, textwrap.indent("\n".join(body), "   "), ""]


def constant_text(value):
    """What a constant holds, in a line."""
    return f"``{value!r}``"


def render_member(owner, member, value, places):
    """A method or a property of a class."""
    path = f"{owner.path}.{member}"
    if isinstance(value, property):
        lines = [f".. py:property:: {path}"]
    else:
        function = getattr(value, "__func__", value)
        is_bound = not isinstance(value, staticmethod)
        lines = [f".. py:method:: {path}{signature_of(function, places, method=is_bound)}"]
        if isinstance(value, classmethod | staticmethod):
            lines += [f"   :{type(value).__name__}:"]
    body = render_docstring(value, owner.package, places, owner.path)
    return [*lines, "", textwrap.indent("\n".join(body), "   "), ""]


def render_constructor(cls, package, places):
    """The arguments of a class whose `__init__` has a docstring of its own."""
    if not inspect.isfunction(cls.__init__) or hasattr(cls, "__dataclass_fields__"):
        return []
    text = inspect.cleandoc(cls.__init__.__doc__ or "")
    section = re.search(r"^(Args|Raises):$", text, re.MULTILINE)
    return render_sections(text[section.start() :], package, places, "") if section else []


def render_commands():
    """The help of the command `sf3d` and of all its subcommands."""
    overall = read_help()
    names = re.search(r"{([\w,\s]+)}", overall)[1].replace("\n", "").replace(" ", "").split(",")
    texts = {"sf3d": overall} | {f"sf3d {name}": read_help(name) for name in names}
    lines = [heading("Command line", "=")]
    for title, text in texts.items():
        lines += [heading(title, "-"), "::", "", textwrap.indent(text, "   "), ""]
    return "\n".join(lines)


def read_help(*words):
    """What a command prints for --help, 80 columns wide."""
    program = "import sf3d_jax.cli; sf3d_jax.cli.main()"
    command = [sys.executable, "-c", program, *words, "--help"]
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run(command, env=environment, capture_output=True, check=True)
    return run.stdout.decode()


def render_docstring(value, package, places, owner):
    """A docstring as reStructuredText, with fields for its sections."""
    text = inspect.getdoc(value) or ""
    first_section = re.search(rf"^({'|'.join(SECTIONS)}):$", text, re.MULTILINE)
    cut = first_section.start() if first_section else len(text)
    head = render_text(text[:cut], package, places, owner)
    return [*head, *render_sections(text[cut:], package, places, owner)]


def render_sections(text, package, places, owner):
    """Sections such as Args as fields of reStructuredText."""
    from sphinx.ext.napoleon import Config, GoogleDocstring

    lines = [mark_up(line, package, places, owner) for line in text.splitlines()]
    config = Config(napoleon_use_ivar=True, napoleon_use_rtype=False, napoleon_use_param=True)
    return [*str(GoogleDocstring("\n".join(lines), config)).splitlines(), ""]


def render_text(text, package, places, owner=""):
    """Paragraphs as reStructuredText; an indented block is shown as it stands."""
    lines = []
    blocks = re.split(r"\n[ \t]*\n", text.strip("\n"))
    was_literal = False
    for block in filter(str.strip, blocks):
        is_literal = block.startswith(("  ", "\t"))
        if is_literal:
            lines += [] if was_literal else ["::", ""]
            lines += block.splitlines()
        else:
            lines += mark_up(block, package, places, owner).splitlines()
        lines += [""]
        was_literal = is_literal
    return lines


def mark_up(text, package, places, owner=""):
    """Text with names in backquotes as links where they are public, else as code."""

    def replace(match):
        name = match[1]
        word = name.removeprefix("sf3d_jax.").removeprefix("sf3d.").removesuffix("()")
        paths = [f"{scope}.{word}" for scope in (owner, package, "sf3d_jax", "sf3d_jax.data")]
        path = next((p for p in paths if p in places), None)
        return f"``{name}``" if path is None else f":py:obj:`{name} <{path}>`"

    parts = re.split(r"(`[^`]+`)", text)
    marked = [
        re.sub(r"`([^`]+)`", replace, part) if i % 2 else escape(part)
        for i, part in enumerate(parts)
    ]
    return "".join(
        # Markup ends before a space or punctuation.
        f"{part}\\ " if i % 2 and re.match(r"\w", (marked[i + 1 :] or [""])[0]) else part
        for i, part in enumerate(marked)
    )


def escape(text):
    """Text in which nothing is markup."""
    return re.sub(r"[*|\\]|(?<=\w)_(?!\w)", r"\\\g<0>", text)


def summary(value):
    """The first sentence of a docstring."""
    if isinstance(value, tuple):
        return f"{len(value)} entries"
    first = re.split(r"(?<=[^.])\.\s|\n\n", inspect.getdoc(value) or "")[0]
    return first.replace("\n", " ").replace("`", "").rstrip(".") + "."


def heading(title, mark):
    """A heading."""
    return f"{title}\n{mark * len(title)}\n"
