"""Answers as HTTP sends them: JSON, and which shape `Accept` names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Response, request

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
ATOM = "application/atom+xml"
HTML = "text/html"
PROBLEM_JSON = "application/problem+json"
PART_BYTES = 64 * 1024


def json_line(value: object) -> bytes:
    """The value as one line of JSON, ended by a newline."""
    return json.dumps(value).encode() + b"\n"


def json_parts(value: Mapping[str, Any]) -> Iterator[bytes]:
    """The value as `json_line` has it, in parts of about PART_BYTES, each made when it is sent."""
    part = bytearray()
    for piece in _pieces(value):
        part += piece
        if len(part) >= PART_BYTES:
            yield bytes(part)
            part.clear()
    yield bytes(part) + b"\n"


def _pieces(value: Mapping[str, Any]) -> Iterator[bytes]:
    start = "{"
    for name, field in value.items():
        yield f"{start}{json.dumps(name)}: ".encode()
        start = ", "
        if isinstance(field, list) and field and isinstance(field[0], dict):
            yield b"["
            for number, item in enumerate(field):
                yield b", " * (number > 0)
                yield from _pieces(item)
            yield b"]"
        else:
            yield json.dumps(field).encode()
    yield b"}" if value else b"{}"


def json_response(
    value: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    mimetype: str = JSON,
) -> Response:
    """An answer whose body is the value as JSON."""
    return Response(json_line(value), status, headers, mimetype=mimetype)


def named(media_type: str) -> bool:
    """Whether `Accept` names this type, not by a wildcard, and prefers plain JSON no more."""
    qualities = dict(request.accept_mimetypes)
    quality = qualities.get(media_type, 0)
    return quality > 0 and quality >= qualities.get(JSON, 0)
