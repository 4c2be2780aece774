"""The addresses of the service, each a few lines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Protocol

from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound, UnsupportedMediaType

from gistapi.models import Query, SearchEvent
from gistapi.search.report import plain_answer
from gistapi.web.protection.body_limits import BodyLimits
from gistapi.web.protection.guard import Guard
from gistapi.web.protection.headers import named, request_id
from gistapi.web.schema import parse
from gistapi.web.stream import NDJSON, lines


class Events(Iterator[SearchEvent], Protocol):
    """The events of one running search."""

    def close(self) -> None:
        """Stop the search, and its downloads with it."""
        ...


class Searches(Protocol):
    """What the routes need of a `gistapi.search.Searcher`."""

    def search(self, query: Query, *, in_order: bool) -> Events:
        """Begin a search; see `gistapi.search.Searcher.search`."""
        ...


def routes(searcher: Searches, guard: Guard) -> Blueprint:
    """The addresses, answered by this searcher to those whom this guard lets in."""
    blueprint = Blueprint("gistapi", __name__)
    bodies = BodyLimits()

    @blueprint.get("/ping")
    def ping() -> Response:
        return Response("pong", mimetype="text/plain")

    @blueprint.get("/api/v1/captcha")
    def captcha() -> dict[str, Any]:
        if guard.captcha is None:
            raise NotFound
        return guard.captcha.challenge()

    @blueprint.post("/api/v1/search")
    def search() -> Response:
        # The contract's order: 413, then who asks and how often (401, 403, 429), 415, 400.
        body = bodies.receive(guard.address)
        guard.admit()
        if request.mimetype != "application/json":
            raise UnsupportedMediaType
        form = parse(body)
        streamed = named(NDJSON)
        query = form.query()
        events = searcher.search(query, in_order=not streamed)
        response = (
            _stream(query, events) if streamed else _plain(query, events, details=form.details)
        )
        response.vary.add("Accept")
        return response

    return blueprint


def _plain(query: Query, events: Events, *, details: bool) -> Response:
    with closing(events):
        answer = plain_answer(query, events, details=details)
    return Response(json.dumps(answer), mimetype="application/json")


def _stream(query: Query, events: Events) -> Response:
    try:
        first = next(events)  # what fails before it still has an HTTP status
    except BaseException:
        events.close()
        raise
    response = Response(lines(query, first, events, request_id()), mimetype=NDJSON)
    # Not left to the generator: when the client has gone before its first line, it never runs.
    response.call_on_close(events.close)
    response.headers["X-Accel-Buffering"] = "no"
    return response
