"""The answer as a stream of JSON lines, each sent as soon as it is known."""

from __future__ import annotations

import json
from collections.abc import Iterator

from gistapi.models import Query, SearchEvent
from gistapi.search.report import Line, line
from gistapi.web.problems import problem_of

NDJSON = "application/x-ndjson"


def lines(
    query: Query, first: SearchEvent, events: Iterator[SearchEvent], request_id: str
) -> Iterator[bytes]:
    """Each event as one line; a failure is the last of them, for the status is already sent."""
    yield _encode(line(query, first))
    try:
        for event in events:
            yield _encode(line(query, event))
    except Exception as error:  # noqa: BLE001 - whatever it is, the caller has to see that it ended
        yield _encode({"type": "error", "data": problem_of(error, request_id).body(request_id)})


def _encode(value: Line) -> bytes:
    return json.dumps(value).encode() + b"\n"
