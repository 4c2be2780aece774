"""Builds the JSON of an answer: one object, or the lines of a stream.

/openapi.json is generated from the types in this module, so that it describes what is built here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict  # pydantic reads typing's own from Python 3.12 on only

from gistapi.models import (
    Begin,
    End,
    Incomplete,
    Match,
    Progress,
    Query,
    SearchEvent,
    TargetEnd,
)
from gistapi.search.details import Detail, GistUrl, LazyObjects, detail
from gistapi.search.summary import (
    Explain,
    SearchedData,
    TargetData,
    searched_data,
    target_data,
    unexplained,
)

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
    "too_many_matches",
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
Count = Annotated[int, Field(ge=0)]
Cursor = Annotated[
    str,
    Field(description="To continue the search, send the same query with this as its `cursor`."),
]


class IncompleteEntry(TypedDict):
    """What could not be searched, and why."""

    gist: Annotated[str | None, Field(description="null for the search as a whole.")]
    file: str | None
    reason: Annotated[str, Field(json_schema_extra={"enum": list(REASONS)})]
    message: str


class SearchAnswer(TypedDict):
    """The plain answer. Without `incomplete` and `next`, everything was searched."""

    status: Annotated[Status, Field(description="`partial`: see `incomplete`.")]
    username: NotRequired[Annotated[str, Field(description="As sent; absent if it was not.")]]
    pattern: Annotated[str, Field(description="As sent.")]
    matches: Annotated[list[GistUrl], Field(description="Each once, newest created first.")]
    details: NotRequired[
        Annotated[list[Detail], Field(description="On request; in the order of `matches`.")]
    ]
    searched: NotRequired[Annotated[SearchedData, Field(description="With `details`.")]]
    targets: NotRequired[
        Annotated[list[TargetData], Field(description="Unless `username` alone was sent.")]
    ]
    incomplete: NotRequired[list[IncompleteEntry]]
    next: NotRequired[Cursor]


class FieldError(TypedDict):
    """What is wrong with one field."""

    field: str
    message: str
    position: NotRequired[
        Annotated[int, Field(ge=0, description="Offset in `pattern` as sent, from 0.")]
    ]


class ErrorAnswer(TypedDict):
    """The answer to a request that failed, whatever the error is."""

    status: Literal["error"]
    code: ErrorCode
    message: str
    errors: NotRequired[list[FieldError]]
    request_id: Annotated[str, Field(description="As in the X-Request-ID header.")]


class BeginData(TypedDict):
    """The first page of the listing has arrived, or GitHub has not answered for two seconds."""

    username: NotRequired[str]
    pattern: str


class ProgressData(TypedDict):
    """How far the search has got."""

    gists_done: Count
    gists_total: Annotated[Count | None, Field(description="null until it is known.")]
    files_done: Count
    bytes_done: Count


class EndData(TypedDict):
    """The search has ended."""

    status: Status
    matches: Annotated[int, Field(ge=0, description="Number of gists that were sent.")]
    searched: SearchedData
    next: NotRequired[Cursor]
    elapsed_seconds: float


class BeginLine(TypedDict):
    """The first line."""

    type: Literal["begin"]
    data: BeginData


class MatchLine(TypedDict):
    """A gist that matches. It is never withdrawn."""

    type: Literal["match"]
    data: Detail


class ProgressLine(TypedDict):
    """Sent at least once a second."""

    type: Literal["progress"]
    data: ProgressData


class IncompleteLine(TypedDict):
    """Something could not be searched."""

    type: Literal["incomplete"]
    data: IncompleteEntry


class TargetLine(TypedDict):
    """One of several targets was searched, or failed."""

    type: Literal["target"]
    data: TargetData


class EndLine(TypedDict):
    """The last line of a search that ended."""

    type: Literal["end"]
    data: EndData


class ErrorLine(TypedDict):
    """The last line of a search that failed after its first line."""

    type: Literal["error"]
    data: ErrorAnswer


Line = BeginLine | MatchLine | ProgressLine | IncompleteLine | TargetLine | EndLine | ErrorLine


def plain_answer(
    query: Query,
    events: Iterable[SearchEvent],
    *,
    details: bool,
    explain: Explain = unexplained,
) -> SearchAnswer:
    """Return the plain answer, with its keys in the contract's order."""
    kinds: dict[type, list[Any]] = {}
    for event in events:
        kinds.setdefault(type(event), []).append(event)
    matches: list[Match] = sorted(kinds.get(Match, ()), key=lambda found: found.number)
    end: End | None = next(iter(kinds.get(End, ())), None)
    answer: SearchAnswer = {
        "status": "partial" if end is None or end.partial else "success",
        "pattern": query.pattern,
        "matches": [found.gist.html_url for found in matches],
    }
    if query.username is not None:
        answer = {"status": answer["status"], "username": query.username, **answer}
    if details:
        make = partial(detail, context=query.context > 0, whole=False)
        answer["details"] = LazyObjects(matches, make)  # type: ignore[typeddict-item]
    if details and end is not None:
        answer["searched"] = searched_data(end.searched)
    if TargetEnd in kinds:
        answer["targets"] = [target_data(ended, explain) for ended in kinds[TargetEnd]]
    if Incomplete in kinds:
        answer["incomplete"] = [_incomplete(gap) for gap in kinds[Incomplete]]
    if end is not None and end.next is not None:
        answer["next"] = end.next
    return answer


def line(
    query: Query, event: SearchEvent, explain: Explain = unexplained, *, whole: bool = True
) -> Line:
    """Return an event as an object of the stream; `whole` as in `details.detail`."""
    match event:
        case Begin():
            return {"type": "begin", "data": _begin(query)}
        case Match():
            return {"type": "match", "data": detail(event, context=query.context > 0, whole=whole)}
        case Incomplete():
            return {"type": "incomplete", "data": _incomplete(event)}
        case Progress():
            return {"type": "progress", "data": _progress(event)}
        case TargetEnd():
            return {"type": "target", "data": target_data(event, explain)}
        case End():
            return {"type": "end", "data": _end(event)}


def _begin(query: Query) -> BeginData:
    data: BeginData = {"pattern": query.pattern}
    return data if query.username is None else {"username": query.username, **data}


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


def _end(end: End) -> EndData:
    data: EndData = {
        "status": "partial" if end.partial else "success",
        "matches": end.matches,
        "searched": searched_data(end.searched),
        "elapsed_seconds": round(end.elapsed_seconds, 3),
    }
    if end.next is not None:
        data["next"] = end.next
    return data
