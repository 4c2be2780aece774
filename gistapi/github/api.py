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
from typing import Any, Literal

from requests.utils import parse_header_links

from gistapi.errors import GithubError
from gistapi.models import Gist, GistFile

Headers = Mapping[str, str]

BLOB_SHA = re.compile(r"/raw/([0-9a-fA-F]{40})(?:/|$)")
SECONDARY_LIMIT = re.compile(
    r"secondary rate limit|abuse detection|too many requests", re.IGNORECASE
)
MAX_MESSAGE = 300


@dataclass(frozen=True, slots=True)
class Limit:
    """GitHub asks for a wait: `wait_seconds` is None where it doesn't say how long.

    https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """

    kind: Literal["primary", "secondary"]
    wait_seconds: float | None


@dataclass(frozen=True, slots=True)
class Budget:
    """The primary limit's state, as every answer of the API tells it."""

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
    """
    html_url = _text(entry.get("html_url"))
    if html_url is None:
        return None
    created_at = _time(entry.get("created_at")) or datetime.max.replace(tzinfo=UTC)
    files = entry.get("files")
    return Gist(
        id=_text(entry.get("id")) or html_url.rsplit("/", 1)[-1],
        html_url=html_url,
        description=_text(entry.get("description")),
        created_at=created_at,
        updated_at=_time(entry.get("updated_at")) or created_at,
        files=tuple(_files(files)) if isinstance(files, dict) else (),
        truncated=entry.get("truncated") is True,
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
        if link.get("rel") == "next":
            return link.get("url")
    return None


def budget(headers: Headers, now: float) -> Budget | None:
    """What is left of the primary limit; `now` in epoch seconds stands in for a missing `Date`.

    `reset` is told in GitHub's time, so it is measured against GitHub's own clock.
    """
    try:
        limit = int(headers["X-RateLimit-Limit"])
        remaining = int(headers["X-RateLimit-Remaining"])
        reset = int(headers["X-RateLimit-Reset"])
    except (KeyError, ValueError):
        return None
    return Budget(limit, remaining, max(0.0, reset - _date(headers, now)))


def limit(status: int, headers: Headers, body: bytes, now: float) -> Limit | None:
    """Whether this answer asks for a wait, and for how long; None when it is something else."""
    if status not in {403, 429}:
        return None
    left = budget(headers, now)
    spent = left is not None and left.remaining == 0
    kind: Literal["primary", "secondary"] = "primary" if spent else "secondary"
    wait = retry_after(headers, now)
    if wait is not None:
        return Limit(kind, wait)
    if left is not None and spent:
        return Limit(kind, left.reset_seconds)
    text = body.decode("utf-8", "replace")
    if status == 429 or SECONDARY_LIMIT.search(text) or "rate limit" in text.lower():  # noqa: PLR2004
        return Limit(kind, None)
    return None


def retry_after(headers: Headers, now: float) -> float | None:
    """The seconds that `Retry-After` asks for, as a number or as a date (RFC 9110, 10.2.3)."""
    value = headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    when = _http_date(value)
    return None if when is None else max(0.0, when - _date(headers, now))


def error_message(status: int, headers: Headers, body: bytes) -> str:
    """GitHub's own words about a failure, in one short line without control characters."""
    said: Any = None
    if "json" in headers.get("Content-Type", ""):
        try:
            said = json.loads(body)
        except (ValueError, RecursionError):
            said = None
    words = said.get("message") if isinstance(said, dict) else None
    if isinstance(said, dict) and isinstance(said.get("block"), dict):
        words = f"{words} ({said['block'].get('reason')})"
    if not isinstance(words, str) or not words.strip():
        return f"GitHub answered {status}."
    line = " ".join("".join(c if c.isprintable() else " " for c in words).split())
    return f"GitHub answered {status}: {line[:MAX_MESSAGE]}"


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
        return parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
