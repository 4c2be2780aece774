"""The answers as JSON has them: a plain answer, or the lines of a stream.

The shapes are types, so that what is built here is what the description at /openapi.json promises.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC
from typing import Annotated, Literal, NotRequired
from urllib.parse import quote

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from gistapi.models import Begin, End, Incomplete, Match, Progress, Query, SearchEvent

Status = Literal["success", "partial"]
REASONS = (
    "file_unavailable",
    "content_mismatch",
    "file_too_large",
    "host_not_allowed",
    "language_unknown",
    "pattern_timeout",
    "listing_unavailable",
    "stale_listing",
    "deadline",
    "github_rate_limited",
    "byte_quota",
    "search_too_large",
    "shutting_down",
)
ErrorCode = Literal[
    "invalid_request",
    "invalid_pattern",
    "invalid_cursor",
    "unauthorized",
    "forbidden",
    "captcha_required",
    "user_not_found",
    "not_found",
    "method_not_allowed",
    "request_too_large",
    "unsupported_media_type",
    "range_not_satisfiable",
    "rate_limited",
    "byte_quota_exceeded",
    "internal_error",
    "github_error",
    "github_rate_limited",
    "overloaded",
    "github_timeout",
]
GistUrl = Annotated[str, Field(description="The gist's address, as GitHub gave it.")]
Count = Annotated[int, Field(ge=0)]
Cursor = Annotated[
    str,
    Field(description="The search goes on: send the same query with this as its `cursor`."),
]


class Detail(TypedDict):
    """Where a gist matched first, in one of its files."""

    gist: GistUrl
    description: str | None
    updated_at: Annotated[str, Field(json_schema_extra={"format": "date-time"})]
    file: Annotated[str, Field(description="The file's name.")]
    language: Annotated[str | None, Field(description="As GitHub names it.")]
    line: Annotated[int, Field(ge=1, description="Counted from 1.")]
    column: Annotated[int, Field(ge=1, description="Counted from 1, in characters.")]
    text: Annotated[
        str,
        Field(
            max_length=300,
            description="The line on which the match begins, cut to 300 characters around it.",
        ),
    ]
    url: Annotated[str, Field(description="Leads to that line.")]


class IncompleteEntry(TypedDict):
    """What could not be searched, and why."""

    gist: Annotated[str | None, Field(description="null: the search as a whole.")]
    file: str | None
    reason: Annotated[str, Field(json_schema_extra={"enum": list(REASONS)})]
    message: str


class SearchAnswer(TypedDict):
    """The plain answer. Without the last three keys, all was searched."""

    status: Annotated[Status, Field(description="`partial`: see `incomplete`.")]
    username: Annotated[str, Field(description="As sent.")]
    pattern: Annotated[str, Field(description="As sent.")]
    matches: Annotated[list[GistUrl], Field(description="Each once; newest created first.")]
    details: NotRequired[
        Annotated[list[Detail], Field(description="When asked for; in the order of `matches`.")]
    ]
    incomplete: NotRequired[list[IncompleteEntry]]
    next: NotRequired[Cursor]


class FieldError(TypedDict):
    """What is wrong with one field."""

    field: str
    message: str
    position: NotRequired[
        Annotated[int, Field(ge=0, description="0-based offset in `pattern` as it was sent.")]
    ]


class ErrorAnswer(TypedDict):
    """Every error has this shape."""

    status: Literal["error"]
    code: ErrorCode
    message: str
    errors: NotRequired[list[FieldError]]
    request_id: Annotated[str, Field(description="That of the X-Request-ID header.")]


class BeginData(TypedDict):
    """The first page of the listing has come."""

    username: str
    pattern: str


class ProgressData(TypedDict):
    """How far the search is."""

    gists_done: Count
    gists_total: Annotated[Count | None, Field(description="null until it is known.")]
    files_done: Count
    bytes_done: Count


class EndData(TypedDict):
    """The search is over."""

    status: Status
    matches: Annotated[int, Field(ge=0, description="How many were sent.")]
    next: NotRequired[Cursor]
    elapsed_seconds: float


class BeginLine(TypedDict):
    """Always first."""

    type: Literal["begin"]
    data: BeginData


class MatchLine(TypedDict):
    """A gist matches; never taken back."""

    type: Literal["match"]
    data: Detail


class ProgressLine(TypedDict):
    """At least every second."""

    type: Literal["progress"]
    data: ProgressData


class IncompleteLine(TypedDict):
    """Something could not be searched."""

    type: Literal["incomplete"]
    data: IncompleteEntry


class EndLine(TypedDict):
    """The last line of a search that ended."""

    type: Literal["end"]
    data: EndData


class ErrorLine(TypedDict):
    """The last line of a search that failed after its first."""

    type: Literal["error"]
    data: ErrorAnswer


Line = BeginLine | MatchLine | ProgressLine | IncompleteLine | EndLine | ErrorLine


def plain_answer(query: Query, events: Iterable[SearchEvent], *, details: bool) -> SearchAnswer:
    """The answer as one JSON object, its keys in the contract's order."""
    matches: list[Match] = []
    gaps: list[Incomplete] = []
    end: End | None = None
    for event in events:
        match event:
            case Match():
                matches.append(event)
            case Incomplete():
                gaps.append(event)
            case End():
                end = event
    # A gist that only a second look at the listing showed is told late.
    matches.sort(key=lambda found: found.gist.created_at, reverse=True)
    answer: SearchAnswer = {
        "status": "partial" if end is None or end.partial else "success",
        "username": query.username,
        "pattern": query.pattern,
        "matches": [found.gist.html_url for found in matches],
    }
    if details:
        answer["details"] = [_detail(found) for found in matches]
    if gaps:
        answer["incomplete"] = [_incomplete(gap) for gap in gaps]
    if end is not None and end.next is not None:
        answer["next"] = end.next
    return answer


def line(query: Query, event: SearchEvent) -> Line:
    """One event as an object of the stream."""
    match event:
        case Begin():
            return {
                "type": "begin",
                "data": {"username": query.username, "pattern": query.pattern},
            }
        case Match():
            return {"type": "match", "data": _detail(event)}
        case Incomplete():
            return {"type": "incomplete", "data": _incomplete(event)}
        case Progress():
            return {"type": "progress", "data": _progress(event)}
        case End():
            return {"type": "end", "data": _end(event)}


def _detail(match: Match) -> Detail:
    gist, file, hit = match.gist, match.file, match.hit
    return {
        "gist": gist.html_url,
        "description": gist.description,
        "updated_at": gist.updated_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "file": file.name,
        "language": file.language,
        "line": hit.line,
        "column": hit.column,
        "text": hit.text,
        "url": f"{gist.html_url}#file-{_slug(file.name)}-L{hit.line}",
    }


def _incomplete(gap: Incomplete) -> IncompleteEntry:
    return {
        "gist": gap.gist,
        "file": gap.file,
        "reason": gap.reason,
        "message": gap.message,
    }


def _progress(progress: Progress) -> ProgressData:
    return {
        "gists_done": progress.gists_done,
        "gists_total": progress.gists_total,
        "files_done": progress.files_done,
        "bytes_done": progress.bytes_done,
    }


def _slug(name: str) -> str:
    # As public pages have it, seen in what GitHub embeds elsewhere: `.gitconfig` is `gitconfig`.
    return quote(re.sub(r"\W+", "-", name.lower()).strip("-"))


def _end(end: End) -> EndData:
    data: EndData = {
        "status": "partial" if end.partial else "success",
        "matches": end.matches,
        "elapsed_seconds": round(end.elapsed_seconds, 3),
    }
    if end.next is not None:
        data["next"] = end.next
    return data
