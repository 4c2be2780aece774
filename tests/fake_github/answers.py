"""GitHub's answers to requests that fail, in its own words."""

from __future__ import annotations

import time
from typing import Any

from tests.fake_github.content import as_content
from tests.fake_github.message import Response, from_json, text

_DOCS = "https://docs.github.com/rest"


def error(status: int, message: str, **more: Any) -> Response:
    """An error of the API, as JSON."""
    value = {"message": message, "documentation_url": _DOCS, "status": str(status)} | more
    return from_json(status, value)


def not_found() -> Response:
    """An unknown user or gist."""
    return error(404, "Not Found")


def bad_credentials() -> Response:
    """An unknown token."""
    return error(401, "Bad credentials")


def blocked(status: int = 451) -> Response:
    """Content that GitHub took down (403 or 451)."""
    block = {"reason": "dmca", "created_at": "2024-01-01T00:00:00Z", "html_url": None}
    return error(status, "Repository access blocked", block=block)


def spammed() -> Response:
    """A request that GitHub refuses to process."""
    return error(422, "Validation Failed, or the endpoint has been spammed.")


def server_error(status: int = 502) -> Response:
    """The API's own failure, as JSON."""
    return error(status, "Server Error")


def unicorn(status: int = 502) -> Response:
    """An HTML page where JSON is expected."""
    page = as_content("<!DOCTYPE html><html><body><h1>Unicorn!</h1></body></html>\n")
    return Response(status, {"Content-Type": "text/html; charset=utf-8"}, page)


def primary_limit(status: int = 403, *, reset_in: float = 60, limit: int = 60) -> Response:
    """The primary limit is exceeded: `remaining: 0` and a reset in this many seconds."""
    headers = {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Used": str(limit),
        "X-RateLimit-Reset": str(int(time.time() + reset_in)),
        "X-RateLimit-Resource": "core",
    }
    body = error(status, "API rate limit exceeded for 127.0.0.1.")
    return Response(status, {**body.headers, **headers}, body.body)


def secondary_limit(status: int = 403, *, retry_after: str | None = "60") -> Response:
    """The secondary limit is exceeded: no rate headers; `Retry-After` may be missing."""
    body = error(status, "You have exceeded a secondary rate limit. Please wait a few minutes.")
    after = {} if retry_after is None else {"Retry-After": retry_after}
    return Response(status, {**body.headers, **after}, body.body)


def raw_limit(retry_after: str | None = None) -> Response:
    """The unpublished limit of the raw host (and of git): 429 with a text body."""
    after = {} if retry_after is None else {"retry_after": retry_after}
    return text(429, "Too many requests. Please wait before trying again.\n", **after)


def raw_not_found() -> Response:
    """The raw host's answer for a deleted file."""
    return text(404, "404: Not Found")


def too_big() -> Response:
    """The raw host's refusal of a large file."""
    return text(403, "Sorry, this file is too big to show.\n")


def redirect(location: str, status: int = 302) -> Response:
    """A redirect; to the request's own path for a loop."""
    return text(status, "", location=location)
