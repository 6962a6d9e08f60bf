"""Error messages of the commands."""

import sys
from typing import NoReturn

BAD_INPUT = 2


def describe(error: Exception) -> str:
    """Formats an error for the command line, without the error number of the system.

    Args:
      error: any error.

    Returns:
      The message; the file and the reason for an error of the operating system.
    """
    from sf3d_jax.data import Problem

    return str(Problem.of(error))


def fail(message: str, *choices: str) -> NoReturn:
    """Prints one line to standard error and exits with the code of bad input.

    Args:
      message: what is wrong and what to do.
      *choices: further lines, for choices that do not fit into the first.
    """
    print(f"sf3d: {' '.join(message.split())}", file=sys.stderr)
    for line in choices:
        print(f"  {' '.join(line.split())}", file=sys.stderr)
    sys.exit(BAD_INPUT)
