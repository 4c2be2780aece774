"""`gistapi search`: the search in a shell, with ripgrep's manners."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import IO, Any

import click

from gistapi.errors import GistapiError, InvalidPatternError
from gistapi.models import USERNAME, Flags, Query
from gistapi.search.globs import Globs
from gistapi.search.report import EndData, Line, Status
from gistapi.settings import load_settings

Ask = Callable[[Query], Iterator[Line]]
"""Has one search done."""

NONE = 1
FAULT = 2
INTERRUPTED = 130


class SearchFault(click.ClickException):
    """The search failed: told on standard error, a pattern's fault marked; exit code 2."""

    exit_code = FAULT

    def __init__(self, error: GistapiError, pattern: str) -> None:
        message = str(error)
        if isinstance(error, InvalidPatternError) and error.position is not None:
            message += f"\n  {pattern}\n  {' ' * error.position}^"
        super().__init__(message)


def _time(
    _context: click.Context, parameter: click.Parameter, value: str | None
) -> datetime | None:
    """A day or an RFC 3339 time, in UTC where it names no zone; `--until` a day is to its end."""
    if value is None:
        return None
    try:
        time = datetime.fromisoformat(value)
        if parameter.name == "until" and re.fullmatch(r"[0-9-]+", value):
            time += timedelta(days=1, seconds=-1)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise click.BadParameter("a time is as 2024-01-31 or 2024-01-31T12:00:00Z") from None


def _username(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not re.fullmatch(USERNAME, value):
        raise click.BadParameter("a GitHub login has 1 to 39 letters, digits, - and _")
    return value


def _globs(
    _context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]
) -> tuple[str, ...]:
    try:
        Globs(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return value


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("user", callback=_username)
@click.argument("pattern")
@click.option("-i", "--ignore-case", is_flag=True, help="Ignore case.")
@click.option("-F", "--fixed-strings", is_flag=True, help="PATTERN is literal text.")
@click.option("-w", "--word-regexp", is_flag=True, help="It must stand as a whole word.")
@click.option("-U", "--multiline", is_flag=True, help="^ and $ match at every line.")
@click.option("--dotall", is_flag=True, help="A dot matches line ends too.")
@click.option(
    "-g", "--glob", "globs", multiple=True, callback=_globs, help="File names; ! excludes."
)
@click.option("-t", "--type", "languages", metavar="LANG", multiple=True, help="A language.")
@click.option("--since", metavar="TIME", callback=_time, help="Only gists updated then or later.")
@click.option("--until", metavar="TIME", callback=_time, help="Only gists updated then or earlier.")
@click.option("-m", "--max-count", metavar="N", type=click.IntRange(1, 1000), help="Stop after N.")
@click.option("-l", "--list", "style", flag_value="list", help="Print the gists' addresses only.")
@click.option("-c", "--count", "style", flag_value="count", help="Print how many gists match.")
@click.option("--json", "style", flag_value="json", help="Print the events as JSON lines.")
@click.option("--server", metavar="URL", help="Ask a running service.")
@click.option("--key-file", type=click.File("r"), help="A file with the key of that service.")
@click.pass_context
def search(
    context: click.Context,
    /,
    *,
    user: str,
    pattern: str,
    style: str | None,
    server: str | None,
    key_file: IO[str] | None,
    **narrowing: Any,  # noqa: ANN401 - click's values: `_query` says of which types
) -> None:
    """Print where the public gists of USER match PATTERN.

    PATTERN is a regular expression in Python's syntax. The exit code is 0 when a gist matches,
    1 when none does, and 2 when something failed or could not be searched.
    """
    from gistapi.cli import backends  # noqa: PLC0415 - the other commands need no service

    query = _query(user, pattern, **narrowing)
    try:
        key = key_file.read().strip() if key_file else None
        with backends.there(server, key) if server else backends.here(load_settings()) as ask:
            code = _told(follow(ask, query), query, style)
    except GistapiError as error:
        raise SearchFault(error, pattern) from error
    except KeyboardInterrupt:
        code = INTERRUPTED
    context.exit(code)


def _query(
    user: str,
    pattern: str,
    *,
    ignore_case: bool,
    fixed_strings: bool,
    word_regexp: bool,
    multiline: bool,
    dotall: bool,
    globs: tuple[str, ...],
    languages: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    max_count: int | None,
) -> Query:
    flags = Flags(
        ignore_case=ignore_case,
        multiline=multiline,
        dotall=dotall,
        fixed_string=fixed_strings,
        word=word_regexp,
    )
    return Query(
        username=user,
        pattern=pattern,
        flags=flags,
        files=globs,
        languages=languages,
        updated_since=since,
        updated_until=until,
        limit=max_count,
    )


def follow(ask: Ask, query: Query) -> Iterator[Line]:
    """The lines of a search that goes on after each deadline, as if there were none."""
    found, seconds, partial, late = 0, 0.0, False, False
    end: EndData | None = None
    while end is None or (late and "next" in end):
        if end is not None:
            limit = None if query.limit is None else query.limit - end["matches"]
            query = replace(query, cursor=end["next"], limit=limit)
        late = False
        for line in ask(query):
            if line["type"] == "end":
                end = line["data"]
            elif _is_deadline(line):
                late = True
            elif line["type"] != "begin" or query.cursor is None:
                partial |= line["type"] == "incomplete"
                yield line
        if end is None:
            raise GistapiError("the answer broke off")
        found += end["matches"]
        seconds += end["elapsed_seconds"]
    status: Status = "partial" if partial else "success"
    total: EndData = {**end, "status": status, "matches": found, "elapsed_seconds": seconds}
    yield {"type": "end", "data": total}


def _is_deadline(line: Line) -> bool:
    """Whether it says that the search as a whole stopped at its deadline."""
    if line["type"] != "incomplete":
        return False
    return line["data"]["gist"] is None and line["data"]["reason"] == "deadline"


def _told(lines: Iterator[Line], query: Query, style: str | None) -> int:
    from gistapi.cli.output import printer  # noqa: PLC0415 - nor colours

    found, partial = 0, False
    with printer(style, query) as show:
        for line in lines:
            found += line["type"] == "match"
            partial |= line["type"] == "incomplete"
            show(line)
    if partial:
        return FAULT
    return 0 if found else NONE
