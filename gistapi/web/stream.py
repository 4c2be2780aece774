"""The answer as a stream of JSON lines, each sent as soon as it is known."""

from __future__ import annotations

from collections.abc import Iterator

from gistapi.models import Match, Query, SearchEvent
from gistapi.search.report import line
from gistapi.web.problems import explain, problem_of
from gistapi.web.responses import json_line, json_parts

MANY_HITS = 32
"""From here on a match is made into text part by part: 1,000 with context take 100 ms."""


def lines(
    query: Query, first: SearchEvent, events: Iterator[SearchEvent], request_id: str
) -> Iterator[bytes]:
    """Each event as one line. A failure is the last line: the status has been sent."""
    yield from _line(query, first)
    try:
        for event in events:
            yield from _line(query, event)
    except Exception as error:  # noqa: BLE001 - the caller has to see that the search failed
        yield json_line({"type": "error", "data": problem_of(error, request_id).body(request_id)})


def _line(query: Query, event: SearchEvent) -> Iterator[bytes]:
    shape = line(query, event, explain)
    if isinstance(event, Match) and sum(len(found.hits) for found in event.files) >= MANY_HITS:
        yield from json_parts(shape)
    else:
        yield json_line(shape)
