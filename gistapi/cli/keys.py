"""`gistapi keys`: create, list and revoke the keys of callers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from gistapi.cli.commands import Fault
from gistapi.errors import GistapiError

if TYPE_CHECKING:
    from gistapi.quota.keys import KeyFile


@contextmanager
def _file() -> Iterator[KeyFile]:
    from gistapi.quota.keys import KeyFile  # noqa: PLC0415 - --help and completion need none
    from gistapi.settings import load_settings  # noqa: PLC0415

    try:
        yield KeyFile(load_settings().keys_file)
    except (GistapiError, ValueError) as error:
        raise Fault(str(error)) from error


@click.group()
def keys() -> None:
    """Create, list and revoke the keys of callers.

    Keys are optional until the first one is created; from then on every request to /api needs one,
    unless GISTAPI_KEYS_OPTIONAL is set. A running service sees a change at once.
    """


@keys.command()
@click.argument("name")
def create(name: str) -> None:
    """Create a key for NAME and print it. It is stored as a hash, so it is printed only once."""
    with _file() as file:
        click.echo(file.create(name))


@keys.command("list")
def list_keys() -> None:
    """Print the names of all keys and when they were created."""
    with _file() as file:
        for key in file.entries():
            click.echo(f"{key.created}  {key.name}")


@keys.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Revoke the key of NAME."""
    with _file() as file:
        file.revoke(name)
        if not file.entries():
            click.echo(
                "No key is left: every request to /api is refused until one is created.", err=True
            )
