"""The lines of a service's stream as values; what has another shape is refused.

The service may be anybody's, so nothing in an answer is used before its type is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gistapi.models import Incomplete, Progress


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
    """The search has begun."""


@dataclass(frozen=True, slots=True)
class TargetOutcome:
    """What became of one target: `kind` is the request's field, such as `username`."""

    kind: str
    name: str
    status: str
    code: str | None
    message: str | None
    gists: int
    matches: int


@dataclass(frozen=True, slots=True)
class Searched:
    """How much was searched."""

    gists: int = 0
    files: int = 0
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """The search has ended; `next` is the cursor to go on with, None at the listing's end."""

    status: str
    matches: int
    searched: Searched
    next: str | None
    elapsed_seconds: float


Event = Begin | Match | Incomplete | Progress | TargetOutcome | End


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the stream, as it came and as a value; `event` is None for an unknown type."""

    type: str
    data: Mapping[str, Any]
    event: Event | None


def parse(line: object) -> Line:
    """Check one line of a stream, as decoded from JSON.

    Raises:
        ClientError: it has another shape, or it reports an error.
    """
    outer = Shape(line)
    kind, inner = outer.text("type"), outer.shape("data")
    match kind:
        case "error":
            raise error_of(inner.value)
        case "begin":
            event: Event | None = Begin()
        case "match":
            event = _match(inner)
        case "incomplete":
            event = Incomplete(
                inner.optional_text("gist"),
                inner.optional_text("file"),
                inner.text("reason"),
                inner.text("message"),
            )
        case "progress":
            event = Progress(
                inner.integer("gists_done"),
                inner.optional_integer("gists_total"),
                inner.integer("files_done"),
                inner.integer("bytes_done"),
            )
        case "target":
            event = _target(inner)
        case "end":
            event = _end(inner)
        case _:
            event = None
    return Line(kind, inner.value, event)


def error_of(answer: object, status: int | None = None) -> ClientError:
    """The error that an answer in the contract's shape reports.

    Raises:
        ClientError: it has another shape.
    """
    shape = Shape(answer)
    message, code = shape.text("message"), shape.optional_text("code")
    for fault in shape.shapes("errors"):
        position = fault.optional_integer("position")
        if position is not None:
            return ClientError(fault.text("message"), code=code, status=status, position=position)
    return ClientError(message, code=code, status=status)


class Shape:
    """A JSON object whose fields are checked when they are read."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise self.fault("")
        self.value: dict[str, Any] = value

    @staticmethod
    def fault(name: str) -> ClientError:
        """What to raise when a field is missing or of another type."""
        where = f" ({name})" if name else ""
        return ClientError(f"The answer is not one of a gistapi service{where}.")

    def _get(self, name: str, kind: type | tuple[type, ...]) -> Any:  # noqa: ANN401 - of `kind`
        value = self.value.get(name)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fault(name)
        return value

    def text(self, name: str) -> str:
        """A string."""
        text: str = self._get(name, str)
        return text

    def optional_text(self, name: str) -> str | None:
        """A string; None if it is null or missing."""
        return None if self.value.get(name) is None else self.text(name)

    def integer(self, name: str) -> int:
        """An integer that is not negative."""
        number: int = self._get(name, int)
        if number < 0:
            raise self.fault(name)
        return number

    def optional_integer(self, name: str) -> int | None:
        """An integer; None if it is null or missing."""
        return None if self.value.get(name) is None else self.integer(name)

    def seconds(self, name: str) -> float:
        """A number."""
        return float(self._get(name, (int, float)))

    def flag(self, name: str) -> bool:
        """A boolean; false if it is null or missing."""
        return self.value.get(name) is not None and bool(self._get(name, bool))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings; empty if it is missing."""
        values = self.value.get(name, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self.fault(name)
        return tuple(values)

    def shape(self, name: str) -> Shape:
        """An object."""
        return Shape(self.value.get(name))

    def shapes(self, name: str) -> list[Shape]:
        """A list of objects; empty if it is missing."""
        values = self.value.get(name, [])
        if not isinstance(values, list):
            raise self.fault(name)
        return [Shape(value) for value in values]


def _match(shape: Shape) -> Match:
    files = tuple(
        FileMatches(
            file.optional_text("file"),
            file.optional_text("language"),
            file.optional_integer("size_bytes"),
            file.flag("more"),
            tuple(_line_match(found) for found in file.shapes("matches")),
            file.optional_text("in") or "content",
        )
        for file in shape.shapes("files")
    )
    return Match(
        shape.text("gist"),
        shape.optional_text("owner"),
        shape.optional_text("description"),
        shape.text("created_at"),
        shape.text("updated_at"),
        files,
    )


def _line_match(shape: Shape) -> LineMatch:
    text, start, end = shape.text("text"), shape.integer("start"), shape.integer("end")
    if not start <= end <= len(text):
        raise shape.fault("end")
    return LineMatch(
        shape.integer("line"),
        shape.integer("column"),
        shape.integer("end_line"),
        shape.integer("end_column"),
        text,
        start,
        end,
        shape.flag("cut"),
        shape.texts("before"),
        shape.texts("after"),
        shape.optional_text("url"),
    )


def _target(shape: Shape) -> TargetOutcome:
    kinds = ("username", "organization", "gist", "mine", "starred")
    kind = next((kind for kind in kinds if kind in shape.value), None)
    if kind is None:
        raise shape.fault("target")
    name = shape.value[kind]
    return TargetOutcome(
        kind,
        name if isinstance(name, str) else "",
        shape.text("status"),
        shape.optional_text("code"),
        shape.optional_text("message"),
        shape.integer("gists"),
        shape.integer("matches"),
    )


def _end(shape: Shape) -> End:
    searched = Searched()
    if "searched" in shape.value:
        inner = shape.shape("searched")
        searched = Searched(*(inner.integer(name) for name in ("gists", "files", "size_bytes")))
    return End(
        shape.text("status"),
        shape.integer("matches"),
        searched,
        shape.optional_text("next"),
        shape.seconds("elapsed_seconds"),
    )
