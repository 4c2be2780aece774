"""Answers as JSON, and the shapes that `Accept` can name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from flask import Response, request

JSON = "application/json"
NDJSON = "application/x-ndjson"
CSV = "text/csv"
ATOM = "application/atom+xml"
HTML = "text/html"
PROBLEM_JSON = "application/problem+json"
PART_BYTES = 64 * 1024
MANY_OBJECTS = 32
"""From here on a value is made into text part by part: 1,000 matches with context take 100 ms."""


def json_line(value: object) -> bytes:
    """The value as one line of JSON, ended by a newline."""
    return json.dumps(value).encode() + b"\n"


def json_parts(value: object) -> Iterator[bytes]:
    """The line of `json_line` in parts of about PART_BYTES, each made when it is sent."""
    part = bytearray()
    for piece in _pieces(value):
        part += piece
        if len(part) >= PART_BYTES:
            yield bytes(part)
            part.clear()
    yield bytes(part) + b"\n"


def _pieces(value: object) -> Iterator[bytes]:
    """The value's JSON: what holds many objects is split into them, at any depth.

    A call of `json.dumps` lets no other thread run until it ends.
    """
    if _objects(value) < MANY_OBJECTS:
        yield json.dumps(value).encode()
    elif isinstance(value, dict):
        for number, (name, field) in enumerate(value.items()):
            yield f"{', ' if number else '{'}{json.dumps(name)}: ".encode()
            yield from _pieces(field)
        yield b"}"
    elif isinstance(value, Sequence):
        yield b"["
        for number, item in enumerate(value):
            if number:
                yield b", "
            yield from _pieces(item)
        yield b"]"


def _objects(value: object) -> int:
    """How many objects a value holds; MANY_OBJECTS if it makes them when they are read."""
    if isinstance(value, dict):
        return 1 + sum(map(_objects, value.values()))
    if isinstance(value, list):
        return sum(map(_objects, value)) if value and isinstance(value[0], dict) else 0
    return MANY_OBJECTS if isinstance(value, Sequence) and not isinstance(value, str) else 0


def json_response(
    value: object,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    mimetype: str = JSON,
) -> Response:
    """An answer whose body is the value as JSON."""
    return Response(json_line(value), status, headers, mimetype=mimetype)


def named(media_type: str) -> bool:
    """Whether `Accept` names this type without a wildcard, and does not prefer plain JSON."""
    qualities = dict(request.accept_mimetypes)
    quality = qualities.get(media_type, 0)
    return quality > 0 and quality >= qualities.get(JSON, 0)
