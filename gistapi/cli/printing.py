"""What a search prints as its lines arrive: results, what is missing, progress."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from gistapi.cli.formats import Format
from gistapi.cli.process import FAULT, NONE
from gistapi.cli.progress import ProgressBar
from gistapi.cli.query import MAX_MATCHES
from gistapi.cli.rows import without_phantoms
from gistapi.cli.terminal import Output, say
from gistapi.client import End, Match, Searched, TargetOutcome
from gistapi.client.answers import Line
from gistapi.models import Incomplete, Progress


@dataclass(slots=True)
class Tally:
    """The result of a search."""

    gists: int = 0
    files: int = 0
    lines: int = 0
    matches: int = 0
    missing: int = 0
    searched: Searched = field(default_factory=Searched)
    seconds: float = 0.0
    first_url: str | None = None

    @property
    def code(self) -> int:
        """The exit code."""
        if self.missing:
            return FAULT
        return 0 if self.gists else NONE


@dataclass(slots=True)
class Printer:
    """Prints the lines of one search.

    `matches_empty`: matches after the last line end are dropped. `sort_key`: matches are held
    until the end, then printed in that order. `max_lines`: no more matches than these are
    wanted, so others are not reported as missing.
    """

    style: str
    format: Format
    output: Output
    progress: ProgressBar
    matches_empty: bool = False
    sort_key: Callable[[Match], str] | None = None
    reverse: bool = False
    max_lines: int | None = None
    tally: Tally = field(default_factory=Tally)
    _held: list[Match] = field(default_factory=list)

    def show(self, line: Line) -> None:
        """Print a line of the stream, as far as there is anything to print."""
        match line.event:
            case Match() as found:
                self._take(found, line)
                return
            case Incomplete() as missing:
                self._miss(missing)
            case Progress() as far:
                self.progress.update(far)
                self.output.check_reader()
            case TargetOutcome() as target:
                self._target(target)
            case End() as end:
                self._end(end)
        if self.style == "json":
            self._write(_encoded(line))

    def message(self, text: str) -> None:
        """Write a message to standard error."""
        with self.progress.hidden():
            say(text)

    def _take(self, found: Match, line: Line) -> None:
        kept = without_phantoms(found) if self.matches_empty else found
        if kept is None:
            return
        self._count(kept)
        if self.style == "json":
            self._write(_encoded(line))
        elif self.sort_key is not None:
            self._held.append(kept)
        elif self.style not in {"count", "quiet"}:
            self._write(self.format(kept))

    def _count(self, found: Match) -> None:
        tally = self.tally
        tally.gists += 1
        tally.files += len(found.files)
        for file in found.files:
            tally.matches += len(file.matches)
            tally.lines += len({match.line for match in file.matches})
            tally.first_url = tally.first_url or next((m.url for m in file.matches), None)
            if file.more and len(file.matches) >= MAX_MATCHES and self.max_lines is None:
                tally.missing += 1
                where = "/".join(part for part in (found.gist, file.file) if part)
                self.message(f"{where}: only the first {MAX_MATCHES:,} matches are shown")
        tally.first_url = tally.first_url or found.gist

    def _miss(self, missing: Incomplete) -> None:
        self.tally.missing += 1
        where = "/".join(part for part in (missing.gist, missing.file) if part)
        text = f"{where}: {missing.message}" if where else missing.message
        self.message(f"{text} [{missing.reason}]")

    def _target(self, target: TargetOutcome) -> None:
        if target.status == "error":
            self.tally.missing += 1
            name = target.name or target.kind
            self.message(f"{name}: {target.message or 'cannot be searched'} [{target.code}]")

    def _end(self, end: End) -> None:
        if self.sort_key is not None:
            self._held.sort(key=self.sort_key, reverse=self.reverse)
            for found in self._held:
                self._write(self.format(found))
        if self.style == "count":
            self._write(f"{self.tally.gists}\n")
        self.tally.searched = end.searched
        self.tally.seconds = end.elapsed_seconds

    def _write(self, text: str) -> None:
        with self.progress.hidden():
            self.output.write(text)
            self.output.flush()


def _encoded(line: Line) -> str:
    return json.dumps({"type": line.type, "data": line.data}) + "\n"


def stats(tally: Tally) -> str:
    """The counts of `--stats`, in ripgrep's words."""
    return (
        f"\n{tally.matches} matches\n{tally.lines} matched lines\n"
        f"{tally.files} files contained matches\n{tally.gists} gists contained matches\n"
        f"{tally.searched.gists} gists searched\n{tally.searched.files} files searched\n"
        f"{tally.searched.size_bytes} bytes searched\n{tally.seconds:.3f} seconds spent searching\n"
    )


def summary(tally: Tally) -> str:
    """What was searched, in one line for a person."""
    searched = tally.searched
    found = f"{tally.gists:,} {_plural(tally.gists, 'gist matches', 'gists match')}"
    if not tally.gists:
        found = "No gist matches"
    size = f"{searched.size_bytes / 1e6:,.1f} MB"
    gists = f"{searched.gists:,} {_plural(searched.gists, 'gist', 'gists')}"
    files = f"{searched.files:,} {_plural(searched.files, 'file', 'files')}"
    missing = f" {tally.missing:,} could not be searched." if tally.missing else ""
    return f"{found}. Searched {gists}, {files}, {size} in {tally.seconds:.1f} s.{missing}"


def _plural(number: int, one: str, many: str) -> str:
    return one if number == 1 else many
