"""The command `sf3d`: a thin face on the library.

Only the standard library and the command line's own packages are imported here, so that
`sf3d --help` answers at once; each command imports what it needs when it runs.
"""

import contextlib
import dataclasses
import gc
import io
import itertools
import os
import re
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Protocol, TypeVar

from sf3d_jax.cli._errors import BAD_INPUT, describe, fail
from sf3d_jax.cli.cache import keep_programs

INTERRUPTED = 130
# What a shell reports of a program that writes to a pipe which nobody reads any more.
UNREAD = 141
MISSING = "the command line needs packages that are missing: pip install 'sf3d_jax[cli]'"
NO_CACHE = "Compile anew; neither read nor keep compiled programs in the user's cache folder."

_T = TypeVar("_T")


class Command(Protocol):
    """One of the commands."""

    def run(self) -> None:
        """Does the work."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 if all went well, 2 for bad input, 130 if interrupted.

    Where nobody reads the output any more (`| head`), it exits without a word.

    Args:
      arguments: the words after `sf3d`; those of the process if None.
    """
    try:
        command, use_cache = _parse(arguments)
        if use_cache:
            keep_programs()
        # JAX makes many objects that stay; the collector would visit them over and over.
        gc.set_threshold(100_000)
        command.run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Else Python complains when it flushes at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(UNREAD)
    except KeyboardInterrupt:
        print("sf3d: interrupted; finished files are whole", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        # Writers have tidied up by now; XLA, stopped in a compilation, crashes at a normal exit.
        os._exit(INTERRUPTED)
    except ModuleNotFoundError as error:
        fail(MISSING if error.name in ("tyro", "tqdm") else describe(error))
    except (ValueError, OSError, ImportError) as error:
        fail(describe(error))


def _parse(arguments: Sequence[str] | None) -> tuple[Command, bool]:
    """The command that the words ask for, and whether its compiled programs may be kept."""
    import tyro

    from sf3d_jax.cli.check import Check
    from sf3d_jax.cli.convert import Convert
    from sf3d_jax.cli.demo import Demo
    from sf3d_jax.cli.evaluate import Evaluate
    from sf3d_jax.cli.fit import Fit
    from sf3d_jax.cli.render import Render
    from sf3d_jax.cli.submit import Submit

    @dataclasses.dataclass(frozen=True)
    class Call:
        command: (
            Annotated[Check, tyro.conf.subcommand("check")]
            | Annotated[Convert, tyro.conf.subcommand("convert")]
            | Annotated[Demo, tyro.conf.subcommand("demo")]
            | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
            | Annotated[Fit, tyro.conf.subcommand("fit")]
            | Annotated[Render, tyro.conf.subcommand("render")]
            | Annotated[Submit, tyro.conf.subcommand("submit")]
        )
        no_cache: Annotated[bool, tyro.conf.arg(help=NO_CACHE)] = False

    # The flag may stand before or behind the name of the command.
    flags = (
        tyro.conf.OmitArgPrefixes,
        tyro.conf.FlagCreatePairsOff,
        tyro.conf.CascadeSubcommandArgs,
    )
    about = "3D scene flow from files of motion, and back."
    call = _in_one_line(
        lambda: tyro.cli(Call, args=arguments, prog="sf3d", description=about, config=flags)
    )
    return call.command, not call.no_cache


def _in_one_line(parse: Callable[[], _T]) -> _T:
    """Parses; what tyro says in a box about a wrong flag becomes one line."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return parse()
    except SystemExit as stopped:
        if stopped.code != BAD_INPUT:
            raise
    # A title, the message, a rule or an empty line, and the hint at --help; in a box, or, where
    # the output is not in UTF-8, between rules of hyphens.
    lines = [re.sub("[│╭╮╰╯]", " ", line).rstrip() for line in said.getvalue().splitlines()[1:]]
    # Under a flag, indented twice, stands what --help says of it.
    lines = [line.strip() for line in lines if not line.startswith(10 * " ")]
    is_rule = lambda line: not line.strip("─-")
    message = itertools.takewhile(lambda x: not is_rule(x), itertools.dropwhile(is_rule, lines))
    fail(" ".join([*message, "(see --help)"]))
