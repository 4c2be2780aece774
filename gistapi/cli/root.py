"""`gistapi` itself: its subcommands, of which only the one that runs is imported."""

from __future__ import annotations

import click

from gistapi.cli.commands import LazyGroup

COMMANDS = {
    "search": ("gistapi.cli.search:search", "Search gists by a regular expression."),
    "serve": ("gistapi.cli.serve:serve", "Serve over HTTP until SIGTERM or Ctrl-C."),
    "mcp": ("gistapi.cli.mcp:mcp", "Serve an agent by the Model Context Protocol."),
    "config": ("gistapi.cli.serve:config", "Print the effective settings, secrets hidden."),
    "keys": ("gistapi.cli.keys:keys", "Create, list and revoke the keys of callers."),
    "completion": ("gistapi.cli.documents:completion", "Print a shell's completion script."),
    "man": ("gistapi.cli.documents:man", "Print the manual page."),
}
"""Each subcommand's location and a line of help."""


@click.group(
    cls=LazyGroup, places=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="gistgrep", prog_name="gistapi")
def main() -> None:
    """Search GitHub gists by regular expression, in a shell or as a service."""
