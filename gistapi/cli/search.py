"""`gistapi search`: the search in a shell, with ripgrep's options, output and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, closing
from typing import Any

import click

from gistapi.cli import backends, configuration, process
from gistapi.cli.backends import Backend
from gistapi.cli.commands import Fault, show
from gistapi.cli.formats import format_for
from gistapi.cli.inversion import inverted
from gistapi.cli.options import search_options
from gistapi.cli.patterns import PatternError
from gistapi.cli.printing import Printer, stats, summary
from gistapi.cli.process import CLOSED, FAULT
from gistapi.cli.progress import ProgressBar
from gistapi.cli.query import Asked, Options, asked
from gistapi.cli.rows import without_phantoms
from gistapi.cli.secrets import read_key
from gistapi.cli.terminal import (
    Output,
    OutputClosedError,
    OutputError,
    Style,
    safe,
    say,
    width,
)
from gistapi.cli.tokens import find_token
from gistapi.client import ClientError, Match, follow
from gistapi.client.answers import Line
from gistapi.errors import GistapiError, SettingsError

SORT_KEYS: dict[str, Callable[[Match], str]] = {
    "created": lambda match: match.created_at,
    "updated": lambda match: match.updated_at,
    "path": lambda match: match.gist,
}


def _configure(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001
    """Read the defaults of the options that the configuration file sets."""
    if not value:
        context.default_map = configuration.defaults(configuration.path())


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--no-config",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_configure,
    help="Do not read the configuration file.",
)
@search_options
@click.pass_context
def search(
    context: click.Context,
    /,
    *,
    server: str | None,
    key_file: str | None,
    send_token: bool,
    verbose: bool,
    **words: Any,  # noqa: ANN401 - click's values; `Options` has their types
) -> None:
    """Print where the gists of each USER match PATTERN.

    USER is a GitHub login, @login, the address of a profile or of a gist, or - to read them from
    standard input. PATTERN is a regular expression in Python's syntax; as in ripgrep, ^ and $
    match at line ends and a match stays within a line.

    The exit code is 0 if a gist matches, 1 if none does, and 2 if something failed or could not
    be searched.
    """
    options = Options(**words)
    try:
        ask = asked(options, sys.stdin)
        with _backend(server, key_file, send_token=send_token, verbose=verbose) as backend:
            context.exit(_run(backend, ask, options))
    except (ClientError, GistapiError) as error:
        raise _fault(error) from error


def _run(backend: Backend, ask: Asked, options: Options) -> int:
    """Search and print. Returns the exit code."""
    output, progress = Output(), ProgressBar()
    printer = Printer(
        options.style,
        format_for(options, _style(options, output)),
        output,
        progress,
        matches_empty=ask.matches_empty and not options.invert_match,
        sort_key=SORT_KEYS.get(options.sort),
        reverse=options.reverse,
        max_lines=options.max_count,
    )
    with closing(_lines(backend, ask, options)) as lines:
        try:
            progress.start("Asking GitHub")
            code = _print(lines, printer, options)
        except OutputClosedError:
            code = CLOSED if printer.tally.code else 0
            process.hurry(code)
        except (ClientError, GistapiError, OutputError) as error:
            progress.end()
            # Printed before the search is closed, which may take too long.
            show(_fault(error, ask))
            code = FAULT
            process.hurry(code)
        finally:
            progress.end()
    return code


def _print(lines: Iterator[Line], printer: Printer, options: Options) -> int:
    for line in lines:
        printer.show(line)
        if options.style == "quiet" and printer.tally.gists:
            process.hurry(0)
            return 0
    if options.stats:
        printer.output.write(stats(printer.tally))
    printer.output.flush()
    printer.progress.end()
    if options.style not in {"quiet", "json"} and sys.stderr is not None and sys.stderr.isatty():
        say(summary(printer.tally))
    if options.open and printer.tally.first_url:
        _open(printer.tally.first_url)
    return printer.tally.code


def _lines(backend: Backend, ask: Asked, options: Options) -> Generator[Line]:
    if options.invert_match:
        keep = without_phantoms if ask.matches_empty else lambda match: match
        return inverted(backend, ask.query, keep)
    return follow(backend(ask.query), ask.query.limit)


def _backend(
    server: str | None, key_file: str | None, *, send_token: bool, verbose: bool
) -> AbstractContextManager[Backend]:
    if server is None:
        from gistapi.settings import load_settings  # noqa: PLC0415 - --help needs no settings

        return backends.local(load_settings(), verbose=verbose)
    token = find_token("https://api.github.com") if send_token else None
    if verbose:
        sent = "none is sent" if token is None else f"{token.source} is sent"
        say(f"Searching through {server}; of GitHub tokens {sent}.")
    return backends.remote(server, read_key(key_file), token.value if token else None)


def _style(options: Options, output: Output) -> Style:
    colors = options.color in {"always", "ansi"}
    if options.color == "auto":
        is_dumb = os.environ.get("TERM") == "dumb"
        colors = output.is_terminal and not is_dumb and not os.environ.get("NO_COLOR")
    return Style(colors, options.hyperlink and (colors or output.is_terminal))


def _fault(error: Exception, ask: Asked | None = None) -> Fault:
    """The error as a person sees it, with a caret below a pattern's faulty character."""
    # Only the settings' messages have several lines: in a service's message they could be forged.
    message = safe(str(error), keep="\n\t" if isinstance(error, SettingsError) else "\t")
    position = getattr(error, "position", None)
    pattern = error.pattern if isinstance(error, PatternError) else None
    if pattern is None and ask is not None and ask.patterns == (ask.query.pattern,):
        pattern = ask.query.pattern
    if position is not None and pattern is not None:
        if f"position {position}" not in message:
            message += f" at position {position}"
        before = width(safe(pattern[:position], keep=""))
        message += f"\n  {safe(pattern, keep='')}\n  {' ' * before}^"
    if getattr(error, "code", None) in {"unauthorized", "captcha_required"}:
        message += " Name a file with a key of this service: --key-file FILE."
    return Fault(message)


def _open(url: str) -> None:
    import webbrowser  # noqa: PLC0415 - few ask for it

    if not url.startswith(("https://", "http://")) or not webbrowser.open(url):
        say(f"No browser opened {url}")
