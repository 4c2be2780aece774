"""`gistapi keys`: makes, lists and revokes the keys of callers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from gistapi.errors import GistapiError
from gistapi.quota.keys import KeyFile
from gistapi.settings import load_settings

FAULT = 2


class KeysFault(click.ClickException):
    """It could not be done: told on standard error, exit code 2."""

    exit_code = FAULT


@contextmanager
def _file() -> Iterator[KeyFile]:
    try:
        yield KeyFile(load_settings().keys_file)
    except (GistapiError, ValueError) as error:
        raise KeysFault(str(error)) from error


@click.group()
def keys() -> None:
    """Make, list and revoke the keys of callers.

    A running service sees a change at once. With the first key, the service answers no search
    without one, unless GISTAPI_KEYS_OPTIONAL is set.
    """


@keys.command()
@click.argument("name")
def create(name: str) -> None:
    """Make a key for NAME and print it: this once, for it is kept as a hash."""
    with _file() as file:
        click.echo(file.create(name))


@keys.command("list")
def list_keys() -> None:
    """Print the names of all keys, and when they were made."""
    with _file() as file:
        for key in file.entries():
            click.echo(f"{key.created}  {key.name}")


@keys.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Let the key of NAME in no more."""
    with _file() as file:
        file.revoke(name)
        if not file.entries():
            click.echo("No key is left: nobody is let in until there is one.", err=True)
