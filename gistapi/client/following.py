"""Joins several answers: a search that stopped at its deadline is continued by its cursor."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import asdict, replace

from gistapi.client.answers import (
    Begin,
    ClientError,
    End,
    Line,
    Match,
    TargetOutcome,
)
from gistapi.models import Incomplete, Progress, Searched

GOES_ON = frozenset({"deadline", "search_too_large", "too_many_matches"})
"""Reasons that end one answer but not the search."""
MAX_ANSWERS = 1_000
"""For one search: a service that always has a next cursor is broken or hostile."""

Ask = Callable[[str | None, int | None], Generator[Line]]
"""Requests one answer: from this cursor on, with this limit."""


def follow(ask: Ask, limit: int | None = None) -> Generator[Line]:
    """Yield the lines of all answers as if they were one; each gist's match is yielded once.

    Raises:
        ClientError: an answer broke off, or a cursor makes no progress.
    """
    whole = _Whole(limit)
    for _ in range(MAX_ANSWERS):
        lines = ask(whole.cursor, whole.remaining)
        try:
            yield from whole.lines(lines)
        finally:
            lines.close()
        if not whole.goes_on:
            yield from whole.ending()
            return
    raise ClientError(f"The search has not ended after {MAX_ANSWERS:,} answers.")


class _Whole:
    """The combined state of the answers so far."""

    def __init__(self, limit: int | None) -> None:
        self.cursor: str | None = None
        self._limit = limit
        self._found: set[str] = set()
        self._began = False
        self._partial = False
        self._stops: list[Line] = []
        self._targets: dict[tuple[str, str], Line] = {}
        self._searched = Searched()
        self._seconds = 0.0
        self._end: Line | None = None

    @property
    def remaining(self) -> int | None:
        """How many matches are still wanted."""
        return None if self._limit is None else self._limit - len(self._found)

    @property
    def goes_on(self) -> bool:
        """Whether the last answer ended before the search did."""
        return bool(self.cursor and self._stops) and self.remaining != 0

    def lines(self, answer: Generator[Line]) -> Generator[Line]:
        """Yield what one more answer adds."""
        self._stops, self._end = [], None
        found = len(self._found)
        for line in answer:
            if isinstance(line.event, End):
                self._take_end(line, line.event, found_before=found)
                return
            if self._is_new(line):
                yield self._moved(line)
        raise ClientError("The answer broke off before its end.")

    def _is_new(self, line: Line) -> bool:
        """Whether the line is to be passed on now."""
        match line.event:
            case Begin():
                began, self._began = self._began, True
                return not began
            case Match(gist=gist):
                new = gist not in self._found
                self._found.add(gist)
                return new
            case Incomplete(gist=None, reason=reason) if reason in GOES_ON:
                self._stops.append(line)
                return False
            case Incomplete():
                self._partial = True
            case TargetOutcome() as target:
                self._targets[target.kind, target.name] = self._added(line, target)
                return False
        return True

    def _take_end(self, line: Line, end: End, *, found_before: int) -> None:
        progress = len(self._found) > found_before or end.searched.gists > 0
        if self._stops and end.next is not None and (end.next == self.cursor or not progress):
            raise ClientError("The service's cursor makes no progress.")
        self.cursor, self._end = end.next, line
        done, more = self._searched, end.searched
        self._searched = Searched(
            done.gists + more.gists,
            done.files + more.files,
            done.size_bytes + more.size_bytes,
            max(done.listing_age_seconds, more.listing_age_seconds),
        )
        self._seconds += end.elapsed_seconds

    def _moved(self, line: Line) -> Line:
        """Count a later answer's progress from where the earlier ones ended."""
        done = self._searched
        if not isinstance(line.event, Progress) or done == Searched():
            return line
        far = line.event
        total = None if far.gists_total is None else far.gists_total + done.gists
        moved = Progress(
            far.gists_done + done.gists,
            total,
            far.files_done + done.files,
            far.bytes_done + done.size_bytes,
        )
        data = {name: getattr(moved, name) for name in line.data if hasattr(moved, name)}
        return Line(line.type, {**line.data, **data}, moved)

    def _added(self, line: Line, target: TargetOutcome) -> Line:
        """Add a target's outcome to that of earlier answers."""
        earlier = self._targets.get((target.kind, target.name))
        if earlier is None or not isinstance(earlier.event, TargetOutcome):
            return line
        gists = earlier.event.gists + target.gists
        matches = earlier.event.matches + target.matches
        data = {**line.data, "gists": gists, "matches": matches}
        return Line(line.type, data, replace(target, gists=gists, matches=matches))

    def ending(self) -> Generator[Line]:
        """Yield the last lines: what stopped the search, its targets and its end."""
        last = self._end
        assert last is not None, "an answer without an end raises"  # noqa: S101
        assert isinstance(last.event, End)  # noqa: S101
        if self.remaining != 0:
            yield from self._stops
            self._partial |= bool(self._stops)
        targets = self._targets.values()
        yield from targets
        self._partial |= any(line.data.get("status") != "success" for line in targets)
        end = End(
            "partial" if self._partial else "success",
            len(self._found),
            self._searched,
            last.event.next,
            round(self._seconds, 3),
        )
        data = {
            **last.data,
            "status": end.status,
            "matches": end.matches,
            "searched": asdict(end.searched),
            "elapsed_seconds": end.elapsed_seconds,
        }
        yield Line("end", data, end)
