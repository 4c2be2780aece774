"""How `gistapi search` shows what it finds: as text, in colours on a terminal only, or as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.text import Text

from gistapi.errors import InvalidPatternError
from gistapi.matching import compile_pattern
from gistapi.matching.window import LINE_CHARACTERS
from gistapi.models import Query
from gistapi.search.report import Detail, IncompleteEntry, Line, ProgressData

Show = Callable[[Line], None]

# What a stranger's text could do to a terminal, or to the line it is shown on; a tab is harmless.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


@contextmanager
def printer(style: str | None, query: Query) -> Iterator[Show]:
    """What shows one line after the other, in the style of `-l`, `-c`, `--json` or of none."""
    if style == "json":
        yield lambda line: click.echo(json.dumps(line))
    elif style == "count":
        yield _Counter().show
    else:
        console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
        with Progress(
            BarColumn(bar_width=24),
            TextColumn("{task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        ) as progress:
            yield _Text(console, progress, query, addresses_only=style == "list").show


class _Counter:
    def show(self, line: Line) -> None:
        if line["type"] == "end":
            click.echo(line["data"]["matches"])
        elif line["type"] == "incomplete":
            _tell(line["data"])


class _Text:
    def __init__(
        self, console: Console, progress: Progress, query: Query, *, addresses_only: bool
    ) -> None:
        self._console = console
        self._progress = progress
        self._task: TaskID = progress.add_task("asking GitHub", total=None)
        self._addresses_only = addresses_only
        self._reach = _reacher(query) if console.is_terminal else None
        self._found = 0

    def show(self, line: Line) -> None:
        if line["type"] == "match":
            self._show_match(line["data"])
        elif line["type"] == "incomplete":
            _tell(line["data"])
        elif line["type"] == "progress":
            self._show_progress(line["data"])

    def _show_match(self, match: Detail) -> None:
        self._found += 1
        if self._addresses_only:
            self._print(Text(_safe(match["gist"])))
            return
        if self._found > 1:
            self._print(Text())
        heading = Text(_safe(match["gist"]), "magenta")
        if match["description"]:
            heading.append(f"  {_safe(match['description'])}", "bold")
        self._print(heading)
        text = Text(_safe(match["text"]))
        if self._reach is not None:
            text.stylize("bold red", *self._reach(match))
        place = Text.assemble(
            (_safe(match["file"]), "cyan"), ":", (str(match["line"]), "green"), ":"
        )
        self._print(place + text)

    def _print(self, text: Text) -> None:
        if self._console.is_terminal:
            self._console.print(text)
        else:
            click.echo(text.plain)  # rich would make spaces of tabs

    def _show_progress(self, far: ProgressData) -> None:
        total = far["gists_total"]
        done = f"{far['gists_done']:,}" if total is None else f"{far['gists_done']:,} of {total:,}"
        said = f"{done} gists, {far['files_done']:,} files, {far['bytes_done'] / 1e6:,.1f} MB"
        self._progress.update(
            self._task, description=said, completed=far["gists_done"], total=total
        )


def _reacher(query: Query) -> Callable[[Detail], tuple[int, int]] | None:
    """From where to where a match reaches in its line, where RE2, which can't hang, finds it."""
    try:
        pattern = compile_pattern(query.pattern, query.flags)
    except InvalidPatternError:
        return None

    def reach(match: Detail) -> tuple[int, int]:
        text, start = match["text"], match["column"] - 1
        if len(text) >= LINE_CHARACTERS:
            start = min(start, LINE_CHARACTERS // 3)
        before = len(text[:start].encode())
        engine = pattern.engine(is_ascii=text.isascii(), is_empty=not text)
        found = engine.compiled and engine.compiled.search(text.encode(), before)
        if not found or found.start() != before:
            return (start, start)
        return (start, start + len(found.group().decode()))

    return reach


def _tell(gap: IncompleteEntry) -> None:
    where = "/".join(_safe(part) for part in (gap["gist"], gap["file"]) if part)
    told = f"{where}: {gap['message']}" if where else gap["message"]
    click.echo(f"gistapi: {_safe(told)} [{gap['reason']}]", err=True)


def _safe(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)
