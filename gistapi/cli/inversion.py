"""`-v`: the gists that were searched and do not match."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace

from gistapi.cli.backends import Backend
from gistapi.client import Begin, End, Match, follow
from gistapi.client.answers import Line
from gistapi.models import Flags, Incomplete, Query

ANYTHING = "(?:)"
"""Matches every file, so each gist with a file that the filters select."""


def inverted(
    backend: Backend, query: Query, keep: Callable[[Match], Match | None]
) -> Generator[Line]:
    """Yield a match for each gist that has wanted files and no match for the query's pattern.

    Two searches, which share the cache: one for all gists, one for the pattern. A match that `keep`
    drops does not count. A gist that could not be searched completely is reported and omitted.
    """
    everything = replace(
        query, pattern=ANYTHING, flags=Flags(), max_count=None, context=0, names=False, limit=None
    )
    first, second = _Outcome(), _Outcome()
    yield from first.take(follow(backend(everything)))
    yield from second.take(follow(backend(replace(query, limit=None))), begun=True)
    matched = {
        gist
        for gist, line in second.matches.items()
        if isinstance(line.event, Match) and keep(line.event) is not None
    }
    missing = {**first.missing, **second.missing}
    yield from (line for gist, line in missing.items() if gist not in matched)
    unmatched = [
        line for gist, line in first.matches.items() if gist not in matched and gist not in missing
    ]
    chosen = unmatched[: query.limit]
    yield from chosen
    last = second.end
    if last is not None and isinstance(last.event, End):
        data = {**last.data, "matches": len(chosen)}
        yield Line("end", data, replace(last.event, matches=len(chosen)))


@dataclass(slots=True)
class _Outcome:
    """What one of the searches found, by gist."""

    matches: dict[str, Line] = field(default_factory=dict)
    missing: dict[str | None, Line] = field(default_factory=dict)
    end: Line | None = None

    def take(self, lines: Generator[Line], *, begun: bool = False) -> Generator[Line]:
        """Collect matches and gaps; yield other lines, except for a second `begin`."""
        with closing(lines):
            for line in lines:
                match line.event:
                    case Match(gist=gist):
                        self.matches[gist] = line
                    case Incomplete(gist=missing):
                        self.missing[missing] = line
                    case End():
                        self.end = line
                    case Begin() if begun:
                        pass
                    case _:
                        yield line
