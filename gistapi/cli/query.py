"""Turns the arguments and options of `gistapi search` into a query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

import click

from gistapi.cli import patterns, targets
from gistapi.models import Flags, Query

MAX_MATCHES = 1_000
"""For one file: the largest value that the API accepts."""
STANDARD_INPUT = "-"


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """What click read, by the parameters' names; `gistapi search --help` says what each means."""

    words: tuple[str, ...]
    organization: str | None
    gists: tuple[str, ...]
    mine: bool
    starred: bool
    expressions: tuple[str, ...]
    pattern_files: tuple[TextIO, ...]
    case: str
    fixed_strings: bool
    word_regexp: bool
    lines: str
    dotall: bool
    names: bool
    globs: tuple[str, ...]
    languages: tuple[str, ...]
    since: datetime | None
    until: datetime | None
    limit: int | None
    invert_match: bool
    style: str
    only_matching: bool
    after_context: int | None
    before_context: int | None
    context: int | None
    max_count: int | None
    max_columns: int | None
    max_columns_preview: bool
    heading: bool
    line_number: bool
    column: bool
    sort: str
    reverse: bool
    color: str
    hyperlink: bool
    stats: bool
    open: bool

    @property
    def before(self) -> int:
        """Lines of context before a match."""
        return self._context(self.before_context)

    @property
    def after(self) -> int:
        """Lines of context after a match."""
        return self._context(self.after_context)

    def _context(self, side: int | None) -> int:
        return side if side is not None else self.context or 0


@dataclass(frozen=True, slots=True)
class Asked:
    """A query, with facts about the pattern that the query lacks.

    `patterns` are those that the user wrote. `matches_empty`: an empty line matches.
    """

    query: Query
    patterns: tuple[str, ...]
    matches_empty: bool


def asked(options: Options, stdin: TextIO | None) -> Asked:
    """The query that the options stand for.

    Raises:
        click.UsageError: nothing says where to search or what for.
        patterns.PatternError: a pattern is faulty.
    """
    try:
        where, sought = _words(options)
    except UnicodeDecodeError:
        raise click.UsageError("A file of patterns is not UTF-8 text; save it as UTF-8.") from None
    usernames, gists = _targets(where, options.gists, stdin)
    in_lines = options.lines == "lines" and not options.dotall
    pattern, fixed = patterns.combined(sought, fixed=options.fixed_strings, lines=in_lines)
    empty = options.lines != "whole" and patterns.matches_empty(pattern, fixed=fixed)
    whole_files = empty or not (options.style in {"list", "count", "quiet"} or options.invert_match)
    flags = Flags(
        ignore_case=_ignores_case(options, sought),
        multiline=options.lines != "whole",
        dotall=options.dotall,
        fixed_string=fixed,
        word=options.word_regexp,
    )
    query = Query(
        username=usernames[0] if len(usernames) == 1 else None,
        pattern=pattern,
        flags=flags,
        files=options.globs,
        languages=options.languages,
        updated_since=options.since,
        updated_until=options.until,
        limit=options.limit,
        usernames=() if len(usernames) == 1 else usernames,
        organization=options.organization,
        gists=gists,
        mine=options.mine,
        starred=options.starred,
        max_count=MAX_MATCHES if whole_files else None,
        context=max(options.before, options.after, 1 if empty else 0),
        names=options.names,
    )
    if not query.targets:
        raise click.UsageError("Missing argument 'USER': name a user, --org, --gist or --mine.")
    return Asked(query, sought, empty)


def _words(options: Options) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Where and what to search: the last argument is the pattern, unless `-e` or `-f` gives one."""
    sought = options.expressions + tuple(
        line.rstrip("\n") for file in options.pattern_files for line in file
    )
    if options.expressions or options.pattern_files:
        return options.words, sought
    if not options.words:
        raise click.UsageError("Missing argument 'PATTERN'.")
    return options.words[:-1], options.words[-1:]


def _targets(
    words: Sequence[str], gists: Sequence[str], stdin: TextIO | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Logins and ids of gists."""
    all_words: list[str] = []
    for word in words:
        all_words += _read(stdin) if word == STANDARD_INPUT else [word]
    named = [targets.target(word) for word in all_words]
    gist_words: list[str] = []
    for word in gists:
        gist_words += _read(stdin) if word == STANDARD_INPUT else [word]
    ids = [target.name for target in named if target.kind == "gist"]
    ids += [targets.gist(word) for word in gist_words]
    return tuple(target.name for target in named if target.kind == "username"), tuple(ids)


def _read(stdin: TextIO | None) -> list[str]:
    if stdin is None:
        raise click.UsageError("Standard input is closed.")
    return targets.from_lines(stdin)


def _ignores_case(options: Options, sought: Sequence[str]) -> bool:
    if options.case == "smart":
        return patterns.smart_case(sought, fixed=options.fixed_strings)
    return options.case == "ignore"


def time(_context: click.Context, parameter: click.Parameter, value: str | None) -> datetime | None:
    """A date or an RFC 3339 time; a date in `--until` means its end."""
    if value is None:
        return None
    from gistapi.search.times import parse_time  # noqa: PLC0415 - --help needs no search

    try:
        return parse_time(value, end_of_day=parameter.name == "until")
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def languages(names: Sequence[str]) -> tuple[str, ...]:
    """GitHub's names of languages; a name that is similar to one of them is refused."""
    if names:
        from gistapi.search.languages import first_misspelt  # noqa: PLC0415 - --help needs no search

        found = first_misspelt(names)
        if found is not None:
            name, meant = found
            raise click.BadParameter(f"GitHub knows no language {name}; did you mean {meant}?")
    return tuple(names)


def globs(patterns: Sequence[str]) -> tuple[str, ...]:
    """Globs that the filter accepts."""
    if patterns:
        from gistapi.search.globs import Globs  # noqa: PLC0415 - --help needs no search

        try:
            Globs(patterns)
        except ValueError as error:
            raise click.BadParameter(str(error)) from None
    return tuple(patterns)


def organization(word: str | None) -> str | None:
    """An organization's login."""
    return None if word is None else targets.target(word).name
