"""`gistapi` and `python -m gistapi`, which serves unless it is given a subcommand."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until `run` handles signals, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys
from collections.abc import Sequence
from typing import NoReturn

from gistapi.cli import process


def run() -> NoReturn:
    """Run the command as this process."""
    process.run(_command, sys.argv[1:])


def _command(arguments: Sequence[str]) -> int:
    # Not before signals are handled: the imports take a while.
    from gistapi.cli import main  # noqa: PLC0415

    return main.exit_code(arguments)


if __name__ == "__main__":
    sys.argv[1:] = sys.argv[1:] or ["serve"]
    run()
