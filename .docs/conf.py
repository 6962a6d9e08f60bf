"""The site: pages in Markdown, and a reference from the docstrings."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

import reference  # noqa: E402
from sphinx.domains.python import PyObject  # noqa: E402

import sf3d_jax  # noqa: E402

project = "sf3d_jax"
author = "The sf3d_jax authors"
version = release = sf3d_jax.__version__

extensions = ["myst_parser", "sphinx.ext.napoleon"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "site"]
html_theme = "furo"
html_title = f"sf3d_jax {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
highlight_language = "text"
pygments_style = "friendly"

smartquotes_action = "D"  # dashes only

# Every link must resolve, except those to types of Python, NumPy and JAX.
nitpicky = True
nitpick_ignore_regex = [(r"py:.*", r"(?!sf3d_jax\.).*")]
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
toc_object_entries_show_parents = "hide"
for field in PyObject.doc_field_types:
    if field.name == "variable":
        field.label = "Attributes"

reference.write(HERE / "reference")
PLACES = reference.link_targets(reference.list_pages())


def link_names(app, docname, source):
    """Makes links of public names in backquotes in the text of Markdown pages."""
    if docname.startswith("reference/"):
        return
    parts = re.split(r"(^```.*?^```$|^#.*?$)", source[0], flags=re.MULTILINE | re.DOTALL)
    parts[::2] = [re.sub(r"(?<!`)`([\w.]+)`(?!`)", link_name, part) for part in parts[::2]]
    source[0] = "".join(parts)


def link_name(match):
    """A link to the only entry of a name that cannot be a common word; else the text as it is."""
    word = match[1].removeprefix("sf3d_jax.").removeprefix("sf3d.")
    found = [path for path in PLACES if path.endswith(f".{word}") and "closed_form" not in path]
    if f"sf3d_jax.{word}" in PLACES:
        found = [f"sf3d_jax.{word}"]
    if len(found) != 1:
        return match[0]
    is_special = re.search(r"[A-Z_.]", word) or found[0].startswith("sf3d_jax.losses.")
    return f"{{py:obj}}`{match[1]} <{found[0]}>`" if is_special else match[0]


def setup(app):
    """Called by Sphinx."""
    app.connect("source-read", link_names)
