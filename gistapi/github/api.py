"""Reads limits, links and errors from GitHub's answers: no I/O, no clock.

`entries` reads the contents of lists.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Literal

from requests.utils import parse_header_links

Headers = Mapping[str, str]
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

LIMITED = re.compile(r"rate limit|abuse detection|too many requests", re.IGNORECASE)
MAX_MESSAGE = 300
WINDOW_SECONDS = 3600.0
"""GitHub's limits are by the hour: a wait beyond that is not believed."""
MAX_DIGITS = 18
"""Of a number in a header; a larger one has no meaning here."""
ANONYMOUS_LIMIT = 60
"""Requests an hour without a token."""


@dataclass(frozen=True, slots=True)
class Links:
    """The address of a page of a list; None if there is no such page."""

    next: str | None
    last: str | None


@dataclass(frozen=True, slots=True)
class Limit:
    """GitHub asks for a wait: `wait_seconds` is None where it doesn't say how long.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """

    kind: Literal["primary", "secondary"]
    wait_seconds: float | None


@dataclass(frozen=True, slots=True)
class Budget:
    """The primary limit's state, as in every answer of the API.

    `limit` and `remaining` are at least 0, `reset_seconds` is within WINDOW_SECONDS from now.
    """

    limit: int
    remaining: int
    reset_seconds: float


def links(headers: Headers) -> Links:
    """The addresses of the next and of the last page in `Link` (RFC 8288)."""
    found: dict[str, str | None] = {}
    for link in parse_header_links(headers.get("Link", "")):
        for relation in link.get("rel", "").lower().split():
            found.setdefault(relation, link.get("url"))
    return Links(found.get("next"), found.get("last"))


def date(headers: Headers) -> float | None:
    """When the answer was made, by GitHub's clock (epoch seconds)."""
    return _http_date(headers.get("Date", ""))


def budget(headers: Headers, now: float) -> Budget | None:
    """What is left of the primary limit; `now` in epoch seconds stands in for a missing `Date`.

    `reset` is in GitHub's time, so it is measured against GitHub's own clock. None where a field
    is missing or no number in range.
    """
    remaining = _count(headers.get("X-RateLimit-Remaining"))
    if remaining is None or (reset := _count(headers.get("X-RateLimit-Reset"))) is None:
        return None
    limit = _count(headers.get("X-RateLimit-Limit"))
    return Budget(
        limit=remaining if limit is None else limit,
        remaining=remaining,
        reset_seconds=_believed(reset - _date(headers, now)),
    )


def _count(value: str | None) -> int | None:
    """A number in a header, of at most MAX_DIGITS digits."""
    value = (value or "").strip()
    if not (value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS):
        return None
    return int(value)


def _believed(seconds: float) -> float:
    return min(max(0.0, seconds), WINDOW_SECONDS)


def limit(status: int, headers: Headers, body: bytes, now: float) -> Limit | None:
    """Whether this answer asks for a wait, and for how long; None when it is something else."""
    if status not in {HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}:
        return None
    left = budget(headers, now)
    reset = left.reset_seconds if left is not None and left.remaining <= 0 else None
    after = retry_after(headers, now)
    wait = reset if after is None else after
    explicit = wait is not None or status == HTTPStatus.TOO_MANY_REQUESTS
    if not explicit and not LIMITED.search(body.decode("utf-8", "replace")):
        return None
    return Limit("secondary" if reset is None else "primary", wait)


def retry_after(headers: Headers, now: float) -> float | None:
    """The seconds that `Retry-After` asks for, as a number or as a date (RFC 9110, 10.2.3).

    At most WINDOW_SECONDS.
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return _believed(float(value[:MAX_DIGITS]))
    when = _http_date(value)
    return None if when is None else _believed(when - _date(headers, now))


def error_message(status: int, headers: Headers, body: bytes) -> str:
    """GitHub's message about a failure, in one short line without control characters."""
    words = _words(headers.get("Content-Type", ""), body)
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return f"GitHub answered {status}" + (f": {line[:MAX_MESSAGE]}" if line else ".")


def _words(content_type: str, body: bytes) -> str:
    if content_type.startswith("text/plain"):
        return body.decode("utf-8", "replace")
    if "json" not in content_type:
        return ""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(said, dict):
        return ""
    block = said.get("block")
    reason = _text(block.get("reason")) if isinstance(block, dict) else None
    return (_text(said.get("message")) or "") + (f" ({reason})" if reason else "")


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _date(headers: Headers, now: float) -> float:
    sent_at = date(headers)
    return now if sent_at is None else sent_at


def _http_date(value: str) -> float | None:
    try:
        when = parsedate_to_datetime(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
