"""The values in a service's answers: matches, what is missing, progress and errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gistapi.models import Incomplete, Progress, Searched


class ClientError(Exception):
    """The service refused, failed or cannot be reached; the message is for people.

    `code` and `status` are the contract's and HTTP's, `position` the offset of a fault in the
    pattern; each is None where there is none.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        status: int | None = None,
        position: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.position = position


@dataclass(frozen=True, slots=True)
class LineMatch:
    """One match.

    `line`, `column`, `end_line` and `end_column` count from 1, columns in characters, the end
    exclusive. `text` is the line or lines of the match, `text[start:end]` the match; `cut`: the
    text is not the whole line. `before` and `after` are lines of context.
    """

    line: int
    column: int
    end_line: int
    end_column: int
    text: str
    start: int
    end: int
    cut: bool
    before: tuple[str, ...]
    after: tuple[str, ...]
    url: str | None


@dataclass(frozen=True, slots=True)
class FileMatches:
    """The matches in one file; `more`: it has others.

    `found_in` is `content`; or `name` for matches in the file's name, or `description` for those in
    the gist's description, where `file` is None.
    """

    file: str | None
    language: str | None
    size_bytes: int | None
    more: bool
    matches: tuple[LineMatch, ...]
    found_in: str = "content"


@dataclass(frozen=True, slots=True)
class Match:
    """A gist that matches, and where.

    Times are as the service gives them, such as `2023-11-20T09:30:00Z`.
    """

    gist: str
    owner: str | None
    description: str | None
    created_at: str
    updated_at: str
    files: tuple[FileMatches, ...]


@dataclass(frozen=True, slots=True)
class Begin:
    """The search has started."""


@dataclass(frozen=True, slots=True)
class TargetOutcome:
    """The outcome of one target: `kind` is the request's field, such as `username`."""

    kind: str
    name: str
    status: str
    code: str | None
    message: str | None
    gists: int
    matches: int


@dataclass(frozen=True, slots=True)
class End:
    """The search has ended; `next` is the cursor to continue with, None at the listing's end."""

    status: str
    matches: int
    searched: Searched
    next: str | None
    elapsed_seconds: float


Event = Begin | Match | Incomplete | Progress | TargetOutcome | End


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the stream, raw and as a value; `event` is None for an unknown type."""

    type: str
    data: Mapping[str, Any]
    event: Event | None
