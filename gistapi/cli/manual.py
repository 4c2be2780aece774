"""The manual page, gistapi(1), in roff: made from the commands' own help."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from importlib.metadata import version

import click

EXIT_STATUS = (
    ("0", "A gist matches; for other commands: done."),
    ("1", "No gist matches, and everything was searched."),
    ("2", "Something failed, or could not be searched. Matches are printed all the same."),
    ("130, 143, 129", "The command was ended by SIGINT (Ctrl-C), SIGTERM or SIGHUP."),
    (
        "141",
        (
            "The reader of standard output closed it before a gist matched."
            " If one had matched, the exit status is 0."
        ),
    ),
)
ENVIRONMENT = (
    ("GISTAPI_SERVER", "The service that searches, as --server."),
    ("GISTAPI_SERVER_KEY_FILE", "A file with a key of that service, as --key-file."),
    ("GISTAPI_CONFIG_FILE", "The configuration file to read instead of the user's own."),
    ("GISTAPI_GITHUB_TOKEN", "The token sent to GitHub, and to nobody else."),
    (
        "GH_TOKEN, GITHUB_TOKEN",
        (
            "Used in this order where GISTAPI_GITHUB_TOKEN is not set, then what `gh auth token`"
            " prints. They are sent to github.com only. For GitHub Enterprise Server,"
            " GH_ENTERPRISE_TOKEN and GITHUB_ENTERPRISE_TOKEN are read."
        ),
    ),
    ("NO_COLOR", "If it is set, --color=auto uses no colours."),
    ("GISTAPI_...", "The settings of the service, which a local search uses too: gistapi config."),
)
FILES = (
    (
        "~/.config/gistapi/config.toml",
        (
            "Defaults for options of gistapi search, such as"
            ' server = "https://gists.example.com" or smart-case = true.'
        ),
    ),
)
EXAMPLES = (
    ("gistapi search octocat 'import requests'", "Where octocat's gists import requests."),
    (
        "gistapi search octocat hubot -e TODO -e FIXME -g '*.py'",
        "Two patterns, two users.",
    ),
    ("gistapi search -l --org github 'BEGIN (RSA|EC) PRIVATE KEY'", "Addresses alone."),
    ("gistapi search --vimgrep --mine TODO", "For an editor's list of places."),
)


def page(command: click.Command) -> str:
    """The whole page."""
    return "\n".join(_lines(command)) + "\n"


def _lines(command: click.Command) -> Iterator[str]:
    yield f'.TH GISTAPI 1 "" "gistapi {version("gistgrep")}" "User Commands"'
    yield from (".SH NAME", r"gistapi \- search GitHub gists by regular expression")
    yield ".SH SYNOPSIS"
    root = click.Context(command, info_name="gistapi")
    subcommands = list(_subcommands(command, root))
    for context, subcommand in subcommands:
        pieces = " ".join(subcommand.collect_usage_pieces(context))
        yield f".B {_text(context.command_path)}\n{_text(pieces)}\n.br"
    yield from (".SH DESCRIPTION", _text(inspect.cleandoc(command.help or "")))
    for context, subcommand in subcommands:
        yield f'.SH "{context.command_path.removeprefix("gistapi ").upper()}"'
        yield from _paragraphs(subcommand.help or "")
        for parameter in subcommand.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None and isinstance(parameter, click.Option):
                yield from _entry(*record)
    for title, entries in (
        ("EXIT STATUS", EXIT_STATUS),
        ("ENVIRONMENT", ENVIRONMENT),
        ("FILES", FILES),
        ("EXAMPLES", EXAMPLES),
    ):
        yield f".SH {title}"
        for name, text in entries:
            yield from _entry(name, text)
    yield from (".SH SEE ALSO", ".BR rg (1),\n.BR gh (1)")


def _subcommands(
    command: click.Command, context: click.Context
) -> Iterator[tuple[click.Context, click.Command]]:
    """Each command that does something, with its context."""
    if not isinstance(command, click.Group):
        yield context, command
        return
    for name in command.list_commands(context):
        subcommand = command.get_command(context, name)
        if subcommand is not None:
            inner = click.Context(subcommand, parent=context, info_name=name)
            yield from _subcommands(subcommand, inner)


def _paragraphs(help_: str) -> Iterator[str]:
    for paragraph in inspect.cleandoc(help_).split("\n\n"):
        if paragraph.startswith("\b"):
            yield from (".nf", _text(paragraph.removeprefix("\b\n")), ".fi")
        else:
            yield from (".PP", _text(" ".join(paragraph.split())))


def _entry(name: str, text: str) -> tuple[str, str, str]:
    return ".TP", f".B {_text(name)}", _text(text.replace("  [", " ["))


def _text(text: str) -> str:
    """Text with the characters escaped that are special to roff."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    return "\n".join("\\&" + line if line.startswith(".") else line for line in escaped.split("\n"))
