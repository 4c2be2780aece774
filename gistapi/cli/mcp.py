"""`gistapi mcp`: the search as tools for agents, by the Model Context Protocol.

https://modelcontextprotocol.io
"""

from __future__ import annotations

from inspect import getdoc

import click

from gistapi.cli.commands import Fault

MISSING = "The MCP server needs an extra: pip install 'gistgrep[mcp]'"
INSTRUCTIONS = (
    "Search GitHub gists by regular expression, completely: every file of every gist, and the"
    " answer says what could not be searched."
)


@click.command()
@click.option("--verbose", is_flag=True, help="Say which GitHub token is used.")
def mcp(*, verbose: bool) -> None:
    """Let an agent search: an MCP server over standard input and output.

    Its tools are search_gists and read_gist_file. It uses the same settings, cache and GitHub token
    as `gistapi search`, and ends with its standard input.
    """
    try:
        from mcp.server import MCPServer  # noqa: PLC0415 - an extra
        from mcp.types import ToolAnnotations  # noqa: PLC0415
    except ImportError:
        raise Fault(MISSING) from None
    from gistapi.cli import backends  # noqa: PLC0415 - --help needs no search
    from gistapi.cli.agent_tools import Tools  # noqa: PLC0415
    from gistapi.cli.serve import settings  # noqa: PLC0415

    hints = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=True)
    with backends.in_process(settings({}), verbose=verbose) as (backend, searcher):
        tools = Tools(backend, searcher)
        server = MCPServer("gistapi", instructions=INSTRUCTIONS, log_level="WARNING")
        for tool in (tools.search_gists, tools.read_gist_file):
            server.add_tool(
                tool, description=getdoc(tool), annotations=hints, structured_output=True
            )
        server.run("stdio")
