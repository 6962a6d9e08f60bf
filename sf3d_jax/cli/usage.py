"""One-line messages about wrong flags, in place of tyro's boxes."""

import dataclasses
import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import get_args

import tyro

Flags = Mapping[str, Sequence[str]]
# Names that other programs use for our flags.
_SYNONYMS = {"gt": "truth", "ground-truth": "truth", "estimates": "prediction", "focal": "fx"}


def list_flags(options: type) -> Iterator[str]:
    """Lists the flags of a command.

    Args:
      options: dataclass of the command.

    Yields:
      Each flag as typed, including those of groups.
    """
    for field in dataclasses.fields(options):
        if isinstance(field.type, type) and dataclasses.is_dataclass(field.type):
            yield from list_flags(field.type)
        elif tyro.conf.Positional not in get_args(field.type):
            yield "--" + field.name.replace("_", "-")


def explain(said: str, words: Sequence[str], flags: Flags) -> str:
    """Describes what is wrong with a call.

    Args:
      said: message of tyro, with lines that are not folded.
      words: words after `sf3d`.
      flags: flags of each command by its name, including the shared ones.

    Returns:
      One line, with the nearest flag or command if a name is wrong.
    """
    command = next((word for word in words if word[:1] != "-"), "")
    if command not in flags:
        got = f", got {command!r}{suggest(command, flags)}" if command else ""
        return f"expected the command {_list_choices(flags)}{got}"
    if unknown := [name for name in _find_flags(words) if name not in flags[command]]:
        meant = [suggest(name, flags[command]) for name in unknown]
        said_of = [f"no flag {name}{near}" for name, near in zip(unknown, meant, strict=True)]
        hint = "" if all(meant) else f" (see sf3d {command} --help)"
        return f"{command} has {', and '.join(said_of)}{hint}"
    return _reword(said, words)


def check_repeated(words: Sequence[str]) -> None:
    """Refuses a flag that is given twice, as only the last one would count.

    Args:
      words: words after `sf3d`.

    Raises:
      ValueError: a flag is given twice; the message names it.
    """
    typed = _find_flags(words)
    if twice := next((name for name in typed if typed.count(name) > 1), None):
        raise ValueError(f"{twice} is given twice; give it once, followed by all its values")


def suggest(name: str, choices: Iterable[str]) -> str:
    """Suggests the choices that are most similar to a name.

    Args:
      name: name as typed.
      choices: known names.

    Returns:
      "; did you mean ...?", or "" if no choice is similar.
    """
    bare = {choice.lstrip("-"): choice for choice in choices}
    word = name.lstrip("-")
    word = _SYNONYMS.get(word, word)
    begins = [match for match in bare if len(word) > 1 and match.startswith(word)]
    near = [bare[match] for match in begins or difflib.get_close_matches(word, bare)]
    return f"; did you mean {' or '.join(near)}?" if near else ""


def _find_flags(words: Sequence[str]) -> list[str]:
    """Finds the flags among words, spelled as in --help."""
    return [word.split("=")[0].replace("_", "-") for word in words if word[:2] == "--"]


def _list_choices(choices: Iterable[str]) -> str:
    *others, last = map(repr, choices)
    return f"{', '.join(others)} or {last}" if others else last


def _count_values(name: str, words: Sequence[str]) -> int:
    """Counts the words between a flag and the next one."""
    typed = [word.split("=")[0].replace("_", "-") if word[:2] == "--" else "" for word in words]
    if name not in typed:
        return 0
    place = typed.index(name)
    behind = itertools.takewhile(lambda word: word[:2] != "--", words[place + 1 :])
    return ("=" in words[place]) + len([*behind])


def _reword(said: str, words: Sequence[str]) -> str:
    """Rewords tyro's message without its box and without Python types."""
    # A title, the message, a rule or an empty line, and a hint at --help; in a box or, if the
    # output is not UTF-8, between rules of hyphens.
    lines = [re.sub("[│╭╮╰╯]", " ", line).rstrip() for line in said.splitlines()[1:]]
    # Lines indented twice repeat the help of the flag above them.
    lines = [line.strip() for line in lines if not line.startswith(10 * " ")]
    is_rule = lambda line: not line.strip("─-")
    start = itertools.dropwhile(is_rule, lines)
    message = " ".join(itertools.takewhile(lambda x: not is_rule(x), start))
    if found := re.fullmatch(r"invalid choice '(.*)' for argument '(.*)'. .* \((.*)\)\.", message):
        value, name, listed = found.groups()
        choices = sorted(x for x in re.findall(r"'(.*?)'", listed) if x != "None")
        name = name.removeprefix("command.")
        meant = suggest(value, choices)
        return f"{name}: expected {_list_choices(choices)}, got {value!r}{meant}"
    if found := re.match(r"Error parsing (\S+): .*?\[(.*?)\]", message):
        name, values = found.groups()
        # The flag and the kind of its value follow the rule.
        kinds = [line.removeprefix(name).strip() for line in lines if line.startswith(f"{name} ")]
        kind = re.sub(r"\{None\}\||[{}]", "", kinds[0]) if kinds else "another value"
        return f"{name}: expected {kind}, got {values.replace(chr(39), '')}"
    if found := re.match(r"Missing value for argument 'command\.(\w+)'\. Expected 2 ", message):
        return f"expected two {found[1]}, got one"
    if found := re.match(r"Missing value for argument '(--\S+)'\. Expected (\d+) ", message):
        name, wanted = found.groups()
        noun = "value" if wanted == "1" else "values"
        example = ", such as 512 512" if name == "--size" else ""
        count = _count_values(name, words) or "none"
        return f"{name}: expected {wanted} {noun}{example}, got {count}"
    message = re.sub("^Unrecognized( or misplaced)? options: ", "not part of any flag: ", message)
    return f"{message.rstrip('.')} (see --help)"
