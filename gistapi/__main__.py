"""`python -m gistapi` is the `gistapi` command; without a subcommand it serves."""

from __future__ import annotations

import sys

from gistapi.cli import main

main(sys.argv[1:] or ["serve"], prog_name="gistapi")
