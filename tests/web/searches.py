"""A searcher that yields given events, and records the queries."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder, TestResponse, run_wsgi_app

from gistapi.aio.scope import UsageMeter
from gistapi.models import Begin, End, FileMatch, Gist, GistFile, Hit, Match, Query, SearchEvent
from gistapi.web import create_web

SEARCH = "/api/v1/search"
NDJSON = {"Accept": "application/x-ndjson"}
PROBLEM = {"Accept": "application/problem+json"}


def match(number: int, name: str = "a.py", line: int = 1) -> Match:
    """A gist that matches on one line of one file."""
    when = datetime(2024, 5, number, 6, 7, 8, tzinfo=UTC)
    file = GistFile(name, None, 3, "Python", None)
    url = f"https://gist.github.com/{number}"
    gist = Gist(str(number), url, "words", when, when, (file,), truncated=False, git_pull_url=None)
    hit = Hit(line, 1, line, 16, "import requests", 0, 15, cut=False)
    return Match(gist, (FileMatch(file, (hit,), more=False),), number=-number)


def end(matches: int = 0, *, partial: bool = False, following: str | None = None) -> End:
    """The end of a search."""
    return End(partial, matches, following, 0.25)


@dataclass
class Searches:
    """Each search yields `events` in order; an exception among them is raised in its place."""

    events: list[SearchEvent | BaseException] = field(default_factory=lambda: [Begin(), end()])
    refusal: Exception | None = None
    asked: list[Query] = field(default_factory=list)
    meters: list[UsageMeter] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)
    kept: list[bool] = field(default_factory=list)
    closed: int = 0

    def search(
        self,
        query: Query,
        *,
        meter: UsageMeter,
        caller: str,
        caller_token: str | None = None,
        kept: bool = True,
    ) -> Generator[SearchEvent]:
        """Refuse at once, or return the events."""
        self.callers.append(caller)
        self.kept.append(kept)
        self.meters.append(meter)
        self.tokens.append(caller_token)
        self.asked.append(query)
        if self.refusal is not None:
            raise self.refusal
        return self._events()

    def _events(self) -> Generator[SearchEvent]:
        try:
            for event in self.events:
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            self.closed += 1

    def client(self) -> FlaskClient:
        """A client of a web application with this searcher."""
        return create_web(self).test_client()

    def post(
        self, *, headers: dict[str, str] | None = None, buffered: bool = False, **body: object
    ) -> TestResponse:
        """Send a search; `username` and `pattern` have defaults."""
        full = {"username": "octocat", "pattern": "import requests"} | body
        return self.client().post(SEARCH, json=full, headers=headers, buffered=buffered)


class Stream:
    """A body of unknown length that yields at most 1,000 bytes at a time."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def read(self, size: int) -> bytes:
        """Return the next piece; nothing at the end."""
        size = min(1000, size)
        piece, self._body = self._body[:size], self._body[size:]
        return piece


def post_stream(app: Flask, stream: Stream, address: str = "") -> tuple[str, bytes]:
    """Post a JSON body as a server does that decodes chunks; returns status and answer."""
    environ = EnvironBuilder(SEARCH, method="POST", content_type="application/json").get_environ()
    environ |= {"wsgi.input": stream, "wsgi.input_terminated": True, "REMOTE_ADDR": address}
    chunks, status, _ = run_wsgi_app(app, environ, buffered=True)
    return status, b"".join(chunks)
