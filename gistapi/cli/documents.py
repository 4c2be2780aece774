"""`gistapi completion` and `gistapi man`: generated files for shells and `man`."""

from __future__ import annotations

import click

VARIABLE = "_GISTAPI_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    r"""Print the completion script for SHELL.

    \b
    bash: gistapi completion bash >~/.local/share/bash-completion/completions/gistapi
    zsh:  gistapi completion zsh >~/.zfunc/_gistapi  (a folder in $fpath)
    fish: gistapi completion fish >~/.config/fish/completions/gistapi.fish
    """
    from click.shell_completion import get_completion_class  # noqa: PLC0415 - few ask for it

    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"There is no completion for {shell}.")
    script = kind(context.find_root().command, {}, "gistapi", VARIABLE)
    # Not `source()`, which also checks the version of the bash that is installed here.
    click.echo(script.source_template % script.source_vars())


@click.command()
@click.pass_context
def man(context: click.Context) -> None:
    """Print the manual page; `gistapi man | man -l -` shows it."""
    from gistapi.cli.manual import page  # noqa: PLC0415 - few ask for it

    click.echo(page(context.find_root().command), nl=False)
