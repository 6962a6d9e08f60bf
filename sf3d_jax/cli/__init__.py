"""The command `sf3d`: a thin face on the library.

Only the standard library and the command line's own packages are imported here, so that
`sf3d --help` answers at once; each command imports what it needs when it runs.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

BAD_INPUT = 2
INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one command and exits: 0 if all went well, 2 for bad input, 130 if interrupted.

    Args:
      arguments: the words after `sf3d`; those of the process if None.
    """
    try:
        import tyro
    except ImportError:
        fail("the command line needs packages that are missing: pip install 'sf3d_jax[cli]'")
    from sf3d_jax.cli.convert import Convert
    from sf3d_jax.cli.demo import Demo

    command = tyro.cli(
        Annotated[Convert, tyro.conf.subcommand("convert")]
        | Annotated[Demo, tyro.conf.subcommand("demo")],
        args=arguments,
        prog="sf3d",
        description="3D scene flow from files of motion, and back.",
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff),
    )
    try:
        command.run()
    except KeyboardInterrupt:
        print("sf3d: interrupted; finished files are whole", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except (ValueError, OSError, ImportError) as error:
        fail(str(error))


def fail(message: str) -> None:
    """Says in one line what is wrong and ends with the exit code of bad input.

    Args:
      message: what is wrong and what to do.
    """
    print(f"sf3d: {' '.join(message.split())}", file=sys.stderr)
    sys.exit(BAD_INPUT)
