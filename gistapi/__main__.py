"""`gistapi` and `python -m gistapi`, which serves unless it is given a subcommand."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Until `run` handles signals, Ctrl-C ends the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import sys  # noqa: E402 - after the line that has to be first
from collections.abc import Sequence  # noqa: E402
from typing import NoReturn  # noqa: E402

from gistapi.cli import process  # noqa: E402


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
