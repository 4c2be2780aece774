"""`gistapi` and `python -m gistapi`, which serves unless it is given a subcommand."""

from __future__ import annotations

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
