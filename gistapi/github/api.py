"""Reads rate limits, links and errors from GitHub's answers. No I/O, no clock.

`entries` parses the bodies of lists.
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
LIMITS = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
SERVER_ERROR = HTTPStatus.INTERNAL_SERVER_ERROR
MAX_MESSAGE = 300
WINDOW_SECONDS = 3600.0
"""GitHub's limits are per hour, so that a longer wait is cut to this."""
MAX_DIGITS = 18
"""Digits that are read of a number in a header."""
ANONYMOUS_LIMIT = 60
"""Requests per hour without a token."""


@dataclass(frozen=True, slots=True)
class Links:
    """The URLs of the next and of the last page of a list; None where there is no such page."""

    next: str | None
    last: str | None


@dataclass(frozen=True, slots=True)
class Limit:
    """A rate limit that was exceeded. `wait_seconds` is None if GitHub does not say how long.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """

    kind: Literal["primary", "secondary"]
    wait_seconds: float | None


@dataclass(frozen=True, slots=True)
class Budget:
    """The state of the primary rate limit, which every answer of the API has in its headers.

    `limit` and `remaining` count requests and are at least 0; `reset_seconds` is the time until the
    reset, from 0 to WINDOW_SECONDS.
    """

    limit: int
    remaining: int
    reset_seconds: float


def links(headers: Headers) -> Links:
    """Return the URLs of the next and of the last page in `Link` (RFC 8288)."""
    found: dict[str, str | None] = {}
    for link in parse_header_links(headers.get("Link", "")):
        for relation in link.get("rel", "").lower().split():
            found.setdefault(relation, link.get("url"))
    return Links(found.get("next"), found.get("last"))


def date(headers: Headers) -> float | None:
    """Return the answer's `Date`, in epoch seconds by GitHub's clock; None without a valid one."""
    return _http_date(headers.get("Date", ""))


def budget(headers: Headers, now: float) -> Budget | None:
    """Return the state of the primary limit; None if a header is missing or not a valid number.

    `X-RateLimit-Reset` is in GitHub's time, so it is compared with `Date`; without `Date`, with
    `now`, in epoch seconds.
    """
    remaining = _count(headers.get("X-RateLimit-Remaining"))
    if remaining is None or (reset := _count(headers.get("X-RateLimit-Reset"))) is None:
        return None
    limit = _count(headers.get("X-RateLimit-Limit"))
    return Budget(
        limit=remaining if limit is None else limit,
        remaining=remaining,
        reset_seconds=_capped(reset - _date(headers, now)),
    )


def _count(value: str | None) -> int | None:
    """Return a header's number; None if it is not a number of at most MAX_DIGITS digits."""
    value = (value or "").strip()
    if not (value.isascii() and value.isdigit() and len(value) <= MAX_DIGITS):
        return None
    return int(value)


def _capped(seconds: float) -> float:
    return min(max(0.0, seconds), WINDOW_SECONDS)


def limit(status: int, headers: Headers, body: bytes, now: float) -> Limit | None:
    """Return the rate limit that an answer reports; None if it reports none."""
    if status not in LIMITS:
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
    """Return the wait in `Retry-After`, in seconds, at most WINDOW_SECONDS; None without one.

    The header has a number of seconds or a date (RFC 9110, 10.2.3).
    """
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return _capped(float(value[:MAX_DIGITS]))
    when = _http_date(value)
    return None if when is None else _capped(when - _date(headers, now))


def error_message(status: int, headers: Headers, body: bytes) -> str:
    """Return the status and GitHub's own message, as one short line without control characters."""
    words = _words(headers.get("Content-Type", ""), body)
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return f"GitHub answered {status}" + (f": {line[:MAX_MESSAGE]}" if line else ".")


def _words(content_type: str, body: bytes) -> str:
    if content_type.startswith("text/plain"):
        return body.decode("utf-8", "replace")
    if "json" not in content_type:
        return ""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(data, dict):
        return ""
    block = data.get("block")
    reason = _text(block.get("reason")) if isinstance(block, dict) else None
    return (_text(data.get("message")) or "") + (f" ({reason})" if reason else "")


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
