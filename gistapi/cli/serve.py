"""`gistapi serve` and `gistapi config`: the service and its settings."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import click

from gistapi.cli import process
from gistapi.cli.commands import Fault
from gistapi.errors import KeyFileError, SettingsError

if TYPE_CHECKING:
    from gistapi.settings import Settings


@click.command()
@click.option("--host", metavar="HOST", help="Listen at this address instead of GISTAPI_HOST.")
@click.option(
    "--port",
    metavar="PORT",
    type=click.IntRange(1, 65535),
    help="Listen at this port instead of GISTAPI_PORT.",
)
def serve(host: str | None, port: int | None) -> None:
    """Serve over HTTP until SIGTERM or Ctrl-C."""
    gc.disable()  # imports leave no garbage, and looking for it takes a ninth of the start
    from gistapi.cli import server  # noqa: PLC0415 - the other commands need no web server

    gc.enable()

    chosen: dict[str, object] = {"host": host, "port": port}
    given = {name: value for name, value in chosen.items() if value is not None}
    process.unwatch()  # the server has its own shutdown
    try:
        server.serve(settings(given))
    except (server.AddressError, server.DescriptorsError, KeyFileError, SettingsError) as error:
        raise Fault(str(error)) from error


@click.command()
def config() -> None:
    """Print the effective settings, secrets hidden."""
    from gistapi.app import check_network  # noqa: PLC0415 - the other commands check later

    loaded = settings({})
    try:
        check_network(loaded)
    except SettingsError as error:
        raise Fault(f"the environment is not valid\n{error}") from error
    for name, value in loaded.public().items():
        click.echo(f"{name}={value}")


def settings(given: dict[str, object]) -> Settings:
    """The environment's settings, overridden by those given on the command line.

    Raises:
        Fault: one of them is unknown or malformed.
    """
    from gistapi.settings import load_settings  # noqa: PLC0415 - --help and completion need none

    try:
        return load_settings(given)
    except SettingsError as error:
        raise Fault(f"the settings are not valid\n{error}") from error
