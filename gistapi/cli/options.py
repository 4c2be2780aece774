"""The options of `gistapi search`, named as ripgrep's where they mean the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click import Choice, IntRange

from gistapi.cli import query

CONTEXT = IntRange(0, 10)
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _flag(*names: str, text: str) -> Decorator:
    return click.option(*names, is_flag=True, help=text)


def _choice(*names: str, value: str, default: str | None = None, text: str) -> Decorator:
    """One of several options that set the same parameter; the last one given takes precedence."""
    return click.option(*names, flag_value=value, default=default, help=text)


def _checked(check: Callable[[Any], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback that replaces an option's value by the result of `check`."""
    return lambda _context, _parameter, value: check(value)


WHERE = (
    click.argument("words", metavar="[USER]... PATTERN", nargs=-1),
    click.option(
        "--org",
        "organization",
        metavar="ORG",
        callback=_checked(query.organization),
        help="Search the gists of an organization's members.",
    ),
    click.option(
        "--gist",
        "gists",
        metavar="GIST",
        multiple=True,
        help="Search this gist, an id or address; - reads them from standard input.",
    ),
    _flag("--mine", text="Search your own gists, secret ones too."),
    _flag("--starred", text="Search the gists you have starred."),
)
WHAT = (
    click.option(
        "-e",
        "--regexp",
        "expressions",
        metavar="PATTERN",
        multiple=True,
        help="Search for this pattern; all arguments are then users or gists. Can be repeated.",
    ),
    click.option(
        "-f",
        "--file",
        "pattern_files",
        metavar="FILE",
        type=click.File("r", encoding="utf-8-sig"),
        multiple=True,
        help="Search for the patterns in a file, one a line.",
    ),
    _choice("-i", "--ignore-case", "case", value="ignore", text="Ignore case."),
    _choice(
        "-s",
        "--case-sensitive",
        "case",
        value="sensitive",
        default="sensitive",
        text="Do not ignore case (the default).",
    ),
    _choice(
        "-S",
        "--smart-case",
        "case",
        value="smart",
        text="Ignore case unless the pattern has an upper-case letter.",
    ),
    _flag("-F", "--fixed-strings", text="The pattern is literal text."),
    _flag("-w", "--word-regexp", text="Match whole words only."),
    _choice("-U", "--multiline", "lines", value="spans", text="Let a match span lines."),
    _choice(
        "--no-multiline",
        "lines",
        value="whole",
        text="Search a file as one text: ^ and $ match at its ends, a match may span lines.",
    ),
    click.option("--lines", "lines", flag_value="lines", default="lines", hidden=True),
    _flag("--dotall", text="Let a dot match line ends, so that a match may span lines."),
    _flag("-v", "--invert-match", text="Print the gists that do not match."),
    _flag("--names", text="Search descriptions and file names too."),
)
WHICH = (
    click.option(
        "-g",
        "--glob",
        "globs",
        metavar="GLOB",
        multiple=True,
        callback=_checked(query.globs),
        help="Search files of these names; a leading ! excludes.",
    ),
    click.option(
        "-t",
        "--type",
        "languages",
        metavar="LANG",
        multiple=True,
        callback=_checked(query.languages),
        help="Search files in this language, as GitHub names it.",
    ),
    click.option(
        "--since",
        metavar="TIME",
        callback=query.time,
        help="Search gists updated at this time or later, such as 2024-01-31.",
    ),
    click.option(
        "--until",
        metavar="TIME",
        callback=query.time,
        help="Search gists updated at this time or earlier.",
    ),
    click.option(
        "--limit", metavar="N", type=IntRange(1, 1000), help="Stop after N gists that match."
    ),
)
RESULT = (
    _choice("-l", "--list", "style", value="list", text="Print the gists' addresses only."),
    _choice("-c", "--count", "style", value="count", text="Print how many gists match."),
    _choice(
        "--count-matches", "style", value="count-matches", text="Print how many matches a file has."
    ),
    _choice(
        "--vimgrep", "style", value="vimgrep", text="Print each match as FILE:LINE:COLUMN:TEXT."
    ),
    _choice("--json", "style", value="json", text="Print the events of the search as JSON lines."),
    _choice(
        "-q",
        "--quiet",
        "style",
        value="quiet",
        text="Print nothing; stop at the first match with exit code 0.",
    ),
    click.option("--text", "style", flag_value="text", default="text", hidden=True),
    _flag("-o", "--only-matching", text="Print the matching parts of lines only."),
    click.option(
        "-A",
        "--after-context",
        metavar="N",
        type=CONTEXT,
        help="Print N lines after each match, at most 10.",
    ),
    click.option(
        "-B",
        "--before-context",
        metavar="N",
        type=CONTEXT,
        help="Print N lines before each match, at most 10.",
    ),
    click.option(
        "-C", "--context", metavar="N", type=CONTEXT, help="The same as -A N and -B N together."
    ),
    click.option(
        "-m",
        "--max-count",
        metavar="N",
        type=IntRange(1, query.MAX_MATCHES),
        help="Print at most N matching lines of each file.",
    ),
)
LOOK = (
    click.option(
        "-M",
        "--max-columns",
        metavar="N",
        type=IntRange(1),
        help="Omit lines longer than N bytes, with a note.",
    ),
    _flag("--max-columns-preview", text="Print the beginning of such lines."),
    click.option(
        "--heading/--no-heading",
        default=True,
        help="Print a gist's address above its lines (the default), or in each line.",
    ),
    click.option(
        "-n/-N",
        "--line-number/--no-line-number",
        "line_number",
        default=True,
        help="Print line numbers (the default), or not.",
    ),
    _flag("--column", text="Print the column of the first match in a line, in bytes from 1."),
    click.option(
        "--sort",
        type=Choice(["none", "created", "updated", "path"]),
        default="none",
        help="Print the gists in this order, at the end, not as they are found.",
    ),
    _flag("--reverse", text="Reverse the order of --sort."),
    click.option(
        "--color",
        type=Choice(["auto", "always", "ansi", "never"]),
        default="auto",
        help="When to use colours; auto: on a terminal.",
    ),
    _flag("--hyperlink", text="Link addresses and line numbers to GitHub, on a terminal."),
    _flag("--stats", text="Print counts at the end."),
    _flag("--open", text="Open the first match in a browser."),
)
HOW = (
    click.option(
        "--server",
        metavar="URL",
        envvar="GISTAPI_SERVER",
        help="Have a running service search (GISTAPI_SERVER).",
    ),
    click.option(
        "--key-file",
        metavar="FILE",
        type=click.Path(allow_dash=True),
        envvar="GISTAPI_SERVER_KEY_FILE",
        help="A file with a key of that service (GISTAPI_SERVER_KEY_FILE).",
    ),
    _flag("--send-token", text="Send your GitHub token to that service, for --mine and --starred."),
    _flag("--verbose", text="Print which GitHub token is used, and the cause of internal errors."),
)


def search_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add all arguments and options to the command."""
    for decorate in reversed((*WHERE, *WHAT, *WHICH, *RESULT, *LOOK, *HOW)):
        command = decorate(command)
    return command
