"""The `gistapi` command."""

from __future__ import annotations

import click

from gistapi.cli.keys import keys
from gistapi.cli.search import search
from gistapi.errors import KeyFileError, SettingsError
from gistapi.settings import Settings, load_settings


class SettingsFault(click.ClickException):
    """The environment is no valid configuration: told on standard error, exit code 2."""

    exit_code = 2


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gistapi", prog_name="gistapi")
def main() -> None:
    """Search the public gists of GitHub users."""


main.add_command(search)
main.add_command(keys)


@main.command()
def serve() -> None:
    """Serve over HTTP until SIGTERM or Ctrl-C."""
    from gistapi.cli import server  # noqa: PLC0415 - the other commands need no web server

    try:
        server.serve(_settings())
    except SettingsError as error:
        raise SettingsFault(str(error)) from error
    except (server.AddressError, KeyFileError) as error:
        raise click.ClickException(str(error)) from error


@main.command()
def config() -> None:
    """Print the effective settings, secrets hidden."""
    for name, value in _settings().public().items():
        click.echo(f"{name}={value}")


def _settings() -> Settings:
    try:
        return load_settings()
    except SettingsError as error:
        raise SettingsFault(f"the settings are not valid\n{error}") from error
