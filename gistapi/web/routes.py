"""The routes of the API."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from typing import Protocol

from flask import Blueprint, Response, g, request
from structlog.contextvars import bind_contextvars
from werkzeug.exceptions import NotFound

from gistapi.aio.scope import UsageMeter
from gistapi.errors import CancelledError
from gistapi.events import NotSearched, Observer
from gistapi.models import End, Incomplete, Query, SearchEvent
from gistapi.search.report import plain_answer
from gistapi.web import atom, csv_answer
from gistapi.web.error_table import InvalidRequestError
from gistapi.web.parsing import parse_body, parse_parameters
from gistapi.web.problems import explain
from gistapi.web.protection.body_limits import receive
from gistapi.web.protection.guard import Guard
from gistapi.web.protection.headers import request_id
from gistapi.web.protection.rate_limits import meter
from gistapi.web.responses import (
    ATOM,
    CSV,
    JSON,
    NDJSON,
    json_line,
    json_parts,
    json_response,
    named,
)
from gistapi.web.schema import SearchRequest
from gistapi.web.stream import lines

SEARCH = "/api/v1/search"
TOKEN_HEADER = "X-GitHub-Token"  # noqa: S105 - the name of a header
_TOKEN = re.compile(r"[!-~]{1,255}")


class Events(Iterator[SearchEvent], Protocol):
    """The events of one running search."""

    def close(self) -> None:
        """Stop the search and its downloads."""
        ...


class Searches(Protocol):
    """The part of `gistapi.search.Searcher` that the routes use."""

    def search(
        self,
        query: Query,
        *,
        meter: UsageMeter,
        caller: str,
        caller_token: str | None = None,
        kept: bool = True,
    ) -> Events:
        """Begin a search; see `gistapi.search.Searcher.search`."""
        ...


def routes(
    searcher: Searches, guard: Guard, *, observe: Observer, caller_tokens: bool
) -> Blueprint:
    """The routes, which search by this searcher for callers that the guard admits."""
    blueprint = Blueprint("gistapi", __name__)
    api = _Api(searcher, guard, observe, caller_tokens=caller_tokens)

    @blueprint.get("/ping")
    def ping() -> Response:
        return Response("pong", mimetype="text/plain")

    @blueprint.get("/api/v1/captcha")
    def captcha() -> Response:
        if guard.captcha is None:
            raise NotFound
        return json_response(guard.captcha.challenge())

    blueprint.add_url_rule(SEARCH, view_func=api.search, methods=["GET", "POST", "QUERY"])
    blueprint.add_url_rule(f"{SEARCH}.atom", view_func=api.feed)
    blueprint.after_app_request(_accept_query)
    return blueprint


class _Api:
    """The searches of one application."""

    def __init__(
        self, searcher: Searches, guard: Guard, observe: Observer, *, caller_tokens: bool
    ) -> None:
        self._searcher = searcher
        self._guard = guard
        self._observe = observe
        self._caller_tokens = caller_tokens

    def search(self) -> Response:
        """Answer a search in the form that `Accept` names."""
        body = receive()
        recheck = self._guard.admit()
        request.environ["gistapi.hold"] = True
        if request.method in {"GET", "HEAD"}:
            form = parse_parameters(request.args)
        else:
            form = parse_body(body.json())
        events = self._begin(form)
        watched = self._watched(events, recheck)
        if named(NDJSON):
            response = _stream(form.query(), events, watched)
        else:
            response = _plain(form, events, watched)
        response.vary.add("Accept")
        return response

    def feed(self) -> Response:
        """Answer a search as an Atom feed, or 304 if it has not changed."""
        recheck = self._guard.admit()
        form = parse_parameters(request.args)
        events = self._begin(form)
        with _until_sent(events) as until_sent:
            found = atom.collect(self._watched(events, recheck))
            response = Response(atom.feed(form.query(), found, request.url), mimetype=ATOM)
            response.headers["Cache-Control"] = "no-cache"
            response.set_etag(atom.tag(found))
            response.automatically_set_content_length = False  # which would make all of it now
            response.make_conditional(request)
            return until_sent(response)

    def _begin(self, form: SearchRequest) -> Events:
        token = _token(form, accepted=self._caller_tokens)
        query = form.query()
        # These forms show where each gist matched.
        if named(NDJSON) or named(CSV) or request.path != SEARCH:
            query = replace(query, details=True)
        kept = request.path != SEARCH or not named(NDJSON)  # a stream sends them one by one
        return self._searcher.search(
            query, meter=meter(), caller=g.caller, caller_token=token, kept=kept
        )

    def _watched(self, events: Events, recheck: Callable[[], None]) -> Iterator[SearchEvent]:
        """Yield the events while the client is connected and its key is valid.

        The first has to be read before the view returns. Raises CancelledError and
        UnauthorizedError.
        """
        left: Callable[[], bool] = request.environ.get("gistapi.client_left", _never)
        for event in events:
            if left():
                raise CancelledError("The client has left.")
            recheck()
            if isinstance(event, Incomplete):
                self._observe(NotSearched(event.reason))
            elif isinstance(event, End):
                _bind_outcome(event)
            yield event
            del event  # nothing may hold it beside its reader


def _bind_outcome(end: End) -> None:
    """Add the outcome of the search to the later log lines of its request."""
    bind_contextvars(
        outcome="partial" if end.partial else "success",
        gists=end.searched.gists,
        files=end.searched.files,
        size_bytes=end.searched.size_bytes,
        matches=end.matches,
    )


def _never() -> bool:
    """Servers other than `gistapi.web.server` do not report disconnects."""
    return False


def _token(form: SearchRequest, *, accepted: bool) -> str | None:
    """The caller's own GitHub token. Raises InvalidRequestError."""
    token = request.headers.get(TOKEN_HEADER, "").strip()
    if token and not accepted:
        raise InvalidRequestError(
            f"This service takes no GitHub tokens of callers: leave {TOKEN_HEADER} out."
        )
    if token and not _TOKEN.fullmatch(token):
        raise InvalidRequestError(f"{TOKEN_HEADER} does not hold a GitHub token.")
    if form.needs_token and not token:
        hint = f"Send it in {TOKEN_HEADER}." if accepted else "This service takes none."
        raise InvalidRequestError(f"`mine` and `starred` need your own GitHub token. {hint}")
    return token or None


def _plain(form: SearchRequest, events: Events, watched: Iterator[SearchEvent]) -> Response:
    csv = named(CSV)
    details = form.wants_details or csv
    with _until_sent(events) as until_sent:
        answer = plain_answer(form.query(), watched, details=details, explain=explain)
        if csv:
            return until_sent(csv_answer.response(answer))
        # A large answer as one string and its bytes would take several times its memory.
        parts = json_parts(answer) if details else json_line(answer)
        return until_sent(Response(parts, mimetype=JSON))


def _stream(query: Query, events: Events, watched: Iterator[SearchEvent]) -> Response:
    with _until_sent(events) as until_sent:
        first = next(watched)  # an error up to here has an HTTP status
        response = Response(lines(query, first, watched, request_id()), mimetype=NDJSON)
        response.headers["X-Accel-Buffering"] = "no"
        return until_sent(response)


@contextmanager
def _until_sent(events: Events) -> Iterator[Callable[[Response], Response]]:
    """Close the events with the response that is passed on, or at once if there is none.

    Not left to a body's generator: it never runs if the client disconnects before the first line.
    """

    def until_sent(response: Response) -> Response:
        response.call_on_close(events.close)
        return response

    try:
        yield until_sent
    except BaseException:
        events.close()
        raise


def _accept_query(response: Response) -> Response:
    """Name the media type that QUERY accepts (RFC 10008)."""
    refused = response.status_code == HTTPStatus.METHOD_NOT_ALLOWED
    if request.path == SEARCH and (request.method == "OPTIONS" or refused):
        response.headers["Accept-Query"] = JSON
    return response
