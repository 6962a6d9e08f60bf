"""The command in a process of its own, with and without a terminal."""

import os
import re
import signal
import subprocess
import sys
from typing import NamedTuple

COMMAND = [sys.executable, "-c", "from sf3d_jax.cli import main; main()"]
# What a shell starts in the background ignores interruptions, and so would its children.
_LISTENS = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler); {COMMAND[2]}"
# Runs words under the control of its terminal, so that this sends them Ctrl-C.
_CONTROLLED = [
    sys.executable,
    "-c",
    "import fcntl, os, signal, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
    "signal.signal(signal.SIGINT, signal.SIG_DFL); "
    "os.execvp(sys.argv[1], sys.argv[1:])",
]
ESCAPE = "\x1b"


class Done(NamedTuple):
    """How a process ended, and all that it wrote."""

    code: int
    text: str


def run_in_terminal(words, columns=80, *, interrupt_at=None, **environment):
    """Runs a program in a pseudo-terminal, where Ctrl-C may be pressed when a pattern appears."""
    import fcntl
    import pty
    import struct
    import termios

    reader, writer = pty.openpty()
    fcntl.ioctl(writer, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    variables = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
    variables |= {"TERM": "xterm-256color"} | environment
    words = [*_CONTROLLED, *words] if interrupt_at else words
    with subprocess.Popen(
        words,
        stdin=writer,
        stdout=writer,
        stderr=writer,
        env=variables,
        start_new_session=True,
    ) as process:
        os.close(writer)
        text = b""
        while chunk := _read(reader):
            text += chunk
            if interrupt_at and re.search(interrupt_at, text.decode(errors="replace")):
                os.write(reader, b"\x03")
                interrupt_at = None
        os.close(reader)
    return Done(process.returncode, text.decode())


def _read(reader):
    try:
        return os.read(reader, 65536)
    except OSError:  # at the end of a pseudo-terminal
        return b""


def interrupt(words, folder, when):
    """Runs the command in a folder, without a terminal, and interrupts it."""
    with subprocess.Popen(
        [sys.executable, "-c", _LISTENS, *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        try:
            when()
            process.send_signal(signal.SIGINT)
            text, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    return Done(process.returncode, text.decode())
