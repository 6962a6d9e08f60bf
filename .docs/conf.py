"""The site: pages in Markdown, and a reference from the docstrings."""

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
