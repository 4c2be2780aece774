"""What GitHub's answers say, read from headers and bodies alone: no I/O, no clock.

https://docs.github.com/en/rest/gists/gists#list-gists-for-a-user
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Literal

from requests.utils import parse_header_links

from gistapi.errors import GithubError
from gistapi.models import Gist, GistFile

Headers = Mapping[str, str]
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}

BLOB_SHA = re.compile(r"/raw/([0-9a-fA-F]{40})(?:/|$)")
LIMITED = re.compile(r"rate limit|abuse detection|too many requests", re.IGNORECASE)
MAX_MESSAGE = 300
WINDOW_SECONDS = 3600.0
"""GitHub's limits are by the hour: a wait beyond that is not believed."""
MAX_DIGITS = 18
"""Of a number in a header; a larger one has no meaning here."""
ANONYMOUS_LIMIT = 60
"""Requests an hour without a token."""


@dataclass(frozen=True, slots=True)
class Limit:
    """GitHub asks for a wait: `wait_seconds` is None where it doesn't say how long.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """

    kind: Literal["primary", "secondary"]
    wait_seconds: float | None


@dataclass(frozen=True, slots=True)
class Budget:
    """The primary limit's state, as every answer of the API names it.

    `limit` and `remaining` are at least 0, `reset_seconds` is within WINDOW_SECONDS from now.
    """

    limit: int
    remaining: int
    reset_seconds: float


def parse_page(body: bytes) -> tuple[tuple[Gist, ...], int]:
    """The public gists of one page of a listing, and how many entries could not be understood.

    Raises GithubError where the body is no JSON array.
    """
    try:
        entries = json.loads(body)
    except (ValueError, RecursionError):
        raise GithubError("GitHub answered something that is not JSON.") from None
    if not isinstance(entries, list):
        raise GithubError("GitHub answered something that is not a list of gists.")
    public = [e for e in entries if isinstance(e, dict) and e.get("public") is True]
    gists = tuple(gist for entry in public if (gist := parse_gist(entry)) is not None)
    return gists, len(public) - len(gists)


def parse_gist(entry: Mapping[str, Any]) -> Gist | None:
    """One entry of a listing; None without an address to name it by.

    A missing `created_at` is as late as can be: `stored.in_order` sets it to its neighbour's.
    A gist listed without its files counts as truncated: git knows them all.
    """
    html_url = _text(entry.get("html_url"))
    if html_url is None:
        return None
    created_at = _time(entry.get("created_at")) or datetime.max.replace(tzinfo=UTC)
    description = entry.get("description")
    files = entry.get("files")
    return Gist(
        id=_text(entry.get("id")) or html_url.rsplit("/", 1)[-1],
        html_url=html_url,
        description=description if isinstance(description, str) else None,
        created_at=created_at,
        updated_at=_time(entry.get("updated_at")) or created_at,
        files=tuple(_files(files)) if isinstance(files, dict) else (),
        truncated=entry.get("truncated") is True or not isinstance(files, dict),
        git_pull_url=_text(entry.get("git_pull_url")),
    )


def _files(files: Mapping[str, Any]) -> list[GistFile]:
    found = []
    for name, file in files.items():
        about = file if isinstance(file, dict) else {}
        raw_url = _text(about.get("raw_url"))
        size = about.get("size")
        sha = BLOB_SHA.search(raw_url) if raw_url else None
        found.append(
            GistFile(
                name=_text(about.get("filename")) or name,
                raw_url=raw_url,
                size_bytes=size if type(size) is int and size >= 0 else None,
                language=_text(about.get("language")),
                blob_sha=sha[1].lower() if sha else None,
            )
        )
    return found


def next_url(headers: Headers) -> str | None:
    """The address of the next page, as it stands in `Link` (RFC 8288)."""
    for link in parse_header_links(headers.get("Link", "")):
        if "next" in link.get("rel", "").lower().split():
            return link.get("url")
    return None


def budget(headers: Headers, now: float) -> Budget | None:
    """What is left of the primary limit; `now` in epoch seconds stands in for a missing `Date`.

    `reset` is in GitHub's time, so it is measured against GitHub's own clock. None where a field
    is missing or no number in range.
    """
    remaining = _count(headers.get("X-RateLimit-Remaining"))
    reset = _count(headers.get("X-RateLimit-Reset"))
    if remaining is None or reset is None:
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
    told = wait is not None or status == HTTPStatus.TOO_MANY_REQUESTS
    if not told and not LIMITED.search(body.decode("utf-8", "replace")):
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
    """GitHub's own words about a failure, in one short line without control characters."""
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


def _time(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _date(headers: Headers, now: float) -> float:
    date = _http_date(headers.get("Date", ""))
    return now if date is None else date


def _http_date(value: str) -> float | None:
    try:
        when = parsedate_to_datetime(value)
        return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
