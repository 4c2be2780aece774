"""Parses the lines of a service's stream into values; anything of another shape is refused.

The service is not trusted, so nothing in an answer is used before its type is checked.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

from gistapi.client.answers import (
    Begin,
    ClientError,
    End,
    Event,
    FileMatches,
    Line,
    LineMatch,
    Match,
    TargetOutcome,
)
from gistapi.models import Incomplete, Progress, Searched


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


MAX_INTEGER = 2**63 - 1
"""Larger numbers are implausible, and some of them do not fit into a float."""


class Shape:
    """A JSON object whose fields are checked when they are read."""

    def __init__(self, value: object) -> None:
        if not isinstance(value, dict):
            raise self.fault("")
        self.value: dict[str, Any] = value

    @staticmethod
    def fault(name: str) -> ClientError:
        """The error to raise when a field is missing or of another type."""
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
        """An integer from 0 to MAX_INTEGER."""
        number: int = self._get(name, int)
        if not 0 <= number <= MAX_INTEGER:
            raise self.fault(name)
        return number

    def optional_integer(self, name: str) -> int | None:
        """An integer; None if it is null or missing."""
        return None if self.value.get(name) is None else self.integer(name)

    def seconds(self, name: str) -> float:
        """A finite number."""
        number: int | float = self._get(name, (int, float))
        if abs(number) > MAX_INTEGER or not isfinite(number):
            raise self.fault(name)
        return float(number)

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
        searched = Searched(
            inner.integer("gists"),
            inner.integer("files"),
            inner.integer("size_bytes"),
            inner.optional_integer("listing_age_seconds") or 0,
        )
    return End(
        shape.text("status"),
        shape.integer("matches"),
        searched,
        shape.optional_text("next"),
        shape.seconds("elapsed_seconds"),
    )
