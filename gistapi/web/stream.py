"""The answer as a stream of JSON lines, each sent as soon as it is known."""

from __future__ import annotations

from collections.abc import Iterator

from gistapi.models import Query, SearchEvent
from gistapi.search.report import line
from gistapi.web.problems import explain, problem_of
from gistapi.web.responses import json_line, json_parts


def lines(
    query: Query, first: SearchEvent, events: Iterator[SearchEvent], request_id: str
) -> Iterator[bytes]:
    """Each event as one line. A failure is the last line: the status has been sent."""
    yield from json_parts(line(query, first, explain, whole=False))
    try:
        for event in events:
            yield from json_parts(line(query, event, explain, whole=False))
            del event  # which has been sent, and is not counted any more
    except Exception as error:  # noqa: BLE001 - the caller has to see that the search failed
        yield json_line({"type": "error", "data": problem_of(error, request_id).body(request_id)})
