"""What a command says when something is wrong."""

import sys
from typing import NoReturn

BAD_INPUT = 2


def describe(error: Exception) -> str:
    """Words an error for the command line: of a system's error, only the file and the reason.

    Args:
      error: any error.

    Returns:
      The message, without the system's error number.
    """
    from sf3d_jax.data import Problem

    return str(Problem.of(error))


def fail(message: str, *choices: str) -> NoReturn:
    """Says in one line what is wrong and ends with the exit code of bad input.

    Args:
      message: what is wrong and what to do.
      *choices: more lines, where there are too many choices for one.
    """
    print(f"sf3d: {' '.join(message.split())}", file=sys.stderr)
    for line in choices:
        print(f"  {' '.join(line.split())}", file=sys.stderr)
    sys.exit(BAD_INPUT)
