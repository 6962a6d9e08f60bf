"""The `sf3d` command: a thin layer over the library.

Only the standard library and the command line's own packages are imported here, so that
`sf3d --help` answers at once; each command imports what it needs when it runs.
"""

import contextlib
import dataclasses
import gc
import io
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Protocol, TypeVar

import sf3d_jax as sf3d
from sf3d_jax.cli._errors import BAD_INPUT, describe, fail
from sf3d_jax.cli.cache import keep_programs

if TYPE_CHECKING:
    from sf3d_jax.cli.usage import Flags

INTERRUPTED = 130
# The exit code that a shell reports for a program whose output pipe was closed.
UNREAD = 141
MISSING = "the command line needs packages that are missing: pip install 'sf3d_jax[cli]'"
ABOUT = "3D scene flow from optical flow and depth: convert, fit, evaluate, check, render, make."
VERSION = "Print the version and exit."
NO_CACHE = "Recompile everything: neither read nor write the cache of compiled programs."

_T = TypeVar("_T")


class Command(Protocol):
    """One of the commands."""

    def run(self) -> None:
        """Does the work."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 on success, 2 for bad input, 130 if interrupted.

    It exits silently if the reader of its output has gone, as in `sf3d ... | head`.

    Args:
      arguments: words after `sf3d`; None for those of the process.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by the shell, as in `sf3d ... >&-`
            setattr(sys, name, open(os.devnull, "w"))
    try:
        words = sys.argv[1:] if arguments is None else [*arguments]
        if "--version" in words:
            print(f"sf3d_jax {sf3d.__version__}")
            return
        command, use_cache = _parse(words)
        # XLA's log is for its own developers (slow compilations); errors come as exceptions.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        if use_cache:
            keep_programs()
        # JAX makes many long-lived objects, which the collector would visit over and over.
        gc.set_threshold(100_000)
        command.run()
        sys.stdout.flush()
    except BrokenPipeError:
        # Otherwise Python complains when it flushes the closed pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(UNREAD)
    except KeyboardInterrupt:
        print("sf3d: interrupted; finished files are complete", file=sys.stderr)
        sys.stdout.flush()
        sys.stderr.flush()
        # Writers have cleaned up by now; a normal exit crashes if XLA was stopped while compiling.
        os._exit(INTERRUPTED)
    except ModuleNotFoundError as error:
        fail(MISSING if error.name in ("tyro", "tqdm") else describe(error))
    except (ValueError, OSError, ImportError) as error:
        fail(describe(error))


def _parse(words: Sequence[str]) -> tuple[Command, bool]:
    """Parses the words into a command and whether its compiled programs may be cached."""
    import tyro

    from sf3d_jax.cli.check import Check
    from sf3d_jax.cli.convert import Convert
    from sf3d_jax.cli.demo import Demo
    from sf3d_jax.cli.evaluate import Evaluate
    from sf3d_jax.cli.fit import Fit
    from sf3d_jax.cli.make import Make
    from sf3d_jax.cli.render import Render
    from sf3d_jax.cli.submit import Submit
    from sf3d_jax.cli.usage import list_flags

    @dataclasses.dataclass(frozen=True)
    class Call:
        command: (
            Annotated[Check, tyro.conf.subcommand("check")]
            | Annotated[Convert, tyro.conf.subcommand("convert")]
            | Annotated[Demo, tyro.conf.subcommand("demo")]
            | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
            | Annotated[Fit, tyro.conf.subcommand("fit")]
            | Annotated[Make, tyro.conf.subcommand("make")]
            | Annotated[Render, tyro.conf.subcommand("render")]
            | Annotated[Submit, tyro.conf.subcommand("submit")]
        )
        no_cache: Annotated[bool, tyro.conf.arg(help=NO_CACHE)] = False
        version: Annotated[bool, tyro.conf.arg(help=VERSION)] = False

    # Shared flags may stand before or after the name of the command.
    config = (
        tyro.conf.OmitArgPrefixes,
        tyro.conf.FlagCreatePairsOff,
        tyro.conf.CascadeSubcommandArgs,
    )
    parse = lambda: tyro.cli(Call, args=words, prog="sf3d", description=ABOUT, config=config)
    shared = ["--no-cache", "--version", "--help"]
    commands = (Check, Convert, Demo, Evaluate, Fit, Make, Render, Submit)
    flags = {x.__name__.lower(): [*list_flags(x), *shared] for x in commands}
    call = _parse_or_fail(parse, words, flags)
    return call.command, not call.no_cache


def _parse_or_fail(parse: Callable[[], _T], words: Sequence[str], flags: "Flags") -> _T:
    """Parses the words; turns tyro's boxed message about a wrong flag into one line."""
    from sf3d_jax.cli.folding import fold_output
    from sf3d_jax.cli.usage import check_repeated, explain

    # The completion scripts that tyro can write must not be folded.
    folding = fold_output() if {"-h", "--help"} & {*words} else contextlib.nullcontext()
    try:
        with (
            _set_environment(_choose_environment()),
            contextlib.redirect_stderr(io.StringIO()),
            folding,
        ):
            parsed = parse()
        check_repeated(words)
        return parsed
    except SystemExit as stopped:
        if stopped.code != BAD_INPUT:
            raise
    # Parse again to collect the message: so wide that no line is folded, and without colours.
    said = io.StringIO()
    with (
        _set_environment({"COLUMNS": "100000"}),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(said),
        contextlib.suppress(SystemExit),
    ):
        parse()
    fail(explain(said.getvalue(), words, flags))


def _choose_environment() -> dict[str, str]:
    """Gets the variables that keep colours out of the help; tyro does not know NO_COLOR."""
    return {"TERM": "dumb"} if os.environ.get("NO_COLOR") else {}


@contextlib.contextmanager
def _set_environment(variables: dict[str, str]) -> Iterator[None]:
    """Sets environment variables for a block."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
