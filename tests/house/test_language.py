"""Phrases that make a native reader stop, found by machine; the rest needs a reader."""

import functools
import inspect
import io
import re
import tokenize

import pytest
from helpers.house import ROOT, public_functions

PHRASES = {
    'write "is not a"': r"(?<=\w )(?<!here )(?:is|are|was|were|be) no (?!longer\b|more\b)[a-z]",
    'write "is not"': r"\b(?:valid|mask|known|an? \w+) none of\b",
    'write "n"': r"\b[Ss]o many (?!that\b)[a-z]+",
    "put the subject first": r'(?:^|[.:;] |"""|# )Of '
    r"(?:the|a|an|all|both|each|every|its|those|several)\b",
    'write "human-readable" or name the reader': r"\b(?:to|for) (?:a person|people)\b",
    'say what is the same, instead of "likewise"': r"\b[Ll]ikewise\b",
    "say it here": r"\b(?:see|of|as in) this module\b|\bas there(?! (?:is|are))\b",
    'write "non-finite"': r"\b(?:number|value|pixel)s? that (?:is|are) not finite",
    "begin with a noun": r"^ {2,}\**\w+: (?:of|from|to|by|with) "
    r"(?:the|a|an|its|which|what|both|each)\b",
    "name the thing": r"\b[Ww]hat (?:was|is) (?:passed|given|asked)\b|\bthat which\b",
}
PAGES = ["README.md", "CHANGELOG.md", "sf3d_jax/README.md", "sf3d_jax/data/FORMATS.md"]
PAGES += [".github/CONTRIBUTING.md"]
FILES = sorted((ROOT / "sf3d_jax").rglob("*.py")) + [ROOT / page for page in PAGES]
FILES += sorted((ROOT / ".docs").rglob("*.md"))
TEXT = {"STRING", "COMMENT", "FSTRING_MIDDLE"}

# They have one argument for each map of a benchmark.
LONG_HELP = re.compile(r"gaussians\.render_motion|metrics\.\w+\.update")
LINES, COLUMNS = 60, 100


@functools.cache
def lines_of(path):
    """The lines of a page, or of the strings and comments of a module, with their numbers."""
    return list(find_lines(path))


def find_lines(path):
    source = path.read_text()
    if path.suffix == ".md":
        yield from enumerate(source.splitlines(), 1)
        return
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if tokenize.tok_name[token.type] in TEXT:
            yield from enumerate(token.string.splitlines(), token.start[0])


@pytest.mark.parametrize("advice", PHRASES)
def test_a_native_reader_does_not_stop(advice):
    phrase = re.compile(PHRASES[advice])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in FILES
        for number, line in lines_of(path)
        if phrase.search(line)
    ]
    assert not found, "\n".join([advice, *found])


@pytest.mark.parametrize("name, function", public_functions().items(), ids=public_functions())
def test_help_fits_on_a_screen(name, function):
    text = f"{name}{inspect.signature(function)}\n{inspect.getdoc(function)}".splitlines()
    # A signature is folded by help().
    rows = sum(1 + len(line) // COLUMNS for line in text)
    assert rows <= LINES or LONG_HELP.fullmatch(name)
