"""What the README shows runs, and what it points to is there."""

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
COMMANDS = """\
    python3 -m venv .venv && .venv/bin/pip install -e '.[all]' && .venv/bin/sf3d demo
    python3 -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest
"""


def test_every_name_in_a_python_block_is_there():
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 9
    for path in {path for block in blocks for path in dotted_names(ast.parse(block))}:
        functools.reduce(getattr, path.split(".")[1:], sf3d)


def dotted_names(tree):
    """`sf3d.` and all names that follow it."""
    for node in ast.walk(tree):
        name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
        if re.fullmatch(r"sf3d(\.\w+)+", name):
            yield name


# Most of its programs are those of other tests, at other sizes.
@pytest.mark.thorough
def test_every_python_block_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the examples write files
    # Its training step calls optax, which mixes types itself.
    with jax.numpy_dtype_promotion("standard"):
        check_md_file(README, memory=True)


def test_the_two_commands_are_there():
    assert COMMANDS in README.read_text()


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", README.read_text()):
        assert "://" in target or (ROOT / target).exists(), target
