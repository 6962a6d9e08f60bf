"""The code in the pages of Markdown runs, and their links lead somewhere."""

import ast
import functools
import pathlib
import re

import jax
import pytest
from mktestdocs import check_md_file

import sf3d_jax as sf3d

ROOT = pathlib.Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, ROOT / ".github/CONTRIBUTING.md", *sorted((ROOT / ".docs").rglob("*.md"))]
PAGES += sorted((ROOT / "sf3d_jax").rglob("*.md"))
CODE_PAGES = [page for page in PAGES if "```python\n" in page.read_text()]
SHORT = [README, ROOT / "sf3d_jax/README.md"]  # run always; the others compile many programs
COMMANDS = """\
    python3 -m venv .venv && .venv/bin/pip install -e '.[all]' && .venv/bin/sf3d demo
    python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest
"""


def page_name(page):
    return page.relative_to(ROOT).as_posix()


def test_the_pages_with_code_are_known():
    assert len(CODE_PAGES) == 8  # two of README.md, the tour and five tutorials


@pytest.mark.parametrize("page", CODE_PAGES, ids=page_name)
def test_every_name_in_a_python_block_is_there(page):
    blocks = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    for path in {path for block in blocks for path in dotted_names(ast.parse(block))}:
        functools.reduce(getattr, path.split(".")[1:], sf3d)


def dotted_names(tree):
    """`sf3d.` and all names that follow it."""
    for node in ast.walk(tree):
        name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if re.fullmatch(r"sf3d(\.\w+)+", name):
            yield name


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page_name(page), marks=[pytest.mark.thorough] * (page not in SHORT))
        for page in CODE_PAGES
    ],
)
def test_every_python_block_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the examples write files
    # Their training steps call optax, which mixes types itself.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        check_md_file(page, memory=True)


def test_the_two_commands_are_there():
    assert COMMANDS in README.read_text()


def test_the_readme_takes_three_minutes():
    assert len(README.read_text().splitlines()) <= 160


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_every_link_leads_somewhere(page):
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" not in target:
            file = (page.parent / path) if path else page
            assert file.exists(), target
            assert not anchor or anchor in anchors(file), target


@functools.cache
def anchors(page):
    """The anchors of a page's headings, as GitHub and the site make them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}


@pytest.mark.parametrize("page", ["sf3d_jax/README.md", ".github/CONTRIBUTING.md"])
def test_files_that_maintainers_are_sent_to_are_there(page):
    names = re.findall(r"`([\w./]+(?:/|\.\w+))`", (ROOT / page).read_text())
    paths = {name for name in names if name.endswith(("/", ".py", ".pyi", ".md"))}
    assert len(paths) > 10
    places = (ROOT, ROOT / "sf3d_jax", ROOT / "sf3d_jax/data", ROOT / "sf3d_jax/data/sets/hd1k")
    places += (ROOT / "sf3d_jax/camera", ROOT / "tests/helpers")
    for path in paths - {"benchmark.py", "files.py", "__init__.pyi"}:  # of any data set or package
        assert any((place / path).exists() for place in places), path


def test_helpers_that_maintainers_are_told_of_are_there():
    files = [*(ROOT / "sf3d_jax").rglob("*.py"), ROOT / "tests/house/test_layout.py"]
    code = "\n".join(path.read_text() for path in files)
    text = (ROOT / "sf3d_jax/README.md").read_text()
    for name in re.findall(r"`(\w+_\w+)(?:\([^`]*\))?`", text):
        assert re.search(rf"\b{name}\b", code) or (ROOT / "sf3d_jax" / name).exists(), name
