"""`gistapi completion` and `gistapi man`: files for shells and `man`, also for packagers."""

from __future__ import annotations

from importlib.resources import files

import click

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion script for SHELL.

    The manual says where each shell looks for it.
    """
    click.echo(_text(f"gistapi.{shell}"), nl=False)


@click.command()
def man() -> None:
    """Print the manual page: `gistapi man | man -l -` shows it."""
    click.echo(_text("gistapi.1"), nl=False)


def _text(name: str) -> str:
    return files("gistapi.cli").joinpath("share", name).read_text("utf-8")
