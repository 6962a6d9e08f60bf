"""What is wrong with the words of a call, in one line; tyro says it in a box, over several."""

import dataclasses
import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import get_args

import tyro

Flags = Mapping[str, Sequence[str]]
# What other programs call it.
_SYNONYMS = {"gt": "truth", "ground-truth": "truth", "estimates": "prediction"}


def flags_of(options: type) -> Iterator[str]:
    """Lists the flags of a command.

    Args:
      options: its dataclass.

    Yields:
      Each flag as typed, those of groups included.
    """
    for field in dataclasses.fields(options):
        if isinstance(field.type, type) and dataclasses.is_dataclass(field.type):
            yield from flags_of(field.type)
        elif tyro.conf.Positional not in get_args(field.type):
            yield "--" + field.name.replace("_", "-")


def explain(said: str, words: Sequence[str], flags: Flags) -> str:
    """Says what is wrong with the words.

    Args:
      said: what tyro says, in lines that are not folded.
      words: those after `sf3d`.
      flags: of each command, by its name; those of all commands included.

    Returns:
      One line, with the nearest flag or command where a name is wrong.
    """
    command = next((word for word in words if word[:1] != "-"), "")
    if command not in flags:
        choices = ", ".join(flags)
        got = f", got {command}{suggest(command, flags)}" if command else ""
        return f"expected one of the commands {choices}{got}"
    if unknown := [name for name in _flags_among(words) if name not in flags[command]]:
        said_of = [f"no flag {name}{suggest(name, flags[command])}" for name in unknown]
        return f"{command} has {', and '.join(said_of)}"
    return _reword(said)


def check_repeated(words: Sequence[str]) -> None:
    """Refuses a flag that is given twice, of which only the last one would count.

    Args:
      words: those after `sf3d`.

    Raises:
      ValueError: a flag stands twice; it is named.
    """
    typed = _flags_among(words)
    if twice := next((name for name in typed if typed.count(name) > 1), None):
        raise ValueError(f"{twice} is given twice; give it once, with all its values behind it")


def suggest(name: str, choices: Iterable[str]) -> str:
    """The choices that are most like a name.

    Args:
      name: as typed.
      choices: the names that there are.

    Returns:
      "; did you mean ...?", or "" if none is like it.
    """
    bare = {choice.lstrip("-"): choice for choice in choices}
    word = name.lstrip("-")
    word = _SYNONYMS.get(word, word)
    begins = [match for match in bare if len(word) > 1 and match.startswith(word)]
    near = [bare[match] for match in begins or difflib.get_close_matches(word, bare)]
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _flags_among(words: Sequence[str]) -> list[str]:
    """The flags among words, as --help spells them."""
    return [word.split("=")[0].replace("_", "-") for word in words if word[:2] == "--"]


def _reword(said: str) -> str:
    """Tyro's message without its box, and without the types of Python."""
    # A title, the message, a rule or an empty line, and the hint at --help; in a box, or, where
    # the output is not in UTF-8, between rules of hyphens.
    lines = [re.sub("[│╭╮╰╯]", " ", line).rstrip() for line in said.splitlines()[1:]]
    # Under a flag, indented twice, stands what --help says of it.
    lines = [line.strip() for line in lines if not line.startswith(10 * " ")]
    is_rule = lambda line: not line.strip("─-")
    start = itertools.dropwhile(is_rule, lines)
    message = " ".join(itertools.takewhile(lambda x: not is_rule(x), start))
    if found := re.fullmatch(r"invalid choice '(.*)' for argument '(.*)'. .* \((.*)\)\.", message):
        value, name, listed = found.groups()
        choices = sorted(x for x in re.findall(r"'(.*?)'", listed) if x != "None")
        name = name.removeprefix("command.")
        return f"{name}: expected one of {', '.join(choices)}, got {value}{suggest(value, choices)}"
    if found := re.match(r"Error parsing (\S+): .*?\[(.*?)\]", message):
        name, values = found.groups()
        # Below the rule stands the flag with what it takes.
        kinds = [line.removeprefix(name).strip() for line in lines if line.startswith(f"{name} ")]
        kind = re.sub(r"\{None\}\||[{}]", "", kinds[0]) if kinds else "another value"
        return f"{name}: expected {kind}, got {values.replace(chr(39), '')}"
    if found := re.match(r"Missing value for argument 'command\.(\w+)'\. Expected 2 ", message):
        return f"give two {found[1]}, got one"
    message = re.sub("^Unrecognized( or misplaced)? options: ", "belongs to no flag: ", message)
    return f"{message.rstrip('.')} (see --help)"
